//! The errors of `SQLite`, as sentences that say what to do.

use rusqlite::ErrorCode;

use crate::log::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        StoreError(describe(&error))
    }
}

/// Whether an error means only that another process holds the lock.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Whether an error means that the disk is full, or over a quota, as far as `SQLite` tells.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    /// A write failed for another reason than a full disk, such as a quota or a limit of file sizes.
    const IOERR_WRITE: i32 = 778;
    /// The index of the write-ahead log could not grow.
    const IOERR_SHMSIZE: i32 = 4874;
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error
            .sqlite_error()
            .is_some_and(|error| [IOERR_WRITE, IOERR_SHMSIZE].contains(&error.extended_code))
}

/// Describes an error in a sentence for senders. It does not give the file's path: that is told to
/// the operator, at the start of the server.
pub(super) fn describe(error: &rusqlite::Error) -> String {
    let code = error.sqlite_error().map_or(0, |error| error.extended_code);
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
        Some(ErrorCode::SystemIoFailure) => format!(
            "the log's file cannot be read or written (SQLite's error {code}): the disk may be \
             full, over a quota, or broken"
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process holds the lock of the log's file".to_owned()
        }
        Some(ErrorCode::ReadOnly) => "the log's file is read-only".to_owned(),
        Some(ErrorCode::CannotOpen) => {
            format!("the log's file cannot be opened (SQLite's error {code})")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => format!(
            "the log's file is damaged ({error}): stop the server, and restore a copy, or move \
             the file away to begin anew"
        ),
        _ => format!("the log's file cannot be used ({error})"),
    }
}
