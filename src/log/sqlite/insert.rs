//! What a commit writes.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};

use super::key_table;
use super::log_row::LogRow;
use super::retain::{self, Allowance};
use super::value::{Count, params};
use crate::log::trimmed::Trimmed;
use crate::log::{Commit, Keep};
use crate::message::{Channel, Draft, Message, Receipt, Timestamp};

/// Numbers the drafts and writes them, and lets go of what is too many then.
pub(super) fn commit(
    connection: &Connection,
    ledger: &mut LogRow,
    drafts: Vec<Draft>,
    now: Timestamp,
    keep: Keep,
    budget: u64,
) -> rusqlite::Result<Commit> {
    let mut receipts = Vec::with_capacity(drafts.len());
    let mut messages = Vec::with_capacity(drafts.len());
    let mut channels = Channels::default();
    for mut draft in drafts {
        let key = draft.key.take();
        let name = key.as_ref().map(|key| (draft.channel.clone(), key));
        if let Some((channel, key)) = &name
            && let Some(first) = key_table::find(connection, ledger, (channel, key), now)?
        {
            receipts.push(first);
            continue;
        }
        let message = number(ledger, draft, now);
        write(connection, ledger, &mut channels, &message)?;
        let receipt = Receipt {
            seq: message.seq,
            time: message.time,
            duplicate: false,
        };
        if let Some((channel, key)) = &name {
            key_table::remember(connection, ledger, (channel, key), receipt)?;
        }
        receipts.push(receipt);
        messages.push(Arc::new(message));
    }
    let mut allowance = Allowance::beside(messages.len());
    for row in channels.0.into_values() {
        row.save(connection)?;
        retain::beyond_count(connection, ledger, (row.id, row.kept), keep, &mut allowance)?;
    }
    retain::beyond_budget(connection, ledger, budget)?;
    Ok(Commit { receipts, messages })
}

/// Gives a draft its place and its time.
fn number(ledger: &LogRow, draft: Draft, now: Timestamp) -> Message {
    Message {
        seq: ledger.last.next(),
        time: ledger.time.max(now),
        channel: draft.channel,
        event: draft.event,
        data: draft.data,
    }
}

/// Writes a message that has its place, behind all others.
fn write(
    connection: &Connection,
    ledger: &mut LogRow,
    channels: &mut Channels,
    message: &Message,
) -> rusqlite::Result<()> {
    const SQL: &str =
        "INSERT INTO messages (seq, channel, time, event, data) VALUES (?, ?, ?, ?, ?)";
    let row = channels.row(connection, ledger, message)?;
    connection.prepare_cached(SQL)?.execute(params![
        message.seq,
        row.id,
        message.time,
        message.event.own(),
        message.data,
    ])?;
    row.kept += 1;
    ledger.last = message.seq;
    ledger.time = message.time;
    ledger.bytes += message.cost() as u64;
    Ok(())
}

/// The rows of the channels that a commit writes to: read and written once.
#[derive(Default)]
struct Channels(HashMap<Channel, Row>);

#[derive(Clone, Copy)]
struct Row {
    id: i64,
    kept: u64,
}

impl Channels {
    /// The row of a message's channel, which gets one if it has none.
    fn row(
        &mut self,
        connection: &Connection,
        ledger: &mut LogRow,
        message: &Message,
    ) -> rusqlite::Result<&mut Row> {
        // Looked up twice: the entry of a name that is there already needs no copy of it.
        if !self.0.contains_key(&message.channel) {
            let row = if let Some(row) = Row::load(connection, &message.channel)? {
                ledger.empty = ledger.empty.saturating_sub(u64::from(row.kept == 0));
                row
            } else {
                let trimmed = Trimmed::begin(message.seq, ledger.forgotten);
                Row::insert(connection, &message.channel, trimmed)?
            };
            self.0.insert(message.channel.clone(), row);
        }
        self.0
            .get_mut(&message.channel)
            .ok_or(rusqlite::Error::QueryReturnedNoRows)
    }
}

impl Row {
    fn load(connection: &Connection, channel: &Channel) -> rusqlite::Result<Option<Row>> {
        const SQL: &str = "SELECT id, kept FROM channels WHERE name = ?";
        let mut statement = connection.prepare_cached(SQL)?;
        let row = statement.query_row(params![channel], |row| {
            let Count(kept) = row.get(1)?;
            Ok(Row {
                id: row.get(0)?,
                kept,
            })
        });
        row.optional()
    }

    fn insert(
        connection: &Connection,
        channel: &Channel,
        trimmed: Trimmed,
    ) -> rusqlite::Result<Row> {
        const SQL: &str = "INSERT INTO channels (name, kept, first, lost_through, lost) \
                           VALUES (?, 0, ?, ?, ?)";
        connection.prepare_cached(SQL)?.execute(params![
            channel,
            trimmed.first,
            trimmed.through,
            Count(trimmed.count)
        ])?;
        Ok(Row {
            id: connection.last_insert_rowid(),
            kept: 0,
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
