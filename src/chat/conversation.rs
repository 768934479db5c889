//! Conversations: what two friends say to each other, in a channel of the server for each pair of
//! accounts.
//!
//! The log is append-only, so a chat message cannot be edited or deleted one by one: only retention
//! removes it, together with all that is as old. See the module documentation of [`chat`](super)
//! for the files that a deletion would involve.

use blake2::{Blake2b128, Digest};
use serde::{Deserialize, Serialize};

use super::account_event::{AccountEvent, ReadEvent, account_channel};
use super::{Account, AccountId, Chat, Friend};
use crate::limits;
use crate::log::{History, PageLimit, StoreError, Stored};
use crate::message::{Channel, Draft, IdempotencyKey, Message, Receipt, Seq};

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
        let said = ChatText {
            from: from.name.as_str().to_owned(),
            to: to.name.as_str().to_owned(),
            text: text.to_owned(),
        };
        let data = serde_json::to_string(&said).unwrap_or_default();
        // The sender's number is part of the key, since both accounts choose keys freely. So is the
        // text: a form to which the browser has gone back still has its old key, and a new text in it
        // is another message.
        let words = u128::from_be_bytes(Blake2b128::digest(text).into());
        let own = |key: IdempotencyKey| key.of(format_args!("{}.{words:x}", from.id));
        Draft {
            key: key.map(own),
            ..Draft::new(conversation_channel(from.id, to.id), data)
        }
    }
}

/// Returns the channel of the conversation between two accounts, in whatever order they are given.
/// It is theirs for ever, since the numbers of accounts are never used again.
pub(super) fn conversation_channel(a: AccountId, b: AccountId) -> Channel {
    Channel::of_server(&format!("chat.{}-{}", a.min(b), a.max(b)))
}

impl Chat {
    /// Says something to a friend. The sender has thereby read what the friend said before.
    ///
    /// # Errors
    /// When the message cannot be appended.
    pub async fn say(
        &self,
        me: &Account,
        friend: &Friend,
        text: &str,
        key: Option<IdempotencyKey>,
    ) -> Result<Receipt, StoreError> {
        let draft = ChatText::draft(me, &friend.account, text, key);
        let receipt = self.log.append(draft).await?;
        if let Err(error) = self.mark_read(me, &friend.account, receipt.seq).await {
            // The message is in the log: an error would have the client send it again.
            log::warn!("cannot mark a conversation as read: {error}");
        }
        Ok(receipt)
    }

    /// Moves my read position in the conversation with a friend forward to `seq`, and tells my open
    /// streams if it has moved. A position past the end of the log counts as the end.
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
            let read = ReadEvent {
                name: friend.name.as_str().to_owned(),
                through: self.log.cursor(seq).to_string(),
            };
            let draft = AccountEvent::Read(read).draft(account_channel(me.id));
            self.log.append(draft).await?;
        }
        Ok(())
    }

    /// Returns the last messages, at most `most`, that two accounts said to each other up to a
    /// position.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn history(
        &self,
        me: &Account,
        friend: &Account,
        through: Seq,
        most: usize,
    ) -> Result<History, StoreError> {
        let channel = conversation_channel(me.id, friend.id);
        self.log.up_to(&channel, through, most).await
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
        let (after, most) = (first.before(), limits::HISTORY_MESSAGES_DEFAULT + 1);
        self.log.visit(&channel, after, last, most, fit).await?;
        Ok(next)
    }

    /// Returns the channels of a stream of one conversation: that of my account, in which the end of
    /// my session is told, and that of the conversation.
    #[must_use]
    pub fn conversation_channels(me: &Account, friend: &Account) -> Vec<Channel> {
        vec![
            account_channel(me.id),
            conversation_channel(me.id, friend.id),
        ]
    }
}
