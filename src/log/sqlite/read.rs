//! The reads of the log: pages of messages.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::channel_row::{ChannelNames, ChannelRow};
use super::log_row::LogRow;
use super::value::params;
use crate::limits;
use crate::log::merge::merge;
use crate::log::scan::{Scanned, scan};
use crate::log::{Page, PageLimit, Selection, Stored};
use crate::message::{Channel, EventName, Message, Seq};

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
    let mut page = match channels_of(&snapshot, selection, &log_row)? {
        Some(channels) => merged(&snapshot, &channels, after, limit, &log_row)?,
        None => scanned(&snapshot, selection, after, limit, &log_row)?,
    };
    let through = page.through;
    page.add_gaps(selection.gap_of_forgotten(after, log_row.forgotten, through));
    Ok(page)
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
    if after < log_row.trimmed_through {
        let trimmed = ChannelRow::load_trimmed(snapshot, after, page.through)?;
        page.add_gaps(trimmed.into_iter().filter_map(|(channel, row)| {
            let from = selection.from(&channel)?;
            row.trimmed.gap(after.max(from))
        }));
    }
    Ok(page)
}
