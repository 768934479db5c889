//! The stored log: a file that outlives the process. All of the log's SQL is here.
//!
//! One connection writes: each commit is one transaction, which is on the disk before it is
//! answered. A few connections read at the same time, independent of it and of each other
//! (<https://sqlite.org/wal.html>).

mod backup;
mod backup_error;
mod channel_row;
mod clock_table;

mod error;
mod fall_table;
mod file_identity;
mod insert;
mod key_table;
mod known_closes;
mod last_entry;
mod leftover_wal;
mod locate;
mod lock_file;
mod log_row;
mod main_file;
mod message_rows;
mod new_file;
mod older_copy;
mod open;
mod permissions;
mod read;
mod readers;
mod reserve;
mod restart;
mod restore;
mod retain;
mod schema;
mod shortage;
mod side_tables;
mod vacuum;
mod value;
mod wal_file;
mod write_connection;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;

use super::clock_state::SavedClock;
use super::cursor::StartAt;
use super::{
    ChannelInfo, Commit, Keep, Known, LocateError, Moment, Numbered, Page, PageLimit, Selection,
    StoreError, Subscription,
};
use crate::limits;
use crate::message::{Channel, Close, Draft, Epoch, Pattern, Seq};
pub use backup::{WholeCopy, back_up};
pub use backup_error::BackupError;
use file_identity::FileIdentity;
use known_closes::KnownCloses;
use lock_file::LockFile;
use log_row::LogRow;
use main_file::MainFile;
pub use open::OpenError;
use readers::Readers;
pub use restore::restore;
pub use side_tables::SideTables;
use write_connection::WriteConnection;

/// A store in a file, by `SQLite`.
#[derive(Debug)]
pub struct Sqlite {
    epoch: Epoch,
    identity: Arc<FileIdentity>,
    shared: Arc<SqliteShared>,
    readers: Arc<Readers>,
    /// What the file had of the log's clock when it was opened.
    saved_clock: SavedClock,
    /// Only the log's writer uses this connection. Every owner of another connection holds it, too,
    /// and drops it after that connection: the connection that is closed last removes the
    /// write-ahead log, and of two that are closed at the same moment each would leave it to the
    /// other.
    writer: Arc<Mutex<WriteConnection>>,
}

/// The state that all connections to the file share.
#[derive(Debug)]
struct SqliteShared {
    bounds: Mutex<Bounds>,
    closes: Mutex<KnownCloses>,
    /// How many idempotency keys are held.
    keys_held: AtomicUsize,
    /// Locked for reading while a connection reads, and for writing while the write-ahead log is
    /// emptied.
    reading: RwLock<()>,
    /// Locked while a connection writes: `SQLite`'s own lock is not given in the order in which it
    /// was asked for.
    writing: Mutex<()>,
    /// The lock that keeps other servers away, held until the last connection has been closed.
    lock: LockFile,
    /// The log's main file, open until then, too.
    main: MainFile,
}

/// The bounds of the log, as of the last commit.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// The oldest message that is kept; 0 if none is.
    oldest: Seq,
    /// The newest entry that was ever committed.
    last: Seq,
    /// The newest message that was trimmed.
    trimmed_through: Seq,
}

impl Bounds {
    fn of(connection: &Connection, log_row: &LogRow) -> rusqlite::Result<Bounds> {
        Ok(Bounds {
            oldest: log_row::oldest(connection)?,
            last: log_row.last,
            trimmed_through: log_row.trimmed_through,
        })
    }
}

impl SqliteShared {
    /// Notes that the log has been committed up to `through`, as a reader has seen. A reader may
    /// see a commit before the writer knows that it is done.
    fn note_committed(&self, through: Seq) {
        let mut bounds = self.bounds.lock();
        bounds.last = bounds.last.max(through);
    }
}

