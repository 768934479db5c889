//! The lock file next to the log's: it keeps other servers away, and knows how far the log had come.
//!
//! Its first line names the process. The second has the newest message that was committed, and the
//! life of the write-ahead log in which that was done. It is written after each commit, and not
//! synced: after a power cut it may be older than the log, which proves nothing, but it is never newer
//! than the log's file together with its write-ahead log. If it is, the file is an older copy.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use parking_lot::Mutex;

use super::open::with_suffix;
use super::permissions;
use super::wal_file::WalId;
use crate::message::{Epoch, Seq, Timestamp};

/// The length of the first line.
const PROCESS_LINE: usize = 32;
/// The length of the second line, which is always written whole, so that nothing is left of the one
/// before.
const RECORD_LINE: usize = 128;

/// The lock file, locked until it is dropped.
#[derive(Debug)]
pub(super) struct LockFile(Mutex<File>);

/// How far a log had come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogRecord {
    pub(super) epoch: Epoch,
    /// The newest message.
    pub(super) last: Seq,
    /// The time of that message.
    pub(super) time: Timestamp,
    /// The life of the write-ahead log that had it; `None` if that is not known.
    pub(super) wal: Option<WalId>,
    /// The newest message before that life began: the main file has all messages up to this one.
    pub(super) base: Seq,
}

/// Why a log cannot be locked.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another server has it: what is known of its process.
    Taken(String),
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> LockError {
        LockError::Io(error)
    }
}

impl LockFile {
    /// Locks the lock file of the log at `path`, and writes this process into it. Returns `None` if
    /// there is no such file.
    pub(super) fn lock(path: &Path) -> Result<Option<LockFile>, LockError> {
        let path = with_suffix(path, "-lock");
        match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => LockFile::of(file?).map(Some),
        }
    }

    /// Does the same as [`LockFile::lock`], and creates the file if there is none.
    pub(super) fn create(path: &Path) -> Result<LockFile, LockError> {
        LockFile::of(permissions::open_or_create(&with_suffix(path, "-lock"))?)
    }

    fn of(mut file: File) -> Result<LockFile, LockError> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The error is better with the process, but does not need it.
                let _ = file.read_to_string(&mut text);
                let process = text.lines().next().unwrap_or_default().trim();
                return Err(LockError::Taken(process.to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let process = format!("(process {})", std::process::id());
        write_line(&mut file, 0, &process, PROCESS_LINE)?;
        Ok(LockFile(Mutex::new(file)))
    }

    /// Reads how far the log had come; `None` if that is not known.
    pub(super) fn record(&self) -> Option<LogRecord> {
        let mut file = self.0.lock();
        let mut text = String::new();
        file.seek(SeekFrom::Start(PROCESS_LINE as u64)).ok()?;
        Read::by_ref(&mut *file)
            .take(RECORD_LINE as u64)
            .read_to_string(&mut text)
            .ok()?;
        LogRecord::parse(&text)
    }

    /// Writes how far the log has come. If that fails, the record stays older, which is safe.
    pub(super) fn note(&self, record: &LogRecord) {
        let noted = write_line(
            &mut self.0.lock(),
            PROCESS_LINE as u64,
            &record.to_string(),
            RECORD_LINE,
        );
        if let Err(error) = noted {
            log::debug!("cannot write the lock file: {error}");
        }
    }
}

/// Writes a line of this length at an offset, padded with spaces.
fn write_line(file: &mut File, offset: u64, text: &str, length: usize) -> io::Result<()> {
    let width = length - 1;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(format!("{text:width$}\n").as_bytes())
}

impl std::fmt::Display for LogRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LogRecord {
            epoch,
            last,
            time,
            wal,
            base,
        } = self;
        let wal = wal.map_or_else(|| "-".to_owned(), |wal| wal.to_string());
        write!(f, "{} {last} {} {wal} {base}", epoch.as_str(), time.0)
    }
}

impl LogRecord {
    fn parse(text: &str) -> Option<LogRecord> {
        let mut words = text.split_ascii_whitespace();
        let epoch = Epoch::new(words.next()?)?;
        let (last, time) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let wal = words.next()?;
        let wal = match wal {
            "-" => None,
            wal => Some(WalId::parse(wal)?),
        };
        let base = words.next()?.parse().ok()?;
        Some(LogRecord {
            epoch,
            last: Seq(last),
            time: Timestamp(time),
            wal,
            base: Seq(base),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record is read as it was written, also over a longer one; a file of the first version has
    /// none.
    #[test]
    fn record_survives() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.db");
        assert!(LockFile::lock(&path).unwrap().is_none());
        std::fs::write(with_suffix(&path, "-lock"), " (process 4711)").unwrap();
        let lock = LockFile::lock(&path).unwrap().unwrap();
        assert_eq!(lock.record(), None);
        let long = LogRecord {
            epoch: Epoch::random(),
            last: Seq(u64::MAX),
            time: Timestamp(u64::MAX),
            wal: WalId::parse("ffffffffffffffff"),
            base: Seq(u64::MAX),
        };
        let short = LogRecord {
            last: Seq(1),
            time: Timestamp(2),
            wal: None,
            base: Seq(0),
            ..long.clone()
        };
        for record in [long, short] {
            assert!(record.to_string().len() < RECORD_LINE);
            lock.note(&record);
            assert_eq!(lock.record(), Some(record));
        }
        let LockError::Taken(process) = LockFile::create(&path).unwrap_err() else {
            panic!("it is locked")
        };
        assert_eq!(process, format!("(process {})", std::process::id()));
    }
}
