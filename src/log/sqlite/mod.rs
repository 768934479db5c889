//! The stored log: a file that outlives the process. All of the log's SQL is here.
//!
//! One connection writes, a transaction a commit, each on the disk before it is answered; a few
//! read, beside it and beside each other (<https://sqlite.org/wal.html>).

mod error;
mod file_identity;
mod insert;
mod key_table;
mod log_row;
mod open;
mod read;
mod readers;
mod retain;
mod schema;
mod side_tables;
mod vacuum;
mod value;
mod write_connection;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;

use super::cursor::StartAt;
use super::{Commit, Keep, Page, PageLimit, Selection, StoreError};
use crate::message::{Channel, Draft, Epoch, Seq, Timestamp};
use file_identity::FileIdentity;
use log_row::LogRow;
pub use open::OpenError;
use readers::Readers;
pub use side_tables::SideTables;
use write_connection::Writer;

/// See the module.
#[derive(Debug)]
pub struct Sqlite {
    epoch: Epoch,
    files: Arc<FileIdentity>,
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    /// The log's writer has it to itself. Whoever else has a connection holds this, too, and lets go
    /// of it after that: the connection that is closed last removes the write-ahead log, and of two
    /// that are closed at the same moment each would leave it to the other.
    writer: Arc<Mutex<Writer>>,
}

/// What all who have the file open share.
#[derive(Debug)]
struct Shared {
    bounds: Mutex<Bounds>,
    /// Held by whoever reads.
    reading: RwLock<()>,
    /// Held by whoever writes: `SQLite`'s own lock has no order in which it is given.
    writing: Mutex<()>,
    /// Let go when the last connection has been closed.
    _lock: File,
}

/// The edges of the log, as of the last commit.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    oldest: Seq,
    last: Seq,
    trimmed_through: Seq,
}

impl Bounds {
    fn of(connection: &Connection, ledger: &LogRow) -> rusqlite::Result<Bounds> {
        Ok(Bounds {
            oldest: log_row::oldest(connection)?.map_or(Seq::START, |(seq, _)| seq),
            last: ledger.last,
            trimmed_through: ledger.trimmed_through,
        })
    }
}

impl Shared {
    /// A reader may be told of a commit before the writer has heard that it is done.
    fn note_committed(&self, through: Seq) {
        let mut bounds = self.bounds.lock();
        bounds.last = bounds.last.max(through);
    }
}

impl Sqlite {
    /// Opens the log in a file, or creates it; it keeps at most `budget` bytes
    /// ([`limits::STORED_LOG_BYTES`](crate::limits::STORED_LOG_BYTES)) whatever `keep` says.
    ///
    /// # Errors
    /// When the file is not a log's, or not whole, or another server has it, or it cannot be
    /// written. Then nothing has been touched.
    pub fn open(path: &Path, keep: Keep, budget: u64) -> Result<Sqlite, OpenError> {
        let opened = open::open(path)?;
        let epoch = opened.epoch;
        let shared = Arc::new(Shared {
            bounds: Mutex::new(opened.bounds),
            reading: RwLock::default(),
            writing: Mutex::default(),
            _lock: opened.lock,
        });
        let files = Arc::new(FileIdentity::at(&opened.path));
        let writer = Arc::new(Mutex::new(Writer::new(
            opened.connection,
            Arc::clone(&files),
            Arc::clone(&shared),
            keep,
            budget,
        )));
        let readers = Readers::new(Arc::clone(&files), Arc::clone(&shared), Arc::clone(&writer));
        Ok(Sqlite {
            epoch,
            files,
            shared,
            readers: Arc::new(readers),
            writer,
        })
    }

    /// A place in the same file for what is not the log.
    ///
    /// # Errors
    /// When the file cannot be opened once more.
    pub fn beside(&self) -> Result<SideTables, StoreError> {
        SideTables::of(
            Arc::clone(&self.files),
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

    pub(super) fn commit(&self, drafts: Vec<Draft>, now: Timestamp) -> Result<Commit, StoreError> {
        self.writer.lock().commit(drafts, now)
    }

    pub(super) async fn read(
        &self,
        selection: &Selection,
        after: Seq,
        room: PageLimit,
    ) -> Result<Page, StoreError> {
        let selection = selection.clone();
        let page = self
            .readers
            .read(move |connection| read::page(connection, &selection, after, room))
            .await?;
        self.shared.note_committed(page.through);
        Ok(page)
    }

    pub(super) async fn locate(
        &self,
        channels: &[Channel],
        place: StartAt,
        now: Timestamp,
    ) -> Result<Selection, StoreError> {
        let channels = channels.to_vec();
        let selection = self
            .readers
            .read(move |connection| read::locate(connection, &channels, place, now))
            .await?;
        let newest = selection.iter().map(|(_, from)| *from).max();
        self.shared.note_committed(newest.unwrap_or_default());
        // Made anew on this thread: a stream keeps it, and what it keeps of a thread that was there
        // only to read would keep that thread's memory.
        Ok(selection.iter().cloned().collect())
    }

    pub(super) fn retain(&self, now: Timestamp) -> Result<bool, StoreError> {
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

    #[test]
    fn one_file_is_left_when_all_let_go_at_the_same_moment() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.db");
        let keep = Keep {
            messages: 10,
            age: Duration::from_mins(1),
        };
        for round in 0..100 {
            let sqlite = Sqlite::open(&path, keep, 1 << 20).unwrap();
            let beside = sqlite.beside().unwrap();
            let draft = Draft::new(Channel::main(), "hello");
            sqlite.commit(vec![draft], Timestamp(round)).unwrap();
            let barrier = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    barrier.wait();
                    drop(beside);
                });
                barrier.wait();
                drop(sqlite);
            });
            assert!(!open::with_suffix(&path, "-wal").exists(), "round {round}");
        }
    }
}
