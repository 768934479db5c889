//! Opens the log's file: checks whose file it is and that no other server has it, and touches no
//! file of another program.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::{describe, is_busy};
use super::known_closes::KnownCloses;
use super::lock_file::{LockError, LockFile, LogRecord};
use super::log_row::LogRow;
use super::main_file::{HEADER, page_size};
use super::{Bounds, clock_table, key_table, leftover_wal, older_copy, permissions, schema};
use crate::limits;
use crate::log::clock_state::SavedClock;
use crate::log::used_keys::UsedKeys;
use crate::message::{Epoch, Seq};

/// The flags for a file that exists. A connection that only reads needs write access, too, since it
/// has its part in the index of the write-ahead log.
pub(super) const FLAGS: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// The error of a log's file that cannot be used, with its path, the reason and what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the log {path:?}: {kind}")]
pub struct OpenError {
    path: PathBuf,
    kind: OpenErrorKind,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum OpenErrorKind {
    #[error("{0}; the server must be able to read and write it")]
    Io(#[from] io::Error),
    #[error("there is no directory {0:?}; create it, or choose another path with --store")]
    NoDirectory(PathBuf),
    #[error("{0}: SQLite has files next to the log's, so its directory must be writable")]
    SiblingFile(io::Error),
    #[error("it is not a file; give one, such as --store sqlite:forever-frame.db")]
    NotAFile,
    #[error(
        "it has {0} names (hard links), each of which would have a write-ahead log of its own; \
         remove all but one"
    )]
    HardLinks(u64),
    #[error("it is not an SQLite database; choose another file with --store")]
    NotADatabase,
    #[error("it is the database of another program; choose another file with --store")]
    Foreign,
    #[error(
        "it has version {0}, and this program knows versions up to {known}; use a newer \
         forever-frame",
        known = schema::VERSION
    )]
    Newer(i32),
    #[error("another server has it {0}; stop that one, or choose another file with --store")]
    Taken(String),
    #[error(
        "it is damaged ({0}); put a copy in its place, without a -wal file next to it, or move it \
         away to begin anew"
    )]
    Damaged(String),
    #[error(
        "{0}, and the write-ahead log next to it (-wal) belongs to the file that was there: together \
         they would be spoilt. Put that file back; or, to go on with a copy, put the copy in its place \
         and delete the -wal and -shm files next to it"
    )]
    OtherWal(&'static str),
    #[error(
        "SQLite cannot have a write-ahead log on this file system, which may be a network's; \
         choose a local one with --store"
    )]
    NoWal,
    #[error("{}", describe(.0))]
    Sqlite(#[from] rusqlite::Error),
}

impl From<LockError> for OpenErrorKind {
    fn from(error: LockError) -> OpenErrorKind {
        match error {
            LockError::Taken(process) => OpenErrorKind::Taken(process),
            LockError::Io(error) => OpenErrorKind::SiblingFile(error),
        }
    }
}

impl OpenError {
    pub(super) fn new(path: &Path, kind: OpenErrorKind) -> OpenError {
        OpenError {
            path: path.to_owned(),
            kind,
        }
    }

    /// Returns the error of a file that cannot be read.
    pub(super) fn io(path: &Path, error: io::Error) -> OpenError {
        OpenError::new(path, error.into())
    }
}

/// A log's file that is open for writing, ready for use.
#[derive(Debug)]
pub(super) struct Opened {
    /// The file's path, without symbolic links.
    pub(super) path: PathBuf,
    /// The lock that keeps other servers away, to be held until the file is closed.
    pub(super) lock: LockFile,
    /// How far the log has come.
    pub(super) record: LogRecord,
    pub(super) connection: Connection,
    pub(super) epoch: Epoch,
    pub(super) bounds: Bounds,
    pub(super) closes: KnownCloses,
    pub(super) saved_clock: SavedClock,
    pub(super) keys: UsedKeys,
}

