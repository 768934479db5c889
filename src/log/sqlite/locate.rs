//! Where followers start: positions in the log that are found in its file.

use rusqlite::{Connection, OptionalExtension, Row};

use super::channel_row::{ChannelNames, ChannelRow};
use super::fall_table;
use super::log_row::LogRow;
use super::value::params;
use crate::limits;
use crate::log::cursor::StartAt;
use crate::log::{LocateError, Selection, Subscription, selection};
use crate::message::{Channel, Seq, Timestamp};

/// What a follower asks for, as the file has it.
struct Asked<'s> {
    subscription: &'s Subscription,
    log_row: LogRow,
    /// The rows of the channels that are named.
    named: Vec<ChannelRow>,
    /// The channels of the patterns; no more than one too many to be known one by one.
    matching: Vec<(Channel, ChannelRow)>,
}

/// Finds where a follower starts, as [`Store::locate`](crate::log::Store::locate) promises.
pub(super) fn locate(
    connection: &mut Connection,
    subscription: &Subscription,
    start_at: StartAt,
) -> rusqlite::Result<Result<Selection, LocateError>> {
    let snapshot = connection.transaction()?;
    let asked = Asked::load(&snapshot, subscription)?;
    let last = asked.log_row.last;
    let at = match start_at {
        StartAt::Earliest => Seq::START,
        StartAt::Last { count, through } => asked.before_last(&snapshot, count, through)?,
        StartAt::NotBefore(time) => asked.before_time(&snapshot, time)?,
        StartAt::Each => last,
    };
    let is_each = start_at == StartAt::Each && asked.matching.len() <= limits::KNOWN_CHANNELS_MAX;
    // A follower does not ask for messages that have been trimmed.
    let begin = |row: &ChannelRow| -> rusqlite::Result<Seq> {
        let newest = if is_each {
            row.newest(&snapshot)?
        } else {
            None
        };
        Ok(newest.map_or_else(|| at.max(row.trimmed.through), Seq::before))
    };
    let named = subscription.channels().iter().zip(&asked.named);
    let named = named.map(|(channel, row)| Ok((channel.clone(), begin(row)?)));
    let named: Vec<_> = named.collect::<rusqlite::Result<_>>()?;
    let known = asked.matching.iter();
    let known = known.map(|(channel, row)| Ok((channel.clone(), begin(row)?)));
    let known = known.collect::<rusqlite::Result<_>>()?;
    Ok(
        selection::known_or_all(start_at, known, at, last).map(|(known, later)| {
            let patterns = subscription.patterns().iter().cloned();
            Selection::new(named, patterns.map(|pattern| (pattern, later)), known)
        }),
    )
}

/// Returns the position before the last [`limits::LOCATE_STEP_ROWS`] of the last `count` messages of
/// what is asked for up to `through`; `None` if there are not as many as `count` in all.
pub(super) fn step_back(
    connection: &mut Connection,
    subscription: &Subscription,
    count: u64,
    through: Seq,
) -> rusqlite::Result<Option<Seq>> {
    let snapshot = connection.transaction()?;
    let asked = Asked::load(&snapshot, subscription)?;
    if asked.kept().is_some_and(|kept| count >= kept) {
        return Ok(None);
    }
    let at = asked.before_last(&snapshot, limits::LOCATE_STEP_ROWS, through)?;
    Ok(Some(at).filter(|at| *at > Seq::START))
}

