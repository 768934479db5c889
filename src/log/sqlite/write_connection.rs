//! The connection that writes: there is no other.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::{is_busy, sentence};
use super::file_identity::FileIdentity;
use super::log_row::LogRow;
use super::retain::{Retention, Step};
use super::{Bounds, Shared, insert};
use crate::limits;
use crate::log::{Commit, Keep, StoreError};
use crate::message::{Draft, Timestamp};

/// See the module.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    files: Arc<FileIdentity>,
    shared: Arc<Shared>,
    keep: Keep,
    budget: u64,
    retention: Retention,
    /// How long the write-ahead log may become before it is emptied by force, in bytes.
    wal_most: u64,
    /// How long another process may hold the lock.
    patience: Duration,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        files: Arc<FileIdentity>,
        shared: Arc<Shared>,
        keep: Keep,
        budget: u64,
    ) -> Writer {
        Writer {
            connection,
            files,
            shared,
            keep,
            budget,
            retention: Retention::new(keep),
            wal_most: u64::from(limits::WAL_BYTES),
            patience: limits::LOCK_TIMEOUT,
        }
    }

    /// See [`Store::commit`](crate::log::Store::commit).
    pub(super) fn commit(
        &mut self,
        drafts: Vec<Draft>,
        now: Timestamp,
    ) -> Result<Commit, StoreError> {
        self.prepare()?;
        let (keep, budget) = (self.keep, self.budget);
        let result = self.write(self.patience, |connection, ledger, _| {
            insert::commit(connection, ledger, drafts, now, keep, budget)
        });
        // Whoever comes after those who have waited in vain does not wait as long again.
        self.patience = match &result {
            Err(error) if is_busy(error) => limits::LOCK_TIMEOUT_REFUSING,
            _ => limits::LOCK_TIMEOUT,
        };
        Ok(result?)
    }

    /// See [`Store::retain`](crate::log::Store::retain).
    pub(super) fn retain(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        self.prepare()?;
        let step = match self.retention.find(&self.connection, now)? {
            None => return Ok(false),
            Some(Step::Look) => return Ok(true),
            Some(step) => step,
        };
        // It can wait for the lock until the next time; the appends behind it cannot.
        let result = self.write(Duration::ZERO, |connection, ledger, retention| {
            retention.step(connection, ledger, step, now)
        });
        match result {
            Err(error) if is_busy(&error) => Ok(false),
            result => Ok(result.map(|()| true)?),
        }
    }

    /// See [`Store::probe`](crate::log::Store::probe).
    pub(super) fn probe(&mut self) -> Result<(), StoreError> {
        // What stays as it is would not be written.
        const SQL: &str = "UPDATE log SET probes = probes + 1";
        self.prepare()?;
        Ok(
            self.write(limits::LOCK_TIMEOUT_REFUSING, |connection, _, _| {
                connection.execute(SQL, []).map(drop)
            })?,
        )
    }

    /// What comes before each transaction.
    fn prepare(&mut self) -> Result<(), StoreError> {
        undo(&self.connection)?;
        let wal = self.files.check()?;
        if wal > self.wal_most {
            self.empty_wal(wal);
        }
        Ok(())
    }

    /// A transaction, on the disk when this returns, or not done at all.
    fn write<T>(
        &mut self,
        patience: Duration,
        work: impl FnOnce(&Connection, &mut LogRow, &Retention) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.connection.busy_timeout(patience)?;
        let shared = Arc::clone(&self.shared);
        let _writing = shared.writing.lock();
        // Undone when it is dropped before its end.
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let mut ledger = LogRow::load(&transaction)?;
        let done = work(&transaction, &mut ledger, &self.retention)?;
        ledger.save(&transaction)?;
        let bounds = Bounds::of(&transaction, &ledger)?;
        transaction.commit()?;
        *self.shared.bounds.lock() = bounds;
        Ok(done)
    }

    /// Writes the write-ahead log into the file and begins it anew, for which nobody may be
    /// reading. What `SQLite` does of itself after a commit gives way to readers.
    fn empty_wal(&mut self, length: u64) {
        const SQL: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
        let nobody_writes = self.shared.writing.lock();
        let nobody_reads = self.shared.reading.write();
        let busy = self
            .connection
            .busy_timeout(Duration::ZERO)
            .and_then(|()| self.connection.query_row(SQL, [], |row| row.get(0)));
        drop((nobody_reads, nobody_writes));
        self.wal_most = match busy {
            Ok(false) => limits::WAL_BYTES.into(),
            busy => {
                let why = busy.map_or_else(
                    |error| sentence(&error),
                    |_| "another process reads the log's file".to_owned(),
                );
                log::warn!("the write-ahead log is {length} bytes long: {why}");
                length + u64::from(limits::WAL_BYTES)
            }
        };
    }
}

/// Undoes a transaction that failed and has not been undone: it does not let another begin.
pub(super) fn undo(connection: &Connection) -> Result<(), StoreError> {
    if connection.is_autocommit() {
        return Ok(());
    }
    connection.execute_batch("ROLLBACK").map_err(|error| {
        StoreError(format!(
            "a transaction failed and cannot be undone ({error}): restart the server"
        ))
    })
}
