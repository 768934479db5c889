//! Conversations: what two friends say to each other, in a channel of the server for each pair of
//! accounts.
//!
//! The log is append-only, so a chat message cannot be edited or deleted one by one: only retention
//! removes it, together with all that is as old. See the module documentation of [`chat`](super)
//! for the files that a deletion would involve.

use std::time::Instant;

use blake2::{Blake2b128, Digest};
use serde::{Deserialize, Serialize};

use super::account_event::{AccountEvent, ReadEvent, account_channel};
use super::{Account, AccountId, Chat, Friend, LookupError, Session, SessionEnded};
use crate::limits;
use crate::log::{AppendError, History, PageLimit, StoreError, Stored};
use crate::message::{Channel, Draft, IdempotencyKey, Message, Receipt, Seq};
use crate::rate_limiter::RateLimited;
use crate::wire::to_json;

/// A chat message: the JSON data of the messages of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatText {
    /// The name of the sender.
    pub from: String,
    /// The name of the receiver.
    pub to: String,
    /// The text.
    pub text: String,
}

/// Why something cannot be said to a friend.
#[derive(Debug, thiserror::Error)]
pub enum SayError {
    /// The sender's session has ended.
    #[error(transparent)]
    SessionEnded(#[from] SessionEnded),
    /// The sender says too much at once.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// There is no such friend.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The message cannot be appended.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The tables cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChatText {
    /// Parses a message of a conversation; `None` if it is no chat message.
    #[must_use]
    pub fn from_message(message: &Message) -> Option<ChatText> {
        serde_json::from_str(&message.data).ok()
    }

    /// Whether the account is the sender.
    #[must_use]
    pub fn is_from(&self, account: &Account) -> bool {
        self.from == account.name.as_str()
    }

    /// Returns the message that carries a text from one account to another.
    fn draft(from: &Account, to: &Account, text: &str, key: Option<IdempotencyKey>) -> Draft {
        let message = ChatText {
            from: from.name.as_str().to_owned(),
            to: to.name.as_str().to_owned(),
            text: text.to_owned(),
        };
        let data = to_json(&message);
        // The sender's number is part of the key, since both accounts choose keys freely. So is the
        // text: a form to which the browser has gone back still has its old key, and a new text in it
        // is another message.
        let words = u128::from_be_bytes(Blake2b128::digest(text).into());
        let own = |key: IdempotencyKey| key.of(format_args!("{}.{words:x}", from.id));
        Draft::new(conversation_channel(from.id, to.id), data).keyed(key.map(own).as_ref())
    }
}

/// Returns the channel of the conversation between two accounts, in whatever order they are given.
/// It is theirs for ever, since the numbers of accounts are never used again.
pub(super) fn conversation_channel(a: AccountId, b: AccountId) -> Channel {
    Channel::of_server(&format!("chat.{}-{}", a.min(b), a.max(b)))
}

impl Chat {
    /// Says something to the friend with a name, in any spelling of it. The sender has thereby read what
    /// the friend said before. Nothing is said after the session or the friendship has ended: whoever
    /// ends them waits for what is being said.
    ///
    /// This costs one commit. Only where something of the friend's was unread, the sender's read
    /// position moves, too, and its other tabs are told.
    ///
    /// # Errors
    /// When the session has ended, the account says too much at once, there is no such friend, or the
    /// message cannot be appended.
    pub async fn say(
        &self,
        session: &Session,
        name: &str,
        text: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<(Friend, Receipt), SayError> {
        let me = &session.account;
        let _session = session.act().await?;
        self.social.charge_say(me.id, Instant::now())?;
        let (friend, right) = self.friend_named(me, name).await?;
        let no_friend = || LookupError::NoFriend(name.to_owned());
        let _friendship = right.act().await.ok_or_else(no_friend)?;
        let draft = ChatText::draft(me, &friend.account, text, key);
        let receipt = self.log.append_once(draft).await?;
        if let Err(error) = self.mark_read_before(me, &friend, receipt.seq).await {
            // The message is in the log: an error would have the client send it again.
            log::warn!("cannot mark a conversation as read: {error}");
        }
        Ok((friend, receipt))
    }

    /// Marks the conversation as read up to a message of mine, if something of the friend's before
    /// it was unread.
    async fn mark_read_before(
        &self,
        me: &Account,
        friend: &Friend,
        own: Seq,
    ) -> Result<(), StoreError> {
        // It is enough to look at the message before mine: if that is mine, too, then what came
        // before it was marked when I said that one, or could not be marked, which was logged.
        let last = self.history(me, &friend.account, own.before(), 1).await?;
        let is_unread = last.items.last().is_some_and(|item| match item {
            Stored::Message(message) => {
                message.seq > friend.read_through
                    && ChatText::from_message(message)
                        .is_some_and(|text| text.is_from(&friend.account))
            }
            Stored::Gap(_) | Stored::Close(_) => false,
        });
        if is_unread {
            self.mark_read(me, &friend.account, own).await?;
        }
        Ok(())
    }

    /// Moves my read position in the conversation with a friend forward to `seq`, and tells my open
    /// streams and the friend's if it has moved. A position past the end of the log counts as the end.
    ///
    /// # Errors
    /// When the store is not available.
    pub async fn mark_read(
        &self,
        me: &Account,
        friend: &Account,
        seq: Seq,
    ) -> Result<(), StoreError> {
        let (_, last) = self.log.bounds();
        let seq = seq.min(last);
        if self.database.mark_read(me.id, friend.id, seq).await? {
            let event = |of: &Account| ReadEvent {
                name: of.name.as_str().to_owned(),
                through: self.log.cursor(seq).to_string(),
            };
            let read = AccountEvent::Read(event(friend)).draft(account_channel(me.id));
            self.log.append(read).await?;
            let seen = AccountEvent::Seen(event(me)).draft(account_channel(friend.id));
            self.log.append(seen).await?;
        }
        Ok(())
    }

    /// Returns the last messages, at most `max`, that two accounts said to each other up to a
    /// position.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn history(
        &self,
        me: &Account,
        friend: &Account,
        through: Seq,
        max: usize,
    ) -> Result<History, StoreError> {
        let channel = conversation_channel(me.id, friend.id);
        self.log.history(&channel, through, max).await
    }

