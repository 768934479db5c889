//! Opening the log's file: whose it is, who has it, and that nothing is touched that is not ours.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OpenFlags};

use super::error::{is_busy, sentence};
use super::log_row::LogRow;
use super::{Bounds, schema};
use crate::limits;
use crate::message::{Epoch, Seq};

/// How a file that is there is opened: not read-only even to read, since whoever reads has its
/// part in the index of the write-ahead log.
pub(super) const FLAGS: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// The log's file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the log {path:?}: {why}")]
pub struct OpenError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("{0}; the server must be able to read and write it")]
    Io(#[from] io::Error),
    #[error("there is no directory {0:?}; create it, or choose another place with --store")]
    NoDirectory(PathBuf),
    #[error("{0}: SQLite has files beside the log's, so its directory must be writable")]
    SideTables(io::Error),
    #[error("it is not a file; give one, such as --store sqlite:forever-frame.db")]
    NotAFile,
    #[error(
        "it has {0} names (hard links), each of which would have a write-ahead log of its own; \
         remove all but one"
    )]
    Names(u64),
    #[error("it is not an SQLite database; choose another file with --store")]
    NotADatabase,
    #[error("it is the database of another program; choose another file with --store")]
    Foreign,
    #[error(
        "it is of version {0}, and this program knows them up to {known}; use a newer forever-frame",
        known = schema::VERSION
    )]
    Newer(i32),
    #[error("another server has it{0}; stop that one, or choose another file with --store")]
    Taken(String),
    #[error(
        "it is damaged ({0}); put a copy in its place, without a -wal file beside it, or move it \
         away to begin anew"
    )]
    Damaged(String),
    #[error("it has no write-ahead log on this file system, which may be a network's")]
    NoWal,
    #[error("{}", sentence(.0))]
    Sqlite(#[from] rusqlite::Error),
}

/// A file that is open for writing, ready for use.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its path, without symbolic links.
    pub(super) path: PathBuf,
    /// Held until the file is closed.
    pub(super) lock: File,
    pub(super) connection: Connection,
    pub(super) epoch: Epoch,
    pub(super) bounds: Bounds,
}

/// Opens a log's file, or creates it.
pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    let opened = canonical(path).and_then(|path| {
        // Whose it is comes before a file is put beside it; but who has it comes before all, since
        // SQLite's own locks are lost when a process opens and closes the file a second time.
        let held = match lock(&path, false) {
            Err(Why::SideTables(error)) if error.kind() == io::ErrorKind::NotFound => None,
            held => Some(held?),
        };
        inspect(&path)?;
        let lock = match held {
            Some(held) => held,
            None => lock(&path, true)?,
        };
        let (connection, (epoch, bounds)) = connect(&path)?;
        Ok(Opened {
            path,
            lock,
            connection,
            epoch,
            bounds,
        })
    });
    opened.map_err(|why| OpenError {
        path: path.to_owned(),
        why,
    })
}

/// A path behind a path, such as that of the write-ahead log.
pub(super) fn with_suffix(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// One name for a file, whichever way it was given.
fn canonical(path: &Path) -> Result<PathBuf, Why> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(Why::NotAFile)?;
            let directory = match path.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            };
            let canonical =
                fs::canonicalize(directory).map_err(|_| Why::NoDirectory(directory.to_owned()))?;
            Ok(canonical.join(name))
        }
        canonical => Ok(canonical?),
    }
}

/// Looks at a file without touching it or anything beside it.
fn inspect(path: &Path) -> Result<(), Why> {
    const HEADER: usize = 100;
    if let Ok(file) = fs::metadata(path) {
        if !file.is_file() {
            return Err(Why::NotAFile);
        }
        if names(&file) > 1 {
            return Err(Why::Names(names(&file)));
        }
    }
    // For writing, too: what may only be read is of no use.
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let mut header = Vec::with_capacity(HEADER);
    Read::by_ref(&mut file)
        .take(HEADER as u64)
        .read_to_end(&mut header)?;
    if header.is_empty() {
        return Ok(());
    }
    // https://sqlite.org/fileformat.html#the_database_header
    let number =
        |at| i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if header.len() < HEADER || !header.starts_with(b"SQLite format 3\0") {
        return Err(Why::NotADatabase);
    }
    if [40, 60, 68].map(number) == [0; 3] {
        // It has no table, version or owner: whoever began to make it did not come further.
        return Ok(());
    }
    if number(68) != schema::APPLICATION_ID {
        return Err(Why::Foreign);
    }
    known(number(60))?;
    // A file that was closed well is whole in itself, and can be looked into.
    let in_use = ["-wal", "-journal"].map(|ending| with_suffix(path, ending).exists());
    if in_use == [false, false] {
        whole(&header, file.metadata()?.len())?;
        let name = percent_encode(path.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)?;
        examine(&connection)?;
    }
    Ok(())
}

