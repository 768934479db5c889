//! The connections that read, off the async workers.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::file_identity::FileIdentity;
use super::write_connection::Writer;
use super::{Shared, open};
use crate::limits;
use crate::log::StoreError;

/// A few connections, taken in turn; opened when they are first needed.
#[derive(Debug)]
pub(super) struct Readers {
    files: Arc<FileIdentity>,
    shared: Arc<Shared>,
    idle: Mutex<Vec<Connection>>,
    /// Whoever has come first reads first.
    turns: Arc<Semaphore>,
    /// Behind the connections, see [`Sqlite`](super::Sqlite).
    _writer: Arc<Mutex<Writer>>,
}

impl Readers {
    pub(super) fn new(
        files: Arc<FileIdentity>,
        shared: Arc<Shared>,
        writer: Arc<Mutex<Writer>>,
    ) -> Readers {
        Readers {
            files,
            shared,
            idle: Mutex::default(),
            turns: Arc::new(Semaphore::new(limits::STORE_READERS_MAX)),
            _writer: writer,
        }
    }

    /// Reads on one of them.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let stopped = || StoreError("the log's file is closed".to_owned());
        let turns = Arc::clone(&self.turns);
        let turn = turns.acquire_owned().await.map_err(|_| stopped())?;
        let readers = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            // Whoever has left need not be waited for any more; the connection must.
            let _turn = turn;
            let mut connection = readers.take()?;
            let _reading = readers.shared.reading.read();
            let read = work(&mut connection)?;
            // One that has failed is not used again.
            readers.idle.lock().push(connection);
            Ok(read)
        });
        reading.await.map_err(|_| stopped())?
    }

    fn take(&self) -> Result<Connection, StoreError> {
        if let Some(connection) = self.idle.lock().pop() {
            return Ok(connection);
        }
        self.files.check()?;
        let connection = Connection::open_with_flags(self.files.path(), open::FLAGS)?;
        connection.busy_timeout(limits::LOCK_TIMEOUT)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}
