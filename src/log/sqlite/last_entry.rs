//! The last entry of a channel, which the precondition of a draft names.

use rusqlite::{Connection, OptionalExtension};

use super::value::params;
use crate::log::DraftRefusal;
use crate::message::{Channel, Draft, Seq};

/// Checks a draft's precondition. `written` returns the last entry of its channel in the commit that
/// is being written, which is not in the table yet.
pub(super) fn check(
    connection: &Connection,
    draft: &Draft,
    written: impl FnOnce() -> Option<Seq>,
) -> rusqlite::Result<Result<(), DraftRefusal>> {
    if draft.precondition.is_none() {
        return Ok(Ok(()));
    }
    let last = match written() {
        Some(seq) => Some(seq),
        None => find(connection, &draft.channel)?,
    };
    let mut statement = connection.prepare_cached("SELECT epoch FROM log")?;
    let epoch = statement.query_row([], |row| row.get(0))?;
    Ok(DraftRefusal::check(draft, &epoch, last))
}

/// Returns the position of a channel's last entry, which may have been trimmed; `None` if the channel
/// has no row.
pub(super) fn find(connection: &Connection, channel: &Channel) -> rusqlite::Result<Option<Seq>> {
    const SQL: &str = "SELECT max(closed, coalesce((SELECT seq FROM messages \
                       WHERE channel = channels.id ORDER BY seq DESC LIMIT 1), lost_through)) \
                       FROM channels WHERE name = ?";
    let mut statement = connection.prepare_cached(SQL)?;
    let seq = statement.query_row(params![channel], |row| row.get(0));
    seq.optional()
}
