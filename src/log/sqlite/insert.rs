//! Writes a commit: numbers its messages and inserts them.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::log_row::LogRow;
use super::retain::{self, Allowance};
use super::value::{Count, params};
use super::{fall_table, key_table, last_entry, message_rows};
use crate::log::trimmed::Trimmed;
use crate::log::used_keys::UsedKeys;
use crate::log::{Commit, Keep, Moment};
use crate::message::{Channel, Draft, Message, Receipt, Seq};

/// Numbers the drafts and writes them, and deletes the messages that are too many then. New keys are
/// added to `keys`.
pub(super) fn commit(
    connection: &Connection,
    log_row: &mut LogRow,
    keys: &mut UsedKeys,
    drafts: Vec<Draft>,
    now: &Moment,
    keep: Keep,
    budget: u64,
) -> rusqlite::Result<Commit> {
    let mut answers = Vec::with_capacity(drafts.len());
    let mut rows = Vec::with_capacity(drafts.len());
    let mut channels = TouchedChannels::default();
    for draft in drafts {
        let key = draft.key;
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
        let message = number(log_row, draft, now);
        let channel = count(connection, log_row, &mut channels, &message)?;
        let receipt = Receipt {
            seq: message.seq,
            time: message.time,
            duplicate: false,
            later: 0,
        };
        if let Some(key) = &key
            && let Some(record) = keys.remember(key, &receipt, log_row.log_time, now)
        {
            key_table::insert(connection, &record)?;
        }
        answers.push(Ok(receipt));
        rows.push((channel, Arc::new(message)));
    }
    for change in keys.uploads.changes() {
        key_table::put_upload(connection, &change)?;
    }
    message_rows::insert(connection, &rows, now.time, log_row.log_time)?;
    let messages: Vec<_> = rows.into_iter().map(|(_, message)| message).collect();
    let bytes = messages.iter().map(|message| message.cost() as u64).sum();
    let mut allowance = Allowance::for_commit(messages.len(), bytes);
    for row in channels.0.into_values() {
        row.save(connection)?;
        retain::trim_to_count(
            connection,
            log_row,
            (row.id, row.kept),
            keep,
            &mut allowance,
        )?;
    }
    retain::trim_to_budget(connection, log_row, budget, &mut allowance)?;
    Ok(Commit { answers, messages })
}

/// Gives a draft its position and its time.
fn number(log_row: &LogRow, draft: Draft, now: &Moment) -> Message {
    Message {
        seq: log_row.last.next(),
        time: now.time,
        channel: draft.channel,
        event: draft.event,
        data: draft.data,
    }
}

/// Counts a numbered message as the newest of the log, and returns the row of its channel.
fn count(
    connection: &Connection,
    log_row: &mut LogRow,
    channels: &mut TouchedChannels,
    message: &Message,
) -> rusqlite::Result<i64> {
    if message.time < log_row.time {
        fall_table::note(connection, message.seq)?;
    }
    let row = channels.row(connection, log_row, message)?;
    row.kept += 1;
    row.last = message.seq;
    log_row.last = message.seq;
    log_row.time = message.time;
    log_row.bytes += message.cost() as u64;
    Ok(row.id)
}

/// The channels that a commit writes to. The row of each is read and written once.
#[derive(Default)]
struct TouchedChannels(HashMap<Channel, ChannelCounts>);

/// The row of a channel, with how many messages the channel keeps, and the newest of this commit.
#[derive(Clone, Copy)]
struct ChannelCounts {
    id: i64,
    kept: u64,
    last: Seq,
}

impl TouchedChannels {
    /// Returns the newest message of a channel in this commit.
    fn last(&self, channel: &Channel) -> Option<Seq> {
        self.0.get(channel).map(|row| row.last)
    }

    /// Returns the row of a message's channel, which is inserted if there is none.
    fn row(
        &mut self,
        connection: &Connection,
        log_row: &mut LogRow,
        message: &Message,
    ) -> rusqlite::Result<&mut ChannelCounts> {
        // Looked up twice, because `HashMap::entry` would need a copy of the name even if it is
        // there already.
        if !self.0.contains_key(&message.channel) {
            let row = if let Some(row) = ChannelCounts::load(connection, &message.channel)? {
                log_row.empty = log_row.empty.saturating_sub(u64::from(row.kept == 0));
                row
            } else {
                let trimmed = Trimmed::begin(message.seq, log_row.forgotten);
                ChannelCounts::insert(connection, &message.channel, trimmed)?
            };
            self.0.insert(message.channel.clone(), row);
        }
        self.0
            .get_mut(&message.channel)
            .ok_or(rusqlite::Error::QueryReturnedNoRows)
    }
}

impl ChannelCounts {
    fn load(connection: &Connection, channel: &Channel) -> rusqlite::Result<Option<ChannelCounts>> {
        const SQL: &str = "SELECT id, kept FROM channels WHERE name = ?";
        let mut statement = connection.prepare_cached(SQL)?;
        let row = statement.query_row(params![channel], |row| {
            let Count(kept) = row.get(1)?;
            Ok(ChannelCounts {
                id: row.get(0)?,
                kept,
                last: Seq::START,
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
        })
    }

    fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        const SQL: &str = "UPDATE channels SET kept = ? WHERE id = ?";
        connection
            .prepare_cached(SQL)?
            .execute(params![Count(self.kept), self.id])?;
        Ok(())
    }
}
