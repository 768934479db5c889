//! The connection that writes the log. There is only one.

mod copied;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::error::{describe, is_busy, is_full};
use super::file_identity::FileIdentity;
use super::lock_file::LogRecord;
use super::log_row::LogRow;
use super::retain::{self, Allowance, Retention, RetentionStep};
use super::shortage::Shortage;
use super::value::{Count, params};
use super::wal_file::{WalId, wal_path};
use super::{Bounds, SqliteShared, clock_table, insert, key_table, vacuum};
use crate::limits;
use crate::log::used_keys::UsedKeys;
use crate::log::{Commit, Keep, Moment, Place, StoreError};
use crate::message::Draft;

/// The connection that writes the log, with the state of retention.
#[derive(Debug)]
pub(super) struct WriteConnection {
    connection: Connection,
    identity: Arc<FileIdentity>,
    shared: Arc<SqliteShared>,
    /// The write-ahead log, if it could be opened to look at its header after each commit.
    wal: Option<File>,
    /// How far the log has come, as the lock file has it.
    record: LogRecord,
    keep: Keep,
    /// How many bytes the messages may take while the disk has room.
    budget: u64,
    retention: Retention,
    shortage: Shortage,
    /// Whether the file has become smaller, as far as the write-ahead log knows.
    has_shrunk: bool,
    /// The idempotency keys that the table has.
    keys: UsedKeys,
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
        keys: UsedKeys,
        record: LogRecord,
        keep: Keep,
        budget: u64,
    ) -> WriteConnection {
        shared.keys_held.store(keys.len(), Relaxed);
        WriteConnection {
            connection,
            shortage: Shortage::new(identity.path()),
            wal: File::open(wal_path(identity.path())).ok(),
            identity,
            shared,
            record,
            keep,
            budget,
            retention: Retention::new(keep, budget),
            has_shrunk: false,
            keys,
            wal_bytes_max: u64::from(limits::WAL_BYTES),
            lock_timeout: limits::LOCK_TIMEOUT,
        }
    }

    /// Sets the longest message that has to fit for the log to be healthy, in bytes.
    pub(super) fn set_longest_message(&mut self, bytes: usize) {
        self.shortage.longest = bytes;
    }

    /// Commits a batch, as a whole or not at all, as [`Store::commit`](crate::log::Store::commit)
    /// promises.
    pub(super) fn commit(
        &mut self,
        drafts: Vec<Draft>,
        now: &Moment,
    ) -> Result<Commit, StoreError> {
        self.insert(drafts.into_iter().map(|draft| (Some(draft), None)), now)
    }

    /// Commits drafts, each with the place that was given to it elsewhere, if one was.
    fn insert(
        &mut self,
        drafts: impl ExactSizeIterator<Item = (Option<Draft>, Option<Place>)>,
        now: &Moment,
    ) -> Result<Commit, StoreError> {
        self.prepare()?;
        let (keep, budget) = (self.keep, self.retention.budget());
        let mut keys = std::mem::take(&mut self.keys);
        keys.begin_commit();
        // More than are added, so that those that have left the window do not gather in the file.
        let expired = keys.expired(now, drafts.len() + limits::RETAIN_STEP_ROWS);
        let result = self.write(self.lock_timeout, Some(now), |connection, log_row, _| {
            if let Some(through) = expired {
                key_table::delete(connection, through)?;
            }
            insert::commit(connection, log_row, &mut keys, drafts, now, keep, budget)
        });
        match (&result, expired) {
            (Err(_), _) => keys.roll_back(),
            (Ok(_), Some(through)) => keys.forget(through),
            (Ok(_), None) => {}
        }
        self.set_keys(keys);
        if result.as_ref().is_err_and(is_full) {
            self.make_room();
        }
        // After a commit that waited in vain, the next one does not wait as long again.
        self.lock_timeout = match &result {
            Err(error) if is_busy(error) => limits::LOCK_TIMEOUT_REFUSING,
            _ => limits::LOCK_TIMEOUT,
        };
        Ok(result?)
    }

    /// Does a step of retention, as [`Store::retain`](crate::log::Store::retain) promises. Returns
    /// whether there may be more to do.
    pub(super) fn retain(&mut self, now: &Moment) -> Result<bool, StoreError> {
        self.prepare()?;
        let step = match self.retention.find(&self.connection, &self.keys, now)? {
            None => {
                self.finish_shrinking()?;
                self.end_shortage();
                return Ok(false);
            }
            // Another program that fills the disk would take the pages.
            Some(RetentionStep::Shrink) if self.shortage.is_on() => {
                self.end_shortage();
                return Ok(false);
            }
            Some(RetentionStep::Checked) => return Ok(true),
            Some(step) => step,
        };
        // Retention can wait for the lock until the next time; the appends that are queued cannot.
        let result = self.write(
            Duration::ZERO,
            Some(now),
            |connection, log_row, retention| retention.step(connection, log_row, step, now),
        );
        self.has_shrunk |= matches!(step, RetentionStep::Shrink);
        match result {
            Err(error) if is_busy(&error) => Ok(false),
            Err(error) => Err(error.into()),
            Ok(()) => {
                if let RetentionStep::Keys(through) = step {
                    let mut keys = std::mem::take(&mut self.keys);
                    keys.forget(through);
                    self.set_keys(keys);
                }
                Ok(true)
            }
        }
    }

    pub(super) fn set_keys_max(&mut self, max: usize) {
        self.keys.set_max(max);
    }

    fn set_keys(&mut self, keys: UsedKeys) {
        self.shared.keys_held.store(keys.len(), Relaxed);
        self.keys = keys;
    }

    /// Checks whether a commit of the longest message would be taken, as
    /// [`Store::probe`](crate::log::Store::probe) promises.
    pub(super) fn probe(&mut self) -> Result<(), StoreError> {
        self.prepare()?;
        let mut result = self.write_probe();
        if result.as_ref().is_err_and(is_full) {
            self.make_room();
            result = self.write_probe();
        }
        Ok(result?)
    }

    /// Writes as much as the longest message takes, and deletes it again.
    fn write_probe(&mut self) -> rusqlite::Result<()> {
        const CREATE: &str =
            "CREATE TABLE IF NOT EXISTS probe (data BLOB) STRICT; DELETE FROM probe";
        const FILL: &str = "INSERT INTO probe (data) VALUES (zeroblob(?))";
        let bytes = Count(self.shortage.longest as u64);
        self.write(limits::LOCK_TIMEOUT_REFUSING, None, |connection, _, _| {
            connection.execute_batch(CREATE)?;
            connection.execute(FILL, params![bytes]).map(drop)
        })?;
        self.write(limits::LOCK_TIMEOUT_REFUSING, None, |connection, _, _| {
            connection.execute_batch("DROP TABLE probe")
        })
    }

    /// Makes room on a disk that is full, as `shortage.rs` describes.
    pub(super) fn make_room(&mut self) {
        match self.delete_oldest() {
            Ok(0) => {}
            Ok(count) => log::warn!(
                "the disk is full: {count} of the oldest messages were deleted to make room, and the \
                 log keeps no more than {} bytes until the disk has room again",
                self.retention.budget()
            ),
            // The appends that are refused tell it.
            Err(error) => log::debug!("cannot make room on the disk: {}", describe(&error)),
        }
    }

    /// Deletes the oldest messages as long as too little of the file is free, and returns how many.
    fn delete_oldest(&mut self) -> rusqlite::Result<u64> {
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        self.shortage.begin(Instant::now());
        // Its space can be written again then. If that fails there may still be space for more.
        if let Err(error) = self.checkpoint("PRAGMA wal_checkpoint(RESTART)") {
            log::debug!(
                "cannot begin the write-ahead log anew: {}",
                describe(&error)
            );
        }
        let mut deleted = 0;
        loop {
            let free = vacuum::free_bytes(&self.connection)?;
            let missing = self.shortage.wanted().saturating_sub(free);
            if missing == 0 {
                break;
            }
            let step = |connection: &Connection, log_row: &mut LogRow, _: &Retention| {
                let mut allowance = Allowance::for_shortage(missing);
                let count = retain::trim_to_budget(connection, log_row, 0, &mut allowance)?;
                Ok((count, log_row.bytes))
            };
            let (count, bytes) = self.write(limits::LOCK_TIMEOUT_REFUSING, None, step)?;
            if count == 0 {
                break;
            }
            self.retention.set_budget(bytes.min(self.budget));
            deleted += count;
        }
        Ok(deleted)
    }

    /// Ends the shortage if the disk has room again.
    fn end_shortage(&mut self) {
        if self.shortage.try_end(Instant::now()) {
            self.has_room_again();
            log::info!("the disk has room again");
        }
    }

    /// Lets the log keep what the operator allows.
    pub(super) fn has_room_again(&mut self) {
        self.retention.set_budget(self.budget);
    }

    /// Sets an option of the connection.
    #[cfg(test)]
    pub(super) fn set_pragma(&self, pragma: &str, value: i64) {
        let set = self
            .connection
            .pragma_update_and_check(None, pragma, value, |_| Ok(()));
        set.unwrap();
    }

    /// Prepares for a transaction: rolls back one that failed, checks the files, and empties the
    /// write-ahead log if it is too long.
    fn prepare(&mut self) -> Result<(), StoreError> {
        rollback(&self.connection)?;
        let wal_bytes = self.identity.check()?;
        self.shared.main.check(&self.shared.writing)?;
        if wal_bytes > self.wal_bytes_max {
            self.empty_wal(wal_bytes);
        }
        Ok(())
    }

    /// Runs `work` in a transaction, which is on the disk when this returns, or not done at all. The
    /// log's clock is saved with it.
    fn write<T>(
        &mut self,
        lock_timeout: Duration,
        now: Option<&Moment>,
        work: impl FnOnce(&Connection, &mut LogRow, &Retention) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.connection.busy_timeout(lock_timeout)?;
        let shared = Arc::clone(&self.shared);
        let _writing = shared.writing.lock();
        // Rolled back when it is dropped before its commit.
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let mut log_row = LogRow::load(&transaction)?;
        let new_clock = now.filter(|now| self.retention.is_clock_new(now));
        if let Some(now) = new_clock {
            clock_table::save(&transaction, &now.record)?;
        }
        if let Some(now) = now {
            log_row.log_time = log_row.log_time.max(now.log_time);
        }
        let done = work(&transaction, &mut log_row, &self.retention)?;
        log_row.save(&transaction)?;
        let bounds = Bounds::of(&transaction, &log_row)?;
        transaction.commit()?;
        if let Some(now) = new_clock {
            self.retention.note_saved(now);
        }
        *self.shared.bounds.lock() = bounds;
        let changes = std::mem::take(&mut log_row.close_changes);
        self.shared.closes.lock().note(changes, log_row.last);
        self.note_progress(&log_row);
        Ok(done)
    }

    /// Writes into the lock file how far the log has come.
    fn note_progress(&mut self, log_row: &LogRow) {
        if log_row.last == self.record.last {
            return;
        }
        let wal = self.wal.as_ref().and_then(WalId::read_from);
        if wal != self.record.wal {
            // The write-ahead log began anew after the commit before, or later.
            self.record.base = self.record.last;
            self.record.wal = wal;
        }
        self.record.last = log_row.last;
        self.record.time = log_row.time;
        self.shared.lock.note(&self.record);
    }

    /// Writes the write-ahead log into the file while no other connection of this process reads or
    /// writes. Returns whether another process kept it from that.
    fn checkpoint(&self, sql: &str) -> rusqlite::Result<bool> {
        let _no_writers = self.shared.writing.lock();
        let _no_readers = self.shared.reading.write();
        self.connection.busy_timeout(Duration::ZERO)?;
        self.connection.query_row(sql, [], |row| row.get(0))
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
        self.wal_bytes_max = match self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)") {
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

impl Drop for WriteConnection {
    /// Leaves a file that something else was written into as it is: the connection that is closed last
    /// would write the write-ahead log into it.
    fn drop(&mut self) {
        if self.shared.main.check(&self.shared.writing).is_err() {
            let option = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            if let Err(error) = self.connection.set_db_config(option, true) {
                log::error!("cannot leave the log's file as it is: {error}");
            }
        }
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
