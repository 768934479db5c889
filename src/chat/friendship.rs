//! Friendship as those hear of it whom it concerns.

use super::account_event::{self, AccountEvent};
use super::{Account, Change, Chat, FriendError, Standing, conversation};
use crate::log::StoreError;
use crate::message::Channel;

/// What somebody wants of somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FriendAction {
    /// To be friends.
    Ask,
    /// To say yes to that.
    Accept,
    /// To say no to that.
    Decline,
    /// That nothing is between them.
    Remove,
}

impl Chat {
    /// Does what somebody wants, and tells both.
    ///
    /// # Errors
    /// Outside when the store is not available, inside when it cannot be done.
    pub async fn wish(
        &self,
        me: &Account,
        other: &Account,
        wish: FriendAction,
    ) -> Result<Result<Change, FriendError>, StoreError> {
        let (chat, me, other) = (self.clone(), me.clone(), other.clone());
        self.whole(async move { chat.grant(&me, &other, wish).await })
            .await
    }

    async fn grant(
        &self,
        me: &Account,
        other: &Account,
        wish: FriendAction,
    ) -> Result<Result<Change, FriendError>, StoreError> {
        let database = &self.database;
        if matches!(wish, FriendAction::Ask | FriendAction::Accept) {
            self.introduce(me, other).await?;
        }
        let done = match wish {
            FriendAction::Ask => database.ask(me.id, other.id).await?,
            FriendAction::Accept => database.accept(me.id, other.id).await?,
            FriendAction::Decline => Ok(database.decline(me.id, other.id).await?),
            FriendAction::Remove => Ok(database.remove(me.id, other.id).await?),
        };
        if done == Ok(Change::Accepted) {
            // What they said when they were friends before is not new.
            let (_, last) = self.log.bounds();
            database.read_through(me.id, other.id, last).await?;
            database.read_through(other.id, me.id, last).await?;
        }
        if done.is_ok_and(|change| change != Change::None) {
            self.tell(me, other).await?;
        }
        Ok(done)
    }

    /// Who has asked is about to be a friend: from here on the open streams of both hear what the
    /// two say to each other. It is told before they can say anything, and after those streams that
    /// are opened meanwhile have the conversation by themselves ([`Chat::channels`]).
    async fn introduce(&self, me: &Account, other: &Account) -> Result<(), StoreError> {
        let standing = self.database.standing(me.id, other.id).await?;
        if standing.is_none_or(|friend| friend.standing != Standing::Asking) {
            return Ok(());
        }
        let hear = |one: &Account, of: &Account| {
            AccountEvent::Hear(of.id).draft(account_event::channel(one.id))
        };
        let drafts = vec![hear(me, other), hear(other, me)];
        self.log.append_all(drafts).await.map(drop)
    }

    /// Tells both how they stand to each other now.
    async fn tell(&self, me: &Account, other: &Account) -> Result<(), StoreError> {
        let mut drafts = Vec::with_capacity(2);
        for (one, of) in [(me, other), (other, me)] {
            let standing = self.database.standing(one.id, of.id).await?;
            let friends = account_event::Friends {
                name: of.name.as_str().to_owned(),
                change: standing
                    .map_or("gone", |friend| friend.standing.as_str())
                    .to_owned(),
            };
            drafts.push(AccountEvent::Friends(friends).draft(account_event::channel(one.id)));
        }
        self.log.append_all(drafts).await?;
        self.presence.introduce([me, other]);
        Ok(())
    }