/// Is a file as long as its header says? `SQLite` asks that of each page when it is read, which may
/// be much later.
fn whole(header: &[u8], length: u64) -> Result<(), Why> {
    let number = |range: Range<usize>| header[range].iter().fold(0, |n, b| n << 8 | u64::from(*b));
    let page = match number(16..18) {
        1 => 65536,
        page => page,
    };
    // The number of pages is right if it was written with the last change.
    let (pages, is_known) = (number(28..32), number(24..28) == number(92..96));
    if is_known && length < pages * page {
        let should = pages * page;
        return Err(Why::Damaged(format!(
            "it is cut short: {length} bytes of {should}"
        )));
    }
    Ok(())
}

/// How many names (hard links) a file has.
#[cfg(unix)]
fn names(file: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(file)
}

/// How many names it has is not told.
#[cfg(not(unix))]
fn names(_: &Metadata) -> u64 {
    1
}

/// Is a version one that this program knows?
fn known(version: i32) -> Result<i32, Why> {
    if version > schema::VERSION {
        return Err(Why::Newer(version));
    }
    Ok(version)
}

/// Keeps other servers away, by a lock on a file of its own.
fn lock(path: &Path, create: bool) -> Result<File, Why> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .open(with_suffix(path, "-lock"))
        .map_err(Why::SideTables)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            // Only to be helpful.
            let _ = file.read_to_string(&mut process);
            return Err(Why::Taken(process));
        }
        Err(TryLockError::Error(error)) => return Err(Why::SideTables(error)),
    }
    file.set_len(0).map_err(Why::SideTables)?;
    write!(file, " (process {})", std::process::id()).map_err(Why::SideTables)?;
    Ok(file)
}

fn connect(path: &Path) -> Result<(Connection, (Epoch, Bounds)), Why> {
    let flags = FLAGS | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(limits::LOCK_TIMEOUT)?;
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let version = known(number("user_version")?)?;
    if number("application_id")? != schema::APPLICATION_ID {
        // The header may lag behind what is in a write-ahead log.
        if version != 0 || number("schema_version")? != 0 {
            return Err(Why::Foreign);
        }
        // Before there is a table, or it has no effect.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    schema::migrate(&mut connection, version)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Why::NoWal);
    }
    tune(&connection)?;
    let log = examine(&connection)?;
    Ok((connection, log))
}

/// What is said to each connection that writes.
pub(super) fn tune(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(limits::LOCK_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(32);
    // A commit is on the disk when it returns.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What the write-ahead log has grown to is given back when it begins anew.
    connection.pragma_update(None, "journal_size_limit", limits::WAL_BYTES)
}

/// Looks whether the log's row and its messages agree, which takes the same time however many
/// there are.
fn examine(connection: &Connection) -> Result<(Epoch, Bounds), Why> {
    let looked = || -> rusqlite::Result<_> {
        let epoch: Epoch = connection.query_row("SELECT epoch FROM log", [], |row| row.get(0))?;
        let newest: Option<Seq> =
            connection.query_row("SELECT max(seq) FROM messages", [], |row| row.get(0))?;
        let bounds = Bounds::of(connection, &LogRow::load(connection)?)?;
        Ok((epoch, bounds, newest))
    };
    match looked() {
        Ok((_, bounds, Some(newest))) if newest > bounds.last => Err(Why::Damaged(format!(
            "message {newest} stands behind the last one, {}",
            bounds.last
        ))),
        Ok((epoch, bounds, _)) => Ok((epoch, bounds)),
        Err(error) if is_busy(&error) => Err(error.into()),
        Err(error) => Err(Why::Damaged(error.to_string())),
    }
}
