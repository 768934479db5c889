//! Whether the main file still has what this program wrote into it.
//!
//! `cp old.db log.db` and a truncation leave the file's inode as it is, and `SQLite` does not notice: it
//! would mix the pages that it finds with those of its write-ahead log. So the file is looked at before
//! each access: only if its length or its time of change differ is its header read.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::SystemTime;

use parking_lot::Mutex;

use super::schema;
use crate::log::StoreError;

/// The length of the header of a database.
pub(super) const HEADER: usize = 100;

/// The main file, open for as long as any connection is: to close it any earlier would lose the locks
/// of all (<https://sqlite.org/howtocorrupt.html>, section 2.2).
#[derive(Debug)]
pub(super) struct MainFile {
    file: File,
    seen: Mutex<MainFileState>,
    is_overwritten: AtomicBool,
}

/// What is known of the main file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MainFileState {
    length: u64,
    /// The length that the header says. While the write-ahead log is written into the file it may be
    /// shorter, and it stays so if the disk has no room for all of it.
    whole: u64,
    changed: Option<SystemTime>,
    /// The counter of changes in the header, which only rises.
    changes: u32,
}

impl MainFile {
    /// Opens the file, which must be a database.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn open(path: &Path) -> io::Result<MainFile> {
        let file = OpenOptions::new().read(true).open(path)?;
        let seen = look(&file)?.ok_or(io::ErrorKind::InvalidData)?;
        Ok(MainFile {
            file,
            seen: Mutex::new(seen),
            is_overwritten: AtomicBool::new(false),
        })
    }

    /// Whether something else was written into the file. That stays so until the server is started
    /// again, since connections may have read it.
    pub(super) fn is_overwritten(&self) -> bool {
        self.is_overwritten.load(Relaxed)
    }

    /// Checks that the file has what this program wrote into it. While another connection writes the
    /// write-ahead log into it, it may look otherwise; then it is looked at again while that cannot be,
    /// under the lock `writing`.
    ///
    /// # Errors
    /// When something else was written into it, or when it was cut short.
    pub(super) fn check(&self, writing: &Mutex<()>) -> Result<(), StoreError> {
        if !self.is_overwritten() && !self.is_as_written() {
            let _no_writer = writing.lock();
            if !self.is_as_written() {
                self.is_overwritten.store(true, Relaxed);
            }
        }
        if self.is_overwritten() {
            return Err(StoreError(
                "the log's file was overwritten or cut short while the server had it open: stop the \
                 server, put the file in its place that is to be used, without -wal and -shm files \
                 next to it if it is a copy, and start the server"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Whether the file can be what this program left there.
    fn is_as_written(&self) -> bool {
        let mut seen = self.seen.lock();
        let Ok(now) = self.file.metadata() else {
            return false;
        };
        if (now.len(), now.modified().ok()) == (seen.length, seen.changed) {
            return true;
        }
        match look(&self.file) {
            Ok(Some(now)) if now.can_follow(&seen) => {
                *seen = now;
                true
            }
            _ => false,
        }
    }
}

impl MainFileState {
    /// Whether this program can have made this of what was there before.
    fn can_follow(&self, before: &MainFileState) -> bool {
        // Only a file that is whole afterwards is made shorter.
        let is_cut = self.length < self.whole && self.length < before.length;
        !is_cut && self.changes.wrapping_sub(before.changes) < u32::MAX / 2
    }
}

/// Looks at a file; `None` if it is not a log's.
fn look(file: &File) -> io::Result<Option<MainFileState>> {
    // Before the header, so that what is written meanwhile is seen the next time.
    let data = file.metadata()?;
    let mut header = [0; HEADER];
    read_at_start(file, &mut header)?;
    let number = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let is_log = header.starts_with(b"SQLite format 3\0")
        && number(68) == schema::APPLICATION_ID.cast_unsigned();
    Ok(is_log.then(|| MainFileState {
        length: data.len(),
        whole: u64::from(number(28)) * page_size(&header),
        changed: data.modified().ok(),
        changes: number(24),
    }))
}

/// Returns the size of a page, from a header.
pub(super) fn page_size(header: &[u8]) -> u64 {
    match u64::from(header[16]) << 8 | u64::from(header[17]) {
        1 => 65536,
        size => size,
    }
}

/// Reads the first bytes of a file.
#[cfg(unix)]
pub(super) fn read_at_start(file: &File, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, 0)
}

/// Reads the first bytes of a file.
#[cfg(not(unix))]
pub(super) fn read_at_start(mut file: &File, bytes: &mut [u8]) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What this program writes follows what was there, also if the disk was full meanwhile; an older
    /// copy does not, and neither does a file that was cut short.
    #[test]
    fn states_follow_each_other() {
        let state = |length, whole, changes| MainFileState {
            length,
            whole,
            changed: None,
            changes,
        };
        let before = state(100, 100, 7);
        for (now, is_own) in [
            (state(200, 200, 8), true),
            (state(150, 200, 8), true),
            (state(50, 50, 8), true),
            (state(100, 100, 7), true),
            (state(50, 100, 7), false),
            (state(50, 200, 8), false),
            (state(100, 100, 6), false),
            (state(200, 200, 6), false),
        ] {
            assert_eq!(now.can_follow(&before), is_own, "{now:?}");
        }
    }
}
