//! The one row of the table `log`: what is known of the log as a whole.

use rusqlite::Connection;

use super::value::{Count, params};
use crate::log::LogTime;
use crate::message::{Channel, Seq, Timestamp};

/// The row of the table `log`. It is read at the beginning of each transaction and written at its
/// end, so that a change which an operator makes to the tables by hand is seen, and survived.
#[derive(Clone, Debug)]
pub(super) struct LogRow {
    /// The newest entry that was ever committed: a message, or a close.
    pub(super) last: Seq,
    /// The time of the newest message.
    pub(super) time: Timestamp,
    /// The newest message that was trimmed.
    pub(super) trimmed_through: Seq,
    /// The last trimmed message of all channels that have no row any more.
    pub(super) forgotten: Seq,
    /// How many bytes the messages take ([`Message::cost`](crate::message::Message::cost)).
    pub(super) bytes: u64,
    /// The number of channels that keep no message.
    pub(super) empty: u64,
    /// What the log's clock said when the row was written.
    pub(super) log_time: LogTime,
    /// What it said when the file was upgraded from the first version.
    upgraded: LogTime,
    /// What the transaction has changed of the channels that are closed. It is not saved here.
    pub(super) close_changes: Vec<CloseChange>,
}

/// A channel that was closed by the entry at a position, or was opened or forgotten (`None`).
pub(super) type CloseChange = (Channel, Option<Seq>);

impl LogRow {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<LogRow> {
        const SQL: &str =
            "SELECT last, time, lost, forgotten, bytes, empty, log_time, upgraded FROM log";
        connection.prepare_cached(SQL)?.query_row([], |row| {
            let count = |column| row.get(column).map(|Count(count)| count);
            Ok(LogRow {
                last: row.get(0)?,
                time: row.get(1)?,
                trimmed_through: row.get(2)?,
                forgotten: row.get(3)?,
                bytes: count(4)?,
                empty: count(5)?,
                log_time: row.get(6)?,
                upgraded: row.get(7)?,
                close_changes: Vec::new(),
            })
        })
    }

    pub(super) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        const SQL: &str = "UPDATE log SET last = ?, time = ?, lost = ?, forgotten = ?, \
                           bytes = ?, empty = ?, log_time = ?";
        connection.prepare_cached(SQL)?.execute(params![
            self.last,
            self.time,
            self.trimmed_through,
            self.forgotten,
            Count(self.bytes),
            Count(self.empty),
            self.log_time,
        ])?;
        Ok(())
    }

    /// Returns what the log's clock said when a message was committed, by the columns `committed` and
    /// `time` of its row.
    pub(super) fn committed(&self, committed: Option<LogTime>, time: Timestamp) -> LogTime {
        // A message of the first version has its time alone, which never falls there, but may be
        // after the upgrade.
        committed.unwrap_or(LogTime(time.0).min(self.upgraded))
    }
}

/// Returns the position of the oldest message that is kept; 0 if none is.
pub(super) fn oldest(connection: &Connection) -> rusqlite::Result<Seq> {
    const SQL: &str = "SELECT seq FROM messages ORDER BY seq LIMIT 1";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query([])?;
    rows.next()?.map_or(Ok(Seq::START), |row| row.get(0))
}
