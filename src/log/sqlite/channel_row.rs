//! The row of a channel, as readers see it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension, Row};

use super::log_row::LogRow;
use super::value::{Count, params};
use crate::log::ChannelInfo;
use crate::log::trimmed::Trimmed;
use crate::message::{Channel, Close, Pattern, Seq, Timestamp};

/// What is known of a channel.
pub(super) struct ChannelRow {
    /// `None` for a channel that has no row.
    pub(super) id: Option<i64>,
    pub(super) kept: u64,
    pub(super) trimmed: Trimmed,
    /// The entry that closes the channel.
    closed: Option<Seq>,
}

impl ChannelRow {
    pub(super) fn load_all(
        snapshot: &Connection,
        channels: &[Channel],
        log_row: &LogRow,
    ) -> rusqlite::Result<Vec<ChannelRow>> {
        let rows = channels
            .iter()
            .map(|channel| ChannelRow::load(snapshot, channel, log_row));
        rows.collect()
    }

    pub(super) fn load(
        snapshot: &Connection,
        channel: &Channel,
        log_row: &LogRow,
    ) -> rusqlite::Result<ChannelRow> {
        const SQL: &str = "SELECT id, kept, first, lost_through, lost, closed FROM channels \
                           WHERE name = ?";
        let mut statement = snapshot.prepare_cached(SQL)?;
        let row = statement.query_row(params![channel], ChannelRow::read);
        Ok(row.optional()?.unwrap_or(ChannelRow {
            id: None,
            kept: 0,
            trimmed: Trimmed::of_unknown(log_row.forgotten),
            closed: None,
        }))
    }

    /// Loads the rows of a pattern's channels whose names come after `after`, in the order of their names,
    /// at most `max` of them.
    pub(super) fn load_matching(
        snapshot: &Connection,
        pattern: &Pattern,
        after: &str,
        max: usize,
    ) -> rusqlite::Result<Vec<(Channel, ChannelRow)>> {
        const SQL: &str = "SELECT id, kept, first, lost_through, lost, closed, name FROM channels \
                           WHERE name >= ? AND name < ? AND name > ? ORDER BY name LIMIT ?";
        let mut statement = snapshot.prepare_cached(SQL)?;
        // The greater of both is where the index is entered.
        let from = pattern.prefix().max(after);
        let values = params![from, pattern.end(), after, Count(max as u64)];
        let rows =
            statement.query_map(values, |row| Ok((name(row, 6)?, ChannelRow::read(row)?)))?;
        rows.collect()
    }

    /// Loads the rows of all channels of which messages have been trimmed after a position, the last of
    /// them at `through` or before.
    pub(super) fn load_trimmed(
        snapshot: &Connection,
        after: Seq,
        through: Seq,
    ) -> rusqlite::Result<Vec<(Channel, ChannelRow)>> {
        const SQL: &str = "SELECT id, kept, first, lost_through, lost, closed, name FROM channels \
                           WHERE lost_through > ? AND lost_through <= ?";
        let mut statement = snapshot.prepare_cached(SQL)?;
        let values = params![after, through];
        let rows =
            statement.query_map(values, |row| Ok((name(row, 6)?, ChannelRow::read(row)?)))?;
        rows.collect()
    }

    /// The channel's newest message, if it keeps any.
    pub(super) fn newest(&self, snapshot: &Connection) -> rusqlite::Result<Option<Seq>> {
        const SQL: &str = "SELECT max(seq) FROM messages WHERE channel = ?";
        let Some(id) = self.id else {
            return Ok(None);
        };
        let mut statement = snapshot.prepare_cached(SQL)?;
        statement.query_row(params![id], |row| row.get(0))
    }

    /// The close of the channel after a position, if it is closed by an entry there.
    pub(super) fn close(&self, channel: &Channel, after: Seq) -> Option<Close> {
        let seq = self.closed.filter(|seq| *seq > after)?;
        let channel = channel.clone();
        Some(Close { channel, seq })
    }

    /// Reads a row from the columns `id, kept, first, lost_through, lost, closed`.
    fn read(row: &Row<'_>) -> rusqlite::Result<ChannelRow> {
        let (Count(kept), Count(count)) = (row.get(1)?, row.get(4)?);
        Ok(ChannelRow {
            id: row.get(0)?,
            kept,
            trimmed: Trimmed {
                first: row.get(2)?,
                through: row.get(3)?,
                count,
            },
            closed: Some(row.get(5)?).filter(|seq| *seq > Seq::START),
        })
    }
}

/// Lists channels, as [`Store::list`](crate::log::Store::list) promises.
pub(super) fn list(
    connection: &mut Connection,
    pattern: &Pattern,
    after: &str,
    limit: usize,
) -> rusqlite::Result<Vec<ChannelInfo>> {
    const SQL: &str = "SELECT seq, time FROM messages WHERE channel = ? ORDER BY seq DESC LIMIT 1";
    let snapshot = connection.transaction()?;
    let mut newest = snapshot.prepare_cached(SQL)?;
    let mut info = |(channel, row): (Channel, ChannelRow)| {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let newest: Option<(Seq, Timestamp)> =
            newest.query_row(params![row.id], read).optional()?;
        Ok(ChannelInfo {
            channel,
            last: newest
                .map_or(row.trimmed.through, |(seq, _)| seq)
                .max(row.closed.unwrap_or_default()),
            time: newest.map(|(_, time)| time),
            kept: row.kept,
            is_closed: row.closed.is_some(),
        })
    };
    let rows = ChannelRow::load_matching(&snapshot, pattern, after, limit)?;
    rows.into_iter().map(&mut info).collect()
}

/// Reads a channel's name.
pub(super) fn name(row: &Row<'_>, column: usize) -> rusqlite::Result<Channel> {
    let name = row.get_ref(column)?.as_str()?;
    Ok(Channel::from_own(name))
}

/// The channels of messages by their rows, each looked up once.
#[derive(Default)]
pub(super) struct ChannelNames(HashMap<i64, Channel>);

impl ChannelNames {
    pub(super) fn get(&mut self, snapshot: &Connection, id: i64) -> rusqlite::Result<&Channel> {
        match self.0.entry(id) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let mut statement =
                    snapshot.prepare_cached("SELECT name FROM channels WHERE id = ?")?;
                let channel = statement.query_row(params![id], |row| name(row, 0))?;
                Ok(unknown.insert(channel))
            }
        }
    }
}
