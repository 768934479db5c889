//! The idempotency keys of recent appends, in a table. The memory store has them in
//! [`RecentKeys`](crate::log::recent_keys::RecentKeys).

use rusqlite::{Connection, OptionalExtension};

use super::log_row::LogRow;
use super::value::params;
use crate::limits;
use crate::log::recent_keys::is_expired;
use crate::message::{Channel, IdempotencyKey, Receipt, Seq, Timestamp};

/// Returns the receipt of the first append with this key, marked as that of a duplicate.
pub(super) fn find(
    connection: &Connection,
    log_row: &mut LogRow,
    (channel, key): (&Channel, &IdempotencyKey),
    now: Timestamp,
) -> rusqlite::Result<Option<Receipt>> {
    const SQL: &str = "SELECT seq, time FROM keys WHERE channel = ? AND key = ?";
    let mut statement = connection.prepare_cached(SQL)?;
    let found: Option<(Seq, Timestamp)> = statement
        .query_row(params![channel, key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((seq, time)) = found else {
        return Ok(None);
    };
    if is_expired(time, now) {
        forget_key(connection, log_row, seq)?;
        return Ok(None);
    }
    Ok(Some(Receipt {
        seq,
        time,
        duplicate: true,
    }))
}

/// Remembers a key that [`find`] does not find, and forgets the oldest keys if there are too many.
pub(super) fn remember(
    connection: &Connection,
    log_row: &mut LogRow,
    (channel, key): (&Channel, &IdempotencyKey),
    receipt: Receipt,
) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO keys (seq, time, channel, key) VALUES (?, ?, ?, ?)";
    while log_row.keys >= limits::IDEMPOTENCY_KEYS_MAX as u64 {
        let Some((seq, _)) = oldest(connection)? else {
            break;
        };
        forget_key(connection, log_row, seq)?;
    }
    connection
        .prepare_cached(SQL)?
        .execute(params![receipt.seq, receipt.time, channel, key])?;
    log_row.keys += 1;
    Ok(())
}

/// Whether there are keys that have left the window at `now`.
pub(super) fn has_expired(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    Ok(oldest(connection)?.is_some_and(|(_, time)| is_expired(time, now)))
}

/// Forgets keys that have left the window at `now`, at most [`limits::RETAIN_STEP_ROWS`] of them.
pub(super) fn forget_expired(
    connection: &Connection,
    log_row: &mut LogRow,
    now: Timestamp,
) -> rusqlite::Result<()> {
    for _ in 0..limits::RETAIN_STEP_ROWS {
        match oldest(connection)? {
            Some((seq, time)) if is_expired(time, now) => forget_key(connection, log_row, seq)?,
            _ => break,
        }
    }
    Ok(())
}

/// Returns the oldest key that is remembered, and its time.
fn oldest(connection: &Connection) -> rusqlite::Result<Option<(Seq, Timestamp)>> {
    const SQL: &str = "SELECT seq, time FROM keys ORDER BY seq LIMIT 1";
    let mut statement = connection.prepare_cached(SQL)?;
    statement
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn forget_key(connection: &Connection, log_row: &mut LogRow, seq: Seq) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM keys WHERE seq = ?")?
        .execute(params![seq])?;
    log_row.keys = log_row.keys.saturating_sub(1);
    Ok(())
}
