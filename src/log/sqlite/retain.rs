//! Letting go of messages: those beyond the number that a channel keeps, those beyond the bytes
//! that all may have, and those that are too old.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};

use super::log_row::{self, LogRow};
use super::value::{Count, params};
use super::{key_table, vacuum};
use crate::limits;
use crate::log::Keep;
use crate::message::{self, Seq, Timestamp};

/// How many messages a transaction may still let go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance(u64);

impl Allowance {
    /// One that keeps pace with a commit of so many messages, and gains on what there was.
    pub(super) fn beside(messages: usize) -> Allowance {
        Allowance((messages + limits::RETAIN_STEP_ROWS) as u64)
    }

    fn take(&mut self, wanted: u64) -> u64 {
        let taken = wanted.min(self.0);
        self.0 -= taken;
        taken
    }
}

/// A message that goes.
struct Victim {
    seq: Seq,
    channel: i64,
    cost: u64,
}

impl Victim {
    fn read(row: &Row<'_>) -> rusqlite::Result<Victim> {
        let bytes: i64 = row.get(2)?;
        Ok(Victim {
            seq: row.get(0)?,
            channel: row.get(1)?,
            cost: message::cost(usize::try_from(bytes).unwrap_or_default()) as u64,
        })
    }
}

/// Lets go of a channel's oldest, if it keeps too many.
pub(super) fn beyond_count(
    connection: &Connection,
    ledger: &mut LogRow,
    (channel, kept): (i64, u64),
    keep: Keep,
    allowance: &mut Allowance,
) -> rusqlite::Result<()> {
    const SQL: &str = "SELECT seq, channel, octet_length(data) FROM messages \
                       WHERE channel = ? ORDER BY seq LIMIT ?";
    let count = allowance.take(kept.saturating_sub(keep.messages as u64));
    if count == 0 {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(SQL)?;
    let victims = statement.query_map(params![channel, Count(count)], Victim::read)?;
    let victims: Vec<Victim> = victims.collect::<Result<_, _>>()?;
    let_go(connection, ledger, &victims)
}

/// Lets go of the oldest of all, while all together count more than the budget.
pub(super) fn beyond_budget(
    connection: &Connection,
    ledger: &mut LogRow,
    budget: u64,
) -> rusqlite::Result<()> {
    while ledger.bytes > budget {
        let mut left = ledger.bytes;
        let victims = oldest(connection, |victim, _| {
            let goes = left > budget;
            left = left.saturating_sub(victim.cost);
            goes
        })?;
        if victims.is_empty() {
            break;
        }
        let_go(connection, ledger, &victims)?;
    }
    Ok(())
}

/// What is to be done beside the appends, in steps.
#[derive(Debug)]
pub(super) struct Retention {
    keep: Keep,
    /// The channels up to this row keep no more than they may, `None` if all do: the number may
    /// have been higher in the life of the server before.
    looked_at: Option<i64>,
}

/// A step to be done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Some channels were looked at, and nothing has to go.
    Look,
    /// Messages are too old.
    Age,
    /// A channel keeps too many.
    Count { channel: i64, kept: u64 },
    /// Keys are too old.
    RecentKeys,
    /// The file has more free pages than it needs.
    Shrink,
}

impl Retention {
    pub(super) fn new(keep: Keep) -> Retention {
        Retention {
            keep,
            looked_at: Some(0),
        }
    }

    /// Looks for something to do, without the lock.
    pub(super) fn find(
        &mut self,
        connection: &Connection,
        now: Timestamp,
    ) -> rusqlite::Result<Option<Step>> {
        let too_old = now.earlier(self.keep.age);
        if log_row::oldest(connection)?.is_some_and(|(_, time)| time < too_old) {
            return Ok(Some(Step::Age));
        }
        if key_table::is_due(connection, now)? {
            return Ok(Some(Step::RecentKeys));
        }
        if let Some(from) = self.looked_at {
            return self.look(connection, from).map(Some);
        }
        Ok(vacuum::is_wasteful(connection)?.then_some(Step::Shrink))
    }

