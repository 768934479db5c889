//! Puts a back-up in the place of the log. It gets a new epoch there: what its next seqs mean is not
//! what they meant to those who have seen more of the log than it has.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rusqlite::Connection;

use super::backup::{WholeCopy, end_of};
use super::backup_error::BackupError;
use super::lock_file::LockFile;
use super::new_file::{NewFile, sync_directory};
use super::open::{self, FLAGS, OpenErrorKind, with_suffix};
use super::value::params;
use crate::message::Epoch;

/// Puts the back-up `file` in the place of the log at `store`. A log that is there already is replaced
/// only if `replaces` says so.
///
/// # Errors
/// When `file` is no back-up, or a server has the log open, or it cannot be written; then the log is as
/// it was.
pub fn restore(file: &Path, store: &Path, replaces: bool) -> Result<WholeCopy, BackupError> {
    let place = open::canonical(store).map_err(|kind| BackupError::open(store, kind))?;
    check_backup(file, &place)?;
    open::check_kind(&place).map_err(|kind| BackupError::open(store, kind))?;
    if !replaces && place.exists() {
        return Err(BackupError::LogExists(place));
    }
    // Held until all is done, so that no server starts meanwhile.
    let _lock = LockFile::create(&place).map_err(|error| BackupError::open(store, error))?;
    let mut copy = NewFile::begin(&place).map_err(|error| BackupError::io(&place, &error))?;
    File::open(file)
        .and_then(|mut from| io::copy(&mut from, copy.file()))
        .map_err(|error| BackupError::io(&place, &error))?;
    give_owner(&place, copy.path());
    begin_epoch(copy.path()).map_err(|kind| BackupError::open(file, kind))?;
    let end = end_of(copy.path()).map_err(|kind| BackupError::open(file, kind))?;
    let bytes = remove_side_files(&place)
        .and_then(|()| copy.put_in_place(replaces))
        .map_err(|error| BackupError::io(&place, &error))?;
    Ok(WholeCopy { end, bytes })
}

/// Checks that a file is a back-up, without touching it.
fn check_backup(file: &Path, place: &Path) -> Result<(), BackupError> {
    let Ok(path) = file.canonicalize() else {
        return Err(BackupError::NoBackup(file.to_owned()));
    };
    if path == place {
        return Err(BackupError::IsItself(path));
    }
    let wal = with_suffix(&path, "-wal");
    if wal.metadata().is_ok_and(|wal| wal.len() > 0) {
        return Err(BackupError::IsLog(path));
    }
    open::inspect_copy(&path).map_err(|kind| BackupError::open(file, kind))
}

/// Gives the copy, and the lock file, to whoever has the log that is replaced, or else the directory:
/// root restores what a service of another account is to open. Others cannot, and need not.
#[cfg(unix)]
fn give_owner(place: &Path, copy: &Path) {
    use std::os::unix::fs::{MetadataExt, chown};
    let directory = place.parent().unwrap_or(Path::new("/"));
    let before = place.metadata();
    if let Ok(before) = &before {
        let _ = fs::set_permissions(copy, before.permissions());
    }
    if let Ok(owner) = before.or_else(|_| directory.metadata()) {
        for path in [copy, &with_suffix(place, "-lock")] {
            let _ = chown(path, Some(owner.uid()), Some(owner.gid()));
        }
    }
}

/// Does nothing: this system has no such owners.
#[cfg(not(unix))]
fn give_owner(_: &Path, _: &Path) {}

/// Checks all of a copy, and gives it a new epoch.
fn begin_epoch(copy: &Path) -> Result<(), OpenErrorKind> {
    let connection = Connection::open_with_flags(copy, FLAGS)?;
    let sql = "PRAGMA quick_check(1)";
    let found: String = connection.query_row(sql, [], |row| row.get(0))?;
    if found != "ok" {
        return Err(OpenErrorKind::Damaged(found.replace('\n', " ")));
    }
    let epoch = Epoch::random();
    // The connection is the last, and leaves no write-ahead log.
    connection.execute("UPDATE log SET epoch = ?", params![epoch])?;
    connection.close().map_err(|(_, error)| error.into())
}

/// Removes what belongs to the file that is replaced. If the machine stops after that, the log that was
/// there may lack its newest messages, but nothing is mixed.
fn remove_side_files(place: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm"] {
        match fs::remove_file(with_suffix(place, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_directory(place)
}
