//! The reads of the log: pages of messages.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::channel_row::{self, ChannelNames, ChannelRow};
use super::log_row::LogRow;
use super::value::{Count, params};
use crate::limits;
use crate::log::merge::merge;
use crate::log::scan::{Scanned, scan};
use crate::log::{Page, PageLimit, Selection, Stored};
use crate::message::{Channel, Close, EventName, Message, Seq};

/// Reads a page, as [`Store::read`](crate::log::Store::read) promises.
pub(super) fn page(
    connection: &mut Connection,
    selection: &Selection,
    after: Seq,
    limit: PageLimit,
) -> rusqlite::Result<Page> {
    // One transaction, so that all is read from one state of the log.
    let snapshot = connection.transaction()?;
    let log_row = LogRow::load(&snapshot)?;
    let forgotten = |through| selection.gap_of_forgotten(after, log_row.forgotten, through);
    let Some(channels) = channels_of(&snapshot, selection, &log_row)? else {
        let closes = closes_after(&snapshot, after)?;
        let mut page = scanned(&snapshot, selection, after, limit, &log_row, &closes)?;
        page.add_gaps(forgotten(page.through));
        let is_wanted = |close: &Close| selection.wants(&close.channel, close.seq);
        page.add_closes(closes.into_iter().filter(is_wanted));
        return Ok(page);
    };
    let mut page = merged(&snapshot, &channels, after, limit, &log_row)?;
    page.add_gaps(forgotten(page.through));
    let close = |(channel, from, row): &ReadChannel| row.close(channel, after.max(*from));
    page.add_closes(channels.iter().filter_map(close));
    Ok(page)
}

/// Returns the first closes after a position, as many as one page may have, in seq order.
fn closes_after(snapshot: &Connection, after: Seq) -> rusqlite::Result<Vec<Close>> {
    const SQL: &str =
        "SELECT closed, name FROM channels WHERE closed > 0 AND closed > ? ORDER BY closed LIMIT ?";
    let mut statement = snapshot.prepare_cached(SQL)?;
    let values = params![after, Count(limits::PAGE_CLOSES_MAX as u64)];
    let closes = statement.query_map(values, |row| {
        let (seq, channel) = (row.get(0)?, channel_row::name(row, 1)?);
        Ok(Close { channel, seq })
    })?;
    closes.collect()
}

/// Returns the closes of these channels that are in force.
pub(super) fn closes(
    connection: &mut Connection,
    channels: &[Channel],
) -> rusqlite::Result<Vec<Close>> {
    let snapshot = connection.transaction()?;
    let log_row = LogRow::load(&snapshot)?;
    let rows = ChannelRow::load_all(&snapshot, channels, &log_row)?;
    let closes = channels.iter().zip(rows);
    Ok(closes
        .filter_map(|(channel, row)| row.close(channel, Seq::START))
        .collect())
}

