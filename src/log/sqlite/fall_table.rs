//! The messages that show an earlier time than the message before them, in a table.

use rusqlite::Connection;

use super::value::{Count, params};
use crate::limits;
use crate::log::falls::Falls;
use crate::message::Seq;

/// Returns the falls that are remembered.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<Falls> {
    let mut statement = connection.prepare_cached("SELECT seq FROM falls ORDER BY seq")?;
    let seqs = statement.query_map([], |row| row.get(0))?;
    let seqs: Vec<Seq> = seqs.collect::<Result<_, _>>()?;
    Ok(Falls::at(seqs))
}

/// Remembers a fall at the newest message, and no more than [`limits::CLOCK_FALLS_MAX`] in all.
pub(super) fn note(connection: &Connection, seq: Seq) -> rusqlite::Result<()> {
    const SURPLUS: &str = "DELETE FROM falls WHERE seq <= \
                           (SELECT seq FROM falls ORDER BY seq DESC LIMIT 1 OFFSET ?)";
    connection
        .prepare_cached("INSERT INTO falls (seq) VALUES (?)")?
        .execute(params![seq])?;
    connection
        .prepare_cached(SURPLUS)?
        .execute(params![Count(limits::CLOCK_FALLS_MAX as u64)])?;
    Ok(())
}
