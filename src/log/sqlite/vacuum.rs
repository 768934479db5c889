//! The free pages of the file, and how they are given back to the system.

use rusqlite::Connection;

use crate::limits;

/// Whether the file has more free pages than it may have: [`limits::FREE_PAGES_MAX`], and a quarter
/// of all its pages.
pub(super) fn has_excess_pages(connection: &Connection) -> rusqlite::Result<bool> {
    let (free, all) = (
        number(connection, "freelist_count")?,
        number(connection, "page_count")?,
    );
    Ok(free > limits::FREE_PAGES_MAX.max(all / 4))
}

/// Returns how many bytes of the file's pages are free.
pub(super) fn free_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    let bytes = number(connection, "freelist_count")? * number(connection, "page_size")?;
    Ok(u64::try_from(bytes).unwrap_or_default())
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

/// Gives some free pages back to the system, at most [`limits::VACUUM_STEP_PAGES`].
pub(super) fn shrink(connection: &Connection) -> rusqlite::Result<()> {
    let sql = format!("PRAGMA incremental_vacuum({})", limits::VACUUM_STEP_PAGES);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    // The statement returns one row for each page that it frees.
    while rows.next()?.is_some() {}
    Ok(())
}
