//! A log that loses its past at once: what it is a copy of has gone on without it, or is another one.

use rusqlite::Connection;

use super::log_row::LogRow;
use super::value::params;
use crate::message::{Epoch, Seq};

/// Lets the log begin after `through`. Everything up to there is gone, of whatever channel.
pub(super) fn begin_after(
    connection: &Connection,
    log_row: &mut LogRow,
    through: Seq,
) -> rusqlite::Result<()> {
    connection.execute_batch(
        "DELETE FROM messages; DELETE FROM channels; DELETE FROM recent_keys; DELETE FROM falls",
    )?;
    log_row.last = through;
    log_row.trimmed_through = through;
    log_row.forgotten = through;
    log_row.bytes = 0;
    log_row.empty = 0;
    log_row.close_changes.clear();
    Ok(())
}

/// Lets the log begin after `through`, as a log of another epoch.
pub(super) fn begin_anew(
    connection: &Connection,
    log_row: &mut LogRow,
    through: Seq,
    epoch: &Epoch,
) -> rusqlite::Result<()> {
    begin_after(connection, log_row, through)?;
    connection.execute("UPDATE log SET epoch = ?", params![epoch])?;
    Ok(())
}
