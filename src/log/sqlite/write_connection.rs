//! The connection that writes the log. There is only one.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::{describe, is_busy};
use super::file_identity::FileIdentity;
use super::log_row::LogRow;
use super::retain::{Retention, RetentionStep};
use super::{Bounds, SqliteShared, insert};
use crate::limits;
use crate::log::{Commit, Keep, StoreError};
use crate::message::{Draft, Timestamp};

/// The connection that writes the log, with the state of retention.
#[derive(Debug)]
pub(super) struct WriteConnection {
    connection: Connection,
    identity: Arc<FileIdentity>,
    shared: Arc<SqliteShared>,
    keep: Keep,
    /// How many bytes the messages may take.
    budget: u64,
    retention: Retention,
    /// Whether the file has become smaller, as far as the write-ahead log knows.
    has_shrunk: bool,
    /// How long the write-ahead log may become before it is emptied by force, in bytes.
    wal_bytes_max: u64,
    /// How long a commit waits for the lock while another process holds it.
    lock_timeout: Duration,
}

impl WriteConnection {
    pub(super) fn new(
        connection: Connection,
        identity: Arc<FileIdentity>,
        shared: Arc<SqliteShared>,
        keep: Keep,
        budget: u64,
    ) -> WriteConnection {
        WriteConnection {
            connection,
            identity,
            shared,
            keep,
            budget,
            retention: Retention::new(keep, budget),
            has_shrunk: false,
            wal_bytes_max: u64::from(limits::WAL_BYTES),
            lock_timeout: limits::LOCK_TIMEOUT,
        }
    }

    /// Commits a batch, as a whole or not at all, as [`Store::commit`](crate::log::Store::commit)
    /// promises.
    pub(super) fn commit(
        &mut self,
        drafts: Vec<Draft>,
        now: Timestamp,
    ) -> Result<Commit, StoreError> {
        self.prepare()?;
        let (keep, budget) = (self.keep, self.budget);
        let result = self.write(self.lock_timeout, |connection, log_row, _| {
            insert::commit(connection, log_row, drafts, now, keep, budget)
        });
        // After a commit that waited in vain, the next one does not wait as long again.
        self.lock_timeout = match &result {
            Err(error) if is_busy(error) => limits::LOCK_TIMEOUT_REFUSING,
            _ => limits::LOCK_TIMEOUT,
        };
        Ok(result?)
    }

    /// Does a step of retention, as [`Store::retain`](crate::log::Store::retain) promises. Returns
    /// whether there may be more to do.
    pub(super) fn retain(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        self.prepare()?;
        let step = match self.retention.find(&self.connection, now)? {
            None => {
                self.finish_shrinking()?;
                return Ok(false);
            }
            Some(RetentionStep::Checked) => return Ok(true),
            Some(step) => step,
        };
        // Retention can wait for the lock until the next time; the appends that are queued cannot.
        let result = self.write(Duration::ZERO, |connection, log_row, retention| {
            retention.step(connection, log_row, step, now)
        });
        self.has_shrunk |= matches!(step, RetentionStep::Shrink);
        match result {
            Err(error) if is_busy(&error) => Ok(false),
            result => Ok(result.map(|()| true)?),
        }
    }

    /// Checks whether a commit would be taken, as [`Store::probe`](crate::log::Store::probe)
    /// promises.
    pub(super) fn probe(&mut self) -> Result<(), StoreError> {
        // The number is raised, since SQLite does not write a page that has not changed.
        const SQL: &str = "UPDATE log SET probes = probes + 1";
        self.prepare()?;
        Ok(
            self.write(limits::LOCK_TIMEOUT_REFUSING, |connection, _, _| {
                connection.execute(SQL, []).map(drop)
            })?,
        )
    }

    /// Prepares for a transaction: rolls back one that failed, checks the files, and empties the
    /// write-ahead log if it is too long.
    fn prepare(&mut self) -> Result<(), StoreError> {
        rollback(&self.connection)?;
        let wal_bytes = self.identity.check()?;
        if wal_bytes > self.wal_bytes_max {
            self.empty_wal(wal_bytes);
        }
        Ok(())
    }

    /// Runs `work` in a transaction, which is on the disk when this returns, or not done at all.
    fn write<T>(
        &mut self,
        lock_timeout: Duration,
        work: impl FnOnce(&Connection, &mut LogRow, &Retention) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.connection.busy_timeout(lock_timeout)?;
        let shared = Arc::clone(&self.shared);
        let _writing = shared.writing.lock();
        // Rolled back when it is dropped before its commit.
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let mut log_row = LogRow::load(&transaction)?;
        let done = work(&transaction, &mut log_row, &self.retention)?;
        log_row.save(&transaction)?;
        let bounds = Bounds::of(&transaction, &log_row)?;
        transaction.commit()?;
        *self.shared.bounds.lock() = bounds;
        Ok(done)
    }

    /// Writes what shrinks the file from the write-ahead log into it: until then it is as long as
    /// before. It gives way to readers.
    fn finish_shrinking(&mut self) -> rusqlite::Result<()> {
        if std::mem::take(&mut self.has_shrunk) {
            let _no_writers = self.shared.writing.lock();
            self.connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    /// Writes the write-ahead log into the file and begins it anew, for which no connection may be
    /// reading or writing. The checkpoint that `SQLite` does by itself after a commit gives way to
    /// readers.
    fn empty_wal(&mut self, length: u64) {
        const SQL: &str = "PRAGMA wal_checkpoint(TRUNCATE)";
        let no_writers = self.shared.writing.lock();
        let no_readers = self.shared.reading.write();
        let busy = self
            .connection
            .busy_timeout(Duration::ZERO)
            .and_then(|()| self.connection.query_row(SQL, [], |row| row.get(0)));
        drop((no_readers, no_writers));
        self.wal_bytes_max = match busy {
            Ok(false) => limits::WAL_BYTES.into(),
            busy => {
                let reason = busy.map_or_else(
                    |error| describe(&error),
                    |_| "another process reads the log's file".to_owned(),
                );
                log::warn!(
                    "the write-ahead log is {length} bytes long and cannot be emptied: {reason}"
                );
                length + u64::from(limits::WAL_BYTES)
            }
        };
    }
}

/// Rolls back a transaction that failed and is still open: while it is, no other can begin.
pub(super) fn rollback(connection: &Connection) -> Result<(), StoreError> {
    if connection.is_autocommit() {
        return Ok(());
    }
    connection.execute_batch("ROLLBACK").map_err(|error| {
        StoreError(format!(
            "a transaction failed and cannot be rolled back ({error}): restart the server"
        ))
    })
}
