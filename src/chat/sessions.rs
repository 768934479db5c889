//! Begins and ends login sessions, and ends the streams of those that are over.

use super::account_event::{AccountEvent, account_channel};
use super::{Account, Chat, LogIn, Presence, Session, SessionId, StoredHash, Token};
use crate::log::StoreError;
use crate::message::{Channel, Draft, Timestamp};

impl Chat {
    /// Returns the session that a browser's token stands for, if it has not ended, and records that
    /// it is used.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn session(
        &self,
        token: &Token,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        self.database.session(token, now).await
    }

    /// Begins a session, with a new token, for a client that has proved to know the password with
    /// the hash `verified`. The session that its browser had before, the one of the token
    /// `previous`, ends, and so do idle sessions, and the oldest of the account's if it has too
    /// many. `None` if `verified` is no longer the hash of the account's password.
    ///
    /// # Errors
    /// When the store is not available.
    pub(super) async fn begin_session(
        &self,
        account: &Account,
        verified: &StoredHash,
        previous: Option<&Token>,
        now: Timestamp,
    ) -> Result<Option<LogIn>, StoreError> {
        let previous = match previous {
            Some(token) => self.session(token, now).await?,
            None => None,
        };
        let (chat, account, verified) = (self.clone(), account.clone(), verified.clone());
        self.serialized(async move {
            let database = &chat.database;
            let Some(begun) = database.begin_session(&account, &verified, now).await? else {
                return Ok(None);
            };
            chat.end_streams(&account, &begun.ended).await?;
            if let Some(previous) = previous {
                chat.end_session(&previous).await?;
            }
            Ok(Some(begun))
        })
        .await
    }

    /// Replaces the account's password by that of `hash`, for a client that has proved to know the
    /// one with the hash `verified`. All sessions of the account end, so that a stolen token is of
    /// no use any more, and a new one begins. `None` if `verified` is no longer the hash of the
    /// account's password.
    ///
    /// # Errors
    /// When the store is not available.
    pub(super) async fn replace_password(
        &self,
        account: &Account,
        verified: &StoredHash,
        hash: StoredHash,
        now: Timestamp,
    ) -> Result<Option<LogIn>, StoreError> {
        let (chat, account, verified) = (self.clone(), account.clone(), verified.clone());
        self.serialized(async move {
            let changed = chat
                .database
                .change_password(&account, &verified, hash, now);
            let Some(begun) = changed.await? else {
                return Ok(None);
            };
            chat.end_streams(&account, &begun.ended).await?;
            Ok(Some(begun))
        })
        .await
    }

    /// Ends a session and its streams.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn log_out(&self, session: Session) -> Result<(), StoreError> {
        let chat = self.clone();
        self.serialized(async move { chat.end_session(&session).await })
            .await
    }

    async fn end_session(&self, session: &Session) -> Result<(), StoreError> {
        self.database.end_session(session.id).await?;
        self.end_streams(&session.account, &[session.id]).await
    }

    /// Tells the streams of an account's sessions, which are over, to end.
    async fn end_streams(
        &self,
        account: &Account,
        sessions: &[SessionId],
    ) -> Result<(), StoreError> {
        if sessions.is_empty() {
            return Ok(());
        }
        let ended = |channel: Channel| -> Vec<Draft> {
            let draft =
                |session: &SessionId| AccountEvent::SessionEnded(*session).draft(channel.clone());
            sessions.iter().map(draft).collect()
        };
        let presence = ended(Presence::channel(account.id));
        self.presence.log().append_all(presence).await?;
        let events = ended(account_channel(account.id));
        self.log.append_all(events).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::database::testing::{hash, person};
    use super::super::testing::{abandon, chat, events_of};
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    /// The streams of a session that has ended are told so also when the client that ended it has
    /// left meanwhile.
    #[tokio::test]
    async fn session_end_told_when_client_has_left() {
        let chat = chat();
        let zoe = person(&chat.database, "Zoë").await;
        let mut ended = Vec::new();
        let log_in = async |password| {
            let begun = chat.begin_session(&zoe, &hash(password), None, NOW).await;
            begun.unwrap().unwrap().session
        };
        let session = log_in("Zoë").await;
        ended.push(AccountEvent::SessionEnded(session.id));
        abandon(chat.log_out(session)).await;
        ended.push(AccountEvent::SessionEnded(log_in("Zoë").await.id));
        abandon(chat.replace_password(&zoe, &hash("Zoë"), hash("new"), NOW)).await;
        // Each of these comes after the one before it, and returns when that is done.
        log_in("new").await;
        assert_eq!(events_of(&chat, &zoe).await, ended);
    }
}
