//! The log's clock, in tables: what is kept so that ages survive a restart.

use rusqlite::{Connection, OptionalExtension};

use super::value::{Count, params};
use crate::log::clock_state::ClockRecord;
use crate::log::moment::Pause;

/// Returns the record of the clock; `None` if the log is new.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Option<ClockRecord>> {
    const SQL: &str = "SELECT boot, start, reference, trusted, open_pause FROM clock";
    const PAUSES: &str = "SELECT at, millis FROM pauses ORDER BY at";
    let record = connection.query_row(SQL, [], |row| {
        Ok(ClockRecord {
            boot: row.get(0)?,
            start: row.get(1)?,
            reference: row.get(2)?,
            is_trusted: row.get(3)?,
            open_pause: row.get(4)?,
            pauses: Vec::new(),
        })
    });
    let Some(mut record) = record.optional()? else {
        return Ok(None);
    };
    let mut pauses = connection.prepare(PAUSES)?;
    let pauses = pauses.query_map([], |row| {
        let Count(millis) = row.get(1)?;
        Ok(Pause {
            at: row.get(0)?,
            millis,
        })
    })?;
    record.pauses = pauses.collect::<Result<_, _>>()?;
    Ok(Some(record))
}

/// Saves a record of the clock in the place of the one before.
pub(super) fn save(connection: &Connection, record: &ClockRecord) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT OR REPLACE INTO clock \
                       (id, boot, start, reference, trusted, open_pause) VALUES (1, ?, ?, ?, ?, ?)";
    const PAUSE: &str = "INSERT INTO pauses (at, millis) VALUES (?, ?)";
    connection.execute(
        SQL,
        params![
            record.boot,
            record.start,
            record.reference,
            record.is_trusted,
            record.open_pause,
        ],
    )?;
    connection.execute("DELETE FROM pauses", [])?;
    let mut insert = connection.prepare_cached(PAUSE)?;
    for pause in &record.pauses {
        insert.execute(params![pause.at, Count(pause.millis)])?;
    }
    Ok(())
}
