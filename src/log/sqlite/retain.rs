//! Retention: trims the messages beyond the number that a channel keeps, those beyond the bytes
//! that all messages may take, and those that are too old.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use super::log_row::{self, LogRow};
use super::value::{Count, params};
use super::{channel_row, key_table, vacuum};
use crate::limits;
use crate::log::clock_state::ClockRecord;
use crate::log::used_keys::UsedKeys;
use crate::log::{Keep, LogTime, Moment};
use crate::message::{self, Seq};

/// How much a transaction may still delete: so little that no append waits for long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    messages: u64,
    bytes: u64,
}

impl Allowance {
    /// Returns the allowance of a step of retention between the commits.
    pub(super) fn for_step() -> Allowance {
        Allowance::for_commit(0, 0)
    }

    /// Returns the allowance of a step that deletes messages past their age.
    fn for_expiry() -> Allowance {
        Allowance {
            messages: limits::EXPIRE_STEP_ROWS as u64,
            ..Allowance::for_step()
        }
    }

    /// Returns the allowance of a step on a disk that is full, where `bytes` are missing: so small that
    /// the write-ahead log takes it.
    pub(super) fn for_shortage(bytes: u64) -> Allowance {
        Allowance {
            messages: limits::SHORTAGE_STEP_ROWS as u64,
            bytes: bytes.min(limits::RETAIN_STEP_BYTES),
        }
    }

    /// Returns the allowance of a commit of this many messages that take `bytes`: as much as it adds,
    /// so that retention keeps pace, and some more, so that it catches up.
    pub(super) fn for_commit(messages: usize, bytes: u64) -> Allowance {
        Allowance {
            messages: (messages + limits::RETAIN_STEP_ROWS) as u64,
            bytes: bytes + limits::RETAIN_STEP_BYTES,
        }
    }

    /// Takes the deletion of a message from the allowance. Returns false if nothing is left of it.
    fn try_take(&mut self, cost: u64) -> bool {
        let is_granted = self.messages > 0 && self.bytes > 0;
        if is_granted {
            self.messages -= 1;
            self.bytes = self.bytes.saturating_sub(cost);
        }
        is_granted
    }
}

/// A message that is to be deleted.
struct Victim {
    seq: Seq,
    channel: i64,
    /// What the log's clock said at the commit.
    committed: LogTime,
    cost: u64,
}

impl Victim {
    /// Reads a victim from the columns `seq, channel, octet_length(data), committed, time`.
    fn read(row: &Row<'_>, log_row: &LogRow) -> rusqlite::Result<Victim> {
        let bytes: i64 = row.get(2)?;
        Ok(Victim {
            seq: row.get(0)?,
            channel: row.get(1)?,
            committed: log_row.committed(row.get(3)?, row.get(4)?),
            cost: message::cost(usize::try_from(bytes).unwrap_or_default()) as u64,
        })
    }
}

/// Deletes the oldest messages of a channel that keeps more than it may.
pub(super) fn trim_to_count(
    connection: &Connection,
    log_row: &mut LogRow,
    (channel, kept): (i64, u64),
    keep: Keep,
    allowance: &mut Allowance,
) -> rusqlite::Result<()> {
    const SQL: &str = "SELECT seq, channel, octet_length(data), committed, time FROM messages \
                       WHERE channel = ? ORDER BY seq LIMIT ?";
    let count = kept.saturating_sub(keep.messages as u64);
    let count = count.min(allowance.messages);
    if count == 0 {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![channel, Count(count)])?;
    let mut victims = Vec::new();
    while let Some(row) = rows.next()? {
        let victim = Victim::read(row, log_row)?;
        if !allowance.try_take(victim.cost) {
            break;
        }
        victims.push(victim);
    }
    delete(connection, log_row, &victims)
}

/// Deletes the oldest messages of the log while all messages together take more than the budget. The
/// newest message stays, however large it is: its sender is told that it can be read. Returns how
/// many were deleted.
pub(super) fn trim_to_budget(
    connection: &Connection,
    log_row: &mut LogRow,
    budget: u64,
    allowance: &mut Allowance,
) -> rusqlite::Result<u64> {
    if log_row.bytes <= budget {
        return Ok(0);
    }
    let (mut remaining, newest) = (log_row.bytes, log_row.last);
    let victims = oldest(connection, log_row, allowance, |victim| {
        let is_victim = remaining > budget && victim.seq < newest;
        remaining = remaining.saturating_sub(victim.cost);
        is_victim
    })?;
    delete(connection, log_row, &victims)?;
    Ok(victims.len() as u64)
}