impl Asked<'_> {
    fn load<'s>(
        snapshot: &Connection,
        subscription: &'s Subscription,
    ) -> rusqlite::Result<Asked<'s>> {
        let log_row = LogRow::load(snapshot)?;
        let named = ChannelRow::load_all(snapshot, subscription.channels(), &log_row)?;
        let mut matching = Vec::new();
        for pattern in subscription.patterns() {
            let max = limits::KNOWN_CHANNELS_MAX + 1 - matching.len();
            matching.extend(ChannelRow::load_matching(snapshot, pattern, "", max)?);
        }
        Ok(Asked {
            subscription,
            log_row,
            named,
            matching,
        })
    }

    /// The rows of all channels; `None` if they are too many to be looked up one by one.
    fn rows(&self) -> Option<impl Iterator<Item = &ChannelRow>> {
        let is_few = self.named.len() + self.matching.len() <= limits::PAGE_CHANNELS_MAX;
        let matching = self.matching.iter().map(|(_, row)| row);
        is_few.then(|| self.named.iter().chain(matching))
    }

    /// How many messages all channels keep, if these are not too many.
    fn kept(&self) -> Option<u64> {
        self.rows().map(|rows| rows.map(|row| row.kept).sum())
    }

    /// Returns the position before the last `count` messages up to `through`.
    fn before_last(
        &self,
        snapshot: &Connection,
        count: u64,
        through: Seq,
    ) -> rusqlite::Result<Seq> {
        if self.kept().is_some_and(|kept| count >= kept) {
            return Ok(Seq::START);
        }
        match self.rows() {
            Some(rows) => before_last(snapshot, rows.filter_map(|row| row.id), count, through),
            None => before_last_of_all(snapshot, self.subscription, count, through),
        }
    }

    /// Returns the position before the first message whose time is not earlier than `time`.
    fn before_time(&self, snapshot: &Connection, time: Timestamp) -> rusqlite::Result<Seq> {
        let last = self.log_row.last;
        match self.rows() {
            Some(rows) => {
                let ids = rows.filter_map(|row| row.id).map(Some);
                before_time(snapshot, ids, time, last)
            }
            // The first of any channel: not far from the first of these.
            None => before_time(snapshot, [None], time, last),
        }
    }
}

/// Returns the position before the last `count` messages up to `through` of what is asked for, by looking
/// at the messages of all channels.
fn before_last_of_all(
    snapshot: &Connection,
    subscription: &Subscription,
    count: u64,
    through: Seq,
) -> rusqlite::Result<Seq> {
    const SQL: &str = "SELECT seq, channel FROM messages WHERE seq <= ? ORDER BY seq DESC";
    let all = Selection::at(subscription, Seq::START);
    let mut names = ChannelNames::default();
    let mut statement = snapshot.prepare_cached(SQL)?;
    let mut rows = statement.query(params![through])?;
    let (mut first, mut found) = (through.next(), 0);
    while found < count {
        let Some(row) = rows.next()? else {
            return Ok(Seq::START);
        };
        let (seq, channel) = (row.get(0)?, names.get(snapshot, row.get(1)?)?);
        if all.wants(channel, seq) {
            (first, found) = (seq, found + 1);
        }
    }
    Ok(first.before())
}

/// Returns the position before the last `count` messages of these channels up to `through`.
fn before_last(
    snapshot: &Connection,
    channels: impl Iterator<Item = i64>,
    count: u64,
    through: Seq,
) -> rusqlite::Result<Seq> {
    const SQL: &str = "SELECT seq FROM messages WHERE channel = ? AND seq <= ? ORDER BY seq DESC";
    let statements = channels.map(|id| Ok((id, snapshot.prepare_cached(SQL)?)));
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
    channels: impl IntoIterator<Item = Option<i64>>,
    time: Timestamp,
    last: Seq,
) -> rusqlite::Result<Seq> {
    let falls = fall_table::load(snapshot)?;
    let mut first = last.next();
    for channel in channels {
        for (after, through) in falls.runs(last) {
            if let Some(seq) = first_in_run(snapshot, channel, (after, through), time)? {
                first = first.min(seq);
                break;
            }
        }
    }
    Ok(first.before())
}

/// Returns the first message of a channel, or of all channels, after a position and up to another one whose time is not
/// earlier than `time`. Between these positions times rise.
fn first_in_run(
    snapshot: &Connection,
    channel: Option<i64>,
    (after, through): (Seq, Seq),
    time: Timestamp,
) -> rusqlite::Result<Option<Seq>> {
    const OF_CHANNEL: &str = "SELECT seq, time FROM messages \
                              WHERE seq > ? AND seq <= ? AND channel = ? \
                              ORDER BY seq DESC LIMIT 1";
    const OF_ALL: &str = "SELECT seq, time FROM messages \
                          WHERE seq > ? AND seq <= ? ORDER BY seq DESC LIMIT 1";
    let sql = channel.map_or(OF_ALL, |_| OF_CHANNEL);
    let mut statement = snapshot.prepare_cached(sql)?;
    // The last message in a part of the run, if it is not earlier.
    let mut last = |after: Seq, through: Seq| -> rusqlite::Result<Option<Seq>> {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let last = match channel {
            Some(channel) => statement.query_row(params![after, through, channel], read),
            None => statement.query_row(params![after, through], read),
        };
        let last: Option<(Seq, Timestamp)> = last.optional()?;
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