impl Sqlite {
    /// Opens the log in a file, or creates it. It keeps at most `budget` bytes
    /// ([`limits::STORED_LOG_BYTES_DEFAULT`](crate::limits::STORED_LOG_BYTES_DEFAULT)) whatever `keep` says.
    ///
    /// # Errors
    /// When the file is not a log's, or is damaged, or is in use by another server, or cannot be
    /// written. Then nothing has been touched.
    pub fn open(path: &Path, keep: Keep, budget: u64) -> Result<Sqlite, OpenError> {
        let opened = open::open(path)?;
        let epoch = opened.epoch;
        let main = MainFile::open(&opened.path).map_err(|error| OpenError::io(path, error))?;
        let shared = Arc::new(SqliteShared {
            bounds: Mutex::new(opened.bounds),
            closes: Mutex::new(opened.closes),
            keys_held: AtomicUsize::default(),
            reading: RwLock::default(),
            writing: Mutex::default(),
            lock: opened.lock,
            main,
        });
        let identity = Arc::new(FileIdentity::at(&opened.path));
        let writer = Arc::new(Mutex::new(WriteConnection::new(
            opened.connection,
            Arc::clone(&identity),
            Arc::clone(&shared),
            opened.keys,
            opened.record,
            keep,
            budget,
        )));
        let readers = Readers::new(
            Arc::clone(&identity),
            Arc::clone(&shared),
            Arc::clone(&writer),
        );
        Ok(Sqlite {
            epoch,
            identity,
            shared,
            readers: Arc::new(readers),
            saved_clock: opened.saved_clock,
            writer,
        })
    }

    /// Sets the longest message that has to fit for the log to be healthy, in bytes;
    /// [`limits::MESSAGE_BYTES_DEFAULT`] otherwise.
    pub fn set_longest_message(&self, bytes: usize) {
        self.writer.lock().set_longest_message(bytes);
    }

    /// Opens side tables in the log's file, for data that is not of the log.
    ///
    /// # Errors
    /// When the file cannot be opened once more.
    pub fn side_tables(&self) -> Result<SideTables, StoreError> {
        SideTables::in_file(
            Arc::clone(&self.identity),
            Arc::clone(&self.shared),
            Arc::clone(&self.writer),
        )
    }

    pub(super) fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    pub(super) fn bounds(&self) -> (Seq, Seq) {
        let bounds = self.shared.bounds.lock();
        (bounds.oldest, bounds.last)
    }

    pub(super) fn trimmed_through(&self) -> Seq {
        self.shared.bounds.lock().trimmed_through
    }

    pub(super) fn set_keys_max(&self, max: usize) {
        self.writer.lock().set_keys_max(max);
    }

    pub(super) fn keys_held(&self) -> usize {
        self.shared.keys_held.load(Relaxed)
    }

    pub(super) fn saved_clock(&self) -> SavedClock {
        self.saved_clock.clone()
    }

    pub(super) fn commit(&self, drafts: Vec<Draft>, now: &Moment) -> Result<Commit, StoreError> {
        self.writer.lock().commit(drafts, now)
    }

    pub(super) fn apply(&self, entries: Vec<Numbered>, now: &Moment) -> Result<Commit, StoreError> {
        self.writer.lock().apply(entries, now)
    }

    pub(super) fn known(&self, drafts: &[Draft], now: &Moment) -> Result<Vec<Known>, StoreError> {
        self.writer.lock().known(drafts, now)
    }

    pub(super) fn skip(&self, through: Seq, now: &Moment) -> Result<(), StoreError> {
        self.writer.lock().skip(through, None, now)
    }

    pub(super) fn begin_anew(
        &mut self,
        epoch: &Epoch,
        through: Seq,
        now: &Moment,
    ) -> Result<(), StoreError> {
        self.writer.lock().skip(through, Some(epoch), now)?;
        self.epoch = epoch.clone();
        Ok(())
    }

    pub(super) fn set_head(&self, head: Seq) {
        self.writer.lock().set_head(head);
    }

    pub(super) async fn read(
        &self,
        selection: &Selection,
        after: Seq,
        limit: PageLimit,
    ) -> Result<Page, StoreError> {
        let selection = selection.clone();
        let page = self
            .readers
            .read(move |connection| read::page(connection, &selection, after, limit))
            .await?;
        self.shared.note_committed(page.through);
        Ok(page)
    }

    pub(super) async fn read_newest(&self) -> Result<(), StoreError> {
        self.readers.read(read::newest).await
    }

