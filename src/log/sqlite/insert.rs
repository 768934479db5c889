//! Writes a commit: numbers its entries, unless they have their numbers already, and inserts them.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::log_row::LogRow;
use super::retain::{self, Allowance};
use super::value::{Count, params};
use super::{fall_table, key_table, last_entry, message_rows};
use crate::log::trimmed::Trimmed;
use crate::log::used_keys::UsedKeys;
use crate::log::{Commit, Keep, Moment, Place};
use crate::message::{Channel, Close, Closing, Draft, Message, Receipt, Seq, Timestamp};

/// Writes the drafts, and deletes the messages that are too many then. New keys are added to `keys`.
///
/// A draft without a place is numbered, unless its key or its precondition is against it. One with a place
/// was taken elsewhere, and nothing is against it any more; there may be a place without a draft.
pub(super) fn commit(
    connection: &Connection,
    log_row: &mut LogRow,
    keys: &mut UsedKeys,
    drafts: impl ExactSizeIterator<Item = (Option<Draft>, Option<Place>)>,
    now: &Moment,
    keep: Keep,
    budget: u64,
) -> rusqlite::Result<Commit> {
    let mut answers = Vec::with_capacity(drafts.len());
    let mut rows = Vec::with_capacity(drafts.len());
    let mut channels = TouchedChannels::default();
    for (draft, place) in drafts {
        let Some(draft) = draft else {
            log_row.last = place.map_or(log_row.last, |place| place.seq);
            continue;
        };
        let key = draft.key;
        if place.is_none() {
            if let Some(answer) = key.as_ref().and_then(|key| keys.answer(key, now)) {
                answers.push(answer);
                continue;
            }
            if let Err(refusal) =
                last_entry::check(connection, &draft, || channels.last(&draft.channel))?
            {
                answers.push(Err(refusal));
                continue;
            }
        }
        let Place { seq, time } = place.unwrap_or(Place {
            seq: log_row.last.next(),
            time: now.time,
        });
        let row = channels.row(connection, log_row, &draft.channel, seq)?;
        row.last = seq;
        row.is_closed = draft.closing != Closing::No;
        log_row.last = seq;
        let receipt = Receipt {
            seq,
            time,
            duplicate: false,
            later: 0,
        };
        if let Some(key) = &key
            && let Some(record) = keys.remember(key, &receipt, log_row.log_time, now)
        {
            key_table::insert(connection, &record)?;
        }
        answers.push(Ok(receipt));
        if draft.closing != Closing::Alone {
            row.kept += 1;
            let channel = row.id;
            let message = message(draft, seq, time);
            count(connection, log_row, &message)?;
            rows.push((channel, Arc::new(message)));
        }
    }
    for change in keys.uploads.changes() {
        key_table::put_upload(connection, &change)?;
    }
    message_rows::insert(connection, &rows, log_row.log_time)?;
    let messages: Vec<_> = rows.into_iter().map(|(_, message)| message).collect();
    let bytes = messages.iter().map(|message| message.cost() as u64).sum();
    let mut allowance = Allowance::for_commit(messages.len(), bytes);
    let closes = channels.save(connection, log_row)?;
    for row in channels.0.values() {
        let counted = (row.id, row.kept);
        retain::trim_to_count(connection, log_row, counted, keep, &mut allowance)?;
    }
    retain::trim_to_budget(connection, log_row, budget, &mut allowance)?;
    retain::forget_channels(connection, log_row)?;
    Ok(Commit {
        answers,
        messages,
        closes,
    })
}

/// Makes a draft a message.
fn message(draft: Draft, seq: Seq, time: Timestamp) -> Message {
    Message {
        seq,
        time,
        channel: draft.channel,
        event: draft.event,
        data: draft.data,
    }
}

/// Counts a message as the newest of the log.
fn count(connection: &Connection, log_row: &mut LogRow, message: &Message) -> rusqlite::Result<()> {
    if message.time < log_row.time {
        fall_table::note(connection, message.seq)?;
    }
    log_row.time = message.time;
    log_row.bytes += message.cost() as u64;
    Ok(())
}

