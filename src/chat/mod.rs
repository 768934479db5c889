//! The chat: accounts, friendships, who is online, and what friends say to each other.
//!
//! What accounts say is in the log, in channels of the server: one for each pair of accounts
//! (`conversation.rs`), and one for each account with the events that concern it alone
//! (`account_event.rs`); a stream of the chat follows those. Accounts, sessions and friendships are in
//! tables in the log's file (`database/`), so that one file is all there is to back up. Who is online
//! is derived from the streams that are open (`presence.rs`).
//!
//! All policy is here: which logins are let through (`login.rs`), what is unread (`overview.rs`), what
//! a follower sees (`chat_filter.rs`). `http/chat` reads requests, calls [`Chat`], and renders.
//!
//! # A message cannot be deleted
//!
//! A chat message cannot be deleted or edited one by one: the log is append-only, and only retention
//! removes entries from it, the oldest first. Erasing a single one would need an operation of the
//! store's contract (`log/store.rs`) in both stores (`log/memory.rs`, `log/sqlite/`) and in the tail
//! (`log/tail.rs`), and readers would see a gap. Hiding one needs an event of the conversation that
//! says so: said here (`conversation.rs`), asked for by `http/chat/conversations.rs`, left out by
//! `chat_filter.rs`, `overview.rs` and the history in `http/chat/view.rs`, and taken off the page by
//! `pages/chat-talk.js`; the text stays in the log until retention removes it.

mod account_event;
mod account_name;
mod chat_filter;
mod conversation;
mod database;
mod demo;
mod directory;
mod friendship;
mod granted;
mod hash_queue;
mod login;
mod login_limiter;
mod name_rules;
mod online;
mod overview;
mod password;
mod presence;
mod sessions;
mod social_limiter;
#[cfg(test)]
mod testing;
mod token;

use std::sync::Arc;

pub use account_name::{AccountName, AccountNameError};
pub use chat_filter::ChatFilter;
pub use conversation::{ChatText, SayError};
pub use database::{
    Account, AccountId, CreateError, Friend, FriendChange, FriendError, LogIn, Standing,
};
pub use demo::{DemoAccountError, NAMES as DEMO_NAMES, PASSWORD as DEMO_PASSWORD};
pub use directory::LookupError;
pub use friendship::FriendAction;
pub use login::{LoginError, RegisterError};
pub use overview::{Contact, Overview};
pub use password::{HasherBusy, PasswordError};
pub use presence::PresenceGuard;
pub use sessions::{Session, SessionEnded};
pub use token::{Token, TokenHash};

use tokio::sync::Semaphore;

use crate::limits;
use crate::log::{Log, SideTables, StoreError};
use database::{Database, FriendStep};
use granted::Granted;
use login_limiter::LoginLimiter;
use password::{Hasher, NewPassword, StoredHash};
use presence::Presence;
use social_limiter::SocialLimiter;

/// A handle on the chat. Clones are the same chat.
#[derive(Clone, Debug)]
pub struct Chat {
    /// The log with the conversations and the events of accounts.
    log: Log,
    database: Database,
    presence: Presence,
    /// The rights of sessions and friendships, which end with them.
    granted: Arc<Granted>,
    hasher: Arc<Hasher>,
    limiter: Arc<LoginLimiter>,
    social: Arc<SocialLimiter>,
    /// A permit for each record of a session's use that waits to be written.
    recording: Arc<Semaphore>,
    /// Held by the change that is being made: see [`Chat::serialized`].
    changes: Arc<tokio::sync::Mutex<()>>,
}

impl Chat {
    /// Opens the chat whose conversations are in a log, and whose other data is in tables in that
    /// log's file; needs the current tokio runtime.
    ///
    /// # Errors
    /// When the tables or the presence log cannot be opened.
    pub fn open(log: Log, tables: SideTables) -> Result<Chat, StoreError> {
        let database = Database::open(tables)?;
        let presence = Presence::new(database.clone(), Arc::clone(log.clock()))
            .map_err(|error| StoreError(format!("cannot open the presence log: {error}")))?;
        Ok(Chat {
            granted: Granted::new(database.clone(), Arc::clone(log.clock())),
            log,
            database,
            presence,
            hasher: Arc::default(),
            limiter: Arc::default(),
            social: Arc::default(),
            recording: Arc::new(Semaphore::new(limits::SESSION_RECORDS_MAX)),
            changes: Arc::default(),
        })
    }

    /// Returns the log with the conversations and the events of accounts, for streams that follow it
    /// and for cursors in it.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Makes a change of the tables and tells the accounts that it concerns: one such change at a
    /// time, and to its end, even if the client that asked for it leaves meanwhile. Otherwise a
    /// client that left between the two steps would leave streams open whose session has ended, or
    /// pages that show a friendship that is over.
    async fn serialized<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        // A client that leaves while its change waits here has changed nothing.
        let changes = Arc::clone(&self.changes).lock_owned().await;
        let done = tokio::spawn(async move {
            let _changes = changes;
            change.await
        });
        done.await
            .map_err(|error| StoreError(format!("a change of the chat was interrupted: {error}")))?
    }
}
