//! The pages of the file.

use rusqlite::Connection;

use crate::limits;

/// Does the file have many more free pages than it needs?
pub(super) fn is_wasteful(connection: &Connection) -> rusqlite::Result<bool> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (free, all) = (number("freelist_count")?, number("page_count")?);
    Ok(free > limits::FREE_PAGES_MAX.max(all / 4))
}

/// Gives some free pages back to the system.
pub(super) fn shrink(connection: &Connection) -> rusqlite::Result<()> {
    let sql = format!("PRAGMA incremental_vacuum({})", limits::VACUUM_STEP_PAGES);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    // A row a page.
    while rows.next()?.is_some() {}
    Ok(())
}