/// The channels that a commit writes to. The row of each is read and written once.
#[derive(Default)]
struct TouchedChannels(HashMap<Channel, ChannelCounts>);

/// The row of a channel, with how many messages the channel keeps, and its last entry of this commit.
#[derive(Clone, Copy)]
struct ChannelCounts {
    id: i64,
    kept: u64,
    last: Seq,
    /// Whether the channel was closed before this commit.
    was_closed: bool,
    /// Whether the last entry closes it.
    is_closed: bool,
}

impl TouchedChannels {
    /// Returns the last entry of a channel in this commit.
    fn last(&self, channel: &Channel) -> Option<Seq> {
        self.0.get(channel).map(|row| row.last)
    }

    /// Returns the row of a channel that has an entry at `seq`. It is inserted if there is none.
    fn row(
        &mut self,
        connection: &Connection,
        log_row: &mut LogRow,
        channel: &Channel,
        seq: Seq,
    ) -> rusqlite::Result<&mut ChannelCounts> {
        // Looked up twice, because `HashMap::entry` would need a copy of the name even if it is
        // there already.
        if !self.0.contains_key(channel) {
            let row = if let Some(row) = ChannelCounts::load(connection, channel)? {
                log_row.empty = log_row.empty.saturating_sub(u64::from(row.kept == 0));
                row
            } else {
                let trimmed = Trimmed::begin(seq, log_row.forgotten);
                ChannelCounts::insert(connection, channel, trimmed)?
            };
            self.0.insert(channel.clone(), row);
        }
        self.0
            .get_mut(channel)
            .ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    /// Writes the rows, and returns the closes that are in force now, in seq order.
    fn save(&self, connection: &Connection, log_row: &mut LogRow) -> rusqlite::Result<Vec<Close>> {
        let mut closes = Vec::new();
        for (channel, row) in &self.0 {
            row.save(connection)?;
            log_row.empty += u64::from(row.kept == 0);
            let closed = row.is_closed.then_some(row.last);
            if closed.is_some() || row.was_closed {
                log_row.close_changes.push((channel.clone(), closed));
            }
            let channel = channel.clone();
            closes.extend(closed.map(|seq| Close { channel, seq }));
        }
        closes.sort_unstable_by_key(|close| close.seq);
        Ok(closes)
    }
}

impl ChannelCounts {
    fn load(connection: &Connection, channel: &Channel) -> rusqlite::Result<Option<ChannelCounts>> {
        const SQL: &str = "SELECT id, kept, closed > 0 FROM channels WHERE name = ?";
        let mut statement = connection.prepare_cached(SQL)?;
        let row = statement.query_row(params![channel], |row| {
            let Count(kept) = row.get(1)?;
            Ok(ChannelCounts {
                id: row.get(0)?,
                kept,
                last: Seq::START,
                was_closed: row.get(2)?,
                is_closed: false,
            })
        });
        row.optional()
    }

    fn insert(
        connection: &Connection,
        channel: &Channel,
        trimmed: Trimmed,
    ) -> rusqlite::Result<ChannelCounts> {
        const SQL: &str = "INSERT INTO channels (name, kept, first, lost_through, lost) \
                           VALUES (?, 0, ?, ?, ?)";
        connection.prepare_cached(SQL)?.execute(params![
            channel,
            trimmed.first,
            trimmed.through,
            Count(trimmed.count)
        ])?;
        Ok(ChannelCounts {
            id: connection.last_insert_rowid(),
            kept: 0,
            last: Seq::START,
            was_closed: false,
            is_closed: false,
        })
    }

    fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        const SQL: &str = "UPDATE channels SET kept = ? WHERE id = ?";
        const SQL_OF_CLOSED: &str = "UPDATE channels SET kept = ?, closed = ? WHERE id = ?";
        if !self.is_closed && !self.was_closed {
            let mut save = connection.prepare_cached(SQL)?;
            return save.execute(params![Count(self.kept), self.id]).map(drop);
        }
        let closed = if self.is_closed {
            self.last
        } else {
            Seq::START
        };
        let mut save = connection.prepare_cached(SQL_OF_CLOSED)?;
        save.execute(params![Count(self.kept), closed, self.id])
            .map(drop)
    }
}