    /// Returns the position of the first message after a page of history that begins at `first`;
    /// `None` if there is none, because that page reaches the end of the conversation.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn next_page(
        &self,
        me: &Account,
        friend: &Account,
        first: Seq,
    ) -> Result<Option<Seq>, StoreError> {
        let (_, last) = self.log.bounds();
        let channel = conversation_channel(me.id, friend.id);
        let mut page = PageLimit::new(limits::HISTORY_MESSAGES_DEFAULT, limits::HISTORY_BYTES);
        let mut next = None;
        let fit = |item: Stored| {
            if next.is_none() && !page.try_take(item.bytes()) {
                next = Some(item.seq());
            }
        };
        let (after, max) = (first.before(), limits::HISTORY_MESSAGES_DEFAULT + 1);
        self.log.visit(&channel, after, last, max, fit).await?;
        Ok(next)
    }

    /// Returns the channel of the conversation with a friend.
    #[must_use]
    pub fn conversation_channel(me: &Account, friend: &Account) -> Channel {
        conversation_channel(me.id, friend.id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::database::testing::{befriend, friend, person};
    use super::super::testing::{chat, events_of};
    use super::*;

    /// Two friends who talk, and the number of entries that the log has got meanwhile.
    struct Talk {
        chat: Chat,
        zoe: Account,
        ben: Account,
        seq: u64,
    }

    impl Talk {
        async fn new() -> Talk {
            let chat = chat();
            let zoe = person(&chat.database, "Zoë").await;
            let ben = person(&chat.database, "Ben").await;
            befriend(&chat.database, &zoe, &ben).await;
            Talk {
                chat,
                zoe,
                ben,
                seq: 0,
            }
        }

        /// One says something; returns how many entries the log has got by that.
        async fn say(&mut self, from: &Account, to: &Account, text: &str) -> u64 {
            let session = Session::untabled(from);
            let said = self.chat.say(&session, to.name.as_str(), text, None).await;
            said.unwrap();
            let (_, Seq(last)) = self.chat.log.bounds();
            last - std::mem::replace(&mut self.seq, last)
        }

        async fn unread(&self, me: &Account) -> usize {
            let overview = self.chat.overview(me).await.unwrap();
            overview.friends[0].unread
        }

        async fn read_through(&self, me: &Account, of: &Account) -> Seq {
            friend(&self.chat.database, me, of).await.read_through
        }

        async fn seen_through(&self, me: &Account, of: &Account) -> Seq {
            friend(&self.chat.database, me, of).await.seen_through
        }
    }

    /// Saying something is one entry of the log if nothing was unread, and otherwise that and the
    /// events `read` and `seen`.
    #[tokio::test]
    async fn say_costs_one_commit_unless_something_was_unread() {
        let mut talk = Talk::new().await;
        let (zoe, ben) = (talk.zoe.clone(), talk.ben.clone());
        for _ in 0..3 {
            assert_eq!(talk.say(&zoe, &ben, "hello").await, 1);
        }
        assert_eq!(talk.read_through(&zoe, &ben).await, Seq::START);
        assert_eq!(talk.unread(&ben).await, 3);
        // Ben has not read what Zoë said; his answer says that he has.
        assert_eq!(talk.say(&ben, &zoe, "hi").await, 3);
        assert_eq!(talk.read_through(&ben, &zoe).await, Seq(4));
        assert_eq!(talk.seen_through(&zoe, &ben).await, Seq(4));
        assert_eq!((talk.unread(&ben).await, talk.unread(&zoe).await), (0, 1));
        assert_eq!(talk.say(&ben, &zoe, "how are you?").await, 1);
        // Zoë reads before she answers, as a page does that shows the conversation.
        talk.chat.mark_read(&zoe, &ben, Seq(7)).await.unwrap();
        talk.seq += 2;
        assert_eq!(talk.say(&zoe, &ben, "fine").await, 1);
        assert_eq!((talk.unread(&ben).await, talk.unread(&zoe).await), (1, 0));
        let event = |of: &str, seq| ReadEvent {
            name: of.to_owned(),
            through: talk.chat.log.cursor(Seq(seq)).to_string(),
        };
        let (read, seen) = (AccountEvent::Read, AccountEvent::Seen);
        let of_ben = [read(event("Zoë", 4)), seen(event("Zoë", 7))];
        assert_eq!(events_of(&talk.chat, &ben).await, of_ben);
        let of_zoe = [seen(event("Ben", 4)), read(event("Ben", 7))];
        assert_eq!(events_of(&talk.chat, &zoe).await, of_zoe);
    }

    /// A message that is sent again with its key marks nothing that was said since as read.
    #[tokio::test]
    async fn say_again_with_key_marks_nothing_later_as_read() {
        let mut talk = Talk::new().await;
        let (zoe, ben) = (talk.zoe.clone(), talk.ben.clone());
        let key = || Some(IdempotencyKey::new("1").unwrap());
        for duplicate in [false, true] {
            let session = Session::untabled(&zoe);
            let said = talk.chat.say(&session, "Ben", "hello", key()).await;
            let (_, receipt) = said.unwrap();
            assert_eq!(receipt.duplicate, duplicate);
            talk.say(&ben, &zoe, "hi").await;
        }
        assert_eq!(talk.unread(&zoe).await, 2);
        assert_eq!(talk.read_through(&zoe, &ben).await, Seq::START);
    }

    /// Own messages do not count as unread, however many of them stand after the read position, and
    /// do not hide what the friend said after them.
    #[tokio::test]
    async fn unread_counted_after_many_own_messages() {
        let mut talk = Talk::new().await;
        let (zoe, ben) = (talk.zoe.clone(), talk.ben.clone());
        assert_eq!(talk.say(&ben, &zoe, "read").await, 1);
        assert_eq!(talk.say(&zoe, &ben, "hello").await, 3);
        for _ in 0..limits::UNREAD_COUNTED_MAX * 2 {
            assert_eq!(talk.say(&zoe, &ben, "are you there?").await, 1);
        }
        assert_eq!(talk.unread(&zoe).await, 0);
        assert_eq!(talk.read_through(&zoe, &ben).await, Seq(2));
        assert_eq!(talk.say(&ben, &zoe, "yes").await, 3);
        assert_eq!((talk.unread(&zoe).await, talk.unread(&ben).await), (1, 0));
        for _ in 0..limits::UNREAD_COUNTED_MAX {
            assert_eq!(talk.say(&ben, &zoe, "what is it?").await, 1);
        }
        assert_eq!(talk.unread(&zoe).await, limits::UNREAD_COUNTED_MAX);
        assert_eq!(talk.say(&zoe, &ben, "nothing").await, 3);
        assert_eq!(talk.unread(&zoe).await, 0);
    }
}
