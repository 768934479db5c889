//! Side tables: tables of other modules in the log's file.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use tokio::sync::Semaphore;

use super::file_identity::FileIdentity;
use super::value::{Count, params};
use super::write_connection::{self, WriteConnection};
use super::{SqliteShared, open};
use crate::limits;
use crate::log::StoreError;

/// A connection for the tables of other modules: to the log's file, or to a database in memory if
/// the log is in memory. Clones are the same connection.
#[derive(Clone, Debug)]
pub struct SideTables(Arc<SideTablesInner>);

#[derive(Debug)]
struct SideTablesInner {
    connection: Mutex<Connection>,
    /// A fair semaphore: accesses have their turns in the order in which they were asked for, and
    /// none of them waits on a thread.
    turn: Arc<Semaphore>,
    /// The log's file; `None` in memory. Declared after the connection so that it is dropped after
    /// it, for the reason given at `Sqlite::writer`.
    file: Option<SharedFile>,
}

/// The log's file, which is shared with the log's own connections.
#[derive(Debug)]
struct SharedFile {
    identity: Arc<FileIdentity>,
    shared: Arc<SqliteShared>,
    /// Held so that the write connection is closed after this one, for the reason given at
    /// `Sqlite::writer`.
    _writer: Arc<Mutex<WriteConnection>>,
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
        open::configure(&connection)?;
        let file = SharedFile {
            identity,
            shared,
            _writer: writer,
        };
        SideTables::new(connection, Some(file))
    }

    fn new(connection: Connection, file: Option<SharedFile>) -> Result<SideTables, StoreError> {
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(SideTables(Arc::new(SideTablesInner {
            connection: Mutex::new(connection),
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

    /// Runs `work`, which reads.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.blocking(|inner| inner.read(work)).await
    }

    /// Runs `work` in a transaction, which is on the disk when this returns, or not done at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.blocking(|inner| inner.write(work)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SideTablesInner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let stopped = || StoreError("the log's file is closed".to_owned());
        let turn = Arc::clone(&self.0.turn);
        let turn = turn.acquire_owned().await.map_err(|_| stopped())?;
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
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let connection = self.connection.lock();
        self.prepare(&connection)?;
        let _reading = self.file.as_ref().map(|file| file.shared.reading.read());
        Ok(work(&connection)?)
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection.lock();
        self.prepare(&connection)?;
        let _writing = self.file.as_ref().map(|file| file.shared.writing.lock());
        let transaction = Transaction::new(&mut connection, TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Prepares for an access: rolls back a transaction that failed, and checks the file.
    fn prepare(&self, connection: &Connection) -> Result<(), StoreError> {
        write_connection::rollback(connection)?;
        if let Some(file) = &self.file {
            file.identity.check()?;
            connection.busy_timeout(limits::LOCK_TIMEOUT)?;
        }
        Ok(())
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
