//! The idempotency keys of recent appends, in a table, for the time after a restart. They are looked
//! for in memory, in [`UsedKeys`], which holds what the table has.

use rusqlite::Connection;

use super::value::{Count, Hash, params};
use crate::log::recent_keys::KeyRecord;
use crate::log::upload_keys::{UploadChange, UploadRecord};
use crate::log::used_keys::UsedKeys;
use crate::message::{AppendKey, Closing, EventName, Seq};

/// Returns the keys in the table.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<UsedKeys> {
    const SQL: &str =
        "SELECT seq, time, used, id, content, lines, first FROM recent_keys ORDER BY seq";
    let mut statement = connection.prepare(SQL)?;
    let mut rows = statement.query([])?;
    let mut keys = UsedKeys::default();
    while let Some(row) = rows.next()? {
        let (seq, time, used) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (id, content): (_, Option<Hash>) = (row.get(3)?, row.get(4)?);
        let content = content.map(|Hash(content)| content);
        let (lines, first): (Option<Count>, Option<Seq>) = (row.get(5)?, row.get(6)?);
        match (lines, content) {
            (Some(Count(lines)), Some(content)) => {
                let record = UploadRecord {
                    lines,
                    content,
                    first: first.unwrap_or_default(),
                    last: seq,
                    time,
                    used,
                };
                keys.uploads.put(id, record);
            }
            _ => keys.messages.remember(KeyRecord {
                id,
                content,
                seq,
                time,
                used,
            }),
        }
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

/// Writes the record of an upload, in the place of the one before.
pub(super) fn put_upload(connection: &Connection, change: &UploadChange) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO recent_keys (seq, time, used, id, content, lines, first) \
                       VALUES (?, ?, ?, ?, ?, ?, ?)";
    if let Some(last_before) = change.last_before {
        connection
            .prepare_cached("DELETE FROM recent_keys WHERE seq = ?")?
            .execute(params![last_before])?;
    }
    let record = &change.record;
    connection.prepare_cached(SQL)?.execute(params![
        record.last,
        record.time,
        record.used,
        change.id,
        Hash(record.content),
        Count(record.lines),
        record.first,
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
            Some(AppendKey::content_of(event.as_str(), &data, Closing::No))
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
