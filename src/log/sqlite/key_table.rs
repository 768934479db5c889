//! The keys of appends, see [`keys`](crate::log::keys) for those of the memory store.

use rusqlite::{Connection, OptionalExtension};

use super::log_row::LogRow;
use super::value::params;
use crate::limits;
use crate::log::recent_keys::is_over;
use crate::message::{Channel, IdempotencyKey, Receipt, Seq, Timestamp};

/// The first receipt under a key, as a later one gets it.
pub(super) fn find(
    connection: &Connection,
    ledger: &mut LogRow,
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
    if is_over(time, now) {
        forget_one(connection, ledger, seq)?;
        return Ok(None);
    }
    Ok(Some(Receipt {
        seq,
        time,
        duplicate: true,
    }))
}

/// Remembers a key that [`find`] does not know; forgets the oldest if there are too many.
pub(super) fn remember(
    connection: &Connection,
    ledger: &mut LogRow,
    (channel, key): (&Channel, &IdempotencyKey),
    receipt: Receipt,
) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO keys (seq, time, channel, key) VALUES (?, ?, ?, ?)";
    while ledger.keys >= limits::IDEMPOTENCY_KEYS_MAX as u64 {
        let Some((seq, _)) = oldest(connection)? else {
            break;
        };
        forget_one(connection, ledger, seq)?;
    }
    connection
        .prepare_cached(SQL)?
        .execute(params![receipt.seq, receipt.time, channel, key])?;
    ledger.keys += 1;
    Ok(())
}

/// Are there any whose time is over?
pub(super) fn is_due(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    Ok(oldest(connection)?.is_some_and(|(_, time)| is_over(time, now)))
}

/// Forgets those whose time is over, a step's worth at most.
pub(super) fn forget(
    connection: &Connection,
    ledger: &mut LogRow,
    now: Timestamp,
) -> rusqlite::Result<()> {
    for _ in 0..limits::RETAIN_STEP_ROWS {
        match oldest(connection)? {
            Some((seq, time)) if is_over(time, now) => forget_one(connection, ledger, seq)?,
            _ => break,
        }
    }
    Ok(())
}

/// The oldest that is remembered, and its time.
fn oldest(connection: &Connection) -> rusqlite::Result<Option<(Seq, Timestamp)>> {
    const SQL: &str = "SELECT seq, time FROM keys ORDER BY seq LIMIT 1";
    let mut statement = connection.prepare_cached(SQL)?;
    statement
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn forget_one(connection: &Connection, ledger: &mut LogRow, seq: Seq) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM keys WHERE seq = ?")?
        .execute(params![seq])?;
    ledger.keys = ledger.keys.saturating_sub(1);
    Ok(())
}