/// The state of the retention that is done between the commits, in steps.
#[derive(Debug)]
pub(super) struct Retention {
    keep: Keep,
    /// How many bytes all messages together may take.
    budget: u64,
    /// No message before this one is kept: the log that this one is a copy of does not have them any
    /// more.
    head: Seq,
    /// The record of the log's clock that was saved last.
    saved_clock: Option<Arc<ClockRecord>>,
    /// The row up to which the channels have been checked to keep no more than they may; `None`
    /// when all have been. They are checked once: `--keep` may have been higher before the server
    /// was restarted.
    checked_through: Option<i64>,
}

/// A step of retention that is to be done.
#[derive(Clone, Copy, Debug)]
pub(super) enum RetentionStep {
    /// Some channels were checked, and nothing is to be deleted.
    Checked,
    /// Messages are too old.
    Age,
    /// Messages are before the head.
    Head,
    /// All messages together take too many bytes: the file is older than the option.
    Budget,
    /// A channel keeps too many messages.
    Count { channel: i64, kept: u64 },
    /// Idempotency keys have left their window: those of the messages up to this one.
    Keys(Seq),
    /// The log's clock is to be saved.
    Clock,
    /// The file has more free pages than it may have.
    Shrink,
}

impl Retention {
    pub(super) fn new(keep: Keep, budget: u64) -> Retention {
        Retention {
            keep,
            budget,
            head: Seq::START,
            saved_clock: None,
            checked_through: Some(0),
        }
    }

    /// Returns how many bytes all messages together may take.
    pub(super) fn budget(&self) -> u64 {
        self.budget
    }

    /// Sets how many bytes all messages together may take.
    pub(super) fn set_budget(&mut self, budget: u64) {
        self.budget = budget;
    }

    /// Sets the position before which nothing is kept.
    pub(super) fn set_head(&mut self, head: Seq) {
        self.head = head;
    }

    /// Whether the record of the log's clock is not what was saved last.
    pub(super) fn is_clock_new(&self, now: &Moment) -> bool {
        self.saved_clock.as_ref() != Some(&now.record)
    }

    /// Notes that the record of the log's clock has been saved.
    pub(super) fn note_saved(&mut self, now: &Moment) {
        self.saved_clock = Some(Arc::clone(&now.record));
    }

    /// Finds the next step, without the lock of the file.
    pub(super) fn find(
        &mut self,
        connection: &Connection,
        keys: &UsedKeys,
        now: &Moment,
    ) -> rusqlite::Result<Option<RetentionStep>> {
        let log_row = LogRow::load(connection)?;
        let too_old = now.earlier(self.keep.age);
        if committed_first(connection, &log_row)?.is_some_and(|committed| committed < too_old) {
            return Ok(Some(RetentionStep::Age));
        }
        let oldest = log_row::oldest(connection)?;
        if oldest > Seq::START && oldest < self.head {
            return Ok(Some(RetentionStep::Head));
        }
        let has_several = oldest < log_row.last;
        if log_row.bytes > self.budget && has_several {
            return Ok(Some(RetentionStep::Budget));
        }
        if let Some(through) = keys.expired(now, limits::RETAIN_STEP_ROWS) {
            return Ok(Some(RetentionStep::Keys(through)));
        }
        let unsaved = now.log_time.since(log_row.log_time);
        if unsaved >= limits::CLOCK_SAVE_INTERVAL || self.is_clock_new(now) {
            return Ok(Some(RetentionStep::Clock));
        }
        if let Some(from) = self.checked_through {
            return self.check_counts(connection, from).map(Some);
        }
        Ok(vacuum::has_excess_pages(connection)?.then_some(RetentionStep::Shrink))
    }

    /// Does a step, in a transaction.
    pub(super) fn step(
        &self,
        connection: &Connection,
        log_row: &mut LogRow,
        step: RetentionStep,
        now: &Moment,
    ) -> rusqlite::Result<()> {
        match step {
            // The clock is saved in every transaction.
            RetentionStep::Checked | RetentionStep::Clock => Ok(()),
            RetentionStep::Age => {
                let too_old = now.earlier(self.keep.age);
                let mut allowance = Allowance::for_expiry();
                let is_old = |victim: &Victim| victim.committed < too_old;
                let victims = oldest(connection, log_row, &mut allowance, is_old)?;
                delete(connection, log_row, &victims)
            }
            RetentionStep::Head => {
                let mut allowance = Allowance::for_expiry();
                let is_before = |victim: &Victim| victim.seq < self.head;
                let victims = oldest(connection, log_row, &mut allowance, is_before)?;
                delete(connection, log_row, &victims)
            }
            RetentionStep::Budget => {
                let mut allowance = Allowance::for_step();
                trim_to_budget(connection, log_row, self.budget, &mut allowance).map(drop)
            }
            RetentionStep::Count { channel, kept } => {
                let mut allowance = Allowance::for_step();
                trim_to_count(
                    connection,
                    log_row,
                    (channel, kept),
                    self.keep,
                    &mut allowance,
                )
            }
            RetentionStep::Keys(through) => key_table::delete(connection, through),
            RetentionStep::Shrink => vacuum::shrink(connection),
        }
    }

