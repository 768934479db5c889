//! Makes a back-up: a copy of all that is in the log's file at one moment, its side tables included,
//! also while a server has it open (<https://sqlite.org/backup.html>).

use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::backup_error::BackupError;
use super::lock_file::{LockError, LockFile};
use super::new_file::NewFile;
use super::open::{self, FLAGS, OpenErrorKind};
use crate::message::{Cursor, Epoch, Seq};

/// A copy of a log: where it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WholeCopy {
    /// The newest entry that it has.
    pub end: Cursor,
    /// The length of the file, in bytes.
    pub bytes: u64,
}

/// Copies the log at `store` to `file`, which is whole when it is there. A file that is there already
/// is replaced only if `replaces` says so.
///
/// # Errors
/// When `store` is no log, or `file` cannot be written; then `file` is as it was.
pub fn back_up(store: &Path, file: &Path, replaces: bool) -> Result<WholeCopy, BackupError> {
    if !replaces && file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let store = open::canonical(store).map_err(|kind| BackupError::open(store, kind))?;
    if !store.exists() {
        return Err(BackupError::NoLog(store));
    }
    if file.canonicalize().is_ok_and(|file| file == store) {
        return Err(BackupError::IsItself(store));
    }
    check_without_server(&store).map_err(|kind| BackupError::open(&store, kind))?;
    let copy = NewFile::begin(file).map_err(|error| BackupError::io(file, &error))?;
    copy_pages(&store, copy.path()).map_err(|error| BackupError::sqlite(file, &error))?;
    let end = end_of(copy.path()).map_err(|kind| BackupError::open(&store, kind))?;
    let bytes = copy.put_in_place(replaces).map_err(|error| {
        let exists = error.kind() == std::io::ErrorKind::AlreadyExists;
        if exists {
            BackupError::Exists(file.to_owned())
        } else {
            BackupError::io(file, &error)
        }
    })?;
    Ok(WholeCopy { end, bytes })
}

/// Checks that the files of a log belong together. A server that has them open has done so, and
/// changes them.
fn check_without_server(store: &Path) -> Result<(), OpenErrorKind> {
    match LockFile::lock(store) {
        Err(LockError::Taken(_)) => Ok(()),
        held => {
            let held = held?;
            let record = held.as_ref().and_then(LockFile::record);
            open::inspect(store, record.as_ref())
        }
    }
}

/// Copies all pages, as they are at one moment: in steps, each commit of a server would have it begin
/// anew. The server's write-ahead log cannot begin anew meanwhile, and grows.
fn copy_pages(store: &Path, copy: &Path) -> rusqlite::Result<()> {
    let from = Connection::open_with_flags(store, FLAGS)?;
    open::configure(&from)?;
    let mut to = Connection::open_with_flags(copy, FLAGS)?;
    // It is synced as a whole, and deleted if that does not come about.
    to.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    to.pragma_update(None, "synchronous", "OFF")?;
    let step = Backup::new(&from, &mut to)?.step(-1)?;
    match step {
        StepResult::Done => Ok(()),
        // The lock was waited for.
        _ => Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            None,
        )),
    }
}

/// Returns where a log ends that nobody has open, and whose file is all there is of it.
pub(super) fn end_of(file: &Path) -> Result<Cursor, OpenErrorKind> {
    let connection = open::open_main_alone(file)?;
    let epoch: Epoch = open::check_consistency(&connection)?;
    let seq: Seq = connection.query_row("SELECT last FROM log", [], |row| row.get(0))?;
    Ok(Cursor { epoch, seq })
}
