//! An older copy of a log, in the place of the log itself: its seqs will mean other messages than those
//! that followers have seen, so it begins a new epoch.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::error::describe;
use super::lock_file::LogRecord;
use super::log_row::LogRow;
use super::value::params;
use super::wal_file::WalId;
use crate::message::{Epoch, Seq, Timestamp};

/// Goes on with a log whose lock file had `record`, and returns the record from here on. If the log had
/// come further than this file has, it gets a new epoch.
pub(super) fn resume(
    connection: &Connection,
    path: &Path,
    record: Option<LogRecord>,
) -> rusqlite::Result<LogRecord> {
    let log_row = LogRow::load(connection)?;
    let epoch = connection.query_row("SELECT epoch FROM log", [], |row| row.get(0))?;
    let mut now = LogRecord {
        epoch,
        last: log_row.last,
        time: log_row.time,
        wal: None,
        base: log_row.last,
    };
    let record = record.filter(|record| record.epoch == now.epoch);
    if let Some(record) = &record
        && !has_come_to(connection, &now, record)?
    {
        now.epoch = Epoch::random();
        connection.execute("UPDATE log SET epoch = ?", params![now.epoch])?;
        log::warn!(
            "the log {} is an older copy: it ends with seq {}, and had come to {} before; it begins \
             a new epoch, so that followers are told that messages are gone",
            path.display(),
            now.last,
            record.last
        );
    }
    // From here on the main file has all of the log, and its counter of changes tells it from all
    // copies that were made before. If that cannot be written, only copies are recognised less well.
    let settled = connection
        .pragma_update(None, "user_version", super::schema::VERSION)
        .and_then(|()| {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                row.get::<_, bool>(0)
            })
        });
    if let Err(error) = &settled {
        log::debug!("cannot empty the write-ahead log: {}", describe(error));
    }
    if settled != Ok(false) {
        now.wal = WalId::read(path);
        let same = record.filter(|record| record.wal == now.wal);
        now.base = same.map_or(Seq::START, |record| record.base);
    }
    Ok(now)
}

/// Whether a file has the message up to which a log had come.
fn has_come_to(
    connection: &Connection,
    now: &LogRecord,
    record: &LogRecord,
) -> rusqlite::Result<bool> {
    const SQL: &str = "SELECT time FROM messages WHERE seq = ?";
    if now.last <= record.last {
        return Ok((now.last, now.time) == (record.last, record.time));
    }
    // A copy may have gone on elsewhere.
    let time: Option<Timestamp> = connection
        .query_row(SQL, params![record.last], |row| row.get(0))
        .optional()?;
    Ok(time.is_none_or(|time| time == record.time))
}
