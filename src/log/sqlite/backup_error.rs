//! Why a log cannot be backed up or restored.

use std::io;
use std::path::{Path, PathBuf};

use super::error::describe;
use super::open::{OpenError, OpenErrorKind};

/// The error of a back-up that cannot be made or restored, with the file, the reason and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The log, or the back-up, cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no log to be backed up.
    #[error(
        "there is no log {0:?}; give the one that is meant, such as --store sqlite:forever-frame.db"
    )]
    NoLog(PathBuf),
    /// There is no back-up to be restored.
    #[error("there is no back-up {0:?}; give one that `forever-frame backup` has made")]
    NoBackup(PathBuf),
    /// The file that is to be restored has a write-ahead log.
    #[error(
        "{0:?} has a write-ahead log next to it (-wal), so it is a log and no back-up; make one of it: \
         forever-frame backup --store sqlite:{path} FILE",
        path = .0.display()
    )]
    IsLog(PathBuf),
    /// The file that is to be restored is that of the log.
    #[error("{0:?} is the log itself; give a back-up of it")]
    IsItself(PathBuf),
    /// There is a file where the back-up is to be.
    #[error("{0:?} is there already; choose another file, or give --replace to write over it")]
    Exists(PathBuf),
    /// There is a log where the back-up is to be put.
    #[error(
        "there is a log {0:?}; give --replace to put the back-up in its place, and all that came \
         since the back-up is gone"
    )]
    LogExists(PathBuf),
    /// The copy was not made as it should be.
    #[error("cannot write {path:?}: {reason}")]
    Write {
        /// The file that was to be written.
        path: PathBuf,
        /// Why it was not.
        reason: String,
    },
}

impl BackupError {
    /// The error of a file that `SQLite` cannot write.
    pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> BackupError {
        BackupError::Write {
            path: path.to_owned(),
            reason: describe(error),
        }
    }

    /// The error of a file that cannot be written.
    pub(super) fn io(path: &Path, error: &io::Error) -> BackupError {
        BackupError::Write {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    /// The error of a file that is no log, or one that cannot be used.
    pub(super) fn open(path: &Path, kind: impl Into<OpenErrorKind>) -> BackupError {
        BackupError::Open(OpenError::new(path, kind.into()))
    }
}