/// Opens a log's file, or creates it.
///
/// # Errors
/// When the file cannot be used; then nothing has been touched.
pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    let opened = canonical(path).and_then(|path| {
        // Whose file it is has to be checked before the lock file is created next to it. But if
        // there is a lock file already, it has to be locked before all else: SQLite's own locks are
        // lost when a process opens and closes the file a second time.
        let held = LockFile::lock(&path)?;
        let record = held.as_ref().and_then(LockFile::record);
        inspect(&path, record.as_ref())?;
        let lock = match held {
            Some(held) => held,
            None => LockFile::create(&path)?,
        };
        let connection = connect(&path)?;
        check_consistency(&connection)?;
        let log_row = LogRow::load(&connection)?;
        let record = older_copy::resume(&connection, &path, record)?;
        lock.note(&record);
        Ok(Opened {
            path,
            lock,
            epoch: record.epoch.clone(),
            record,
            bounds: Bounds::of(&connection, &log_row)?,
            closes: KnownCloses::load(&connection, log_row.last)?,
            saved_clock: SavedClock {
                time: log_row.time,
                log_time: log_row.log_time,
                record: clock_table::load(&connection)?,
            },
            keys: key_table::load(&connection)?,
            connection,
        })
    });
    opened.map_err(|kind| OpenError::new(path, kind))
}

/// Returns a path with a suffix, such as that of the write-ahead log.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Returns the canonical path of a file, which need not exist yet.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, OpenErrorKind> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(OpenErrorKind::NotAFile)?;
            let directory = match path.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            let canonical = fs::canonicalize(directory)
                .map_err(|_| OpenErrorKind::NoDirectory(directory.to_owned()))?;
            Ok(canonical.join(name))
        }
        canonical => Ok(canonical?),
    }
}

/// Checks that a path leads to a file with one name, or to none.
pub(super) fn check_kind(path: &Path) -> Result<(), OpenErrorKind> {
    match fs::metadata(path) {
        Ok(file) if !file.is_file() => Err(OpenErrorKind::NotAFile),
        Ok(file) if hard_links(&file) > 1 => Err(OpenErrorKind::HardLinks(hard_links(&file))),
        _ => Ok(()),
    }
}

/// Reads the header of a file, which is empty if the file is.
fn read_header(file: &mut File) -> Result<Vec<u8>, OpenErrorKind> {
    let mut header = Vec::with_capacity(HEADER);
    Read::by_ref(file)
        .take(HEADER as u64)
        .read_to_end(&mut header)?;
    let is_database = header.len() == HEADER && header.starts_with(b"SQLite format 3\0");
    if !header.is_empty() && !is_database {
        return Err(OpenErrorKind::NotADatabase);
    }
    Ok(header)
}

