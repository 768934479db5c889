//! Begins and ends login sessions, and ends the streams of those that are over.

use std::sync::Arc;

use super::granted::is_idle;
use super::{Account, Chat, LogIn, StoredHash, Token, TokenHash};
use crate::limits;
use crate::log::{LogTime, Moment, StoreError};
use crate::right::{Act, Right, RightEnd};

/// A login session.
#[derive(Clone, Debug)]
pub struct Session {
    /// The account that is logged in.
    pub account: Account,
    /// The right of the session, which ends with it.
    pub right: Right,
    token: TokenHash,
}

/// The session has ended since the request came.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("you have been logged out; log in again at /chat/login")]
pub struct SessionEnded;

impl Session {
    /// Begins a change that the session is to make. Whoever ends the session waits for it.
    ///
    /// # Errors
    /// When the session has ended.
    pub async fn act(&self) -> Result<Act, SessionEnded> {
        self.right.act().await.ok_or(SessionEnded)
    }

    /// A session that is in no table.
    pub(super) fn untabled(account: &Account) -> Session {
        Session {
            account: account.clone(),
            right: Right::default(),
            token: Token::random().hash(),
        }
    }
}

impl Chat {
    /// Returns the session that a browser's token stands for, if it has not ended, and has recorded
    /// that it is used.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn session(
        &self,
        token: &Token,
        now: &Moment,
    ) -> Result<Option<Session>, StoreError> {
        let token = token.hash();
        // Taken before the look: if the session ends meanwhile, the right has ended, too.
        let right = self.granted.sessions.right(token);
        let Some((account, used)) = self.database.session(token).await? else {
            return Ok(None);
        };
        if is_idle(used, now) || !right.is_held() {
            return Ok(None);
        }
        if used < now.earlier(limits::LOGIN_USED_INTERVAL) {
            self.record_use(token, now.log_time);
        }
        Ok(Some(Session {
            account,
            right,
            token,
        }))
    }

    /// Records, in a task of its own, that a session is used. No request waits for that, since a write
    /// may have to wait; when too many writes wait, a later request of the session records it.
    fn record_use(&self, session: TokenHash, now: LogTime) {
        let Ok(recording) = Arc::clone(&self.recording).try_acquire_owned() else {
            return;
        };
        let database = self.database.clone();
        tokio::spawn(async move {
            if let Err(error) = database.touch_session(session, now).await {
                log::warn!("cannot record that a session was used: {error}");
            }
            drop(recording);
        });
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
        now: &Moment,
    ) -> Result<Option<LogIn>, StoreError> {
        let previous = match previous {
            Some(token) => self.session(token, now).await?,
            None => None,
        };
        let (chat, account, verified) = (self.clone(), account.clone(), verified.clone());
        let now = now.clone();
        self.serialized(async move {
            let database = &chat.database;
            let Some(begun) = database.begin_session(&account, &verified, &now).await? else {
                return Ok(None);
            };
            chat.end_rights(&begun.ended).await;
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
        now: &Moment,
    ) -> Result<Option<LogIn>, StoreError> {
        let (chat, account, verified) = (self.clone(), account.clone(), verified.clone());
        let now = now.clone();
        self.serialized(async move {
            let changed = chat
                .database
                .change_password(&account, &verified, hash, &now);
            let Some(begun) = changed.await? else {
                return Ok(None);
            };
            chat.end_rights(&begun.ended).await;
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
        self.database.end_session(session.token).await?;
        self.end_rights(&[session.token]).await;
        Ok(())
    }

    /// Ends the rights of sessions that are over. When this returns, their streams are told nothing
    /// more, and none of their requests changes anything more.
    pub(super) async fn end_rights(&self, sessions: &[TokenHash]) {
        let rights = &self.granted.sessions;
        let end = |session| rights.end(session, RightEnd::Revoked);
        let ended: Vec<Right> = sessions.iter().filter_map(end).collect();
        for right in ended {
            drop(right.alone().await);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::database::testing::{hash, person};
    use super::super::testing::{abandon, chat};
    use super::*;

    fn after(span: Duration) -> Moment {
        Moment::at(1_800_000_000_000 + u64::try_from(span.as_millis()).unwrap())
    }

    fn start() -> Moment {
        after(Duration::ZERO)
    }

    async fn log_in(chat: &Chat, account: &Account, password: &str) -> (Token, Session) {
        let begun = chat
            .begin_session(account, &hash(password), None, &start())
            .await;
        let token = begun.unwrap().unwrap().token;
        let session = chat.session(&token, &start()).await.unwrap().unwrap();
        (token, session)
    }

    /// A session ends for its streams also when the client that ended it has left meanwhile.
    #[tokio::test]
    async fn session_end_seen_when_client_has_left() {
        let chat = chat();
        let zoe = person(&chat.database, "Zoë").await;
        let (_, one) = log_in(&chat, &zoe, "Zoë").await;
        let (_, two) = log_in(&chat, &zoe, "Zoë").await;
        abandon(chat.log_out(one.clone())).await;
        // Each of these comes after the one before it, and returns when that is done.
        let (_, three) = log_in(&chat, &zoe, "Zoë").await;
        assert_eq!(one.right.end(), Some(RightEnd::Revoked));
        assert!(two.right.is_held() && three.right.is_held());
        abandon(chat.replace_password(&zoe, &hash("Zoë"), hash("new"), &start())).await;
        let (_, four) = log_in(&chat, &zoe, "new").await;
        assert!(!two.right.is_held() && !three.right.is_held());
        assert!(four.act().await.is_ok());
        assert_eq!(three.act().await.unwrap_err(), SessionEnded);
    }

    /// A session in use goes on; the right of one that is idle for too long ends, and so does that of
    /// one that is in the tables no more.
    #[tokio::test]
    async fn session_expires_when_idle() {
        let chat = chat();
        let zoe = person(&chat.database, "Zoë").await;
        let (token, used) = log_in(&chat, &zoe, "Zoë").await;
        let (idle_token, idle) = log_in(&chat, &zoe, "Zoë").await;
        let (_, gone) = log_in(&chat, &zoe, "Zoë").await;
        for days in [20, 40] {
            let now = after(Duration::from_hours(days * 24));
            assert!(chat.session(&token, &now).await.unwrap().is_some());
            // Recorded in a task of its own.
            while chat
                .database
                .session(token.hash())
                .await
                .unwrap()
                .unwrap()
                .1
                != now.log_time
            {
                tokio::task::yield_now().await;
            }
        }
        chat.database.end_session(gone.token).await.unwrap();
        let now = after(limits::LOGIN_IDLE_TIMEOUT + Duration::from_millis(1));
        assert!(chat.session(&idle_token, &now).await.unwrap().is_none());
        chat.granted.look_up(&now).await.unwrap();
        assert!(used.right.is_held());
        assert_eq!(idle.right.end(), Some(RightEnd::Expired));
        assert_eq!(gone.right.end(), Some(RightEnd::Revoked));
    }
}
