//! The tables of the chat, beside the log. All its SQL is here.

mod account_table;
mod friend_requests;
mod friend_table;
mod schema;
mod session_table;
#[cfg(test)]
pub(super) mod testing;

use crate::log::{SideTables, StoreError};

pub use account_table::{Account, AccountId, RegisterError};
pub use friend_requests::{Change, FriendError};
pub use friend_table::{Friend, Standing};
pub use session_table::{LogIn, Session, SessionId};

/// What is known of people. Clones are the same database.
#[derive(Clone, Debug)]
pub struct Database {
    beside: SideTables,
}

impl Database {
    /// The tables that are there, or new ones.
    ///
    /// # Errors
    /// When they cannot be read and written, or are of a newer version.
    pub fn open(beside: SideTables) -> Result<Database, StoreError> {
        beside.migrate("accounts", &schema::STEPS)?;
        Ok(Database { beside })
    }
}
