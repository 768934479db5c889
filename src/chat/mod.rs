//! The chat: who there is, who is whose friend, who is online, and what they say to each other.
//!
//! What is said is in the log, in channels of the server: one for each two accounts
//! ([`conversation_channel`]), and one for each account with the news that concern it
//! ([`news_channel`]); a stream of the chat follows those. Accounts, sessions and friends are in
//! tables beside the log ([`Database`]), so that one file is all there is to back up. Who is online
//! is derived from the streams that are open ([`Presence`]).

mod account_event;
mod account_name;
mod chat_filter;
mod conversation;
mod database;
mod demo;
mod friendship;
mod login_limiter;
mod online;
mod password;
mod presence;
mod rate_limiter;
mod sessions;
mod talk;
#[cfg(test)]
mod testing;
mod token;

use std::io;
use std::sync::Arc;

pub use account_event::channel as news_channel;
pub use account_name::{AccountName, AccountNameError};
pub use chat_filter::ChatFilter;
pub use conversation::{ChatText, channel as conversation_channel};
pub use database::{
    Account, AccountId, Change, Database, Friend, FriendError, LogIn, RegisterError, Session,
    SessionId, Standing,
};
pub use demo::{DemoAccountError, NAMES as DEMO_NAMES, PASSWORD as DEMO_PASSWORD};
pub use friendship::FriendAction;
pub use login_limiter::{Attempt, LoginLimiter, RateLimited};
pub use password::{Hash, Hasher, HasherBusy, NewPassword, PasswordError};
pub use presence::{Presence, PresenceGuard};
pub use talk::{Contact, Overview};
pub use token::Token;

use crate::log::{Log, StoreError};

/// The chat. Clones are the same chat.
#[derive(Clone, Debug)]
pub struct Chat {
    /// Where what is said is.
    pub log: Log,
    /// Who there is.
    pub database: Database,
    /// Who is online.
    pub presence: Presence,
    /// What makes hashes of passwords.
    pub hasher: Arc<Hasher>,
    /// Who has tried to log in.
    pub attempts: Arc<LoginLimiter>,
    /// See [`Chat::whole`].
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Chat {
    /// The chat of a log; needs the current tokio runtime.
    ///
    /// # Errors
    /// When there can be no log of the presence.
    pub fn new(log: Log, database: Database) -> io::Result<Chat> {
        Ok(Chat {
            log,
            presence: Presence::new(database.clone())?,
            database,
            hasher: Arc::default(),
            attempts: Arc::default(),
            turn: Arc::default(),
        })
    }

    /// Changes the tables and tells those whom it concerns: one such thing at a time, and to its
    /// end also where nobody waits for that any more. A client that leaves between the two would
    /// else leave streams open that have ended, or pages that show what is no longer so.
    async fn whole<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        // Who leaves before it is their turn has done nothing.
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let done = tokio::spawn(async move {
            let _turn = turn;
            work.await
        });
        done.await
            .map_err(|error| StoreError(format!("a change of the chat broke off: {error}")))?
    }
}
