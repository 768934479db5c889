//! The idempotency keys of recent appends, in a table, for the time after a restart. They are looked
//! for in memory, in [`RecentKeys`], which holds what the table has.

use rusqlite::Connection;

use super::value::{Hash, params};
use crate::log::recent_keys::{KeyRecord, RecentKeys};
use crate::message::{AppendKey, EventName, Seq};

/// Returns the keys in the table.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<RecentKeys> {
    const SQL: &str = "SELECT seq, time, used, id, content FROM recent_keys ORDER BY seq";
    let mut statement = connection.prepare(SQL)?;
    let mut rows = statement.query([])?;
    let mut keys = RecentKeys::default();
    while let Some(row) = rows.next()? {
        let content: Option<Hash> = row.get(4)?;
        keys.remember(KeyRecord {
            seq: row.get(0)?,
            time: row.get(1)?,
            used: row.get(2)?,
            id: row.get(3)?,
            content: content.map(|Hash(content)| content),
        });
    }
    Ok(keys)
}

/// Inserts a key.
pub(super) fn insert(connection: &Connection, record: &KeyRecord) -> rusqlite::Result<()> {
    const SQL: &str =
        "INSERT INTO recent_keys (seq, time, used, id, content) VALUES (?, ?, ?, ?, ?)";
    connection.prepare_cached(SQL)?.execute(params![
        record.seq,
        record.time,
        record.used,
        record.id,
        record.content.map(Hash),
    ])?;
    Ok(())
}

/// Deletes the keys of the messages up to `through`.
pub(super) fn delete(connection: &Connection, through: Seq) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM recent_keys WHERE seq <= ?")?
        .execute(params![through])?;
    Ok(())
}

/// Moves the keys of the first version of the file, which had them as text, to this version's table.
pub(super) fn move_first_version(connection: &Connection) -> rusqlite::Result<()> {
    // A message that was trimmed is not there to be compared with.
    const SQL: &str = "SELECT keys.seq, keys.time, min(keys.time, upgraded), keys.channel, key, \
                       event, data \
                       FROM log, keys LEFT JOIN messages ON messages.seq = keys.seq \
                       ORDER BY keys.seq";
    let mut statement = connection.prepare(SQL)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (channel, key): (String, String) = (row.get(3)?, row.get(4)?);
        let data: Option<String> = row.get(6)?;
        let content = if let Some(data) = data {
            let event = EventName::from_own(row.get(5)?);
            Some(AppendKey::content_of(event.as_str(), &data))
        } else {
            None
        };
        let record = KeyRecord {
            seq: row.get(0)?,
            time: row.get(1)?,
            used: row.get(2)?,
            id: AppendKey::id_of(&channel, &key),
            content,
        };
        insert(connection, &record)?;
    }
    drop(rows);
    drop(statement);
    connection.execute_batch("DROP TABLE keys")
}
