//! The chat's tables, in the log's file. All SQL of the chat is in this directory.

mod account_table;
mod blocked_accounts;
mod friend_requests;
mod friend_step;
mod friend_table;
mod schema;
mod session_table;
mod standing_rows;
#[cfg(test)]
pub(super) mod testing;

use rusqlite::Connection;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use super::TokenHash;
use crate::log::{SideTables, StoreError};

pub use account_table::{Account, AccountId, CreateError};
pub(super) use friend_step::FriendStep;
pub use friend_step::{FriendChange, FriendError};
pub use friend_table::{Friend, Standing};
pub use session_table::LogIn;

/// The tables of accounts, sessions and friendships. Clones are the same tables.
#[derive(Clone, Debug)]
pub(super) struct Database {
    tables: SideTables,
}

impl Database {
    /// Opens the tables, creating or migrating them first where that is needed.
    ///
    /// # Errors
    /// When the tables cannot be read and written, or are of a newer version than this program.
    pub(super) fn open(tables: SideTables) -> Result<Database, StoreError> {
        tables.migrate("accounts", &schema::STEPS)?;
        tables.write_now(account_table::add_missing_looks)?;
        Ok(Database { tables })
    }
}

/// Whether the one value that a query returns is true.
fn is_true(connection: &Connection, sql: &str, values: &[&dyn ToSql]) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row(values, |row| row.get(0))
}

/// Lets the number of a row be a parameter of a statement and be read from a column.
macro_rules! row_number {
    ($($type:ident),*) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$type> {
                value.as_i64().map($type)
            }
        }
    )*};
}

row_number!(AccountId);

impl ToSql for TokenHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_slice().into())
    }
}

impl FromSql for TokenHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<TokenHash> {
        <[u8; 32]>::column_result(value).map(TokenHash)
    }
}
