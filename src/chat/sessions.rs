//! Sessions as their streams hear of them: those of one that is over end.

use super::account_event::{self, AccountEvent};
use super::{Account, Chat, Hash, LogIn, Presence, Session, SessionId};
use crate::log::StoreError;
use crate::message::{Channel, Draft, Timestamp};

impl Chat {
    /// Begins a session for whoever has shown the password of this hash, in the place of the one
    /// that their browser had before. `None` if that is not the account's password any more.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn log_in(
        &self,
        account: &Account,
        verified: &Hash,
        before: Option<Session>,
        now: Timestamp,
    ) -> Result<Option<LogIn>, StoreError> {
        let (chat, account, verified) = (self.clone(), account.clone(), verified.clone());
        self.whole(async move {
            let Some(begun) = chat.database.log_in(&account, &verified, now).await? else {
                return Ok(None);
            };
            chat.end(&account, &begun.ended).await?;
            if let Some(before) = before {
                chat.leave(&before).await?;
            }
            Ok(Some(begun))
        })
        .await
    }

    /// Gives the account another password: all its sessions end, and a new one begins. `None` if
    /// `verified` is not its password any more.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn change_password(
        &self,
        account: &Account,
        verified: &Hash,
        hash: Hash,
        now: Timestamp,
    ) -> Result<Option<LogIn>, StoreError> {
        let (chat, account, verified) = (self.clone(), account.clone(), verified.clone());
        self.whole(async move {
            let changed = chat
                .database
                .change_password(&account, &verified, hash, now);
            let Some(begun) = changed.await? else {
                return Ok(None);
            };
            chat.end(&account, &begun.ended).await?;
            Ok(Some(begun))
        })
        .await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn log_out(&self, session: Session) -> Result<(), StoreError> {
        let chat = self.clone();
        self.whole(async move { chat.leave(&session).await }).await
    }

    async fn leave(&self, session: &Session) -> Result<(), StoreError> {
        self.database.log_out(session.id).await?;
        self.end(&session.account, &[session.id]).await
    }

    /// These sessions of an account are over: their streams end.
    async fn end(&self, account: &Account, sessions: &[SessionId]) -> Result<(), StoreError> {
        if sessions.is_empty() {
            return Ok(());
        }
        let ended = |channel: Channel| -> Vec<Draft> {
            let draft = |session: &SessionId| AccountEvent::Ended(*session).draft(channel.clone());
            sessions.iter().map(draft).collect()
        };
        let presence = ended(Presence::channel(account.id));
        self.presence.log().append_all(presence).await?;
        let news = ended(account_event::channel(account.id));
        self.log.append_all(news).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::super::database::testing::{hash, person};
    use super::super::testing::{chat, leave, news_of};
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    #[tokio::test]
    async fn a_session_that_is_over_is_told_also_when_nobody_waits_for_it() {
        let chat = chat();
        let zoe = person(&chat.database, "Zoë").await;
        let mut ended = Vec::new();
        let log_in = async |password| {
            let begun = chat.log_in(&zoe, &hash(password), None, NOW).await;
            begun.unwrap().unwrap().session
        };
        let session = log_in("Zoë").await;
        ended.push(AccountEvent::Ended(session.id));
        leave(chat.log_out(session)).await;
        ended.push(AccountEvent::Ended(log_in("Zoë").await.id));
        leave(chat.change_password(&zoe, &hash("Zoë"), hash("new"), NOW)).await;
        // Each of these comes behind the one before, and is told when it is done.
        log_in("new").await;
        assert_eq!(news_of(&chat, &zoe).await, ended);
    }
}