    /// Checks how many messages the next channels after the row `from` keep.
    fn check_counts(
        &mut self,
        connection: &Connection,
        from: i64,
    ) -> rusqlite::Result<RetentionStep> {
        const SQL: &str = "SELECT id, kept FROM channels WHERE id > ? ORDER BY id LIMIT ?";
        let mut statement = connection.prepare_cached(SQL)?;
        let mut rows = statement.query(params![from, Count(limits::RETAIN_STEP_ROWS as u64)])?;
        let mut checked_through = None;
        while let Some(row) = rows.next()? {
            let (channel, Count(kept)) = (row.get(0)?, row.get(1)?);
            if kept > self.keep.messages as u64 {
                return Ok(RetentionStep::Count { channel, kept });
            }
            checked_through = Some(channel);
        }
        self.checked_through = checked_through;
        Ok(RetentionStep::Checked)
    }
}

/// Returns what the log's clock said when the oldest message that is kept was committed.
fn committed_first(connection: &Connection, log_row: &LogRow) -> rusqlite::Result<Option<LogTime>> {
    const SQL: &str = "SELECT committed, time FROM messages ORDER BY seq LIMIT 1";
    let mut statement = connection.prepare_cached(SQL)?;
    let committed = statement.query_row([], |row| Ok(log_row.committed(row.get(0)?, row.get(1)?)));
    committed.optional()
}

/// Returns the oldest messages, up to the first that is not a victim, and as many as the allowance
/// grants.
fn oldest(
    connection: &Connection,
    log_row: &LogRow,
    allowance: &mut Allowance,
    mut is_victim: impl FnMut(&Victim) -> bool,
) -> rusqlite::Result<Vec<Victim>> {
    const SQL: &str = "SELECT seq, channel, octet_length(data), committed, time FROM messages \
                       ORDER BY seq LIMIT ?";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![Count(allowance.messages)])?;
    let mut victims = Vec::new();
    while let Some(row) = rows.next()? {
        let victim = Victim::read(row, log_row)?;
        if !is_victim(&victim) || !allowance.try_take(victim.cost) {
            break;
        }
        victims.push(victim);
    }
    Ok(victims)
}

/// Deletes messages, each of which is the oldest of its channel when its turn comes.
fn delete(
    connection: &Connection,
    log_row: &mut LogRow,
    victims: &[Victim],
) -> rusqlite::Result<()> {
    const NOTE_TRIMMED: &str = "UPDATE channels \
                                SET kept = kept - ?, lost = lost + ?1, lost_through = ? \
                                WHERE id = ? RETURNING kept = 0";
    let mut trimmed: BTreeMap<i64, (u64, Seq)> = BTreeMap::new();
    let mut statement = connection.prepare_cached("DELETE FROM messages WHERE seq = ?")?;
    for victim in victims {
        statement.execute(params![victim.seq])?;
        log_row.bytes = log_row.bytes.saturating_sub(victim.cost);
        log_row.trimmed_through = log_row.trimmed_through.max(victim.seq);
        let (count, through) = trimmed.entry(victim.channel).or_default();
        *count += 1;
        *through = victim.seq;
    }
    let mut note_trimmed = connection.prepare_cached(NOTE_TRIMMED)?;
    for (channel, (count, through)) in trimmed {
        let is_empty: bool =
            note_trimmed.query_row(params![Count(count), through, channel], |row| row.get(0))?;
        log_row.empty += u64::from(is_empty);
    }
    forget_channels(connection, log_row)
}

/// Forgets the channels that have been empty for the longest time, if too many are.
pub(super) fn forget_channels(
    connection: &Connection,
    log_row: &mut LogRow,
) -> rusqlite::Result<()> {
    while log_row.empty > limits::EMPTY_CHANNELS_MAX as u64 {
        forget_channel(connection, log_row)?;
    }
    Ok(())
}

/// Forgets the channel that has been empty for the longest time.
fn forget_channel(connection: &Connection, log_row: &mut LogRow) -> rusqlite::Result<()> {
    const SQL: &str = "DELETE FROM channels WHERE id = (SELECT id FROM channels WHERE kept = 0 \
                       ORDER BY max(lost_through, closed) LIMIT 1) RETURNING lost_through, name";
    let forgotten = connection
        .prepare_cached(SQL)?
        .query_row([], |row| Ok((row.get(0)?, channel_row::name(row, 1)?)));
    let Some((through, channel)) = forgotten.optional()? else {
        // The number was wrong.
        log_row.empty = 0;
        return Ok(());
    };
    log_row.forgotten = log_row.forgotten.max(through);
    log_row.empty = log_row.empty.saturating_sub(1);
    log_row.close_changes.push((channel, None));
    Ok(())
}
