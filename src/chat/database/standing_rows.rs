//! Rows of the table of friendships, one way each: how one account stands to another.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{AccountId, Standing, is_true};
use crate::limits;
use crate::log::LogTime;

/// Returns how another account stands to mine, and since when.
pub(super) fn row(
    connection: &Connection,
    me: AccountId,
    other: AccountId,
) -> rusqlite::Result<Option<(Standing, LogTime)>> {
    const SQL: &str = "SELECT standing, since FROM friends WHERE me = ? AND friend = ?";
    let mut statement = connection.prepare_cached(SQL)?;
    let row = statement.query_row(params![me, other], |row| Ok((row.get(0)?, row.get(1)?)));
    row.optional()
}

/// Returns how many accounts stand so to mine.
pub(super) fn count(
    connection: &Connection,
    me: AccountId,
    standing: Standing,
) -> rusqlite::Result<u32> {
    const SQL: &str = "SELECT count(*) FROM friends WHERE me = ? AND standing = ?";
    let mut statement = connection.prepare_cached(SQL)?;
    statement.query_row(params![me, standing], |row| row.get(0))
}

/// Has another account stand so to mine from now on.
pub(super) fn set(
    transaction: &Transaction<'_>,
    me: AccountId,
    other: AccountId,
    standing: Standing,
    now: LogTime,
) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO friends (me, friend, standing, since) VALUES (?, ?, ?, ?) \
                       ON CONFLICT DO UPDATE SET standing = excluded.standing, since = excluded.since";
    let mut statement = transaction.prepare_cached(SQL)?;
    statement
        .execute(params![me, other, standing, now])
        .map(drop)
}

/// Has another account not stand to mine any more.
pub(super) fn delete(
    transaction: &Transaction<'_>,
    me: AccountId,
    other: AccountId,
) -> rusqlite::Result<()> {
    const SQL: &str = "DELETE FROM friends WHERE me = ? AND friend = ?";
    let mut statement = transaction.prepare_cached(SQL)?;
    statement.execute(params![me, other]).map(drop)
}

/// Forgets which requests my account has declined: those of long ago, and the oldest of too many.
pub(super) fn forget_declined(
    transaction: &Transaction<'_>,
    me: AccountId,
    now: LogTime,
) -> rusqlite::Result<()> {
    const SQL: &str = "DELETE FROM friends WHERE me = ?1 AND standing = 'declined' AND ( \
                           since < ?2 OR friend IN ( \
                               SELECT friend FROM friends WHERE me = ?1 AND standing = 'declined' \
                               ORDER BY since DESC, friend DESC LIMIT -1 OFFSET ?3 \
                           ) \
                       )";
    let since = now.earlier(limits::DECLINED_PAUSE);
    let mut statement = transaction.prepare_cached(SQL)?;
    let values = params![me, since, limits::DECLINED_MAX];
    statement.execute(values).map(drop)
}

/// Whether there is an account of this number.
pub(super) fn is_account(connection: &Connection, id: AccountId) -> rusqlite::Result<bool> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM accounts WHERE id = ?)";
    is_true(connection, SQL, &[&id])
}
