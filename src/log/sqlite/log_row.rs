//! The one row of the table `log`: what is known of the log as a whole.

use rusqlite::Connection;

use super::value::{Count, params};
use crate::message::{Seq, Timestamp};

/// The row of the table `log`. It is read at the beginning of each transaction and written at its
/// end, so that a change which an operator makes to the tables by hand is seen, and survived.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogRow {
    /// The newest message that was ever committed.
    pub(super) last: Seq,
    /// The time of that message.
    pub(super) time: Timestamp,
    /// The newest message that was trimmed.
    pub(super) trimmed_through: Seq,
    /// The last trimmed message of all channels that have no row any more.
    pub(super) forgotten: Seq,
    /// How many bytes the messages take ([`Message::cost`](crate::message::Message::cost)).
    pub(super) bytes: u64,
    /// The number of idempotency keys.
    pub(super) keys: u64,
    /// The number of channels that keep no message.
    pub(super) empty: u64,
}

impl LogRow {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<LogRow> {
        const SQL: &str = "SELECT last, time, lost, forgotten, bytes, keys, empty FROM log";
        connection.prepare_cached(SQL)?.query_row([], |row| {
            let count = |column| row.get(column).map(|Count(count)| count);
            Ok(LogRow {
                last: row.get(0)?,
                time: row.get(1)?,
                trimmed_through: row.get(2)?,
                forgotten: row.get(3)?,
                bytes: count(4)?,
                keys: count(5)?,
                empty: count(6)?,
            })
        })
    }

    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        const SQL: &str = "UPDATE log SET last = ?, time = ?, lost = ?, forgotten = ?, \
                           bytes = ?, keys = ?, empty = ?";
        connection.prepare_cached(SQL)?.execute(params![
            self.last,
            self.time,
            self.trimmed_through,
            self.forgotten,
            Count(self.bytes),
            Count(self.keys),
            Count(self.empty),
        ])?;
        Ok(())
    }
}

/// Returns the oldest message that is kept, and its time.
pub(super) fn oldest(connection: &Connection) -> rusqlite::Result<Option<(Seq, Timestamp)>> {
    const SQL: &str = "SELECT seq, time FROM messages ORDER BY seq LIMIT 1";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some((row.get(0)?, row.get(1)?)))
}
