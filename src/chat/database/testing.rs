//! What the unit tests of the chat share.

use super::{Account, Database};
use crate::chat::{AccountName, Hash};
use crate::log::SideTables;
use crate::message::Timestamp;

pub(in crate::chat) fn database() -> Database {
    Database::open(SideTables::in_memory().unwrap()).unwrap()
}

pub(in crate::chat) fn name(text: &str) -> AccountName {
    AccountName::new(text).unwrap()
}

/// Not of a password, but one can be told from another.
pub(in crate::chat) fn hash(text: &str) -> Hash {
    Hash::known(text)
}

/// An account whose hash is that of its name.
pub(in crate::chat) async fn person(database: &Database, text: &str) -> Account {
    let created = database.create(name(text), hash(text), Timestamp(1)).await;
    created.unwrap().unwrap()
}
