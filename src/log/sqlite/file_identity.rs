//! Are the files that are open still those at their paths?
//!
//! `SQLite` goes on writing into a file that was moved away or deleted, and what is written there is
//! gone with the process.

use std::path::{Path, PathBuf};

use super::open::with_suffix;
use crate::log::StoreError;

/// The log's file, its write-ahead log, and what keeps other servers away: without that another may
/// write beside this one.
#[derive(Debug)]
pub(super) struct FileIdentity {
    path: PathBuf,
    wal: PathBuf,
    lock: PathBuf,
    identities: [Option<Identity>; 3],
}

impl FileIdentity {
    /// Those at a path now, which are open.
    pub(super) fn at(path: &Path) -> FileIdentity {
        let (wal, lock) = (with_suffix(path, "-wal"), with_suffix(path, "-lock"));
        FileIdentity {
            identities: [path, &wal, &lock].map(|path| Some(look(path)?.0)),
            path: path.to_owned(),
            wal,
            lock,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Holds them to be the same; gives the length of the write-ahead log, in bytes.
    pub(super) fn check(&self) -> Result<u64, StoreError> {
        let now = [&self.path, &self.wal, &self.lock].map(|path| look(path));
        if now.map(|file| Some(file?.0)) != self.identities {
            return Err(StoreError(
                "the log's file, or the -wal or -lock file beside it, was moved, replaced or \
                 deleted: put it back, or restart the server to begin with what is there"
                    .to_owned(),
            ));
        }
        Ok(now[1].map_or(0, |(_, length)| length))
    }
}

/// Device and inode.
type Identity = (u64, u64);

#[cfg(unix)]
fn look(path: &Path) -> Option<(Identity, u64)> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path).ok()?;
    Some(((file.dev(), file.ino()), file.len()))
}

#[cfg(not(unix))]
fn look(path: &Path) -> Option<(Identity, u64)> {
    // The system does not let go of a file that is open.
    Some(((0, 0), std::fs::metadata(path).ok()?.len()))
}