/// Returns a number in the header of a database
/// (<https://sqlite.org/fileformat.html#the_database_header>).
fn number(header: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

/// Checks by its header that a database is a log, of a version that this program knows.
fn check_owner(header: &[u8]) -> Result<(), OpenErrorKind> {
    if number(header, 68) != schema::APPLICATION_ID {
        return Err(OpenErrorKind::Foreign);
    }
    check_version(number(header, 60)).map(drop)
}

/// Checks that a file is a log that is whole in itself, without touching it.
pub(super) fn inspect_copy(path: &Path) -> Result<(), OpenErrorKind> {
    if !fs::metadata(path)?.is_file() {
        return Err(OpenErrorKind::NotAFile);
    }
    let mut file = File::open(path)?;
    let header = read_header(&mut file)?;
    if header.is_empty() {
        return Err(OpenErrorKind::NotADatabase);
    }
    check_owner(&header)?;
    check_length(&header, file.metadata()?.len())?;
    check_consistency(&open_main_alone(path)?).map(drop)
}

/// Checks that a file is a log's, or new, without touching it or any file next to it.
pub(super) fn inspect(path: &Path, record: Option<&LogRecord>) -> Result<(), OpenErrorKind> {
    check_kind(path)?;
    // For writing, too: a file that is read-only is of no use.
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let header = read_header(&mut file)?;
    if header.is_empty() {
        return leftover_wal::check_empty(path);
    }
    if [40, 60, 68].map(|at| number(&header, at)) == [0; 3] {
        // The file has no table, version or owner: a server began to create it and did not finish.
        return Ok(());
    }
    check_owner(&header)?;
    // A file that was closed properly is complete in itself, and can be read without a write-ahead
    // log.
    let in_use = ["-wal", "-journal"].map(|suffix| with_suffix(path, suffix).exists());
    if in_use == [false, false] {
        check_length(&header, file.metadata()?.len())?;
        check_consistency(&open_main_alone(path)?)?;
    } else if in_use == [true, false] {
        leftover_wal::check(path, &header, file.metadata()?.len(), record)?;
    }
    Ok(())
}

/// Opens the main file as if there were no write-ahead log, and without touching anything.
pub(super) fn open_main_alone(path: &Path) -> rusqlite::Result<Connection> {
    let name = percent_encode(path.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
}

/// Checks that a file is as long as its header says. `SQLite` would find that out when it reads a
/// missing page, which may be much later.
pub(super) fn check_length(header: &[u8], length: u64) -> Result<(), OpenErrorKind> {
    let number = |range: Range<usize>| header[range].iter().fold(0, |n, b| n << 8 | u64::from(*b));
    // The number of pages is valid if it was written with the last change.
    let (pages, is_valid) = (number(28..32), number(24..28) == number(92..96));
    let expected = pages * page_size(header);
    if is_valid && length < expected {
        return Err(OpenErrorKind::Damaged(format!(
            "it is cut short: {length} bytes of {expected}"
        )));
    }
    Ok(())
}

/// Returns how many names (hard links) a file has.
#[cfg(unix)]
fn hard_links(file: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(file)
}

/// Returns 1: on this system the number of a file's names is not available.
#[cfg(not(unix))]
fn hard_links(_: &Metadata) -> u64 {
    1
}

/// Checks that a version is one that this program knows, and returns it.
fn check_version(version: i32) -> Result<i32, OpenErrorKind> {
    if version > schema::VERSION {
        return Err(OpenErrorKind::Newer(version));
    }
    Ok(version)
}

/// Opens the connection that writes, and brings the file up to date.
fn connect(path: &Path) -> Result<Connection, OpenErrorKind> {
    permissions::open_or_create(path)?;
    permissions::warn_if_open_to_all(path);
    let mut connection = Connection::open_with_flags(path, FLAGS)?;
    connection.busy_timeout(limits::LOCK_TIMEOUT)?;
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let version = check_version(number("user_version")?)?;
    if number("application_id")? != schema::APPLICATION_ID {
        // The header that inspect() read may have been older than the write-ahead log.
        if version != 0 || number("schema_version")? != 0 {
            return Err(OpenErrorKind::Foreign);
        }
        // Before the first table is created, since it has no effect afterwards.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    schema::migrate(&mut connection, version)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenErrorKind::NoWal);
    }
    configure_writer(&connection)?;
    Ok(connection)
}

/// Sets the options of any connection.
pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(limits::LOCK_TIMEOUT)?;
    // Otherwise a statement with `LIMIT ?` is compiled anew for each value.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}

/// Sets the options of a connection that writes.
pub(super) fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    configure(connection)?;
    connection.set_prepared_statement_cache_capacity(32);
    // A commit is on the disk when it returns.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // When the write-ahead log begins anew, its file is cut back to this length.
    connection.pragma_update(None, "journal_size_limit", limits::WAL_BYTES)
}

/// Checks that the log's row and its messages agree, in a file of any version, and returns the log's
/// epoch. It takes the same time however many messages there are.
pub(super) fn check_consistency(connection: &Connection) -> Result<Epoch, OpenErrorKind> {
    let load = || -> rusqlite::Result<(Epoch, Seq, Option<Seq>)> {
        let (epoch, last) = connection.query_row("SELECT epoch, last FROM log", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        let newest = connection.query_row("SELECT max(seq) FROM messages", [], |row| row.get(0))?;
        Ok((epoch, last, newest))
    };
    match load() {
        Ok((_, last, Some(newest))) if newest > last => Err(OpenErrorKind::Damaged(format!(
            "message {newest} is past the last one, {last}"
        ))),
        Ok((epoch, _, _)) => Ok(epoch),
        Err(error) if is_busy(&error) => Err(error.into()),
        Err(error) => Err(OpenErrorKind::Damaged(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    /// A statement is compiled once, whatever values it gets.
    #[test]
    fn statement_is_compiled_once() {
        let connection = Connection::open_in_memory().unwrap();
        configure(&connection).unwrap();
        let sql = "SELECT name FROM sqlite_schema ORDER BY rowid LIMIT ?";
        let mut statement = connection.prepare(sql).unwrap();
        for count in 1..5 {
            assert!(!statement.exists([count]).unwrap());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
