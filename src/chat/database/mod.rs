//! The tables of the chat, beside the log. All its SQL is here.

mod accounts;
mod friends;
mod requests;
mod schema;
mod sessions;
#[cfg(test)]
pub(super) mod testing;

use crate::log::{Beside, StoreError};

pub use accounts::{Account, AccountId, NoAccount};
pub use friends::{Friend, Standing};
pub use requests::{Change, Refused};
pub use sessions::{LogIn, Session, SessionId};

/// What is known of people. Clones are the same database.
#[derive(Clone, Debug)]
pub struct Database {
    beside: Beside,
}

impl Database {
    /// The tables that are there, or new ones.
    ///
    /// # Errors
    /// When they cannot be read and written, or are of a newer version.
    pub fn open(beside: Beside) -> Result<Database, StoreError> {
        beside.migrate("accounts", &schema::STEPS)?;
        Ok(Database { beside })
    }
}
