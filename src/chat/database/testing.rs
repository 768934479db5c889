//! Helpers that the chat's unit tests share.

use super::{Account, Database, Friend};
use crate::chat::{AccountName, StoredHash};
use crate::log::LogTime;
use crate::log::SideTables;
use crate::message::Timestamp;

pub(in crate::chat) fn database() -> Database {
    Database::open(SideTables::in_memory().unwrap()).unwrap()
}

pub(in crate::chat) fn name(text: &str) -> AccountName {
    AccountName::new(text).unwrap()
}

/// A stored hash that is no password's, but differs for different texts.
pub(in crate::chat) fn hash(text: &str) -> StoredHash {
    StoredHash::from_column(text)
}

/// Creates an account with this name, whose stored hash is `hash(text)`.
pub(in crate::chat) async fn person(database: &Database, text: &str) -> Account {
    let created = database
        .create_account(name(text), hash(text), Timestamp(1))
        .await;
    created.unwrap().unwrap()
}

/// Makes two accounts friends, without any event.
pub(in crate::chat) async fn befriend(database: &Database, a: &Account, b: &Account) {
    let now = LogTime(1);
    database.ask(a.id, b.id, now).await.unwrap().unwrap();
    database.accept(b.id, a.id, now).await.unwrap().unwrap();
}

/// How `other` stands to `me`; the two must stand to each other somehow.
pub(in crate::chat) async fn friend(database: &Database, me: &Account, other: &Account) -> Friend {
    database.friend(me.id, other.id).await.unwrap().unwrap()
}
