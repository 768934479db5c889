//! The reads of the log: pages, and positions to start at.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::fall_table;
use super::log_row::LogRow;
use super::value::{Count, params};
use crate::limits;
use crate::log::cursor::StartAt;
use crate::log::merge::merge;
use crate::log::trimmed::Trimmed;
use crate::log::{Page, PageLimit, Selection, Stored};
use crate::message::{Channel, EventName, Message, Seq, Timestamp};

/// Reads a page, as [`Store::read`](crate::log::Store::read) promises.
pub(super) fn page(
    connection: &mut Connection,
    selection: &Selection,
    after: Seq,
    limit: PageLimit,
) -> rusqlite::Result<Page> {
    const SQL: &str = "SELECT seq, time, event, data FROM messages \
                       WHERE channel = ? AND seq > ? ORDER BY seq";
    // One transaction, so that all is read from one state of the log.
    let snapshot = connection.transaction()?;
    let log_row = LogRow::load(&snapshot)?;
    let mut parts = Vec::with_capacity(selection.len());
    for (channel, from) in &**selection {
        let row = ChannelRow::load(&snapshot, channel, &log_row)?;
        let statement = row.id.map(|_| snapshot.prepare_cached(SQL)).transpose()?;
        parts.push((channel, after.max(*from), row, statement));
    }
    let mut runs = Vec::with_capacity(parts.len());
    for (channel, after, row, statement) in &mut parts {
        let read = |row: &Row<'_>| message(row, channel);
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
fn message(row: &Row<'_>, channel: &Channel) -> rusqlite::Result<Stored> {
    Ok(Stored::Message(Arc::new(Message {
        seq: row.get(0)?,
        time: row.get(1)?,
        channel: channel.clone(),
        event: EventName::from_own(row.get(2)?),
        data: row.get(3)?,
    })))
}

/// Finds where a follower starts, as [`Store::locate`](crate::log::Store::locate) promises.
pub(super) fn locate(
    connection: &mut Connection,
    channels: &[Channel],
    start_at: StartAt,
) -> rusqlite::Result<Selection> {
    let snapshot = connection.transaction()?;
    let log_row = LogRow::load(&snapshot)?;
    let rows = ChannelRow::load_all(&snapshot, channels, &log_row)?;
    let at = match start_at {
        StartAt::Earliest => Seq::START,
        StartAt::Last { count, through } => before_last(&snapshot, &rows, count, through)?,
        StartAt::NotBefore(time) => before_time(&snapshot, &rows, time, log_row.last)?,
    };
    // A follower does not ask for messages that have been trimmed.
    let begin =
        |(channel, row): (&Channel, &ChannelRow)| (channel.clone(), at.max(row.trimmed.through));
    Ok(channels.iter().zip(&rows).map(begin).collect())
}

/// Returns the position before the last [`limits::LOCATE_STEP_ROWS`] of the last `count` messages of
/// these channels up to `through`; `None` if the channels have not as many as `count` in all.
pub(super) fn step_back(
    connection: &mut Connection,
    channels: &[Channel],
    count: u64,
    through: Seq,
) -> rusqlite::Result<Option<Seq>> {
    let snapshot = connection.transaction()?;
    let log_row = LogRow::load(&snapshot)?;
    let rows = ChannelRow::load_all(&snapshot, channels, &log_row)?;
    if count >= rows.iter().map(|row| row.kept).sum() {
        return Ok(None);
    }
    before_last(&snapshot, &rows, limits::LOCATE_STEP_ROWS, through).map(Some)
}

/// Returns the position before the last `count` messages of these channels up to `through`.
fn before_last(
    snapshot: &Connection,
    rows: &[ChannelRow],
    count: u64,
    through: Seq,
) -> rusqlite::Result<Seq> {
    const SQL: &str = "SELECT seq FROM messages WHERE channel = ? AND seq <= ? ORDER BY seq DESC";
    if count >= rows.iter().map(|row| row.kept).sum() {
        return Ok(Seq::START);
    }
    let ids = rows.iter().filter_map(|row| row.id);
    let statements = ids.map(|id| Ok((id, snapshot.prepare_cached(SQL)?)));
    let mut statements: Vec<_> = statements.collect::<rusqlite::Result<_>>()?;
    // One run of seqs per channel, each from its end, to be merged.
    let mut runs = Vec::with_capacity(statements.len());
    for (id, statement) in &mut statements {
        let mut run = statement.query_map(params![*id, through], |row| row.get::<_, Seq>(0))?;
        if let Some(seq) = run.next().transpose()? {
            runs.push((seq, run));
        }
    }
    let mut first = through.next();
    for _ in 0..count {
        let newest = (0..runs.len()).max_by_key(|&index| runs[index].0);
        let Some(newest) = newest else { break };
        let (seq, run) = &mut runs[newest];
        first = *seq;
        match run.next().transpose()? {
            Some(seq_before) => *seq = seq_before,
            None => drop(runs.swap_remove(newest)),
        }
    }
    Ok(first.before())
}

/// Returns the position before the first message of these channels whose time is not earlier than
/// `time`.
fn before_time(
    snapshot: &Connection,
    rows: &[ChannelRow],
    time: Timestamp,
    last: Seq,
) -> rusqlite::Result<Seq> {
    let falls = fall_table::load(snapshot)?;
    let mut first = last.next();
    for id in rows.iter().filter_map(|row| row.id) {
        for (after, through) in falls.runs(last) {
            if let Some(seq) = first_in_run(snapshot, id, (after, through), time)? {
                first = first.min(seq);
                break;
            }
        }
    }
    Ok(first.before())
}

/// Returns the first message of a channel after a position and up to another one whose time is not
/// earlier than `time`. Between these positions times rise.
fn first_in_run(
    snapshot: &Connection,
    channel: i64,
    (after, through): (Seq, Seq),
    time: Timestamp,
) -> rusqlite::Result<Option<Seq>> {
    const SQL: &str = "SELECT seq, time FROM messages WHERE channel = ? AND seq > ? AND seq <= ? \
                       ORDER BY seq DESC LIMIT 1";
    let mut statement = snapshot.prepare_cached(SQL)?;
    // The last message in a part of the run, if it is not earlier.
    let mut last = |after: Seq, through: Seq| -> rusqlite::Result<Option<Seq>> {
        let values = params![channel, after, through];
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let last: Option<(Seq, Timestamp)> = statement.query_row(values, read).optional()?;
        Ok(last.filter(|(_, its)| *its >= time).map(|(seq, _)| seq))
    };
    let Some(mut first) = last(after, through)? else {
        return Ok(None);
    };
    // All up to `low` are earlier, and `first` is not.
    let mut low = after;
    while low.next() < first {
        let middle = Seq(low.0 + (first.0 - low.0) / 2);
        match last(low, middle)? {
            Some(seq) => first = seq,
            None => low = middle,
        }
    }
    Ok(Some(first))
}

/// What is known of a channel.
struct ChannelRow {
    /// `None` for a channel that has no row.
    id: Option<i64>,
    kept: u64,
    trimmed: Trimmed,
}

impl ChannelRow {
    fn load_all(
        snapshot: &Connection,
        channels: &[Channel],
        log_row: &LogRow,
    ) -> rusqlite::Result<Vec<ChannelRow>> {
        let rows = channels
            .iter()
            .map(|channel| ChannelRow::load(snapshot, channel, log_row));
        rows.collect()
    }

    fn load(
        snapshot: &Connection,
        channel: &Channel,
        log_row: &LogRow,
    ) -> rusqlite::Result<ChannelRow> {
        const SQL: &str = "SELECT id, kept, first, lost_through, lost FROM channels WHERE name = ?";
        let mut statement = snapshot.prepare_cached(SQL)?;
        let row = statement.query_row(params![channel], |row| {
            let (Count(kept), Count(count)) = (row.get(1)?, row.get(4)?);
            Ok(ChannelRow {
                id: row.get(0)?,
                kept,
                trimmed: Trimmed {
                    first: row.get(2)?,
                    through: row.get(3)?,
                    count,
                },
            })
        });
        Ok(row.optional()?.unwrap_or(ChannelRow {
            id: None,
            kept: 0,
            trimmed: Trimmed::of_unknown(log_row.forgotten),
        }))
    }
}