    /// The channels whose messages concern somebody; the first is that of the news.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn channels(&self, me: &Account) -> Result<Vec<Channel>, StoreError> {
        let friends = self.database.friends(me.id).await?;
        let conversations = friends
            .iter()
            .map(|friend| conversation::channel([me.id, friend.account.id]));
        Ok(std::iter::once(account_event::channel(me.id))
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

    use super::super::account_event::Friends;
    use super::super::database::testing::person;
    use super::super::testing::{chat, leave, news_of};
    use super::super::{ChatFilter, Session, SessionId};
    use super::*;
    use crate::connection::PhaseCell;
    use crate::drain::Drain;
    use crate::follow::{ChunkStream, Options};
    use crate::limits;
    use crate::log::Since;
    use crate::message::Timestamp;
    use crate::metrics::OpenStream;
    use crate::wire::{Encoder, Wire};

    #[tokio::test]
    async fn what_was_begun_is_told_also_when_nobody_waits_for_it() {
        let chat = chat();
        let zoe = person(&chat.database, "Zoë").await;
        let ben = person(&chat.database, "Ben").await;
        leave(chat.wish(&zoe, &ben, FriendAction::Ask)).await;
        // The next one comes behind it.
        let accepted = chat.wish(&ben, &zoe, FriendAction::Accept).await.unwrap();
        assert_eq!(accepted, Ok(Change::Accepted));
        let told = |name: &str, change: &str| {
            let (name, change) = (name.to_owned(), change.to_owned());
            AccountEvent::Friends(Friends { name, change })
        };
        assert_eq!(
            news_of(&chat, &ben).await,
            [
                told("Zoë", "asking"),
                AccountEvent::Hear(zoe.id),
                told("Zoë", "friend")
            ]
        );
    }

    /// All that concerns somebody, from a place on.
    async fn follow(chat: &Chat, me: &Account, since: &Since) -> ChunkStream {
        let channels = chat.channels(me).await.unwrap();
        let start = chat.log.start(&channels, since, Timestamp(0)).await;
        let session = Session {
            id: SessionId(1),
            account: me.clone(),
        };
        let lens = ChatFilter::all(session, false);
        let mut options = Options::new(Encoder::Ndjson, None);
        options.extras().filter = Some(Box::new(move |message| lens.look(message)));
        let open = OpenStream::new(Arc::default(), Wire::Ndjson);
        let drain = Drain::new(Duration::ZERO);
        let phase = Arc::new(PhaseCell::default());
        ChunkStream::new(&chat.log, start.unwrap(), drain, open, &phase, options)
    }

    #[tokio::test]
    async fn a_stream_takes_up_so_many_friends_and_then_comes_back() {
        let chat = chat();
        let me = person(&chat.database, "me").await;
        let mut stream = follow(&chat, &me, &Since::All).await;
        let (mut texts, mut ends) = (Vec::new(), 0);
        let all: Vec<String> = (0..limits::GROWING_STREAM_CHANNELS_MAX + 10)
            .map(|n| format!("friend {n}"))
            .collect();
        for text in &all {
            let other = person(&chat.database, text).await;
            for (who, whom, wish) in [
                (&other, &me, FriendAction::Ask),
                (&me, &other, FriendAction::Accept),
            ] {
                chat.wish(who, whom, wish).await.unwrap().unwrap();
            }
            chat.say(&other, &me, text, None).await.unwrap();
            while texts.last() != Some(text) {
                let chunk = poll_fn(|cx| stream.poll_chunk(cx)).await.unwrap().data();
                let lines = std::str::from_utf8(&chunk).unwrap().lines();
                for line in lines.map(|line| serde_json::from_str::<Value>(line).unwrap()) {
                    if line["event"] == "message" {
                        let said = line["data"].as_str().unwrap();
                        let said: conversation::ChatText = serde_json::from_str(said).unwrap();
                        texts.push(said.text);
                    } else if line["type"] == "end" {
                        assert_eq!(line["reason"], "rotate");
                        let cursor = line["cursor"].as_str().unwrap().parse().unwrap();
                        stream = follow(&chat, &me, &Since::Cursor(cursor)).await;
                        ends += 1;
                    }
                }
            }
            chat.wish(&me, &other, FriendAction::Remove)
                .await
                .unwrap()
                .unwrap();
        }
        assert_eq!((texts, ends), (all, 1));
    }
}
