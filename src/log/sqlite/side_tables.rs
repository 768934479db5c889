//! What lives beside the log: tables of other parts of the program, in the log's file.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use tokio::sync::Semaphore;

use super::file_identity::FileIdentity;
use super::value::{Count, params};
use super::write_connection::{self, Writer};
use super::{Shared, open};
use crate::limits;
use crate::log::StoreError;

/// A connection to the log's file for those who keep something else there; where the log is in
/// memory, it is too. Clones are the same connection.
#[derive(Clone, Debug)]
pub struct SideTables(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connection: Mutex<Connection>,
    /// Whoever has come first goes first, and nobody waits on a thread.
    turn: Arc<Semaphore>,
    /// `None` in memory. Behind the connection.
    file: Option<File>,
}

/// The log's file.
#[derive(Debug)]
struct File {
    files: Arc<FileIdentity>,
    shared: Arc<Shared>,
    /// See [`Sqlite`](super::Sqlite).
    _writer: Arc<Mutex<Writer>>,
}

impl SideTables {
    /// In memory: gone with the process.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn in_memory() -> Result<SideTables, StoreError> {
        SideTables::new(Connection::open_in_memory()?, None)
    }

    /// Beside a log that is open.
    pub(super) fn of(
        files: Arc<FileIdentity>,
        shared: Arc<Shared>,
        writer: Arc<Mutex<Writer>>,
    ) -> Result<SideTables, StoreError> {
        files.check()?;
        let connection = Connection::open_with_flags(files.path(), open::FLAGS)?;
        open::tune(&connection)?;
        let file = File {
            files,
            shared,
            _writer: writer,
        };
        SideTables::new(connection, Some(file))
    }

    fn new(connection: Connection, file: Option<File>) -> Result<SideTables, StoreError> {
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(SideTables(Arc::new(Inner {
            connection: Mutex::new(connection),
            turn: Arc::new(Semaphore::new(1)),
            file,
        })))
    }

    /// Brings the tables of a part of the program up to date: each step leads from one version to
    /// the next. What has been released is not changed any more; a change is one more step.
    ///
    /// # Errors
    /// When the file has a version that this program does not know, or cannot be written.
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
                "its {part} are of version {newest}, and this program knows them up to {known}; \
                 use a newer forever-frame"
            )));
        }
        Ok(())
    }

    /// Reads.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.blocking(|inner| inner.read(work)).await
    }

    /// A transaction, on the disk when this returns, or not done at all.
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
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let stopped = || StoreError("the log's file is closed".to_owned());
        let turn = Arc::clone(&self.0.turn);
        let turn = turn.acquire_owned().await.map_err(|_| stopped())?;
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            // Whoever has left need not be waited for any more; the connection must.
            let _turn = turn;
            work(&inner)
        });
        done.await.map_err(|_| stopped())?
    }
}

impl Inner {
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

    fn prepare(&self, connection: &Connection) -> Result<(), StoreError> {
        write_connection::undo(connection)?;
        if let Some(file) = &self.file {
            file.files.check()?;
            connection.busy_timeout(limits::LOCK_TIMEOUT)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_brought_up_to_date_once_and_never_back() {
        let beside = SideTables::in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x)"];
        beside.migrate("letters", &steps[..1]).unwrap();
        beside.migrate("letters", &steps).unwrap();
        beside.migrate("letters", &steps).unwrap();
        let error = beside.migrate("letters", &steps[..1]).unwrap_err();
        assert!(error.0.contains("of version 2"), "{error}");
    }
}