/// Returns the newest closes, at most `limit` of them.
pub(super) fn newest_closes(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Close>> {
    const SQL: &str =
        "SELECT closed, name FROM channels WHERE closed > 0 ORDER BY closed DESC LIMIT ?";
    let mut statement = connection.prepare_cached(SQL)?;
    let closes = statement.query_map(params![Count(limit as u64)], |row| {
        let (seq, channel) = (row.get(0)?, channel_row::name(row, 1)?);
        Ok(Close { channel, seq })
    })?;
    closes.collect()
}

/// A channel that is read, and the position after which it is.
type ReadChannel = (Channel, Seq, ChannelRow);

/// Returns the channels that a selection has; `None` if they are too many to be looked up one by one.
fn channels_of(
    snapshot: &Connection,
    selection: &Selection,
    log_row: &LogRow,
) -> rusqlite::Result<Option<Vec<ReadChannel>>> {
    let mut channels = Vec::with_capacity(selection.count());
    for (channel, from) in selection.channels() {
        let row = ChannelRow::load(snapshot, channel, log_row)?;
        channels.push((channel.clone(), *from, row));
    }
    for (pattern, later) in selection.patterns() {
        for (channel, row) in
            ChannelRow::load_matching(snapshot, pattern, "", limits::PAGE_CHANNELS_MAX + 1)?
        {
            let from = selection.from(&channel).unwrap_or(*later);
            channels.push((channel, from, row));
        }
        if channels.len() > limits::PAGE_CHANNELS_MAX {
            return Ok(None);
        }
    }
    Ok(Some(channels))
}

/// Reads a page of these channels, each by its index.
fn merged(
    snapshot: &Connection,
    channels: &[ReadChannel],
    after: Seq,
    limit: PageLimit,
    log_row: &LogRow,
) -> rusqlite::Result<Page> {
    const SQL: &str = "SELECT seq, time, event, data FROM messages \
                       WHERE channel = ? AND seq > ? ORDER BY seq";
    let mut parts = Vec::with_capacity(channels.len());
    for (channel, from, row) in channels {
        let statement = row.id.map(|_| snapshot.prepare_cached(SQL)).transpose()?;
        parts.push((channel, after.max(*from), row, statement));
    }
    let mut runs = Vec::with_capacity(parts.len());
    for (channel, after, row, statement) in &mut parts {
        let read = |row: &Row<'_>| message(row, channel).map(Stored::Message);
        let messages = statement
            .as_mut()
            .map(|statement| statement.query_map(params![row.id, *after], read))
            .transpose()?;
        // The rows are read as the merge asks for them: those beyond the limit are not read.
        let messages = messages.into_iter().flatten();
        let gap = row.trimmed.gap(*after).map(|gap| Ok(Stored::Gap(gap)));
        runs.push(gap.into_iter().chain(messages).peekable());
    }
    merge(runs, limit, log_row.last, log_row.trimmed_through)
}

/// Reads what is known of the log as a whole, and the newest message.
pub(super) fn newest(connection: &mut Connection) -> rusqlite::Result<()> {
    const SQL: &str = "SELECT data FROM messages ORDER BY seq DESC LIMIT 1";
    let snapshot = connection.transaction()?;
    LogRow::load(&snapshot)?;
    let mut statement = snapshot.prepare_cached(SQL)?;
    let newest = statement.query_row([], |row| row.get::<_, String>(0));
    newest.optional().map(drop)
}

/// Reads a message from the columns `seq, time, event, data`.
fn message(row: &Row<'_>, channel: &Channel) -> rusqlite::Result<Arc<Message>> {
    Ok(Arc::new(Message {
        seq: row.get(0)?,
        time: row.get(1)?,
        channel: channel.clone(),
        event: EventName::from_own(row.get(2)?),
        data: row.get(3)?,
    }))
}

/// Reads a page out of the messages of all channels.
fn scanned(
    snapshot: &Connection,
    selection: &Selection,
    after: Seq,
    limit: PageLimit,
    log_row: &LogRow,
    closes: &[Close],
) -> rusqlite::Result<Page> {
    const SQL: &str =
        "SELECT seq, time, event, data, channel FROM messages WHERE seq > ? ORDER BY seq";
    let mut names = ChannelNames::default();
    let mut statement = snapshot.prepare_cached(SQL)?;
    let messages = statement.query_map(params![after], |row| {
        let (seq, channel) = (row.get(0)?, names.get(snapshot, row.get(4)?)?);
        let is_wanted = selection.wants(channel, seq);
        let message = is_wanted.then(|| message(row, channel)).transpose()?;
        Ok(Scanned { seq, message })
    })?;
    let mut page = scan(messages, limit, log_row.last, log_row.trimmed_through)?;
    page.cut(closes);
    if after < log_row.trimmed_through {
        let trimmed = ChannelRow::load_trimmed(snapshot, after, page.through)?;
        page.add_gaps(trimmed.into_iter().filter_map(|(channel, row)| {
            let from = selection.from(&channel)?;
            row.trimmed.gap(after.max(from))
        }));
    }
    Ok(page)
}
