//! Changes friendships, and notifies both accounts.

use super::account_event::{AccountEvent, FriendsEvent, account_channel};
use super::conversation::conversation_channel;
use super::{Account, Chat, FriendChange, FriendError, Standing};
use crate::log::StoreError;
use crate::message::Channel;

/// What a client does about the friendship with another account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FriendAction {
    /// Sends a friend request.
    Ask,
    /// Accepts the other account's request.
    Accept,
    /// Declines the other account's request.
    Decline,
    /// Ends the friendship or the request, in either direction.
    Remove,
}

impl Chat {
    /// Does a friend action of my account, and notifies both accounts.
    ///
    /// # Errors
    /// `Ok(Err(_))` when the action is refused; `Err(_)` when the store is not available.
    pub async fn act(
        &self,
        me: &Account,
        other: &Account,
        action: FriendAction,
    ) -> Result<Result<FriendChange, FriendError>, StoreError> {
        let (chat, me, other) = (self.clone(), me.clone(), other.clone());
        self.serialized(async move { chat.act_serialized(&me, &other, action).await })
            .await
    }

    async fn act_serialized(
        &self,
        me: &Account,
        other: &Account,
        action: FriendAction,
    ) -> Result<Result<FriendChange, FriendError>, StoreError> {
        let database = &self.database;
        if matches!(action, FriendAction::Ask | FriendAction::Accept) {
            self.subscribe_both(me, other).await?;
        }
        let done = match action {
            FriendAction::Ask => database.ask(me.id, other.id).await?,
            FriendAction::Accept => database.accept(me.id, other.id).await?,
            FriendAction::Decline => Ok(database.decline(me.id, other.id).await?),
            FriendAction::Remove => Ok(database.remove(me.id, other.id).await?),
        };
        if done == Ok(FriendChange::Accepted) {
            // What the two said when they were friends before is not new.
            let (_, last) = self.log.bounds();
            database.mark_read(me.id, other.id, last).await?;
            database.mark_read(other.id, me.id, last).await?;
        }
        if done.is_ok_and(|change| change != FriendChange::None) {
            self.notify_both(me, other).await?;
        }
        Ok(done)
    }

    /// Has the open streams of both accounts follow their conversation, if the two are about to be
    /// friends because one has asked the other. This is told before either can say anything. Streams
    /// that were opened since the request have the conversation already, since [`Chat::channels`]
    /// includes those of open requests.
    async fn subscribe_both(&self, me: &Account, other: &Account) -> Result<(), StoreError> {
        let standing = self.standing(me, other).await?;
        if standing.is_none_or(|friend| friend.standing != Standing::Asking) {
            return Ok(());
        }
        let added = |one: &Account, of: &Account| {
            AccountEvent::ConversationAdded(of.id).draft(account_channel(one.id))
        };
        let drafts = vec![added(me, other), added(other, me)];
        self.log.append_all(drafts).await.map(drop)
    }

    /// Notifies both accounts how they stand to each other now.
    async fn notify_both(&self, me: &Account, other: &Account) -> Result<(), StoreError> {
        let mut drafts = Vec::with_capacity(2);
        for (one, of) in [(me, other), (other, me)] {
            let standing = self.standing(one, of).await?;
            let friends = FriendsEvent {
                name: of.name.as_str().to_owned(),
                change: standing
                    .map_or("gone", |friend| friend.standing.as_str())
                    .to_owned(),
            };
            drafts.push(AccountEvent::Friends(friends).draft(account_channel(one.id)));
        }
        self.log.append_all(drafts).await?;
        self.presence.announce([me, other]);
        Ok(())
    }

