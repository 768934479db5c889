//! The connections that read, on tokio's blocking pool.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::file_identity::FileIdentity;
use super::write_connection::WriteConnection;
use super::{SqliteShared, open};
use crate::limits;
use crate::log::StoreError;

/// A pool of read connections, at most [`limits::STORE_READERS_MAX`]. A connection is opened when
/// it is first needed.
#[derive(Debug)]
pub(super) struct Readers {
    identity: Arc<FileIdentity>,
    shared: Arc<SqliteShared>,
    idle: Mutex<Vec<Connection>>,
    /// A fair semaphore: reads have their turns in the order in which they were asked for.
    turns: Arc<Semaphore>,
    /// Declared after the connections so that it is dropped after them, for the reason given at
    /// `Sqlite::writer`.
    _writer: Arc<Mutex<WriteConnection>>,
}

impl Readers {
    pub(super) fn new(
        identity: Arc<FileIdentity>,
        shared: Arc<SqliteShared>,
        writer: Arc<Mutex<WriteConnection>>,
    ) -> Readers {
        Readers {
            identity,
            shared,
            idle: Mutex::default(),
            turns: Arc::new(Semaphore::new(limits::STORE_READERS_MAX)),
            _writer: writer,
        }
    }

    /// Reads on one of the connections.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let stopped = || StoreError("the log's file is closed".to_owned());
        let turns = Arc::clone(&self.turns);
        let turn = turns.acquire_owned().await.map_err(|_| stopped())?;
        let readers = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            // Held here and not in the future: a client that leaves drops the future, but the
            // connection is busy until the work is done.
            let _turn = turn;
            // Before the connection is taken, since it may wait for a commit.
            readers.shared.main.check(&readers.shared.writing)?;
            let mut connection = readers.take()?;
            let _reading = readers.shared.reading.read();
            let read = work(&mut connection)?;
            // A connection that has failed is not used again.
            readers.idle.lock().push(connection);
            Ok(read)
        });
        reading.await.map_err(|_| stopped())?
    }

    /// Takes an idle connection, or opens one.
    fn take(&self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.idle.lock().pop() {
            return Ok(connection);
        }
        self.identity.check()?;
        let connection = Connection::open_with_flags(self.identity.path(), open::FLAGS)?;
        open::configure(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}