    /// Does a step, in a transaction.
    pub(super) fn step(
        &self,
        connection: &Connection,
        ledger: &mut LogRow,
        step: Step,
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        match step {
            Step::Look => Ok(()),
            Step::Age => {
                let too_old = now.earlier(self.keep.age);
                let victims = oldest(connection, |_, time| time < too_old)?;
                let_go(connection, ledger, &victims)
            }
            Step::Count { channel, kept } => {
                let mut allowance = Allowance::beside(0);
                beyond_count(
                    connection,
                    ledger,
                    (channel, kept),
                    self.keep,
                    &mut allowance,
                )
            }
            Step::RecentKeys => key_table::forget(connection, ledger, now),
            Step::Shrink => vacuum::shrink(connection),
        }
    }

    fn look(&mut self, connection: &Connection, from: i64) -> rusqlite::Result<Step> {
        const SQL: &str = "SELECT id, kept FROM channels WHERE id > ? ORDER BY id LIMIT ?";
        let mut statement = connection.prepare_cached(SQL)?;
        let mut rows = statement.query(params![from, Count(limits::RETAIN_STEP_ROWS as u64)])?;
        let mut looked_at = None;
        while let Some(row) = rows.next()? {
            let (channel, Count(kept)) = (row.get(0)?, row.get(1)?);
            if kept > self.keep.messages as u64 {
                return Ok(Step::Count { channel, kept });
            }
            looked_at = Some(channel);
        }
        self.looked_at = looked_at;
        Ok(Step::Look)
    }
}

/// The oldest messages, as long as they go; a step's worth at most.
fn oldest(
    connection: &Connection,
    mut goes: impl FnMut(&Victim, Timestamp) -> bool,
) -> rusqlite::Result<Vec<Victim>> {
    const SQL: &str =
        "SELECT seq, channel, octet_length(data), time FROM messages ORDER BY seq LIMIT ?";
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![Count(limits::RETAIN_STEP_ROWS as u64)])?;
    let mut victims = Vec::new();
    while let Some(row) = rows.next()? {
        let victim = Victim::read(row)?;
        if !goes(&victim, row.get(3)?) {
            break;
        }
        victims.push(victim);
    }
    Ok(victims)
}

/// Lets go of messages, each the oldest of its channel when its turn comes.
fn let_go(
    connection: &Connection,
    ledger: &mut LogRow,
    victims: &[Victim],
) -> rusqlite::Result<()> {
    const LOSE: &str = "UPDATE channels SET kept = kept - ?, lost = lost + ?1, lost_through = ? \
                        WHERE id = ? RETURNING kept = 0";
    let mut lost: BTreeMap<i64, (u64, Seq)> = BTreeMap::new();
    let mut delete = connection.prepare_cached("DELETE FROM messages WHERE seq = ?")?;
    for victim in victims {
        delete.execute(params![victim.seq])?;
        ledger.bytes = ledger.bytes.saturating_sub(victim.cost);
        ledger.trimmed_through = ledger.trimmed_through.max(victim.seq);
        let (count, through) = lost.entry(victim.channel).or_default();
        *count += 1;
        *through = victim.seq;
    }
    let mut lose = connection.prepare_cached(LOSE)?;
    for (channel, (count, through)) in lost {
        let is_empty: bool =
            lose.query_row(params![Count(count), through, channel], |row| row.get(0))?;
        ledger.empty += u64::from(is_empty);
    }
    while ledger.empty > limits::EMPTY_CHANNELS_MAX as u64 {
        forget_channel(connection, ledger)?;
    }
    Ok(())
}

/// Forgets the channel that has been empty for the longest time.
fn forget_channel(connection: &Connection, ledger: &mut LogRow) -> rusqlite::Result<()> {
    const SQL: &str = "DELETE FROM channels WHERE id = \
                       (SELECT id FROM channels WHERE kept = 0 ORDER BY lost_through LIMIT 1) \
                       RETURNING lost_through";
    let through: Option<Seq> = connection
        .prepare_cached(SQL)?
        .query_row([], |row| row.get(0))
        .optional()?;
    ledger.forgotten = ledger.forgotten.max(through.unwrap_or_default());
    // If there is none, they were miscounted.
    ledger.empty = through.map_or(0, |_| ledger.empty.saturating_sub(1));
    Ok(())
}