    pub(super) async fn locate(
        &self,
        subscription: &Subscription,
        mut start_at: StartAt,
    ) -> Result<Selection, LocateError> {
        // A long way back is gone in steps, so that others can read meanwhile.
        while let StartAt::Last { count, through } = start_at
            && count > limits::LOCATE_STEP_ROWS
        {
            let asked = subscription.clone();
            let at = self
                .readers
                .read(move |connection| locate::step_back(connection, &asked, count, through))
                .await?;
            start_at = match at {
                Some(through) => StartAt::Last {
                    count: count - limits::LOCATE_STEP_ROWS,
                    through,
                },
                None => StartAt::Earliest,
            };
        }
        let asked = subscription.clone();
        let selection = self
            .readers
            .read(move |connection| locate::locate(connection, &asked, start_at))
            .await??;
        self.shared
            .note_committed(selection.last().unwrap_or_default());
        // Copied on this thread: a stream keeps the selection, and memory that was allocated on a
        // thread which is there only to read would keep that thread's arena alive.
        Ok(selection.copy())
    }

    pub(super) async fn closes(
        &self,
        channels: &[Channel],
        at: Seq,
    ) -> Result<Vec<Close>, StoreError> {
        if let Some(closes) = self.shared.closes.lock().of(channels, at) {
            return Ok(closes);
        }
        let channels = channels.to_vec();
        self.readers
            .read(move |connection| read::closes(connection, &channels))
            .await
    }

    pub(super) async fn list(
        &self,
        pattern: &Pattern,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ChannelInfo>, StoreError> {
        let (pattern, after) = (pattern.clone(), after.to_owned());
        self.readers
            .read(move |connection| channel_row::list(connection, &pattern, &after, limit))
            .await
    }

    pub(super) fn retain(&self, now: &Moment) -> Result<bool, StoreError> {
        self.writer.lock().retain(now)
    }

    pub(super) fn probe(&self) -> Result<(), StoreError> {
        self.writer.lock().probe()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::message::Channel;

    /// On a disk that is full the oldest messages go, and only as many as it takes.
    #[test]
    fn full_disk_makes_the_oldest_go() {
        const MESSAGES: usize = 300;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.db");
        let keep = Keep {
            messages: usize::MAX >> 1,
            age: Duration::from_hours(1),
        };
        let sqlite = Sqlite::open(&path, keep, 1 << 30).unwrap();
        sqlite.set_longest_message(100_000);
        let append = || {
            let draft = Draft::new(Channel::main(), "x".repeat(10_000));
            sqlite.commit(vec![draft], &Moment::at(1000))
        };
        for _ in 0..MESSAGES {
            append().unwrap();
        }
        let pragma = |pragma: &str, value: i64| {
            let writer = sqlite.writer.lock();
            writer.set_pragma(pragma, value);
        };
        // The file may grow by no page, as on a disk that another program has filled.
        pragma("max_page_count", 1);
        let error = append().unwrap_err();
        assert!(error.0.contains("full"), "{error}");
        let (first, _) = sqlite.bounds();
        // A batch of a MiB, and four of the longest messages, are about 150 messages of this size.
        assert!((Seq(130)..Seq(200)).contains(&first), "{first}");
        let before = Seq(MESSAGES as u64).0 + 1 - first.0;
        sqlite.probe().unwrap();
        for _ in 0..MESSAGES {
            append().unwrap();
        }
        let (first, last) = sqlite.bounds();
        assert_eq!(last, Seq(2 * MESSAGES as u64));
        let kept = last.0 + 1 - first.0;
        assert_eq!(kept, before, "as many as before");
        // With room again the log keeps what it may.
        pragma("max_page_count", 1 << 30);
        sqlite.writer.lock().has_room_again();
        for _ in 0..MESSAGES {
            append().unwrap();
        }
        assert_eq!(sqlite.bounds().0, first);
    }

    /// Only the log's file is left when its connections are closed at the same moment.
    #[test]
    fn wal_is_removed_when_all_close_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.db");
        let keep = Keep {
            messages: 10,
            age: Duration::from_mins(1),
        };
        for round in 0..100 {
            let sqlite = Sqlite::open(&path, keep, 1 << 20).unwrap();
            let side_tables = sqlite.side_tables().unwrap();
            let draft = Draft::new(Channel::main(), "hello");
            sqlite.commit(vec![draft], &Moment::at(round)).unwrap();
            let barrier = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    barrier.wait();
                    drop(side_tables);
                });
                barrier.wait();
                drop(sqlite);
            });
            assert!(!open::with_suffix(&path, "-wal").exists(), "round {round}");
        }
    }
}
