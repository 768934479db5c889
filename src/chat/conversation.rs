//! A conversation: what two accounts say to each other, in a channel of the server.

use blake2::{Blake2b128, Digest};
use serde::{Deserialize, Serialize};

use super::{Account, AccountId};
use crate::message::{Channel, Draft, IdempotencyKey, Message};

/// What is said: the data of a conversation's messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatText {
    /// Whose words they are, by name.
    pub from: String,
    /// Who they are for.
    pub to: String,
    /// The words.
    pub text: String,
}

impl ChatText {
    /// What a message of a conversation says; `None` if it is none.
    #[must_use]
    pub fn read(message: &Message) -> Option<ChatText> {
        serde_json::from_str(&message.data).ok()
    }

    /// The message that says it.
    pub(super) fn draft(
        from: &Account,
        to: &Account,
        text: &str,
        key: Option<IdempotencyKey>,
    ) -> Draft {
        let said = ChatText {
            from: from.name.as_str().to_owned(),
            to: to.name.as_str().to_owned(),
            text: text.to_owned(),
        };
        let data = serde_json::to_string(&said).unwrap_or_default();
        // Of the two, each calls their messages as they like. And a page that is gone back to has
        // its key still, when other words are written in it: those are another message.
        let words = u128::from_be_bytes(Blake2b128::digest(text).into());
        let own = |key: IdempotencyKey| key.of(format_args!("{}.{words:x}", from.id));
        Draft {
            key: key.map(own),
            ..Draft::new(channel([from.id, to.id]), data)
        }
    }
}

/// The channel of two accounts. Numbers of accounts are never given again.
#[must_use]
pub fn channel([a, b]: [AccountId; 2]) -> Channel {
    Channel::of_server(&format!("chat.{}-{}", a.min(b), a.max(b)))
}
