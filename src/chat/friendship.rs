//! Changes friendships, and notifies the accounts that are concerned.

use std::time::Instant;

use super::account_event::{AccountEvent, FriendsEvent, account_channel};
use super::conversation::conversation_channel;
use super::granted::Pair;
use super::{
    Account, Chat, FriendChange, FriendError, FriendStep, Session, SessionEnded, Standing,
};
use crate::log::StoreError;
use crate::message::Channel;
use crate::right::RightEnd;

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
    /// Blocks the other account: it is no friend, and cannot ask to be one. It is not told.
    Block,
    /// Blocks the other account no more.
    Unblock,
}

impl Chat {
    /// Does a friend action of the session's account, and notifies the accounts that it concerns. When this returns,
    /// and the two are not friends any more, nothing more is said in their conversation.
    ///
    /// # Errors
    /// `Ok(Err(_))` when the action is refused; `Err(_)` when the store is not available.
    pub async fn act(
        &self,
        session: &Session,
        other: &Account,
        action: FriendAction,
    ) -> Result<Result<FriendChange, FriendError>, StoreError> {
        let (chat, session, other) = (self.clone(), session.clone(), other.clone());
        self.serialized(async move {
            // Sessions end one after the other with this, too.
            if !session.right.is_held() {
                return Ok(Err(SessionEnded.into()));
            }
            chat.act_serialized(&session.account, &other, action).await
        })
        .await
    }

    async fn act_serialized(
        &self,
        me: &Account,
        other: &Account,
        action: FriendAction,
    ) -> Result<Result<FriendChange, FriendError>, StoreError> {
        if let Err(limited) = self.social.charge(me.id, other.id, action, Instant::now()) {
            return Ok(Err(limited.into()));
        }
        let (database, now) = (&self.database, self.log.now().log_time);
        // While the friendship changes, nothing is said: a stream that is told of a new friend misses
        // nothing of the conversation.
        let right = self.friendship_right(me.id, other.id);
        let _alone = right.alone().await;
        let step = match action {
            FriendAction::Ask => database.ask(me.id, other.id, now).await?,
            FriendAction::Accept => database.accept(me.id, other.id, now).await?,
            FriendAction::Decline => Ok(database.decline(me.id, other.id, now).await?),
            FriendAction::Remove => Ok(database.remove(me.id, other.id, now).await?),
            FriendAction::Block => database.block(me.id, other.id, now).await?,
            FriendAction::Unblock => Ok(database.unblock(me.id, other.id).await?),
        };
        let step = match step {
            Ok(step) => step,
            Err(refused) => return Ok(Err(refused)),
        };
        if step.change == FriendChange::Accepted {
            // What the two said when they were friends before is not new.
            let (_, last) = self.log.bounds();
            database.mark_read(me.id, other.id, last).await?;
            database.mark_read(other.id, me.id, last).await?;
        }
        if step.was_friend {
            let pair = Pair::of(me.id, other.id);
            self.granted.friendships.end(&pair, RightEnd::Revoked);
        }
        if step.change != FriendChange::None {
            self.notify(me, other, &step).await?;
        }
        Ok(Ok(step.change))
    }

    /// Notifies the accounts that a change concerns how the other one stands to them now. If the two
    /// have become friends, their open streams follow the conversation from here on.
    async fn notify(
        &self,
        me: &Account,
        other: &Account,
        step: &FriendStep,
    ) -> Result<(), StoreError> {
        let are_friends = step.change == FriendChange::Accepted;
        let mut concerned = vec![(me, other)];
        if step.concerns_other {
            concerned.push((other, me));
        }
        if let Some(pushed_out) = &step.pushed_out {
            concerned.extend([(other, pushed_out), (pushed_out, other)]);
        }
        let mut drafts = Vec::with_capacity(2 * concerned.len());
        for (one, of) in concerned {
            let channel = account_channel(one.id);
            if are_friends {
                drafts.push(AccountEvent::ConversationAdded(of.id).draft(channel.clone()));
            }
            let standing = self.standing(one, of).await?;
            let friends = FriendsEvent {
                name: of.name.as_str().to_owned(),
                change: standing
                    .map_or("gone", |friend| friend.standing.as_str())
                    .to_owned(),
            };
            drafts.push(AccountEvent::Friends(friends).draft(channel));
        }
        self.log.append_all(drafts).await?;
        if are_friends {
            self.presence.introduce(me, other);
        }
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
            .filter(|friend| friend.standing == Standing::Friend)
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

    use super::super::database::testing::person;
    use super::super::testing::{abandon, chat, events_of};
    use super::super::{ChatFilter, ChatText};
    use super::*;
    use crate::budget::MemoryShare;
    use crate::drain::Drain;
    use crate::follow::{ChunkStream, Options};
    use crate::limits;
    use crate::log::Since;
    use crate::metrics::OpenStream;
    use crate::wire::{Encoder, Wire};

    /// A change that has begun is made and told also when the client that asked for it has left.
    #[tokio::test]
    async fn change_told_when_client_has_left() {
        let chat = chat();
        let zoe = person(&chat.database, "Zoë").await;
        let ben = person(&chat.database, "Ben").await;
        let session = Session::untabled;
        abandon(chat.act(&session(&zoe), &ben, FriendAction::Ask)).await;
        // The next change comes after it.
        let accepted = chat.act(&session(&ben), &zoe, FriendAction::Accept).await;
        let accepted = accepted.unwrap();
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
        let start = chat.log.start(&channels.into(), since).await;
        let filter = ChatFilter::all(me.id, false);
        let mut options = Options::new(Encoder::Ndjson, None);
        options.extras().filter = Some(Box::new(move |message| filter.apply(message)));
        let open = OpenStream::new(Arc::default(), Wire::Ndjson);
        let drain = Drain::new(Duration::ZERO);
        let memory = MemoryShare::alone(0);
        ChunkStream::new(&chat.log, start.unwrap(), drain, open, memory, options)
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
                let session = Session::untabled(one);
                chat.act(&session, of, action).await.unwrap().unwrap();
            }
            let session = Session::untabled(&other);
            chat.say(&session, "me", text, None).await.unwrap();
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
            let removed = chat.act(&session, &me, FriendAction::Remove).await;
            removed.unwrap().unwrap();
        }
        assert_eq!((texts, ends), (all, 1));
    }
}
