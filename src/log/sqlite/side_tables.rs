//! Side tables: tables of other modules in the log's file.
//!
//! One connection writes, and waits while another process holds the lock of the file. Reads have
//! connections of their own, so that they never wait for a write (<https://sqlite.org/wal.html>).

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use tokio::sync::Semaphore;

use super::error::{is_busy, is_full};
use super::file_identity::FileIdentity;
use super::readers::Readers;
use super::value::{Count, params};
use super::write_connection::{self, WriteConnection};
use super::{SqliteShared, open};
use crate::limits;
use crate::log::StoreError;

/// The tables of other modules: in the log's file, or in a database in memory if the log is in memory.
/// Clones are the same tables.
#[derive(Clone, Debug)]
pub struct SideTables(Arc<SideTablesInner>);

#[derive(Debug)]
struct SideTablesInner {
    /// The connection that writes. In memory it reads, too: there a write takes microseconds, and no
    /// other process has the database.
    writing: Mutex<SideWriter>,
    /// A fair semaphore: accesses to the connection have their turns in the order in which they were
    /// asked for, and none of them waits on a thread.
    turn: Arc<Semaphore>,
    /// The log's file; `None` in memory. Declared after the connection so that it is dropped after
    /// it, for the reason given at `Sqlite::writer`.
    file: Option<SharedFile>,
}

#[derive(Debug)]
struct SideWriter {
    connection: Connection,
    /// How long a write waits for the lock while another process holds it.
    lock_timeout: Duration,
}

/// The log's file, which is shared with the log's own connections.
#[derive(Debug)]
struct SharedFile {
    identity: Arc<FileIdentity>,
    shared: Arc<SqliteShared>,
    readers: Arc<Readers>,
    /// Held so that the write connection is closed after this one, for the reason given at
    /// `Sqlite::writer`.
    writer: Arc<Mutex<WriteConnection>>,
}

impl SideTables {
    /// Returns side tables in memory, which are gone when the process ends.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn in_memory() -> Result<SideTables, StoreError> {
        SideTables::new(Connection::open_in_memory()?, None)
    }

    /// Returns side tables in the file of a log that is open.
    pub(super) fn in_file(
        identity: Arc<FileIdentity>,
        shared: Arc<SqliteShared>,
        writer: Arc<Mutex<WriteConnection>>,
    ) -> Result<SideTables, StoreError> {
        identity.check()?;
        let connection = Connection::open_with_flags(identity.path(), open::FLAGS)?;
        open::configure_writer(&connection)?;
        let readers = Readers::new(
            Arc::clone(&identity),
            Arc::clone(&shared),
            Arc::clone(&writer),
        );
        let file = SharedFile {
            identity,
            shared,
            readers: Arc::new(readers),
            writer,
        };
        SideTables::new(connection, Some(file))
    }

    fn new(connection: Connection, file: Option<SharedFile>) -> Result<SideTables, StoreError> {
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(SideTables(Arc::new(SideTablesInner {
            writing: Mutex::new(SideWriter {
                connection,
                lock_timeout: limits::LOCK_TIMEOUT,
            }),
            turn: Arc::new(Semaphore::new(1)),
            file,
        })))
    }

    /// Brings the tables of a part of the program up to date. Each step leads from one version to
    /// the next. A step that has been released is never changed; a change is one more step.
    ///
    /// # Errors
    /// When the file has a newer version than this program knows, or cannot be written.
    pub fn migrate(&self, part: &str, steps: &[&str]) -> Result<(), StoreError> {
        const PARTS: &str = "CREATE TABLE IF NOT EXISTS parts (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT";
        const VERSION: &str = "SELECT version FROM parts WHERE name = ?";
        const SAVE: &str = "INSERT INTO parts (name, version) VALUES (?, ?) \
                            ON CONFLICT (name) DO UPDATE SET version = excluded.version";
        let known = steps.len() as u64;
        let newest = self.0.write(|transaction| {
            transaction.execute(PARTS, [])?;
            let version = transaction.query_row(VERSION, params![part], |row| row.get(0));
            let Count(version) = version.optional()?.unwrap_or(Count(0));
            for (step, _) in steps.iter().zip(0..).filter(|(_, from)| *from >= version) {
                transaction.execute_batch(step)?;
            }
            transaction.execute(SAVE, params![part, Count(known.max(version))])?;
            Ok(version)
        })?;
        if newest > known {
            return Err(StoreError(format!(
                "its {part} tables have version {newest}, and this program knows versions up to \
                 {known}; use a newer forever-frame"
            )));
        }
        Ok(())
    }

    /// Runs `work`, which reads. It does not wait for any write.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.0.file {
            Some(file) => file.readers.read(move |connection| work(connection)).await,
            None => {
                self.blocking(|inner| Ok(work(&inner.writing.lock().connection)?))
                    .await
            }
        }
    }

    /// Runs `work` in a transaction, which is on the disk when this returns, or not done at all.
    ///
    /// # Errors
    /// When the file cannot be written, or was not free to be written for [`limits::LOCK_TIMEOUT`].
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.blocking(|inner| inner.write(work)).await
    }

    /// Runs `work` as [`SideTables::write`] does, on this thread, while nothing else uses the tables yet.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_now<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.0.write(work)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SideTablesInner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let stopped = || StoreError("the log's file is closed".to_owned());
        let busy = |_| StoreError("too many changes wait to be written".to_owned());
        let turn = Arc::clone(&self.0.turn).acquire_owned();
        let turn = tokio::time::timeout(limits::LOCK_TIMEOUT, turn).await;
        let turn = turn.map_err(busy)?.map_err(|_| stopped())?;
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            // Held here and not in the future: a client that leaves drops the future, but the
            // connection is busy until the work is done.
            let _turn = turn;
            work(&inner)
        });
        done.await.map_err(|_| stopped())?
    }
}

impl SideTablesInner {
    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut writing = self.writing.lock();
        let SideWriter {
            connection,
            lock_timeout,
        } = &mut *writing;
        write_connection::rollback(connection)?;
        if let Some(file) = &self.file {
            file.identity.check()?;
            file.shared.main.check(&file.shared.writing)?;
            connection.busy_timeout(*lock_timeout)?;
        }
        let written = self.transact(connection, work);
        // After a write that waited in vain, the next one does not wait as long again.
        *lock_timeout = match &written {
            Err(error) if is_busy(error) => limits::LOCK_TIMEOUT_REFUSING,
            _ => limits::LOCK_TIMEOUT,
        };
        if let Some(file) = &self.file
            && written.as_ref().is_err_and(is_full)
        {
            file.writer.lock().make_room();
        }
        Ok(written?)
    }

    fn transact<T>(
        &self,
        connection: &mut Connection,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let _writing = self.file.as_ref().map(|file| file.shared.writing.lock());
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each step of a migration is done once, and a newer version is refused.
    #[test]
    fn migrate_runs_each_step_once() {
        let side_tables = SideTables::in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x)"];
        side_tables.migrate("letters", &steps[..1]).unwrap();
        side_tables.migrate("letters", &steps).unwrap();
        side_tables.migrate("letters", &steps).unwrap();
        let error = side_tables.migrate("letters", &steps[..1]).unwrap_err();
        assert!(error.0.contains("have version 2"), "{error}");
    }
}
