//! Whether the open files are still the files at their paths.
//!
//! `SQLite` goes on writing into a file that was moved away or deleted, and all that is written
//! there is gone when the process ends.

use std::path::{Path, PathBuf};

use super::open::with_suffix;
use crate::log::StoreError;

/// The identity of the log's file, its write-ahead log, and its lock file, as they were opened. The
/// lock file keeps other servers away: if it is replaced, another server may write to the same log.
#[derive(Debug)]
pub(super) struct FileIdentity {
    path: PathBuf,
    wal: PathBuf,
    lock: PathBuf,
    inodes: [Option<Inode>; 3],
}

impl FileIdentity {
    /// Returns the identity of the files that are at these paths now, and open.
    pub(super) fn at(path: &Path) -> FileIdentity {
        let (wal, lock) = (with_suffix(path, "-wal"), with_suffix(path, "-lock"));
        FileIdentity {
            inodes: [path, &wal, &lock].map(|path| Some(stat(path)?.0)),
            path: path.to_owned(),
            wal,
            lock,
        }
    }

    /// Returns the path of the log's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that the files are still the same. Returns the length of the write-ahead log, in
    /// bytes.
    ///
    /// # Errors
    /// When one of the files was moved, replaced or deleted.
    pub(super) fn check(&self) -> Result<u64, StoreError> {
        let now = [&self.path, &self.wal, &self.lock].map(|path| stat(path));
        if now.map(|file| Some(file?.0)) != self.inodes {
            return Err(StoreError(
                "the log's file, or the -wal or -lock file next to it, was moved, replaced or \
                 deleted: put it back, or restart the server to begin with what is there"
                    .to_owned(),
            ));
        }
        Ok(now[1].map_or(0, |(_, length)| length))
    }
}

/// A file's device and inode.
type Inode = (u64, u64);

/// Returns the inode and the length of the file at a path, if there is one. Nothing else is asked for:
/// once a file's times have been read, Linux notes a finer time at the next write, and the sync after
/// it has to write the inode, too (<https://docs.kernel.org/filesystems/multigrain-ts.html>).
#[cfg(target_os = "linux")]
fn stat(path: &Path) -> Option<(Inode, u64)> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
    let flags = StatxFlags::INO | StatxFlags::SIZE;
    match statx(CWD, path, AtFlags::empty(), flags) {
        Ok(file) => {
            let device = makedev(file.stx_dev_major, file.stx_dev_minor);
            Some(((device, file.stx_ino), file.stx_size))
        }
        Err(rustix::io::Errno::NOENT) => None,
        // A sandbox may know only the older call.
        Err(_) => stat_all(path),
    }
}

/// Returns the inode and the length of the file at a path, if there is one.
#[cfg(all(unix, not(target_os = "linux")))]
fn stat(path: &Path) -> Option<(Inode, u64)> {
    stat_all(path)
}

/// Returns the inode and the length of the file at a path, if there is one, by the call that reads its
/// times, too.
#[cfg(unix)]
fn stat_all(path: &Path) -> Option<(Inode, u64)> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path).ok()?;
    Some(((file.dev(), file.ino()), file.len()))
}

/// Returns a constant instead of the inode, and the length of the file at a path, if there is one.
#[cfg(not(unix))]
fn stat(path: &Path) -> Option<(Inode, u64)> {
    // The system does not let an open file be moved or deleted.
    Some(((0, 0), std::fs::metadata(path).ok()?.len()))
}