    /// Returns the channels of a stream of all that concerns an account: first that of its events,
    /// then its conversations.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn channels(&self, me: &Account) -> Result<Vec<Channel>, StoreError> {
        let friends = self.database.friends(me.id).await?;
        let conversations = friends
            .iter()
            .map(|friend| conversation_channel(me.id, friend.account.id));
        Ok(std::iter::once(account_channel(me.id))
            .chain(conversations)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::Value;

    use super::super::database::testing::{friend, person};
    use super::super::testing::{abandon, chat, events_of};
    use super::super::{ChatFilter, ChatText, Session, SessionId};
    use super::*;
    use crate::connection::PhaseCell;
    use crate::drain::Drain;
    use crate::follow::{ChunkStream, Options};
    use crate::limits;
    use crate::log::Since;
    use crate::message::Timestamp;
    use crate::metrics::OpenStream;
    use crate::wire::{Encoder, Wire};

    /// A change that has begun is made and told also when the client that asked for it has left.
    #[tokio::test]
    async fn change_told_when_client_has_left() {
        let chat = chat();
        let zoe = person(&chat.database, "Zoë").await;
        let ben = person(&chat.database, "Ben").await;
        abandon(chat.act(&zoe, &ben, FriendAction::Ask)).await;
        // The next change comes after it.
        let accepted = chat.act(&ben, &zoe, FriendAction::Accept).await.unwrap();
        assert_eq!(accepted, Ok(FriendChange::Accepted));
        let told = |name: &str, change: &str| {
            let (name, change) = (name.to_owned(), change.to_owned());
            AccountEvent::Friends(FriendsEvent { name, change })
        };
        assert_eq!(
            events_of(&chat, &ben).await,
            [
                told("Zoë", "asking"),
                AccountEvent::ConversationAdded(zoe.id),
                told("Zoë", "friend")
            ]
        );
    }

    /// A stream of all that concerns an account.
    async fn follow(chat: &Chat, me: &Account, since: &Since) -> ChunkStream {
        let channels = chat.channels(me).await.unwrap();
        let start = chat.log.start(&channels, since, Timestamp(0)).await;
        let session = Session {
            id: SessionId(1),
            account: me.clone(),
        };
        let filter = ChatFilter::all(session, false);
        let mut options = Options::new(Encoder::Ndjson, None);
        options.extras().filter = Some(Box::new(move |message| filter.apply(message)));
        let open = OpenStream::new(Arc::default(), Wire::Ndjson);
        let drain = Drain::new(Duration::ZERO);
        let phase = Arc::new(PhaseCell::default());
        ChunkStream::new(&chat.log, start.unwrap(), drain, open, &phase, options)
    }

    /// A stream takes up the conversations of new friends up to a limit; then it ends, and the next
    /// one misses nothing.
    #[tokio::test]
    async fn stream_rotates_after_many_new_friends() {
        let chat = chat();
        let me = person(&chat.database, "me").await;
        let mut stream = follow(&chat, &me, &Since::All).await;
        let (mut texts, mut ends) = (Vec::new(), 0);
        let all: Vec<String> = (0..limits::GROWING_STREAM_CHANNELS_MAX + 10)
            .map(|n| format!("friend {n}"))
            .collect();
        for text in &all {
            let other = person(&chat.database, text).await;
            for (one, of, action) in [
                (&other, &me, FriendAction::Ask),
                (&me, &other, FriendAction::Accept),
            ] {
                chat.act(one, of, action).await.unwrap().unwrap();
            }
            let to_me = friend(&chat.database, &other, &me).await;
            chat.say(&other, &to_me, text, None).await.unwrap();
            while texts.last() != Some(text) {
                let chunk = poll_fn(|cx| stream.poll_chunk(cx)).await.unwrap().data();
                let lines = std::str::from_utf8(&chunk).unwrap().lines();
                for line in lines.map(|line| serde_json::from_str::<Value>(line).unwrap()) {
                    if line["event"] == "message" {
                        let text = line["data"].as_str().unwrap();
                        let text: ChatText = serde_json::from_str(text).unwrap();
                        texts.push(text.text);
                    } else if line["type"] == "end" {
                        assert_eq!(line["reason"], "rotate");
                        let cursor = line["cursor"].as_str().unwrap().parse().unwrap();
                        stream = follow(&chat, &me, &Since::Cursor(cursor)).await;
                        ends += 1;
                    }
                }
            }
            chat.act(&me, &other, FriendAction::Remove)
                .await
                .unwrap()
                .unwrap();
        }
        assert_eq!((texts, ends), (all, 1));
    }
}
