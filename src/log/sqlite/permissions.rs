//! Who may read the log's files: only the account of the server, whatever the umask.
//!
//! The main file is created before `SQLite` opens it, since `SQLite` would leave it to the umask; the
//! files that `SQLite` puts next to it (`-wal`, `-shm`, `-journal`) get the permissions of the main
//! file. Files that exist stay as they are: an operator may have given them to a group.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a file for reading and writing, and creates it for its owner alone if there is none.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Logs a warning if every local user may read or write a file: it has the messages of all channels,
/// and the accounts of the chat.
#[cfg(unix)]
pub(super) fn warn_if_open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = path.metadata().map_or(0, |file| file.permissions().mode());
    if mode & 0o006 != 0 {
        log::warn!(
            "every local user may read or write the log {} (mode {:o}); chmod o-rw it, and the files \
             next to it",
            path.display(),
            mode & 0o777
        );
    }
}

/// Does nothing: this system has no such permissions.
#[cfg(not(unix))]
pub(super) fn warn_if_open_to_all(_: &Path) {}
