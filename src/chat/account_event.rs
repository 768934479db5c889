//! Events that concern one account, in a channel of its own: friendships, read positions, and what
//! its open streams have to know.

use serde::{Deserialize, Serialize};

use super::AccountId;
use crate::message::{Channel, Draft, EventName, Message};

/// An event of an account's channel; the SSE event's name tells which kind it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AccountEvent {
    /// `friends`: another account stands to this one in a new way.
    Friends(FriendsEvent),
    /// `read`: this account has read a conversation up to a position.
    Read(ReadEvent),
    /// `seen`: a friend has read the conversation with this account up to a position.
    Seen(ReadEvent),
    /// `hear`: this account and another are about to be friends, so the account's streams follow
    /// their conversation from here on. Followers do not see this event, and the name is kept because
    /// logs have it.
    ConversationAdded(AccountId),
    /// `ended`: a session of the account has ended. Earlier versions said so; the name is kept because
    /// logs have it, and followers do not see this event.
    SessionEnded,
}

/// The data of [`AccountEvent::Friends`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FriendsEvent {
    /// The name of the other account.
    pub(super) name: String,
    /// How the other account stands to this one: `friend`, `asked`, `asking`, `blocked`, or `gone`.
    pub(super) change: String,
}

/// The data of [`AccountEvent::Read`] and [`AccountEvent::Seen`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReadEvent {
    /// The name of the friend.
    pub(super) name: String,
    /// The cursor up to which the conversation has been read.
    pub(super) through: String,
}

impl AccountEvent {
    /// Parses a message of an account's channel; `None` if it is none of these events.
    pub(super) fn from_message(message: &Message) -> Option<AccountEvent> {
        let data = &*message.data;
        match message.event.as_str() {
            "friends" => serde_json::from_str(data).ok().map(AccountEvent::Friends),
            "read" => serde_json::from_str(data).ok().map(AccountEvent::Read),
            "seen" => serde_json::from_str(data).ok().map(AccountEvent::Seen),
            "hear" => data
                .parse()
                .ok()
                .map(|id| AccountEvent::ConversationAdded(AccountId(id))),
            "ended" => Some(AccountEvent::SessionEnded),
            _ => None,
        }
    }

    /// Returns the message that carries the event in a channel.
    pub(super) fn draft(&self, channel: Channel) -> Draft {
        let (event, data) = match self {
            AccountEvent::Friends(friends) => ("friends", serde_json::to_string(friends)),
            AccountEvent::Read(read) => ("read", serde_json::to_string(read)),
            AccountEvent::Seen(seen) => ("seen", serde_json::to_string(seen)),
            AccountEvent::ConversationAdded(id) => ("hear", Ok(id.0.to_string())),
            AccountEvent::SessionEnded => ("ended", Ok(String::new())),
        };
        Draft {
            event: EventName::of_server(event),
            ..Draft::new(channel, data.unwrap_or_default())
        }
    }
}

/// Returns the channel with the events of an account.
pub(super) fn account_channel(id: AccountId) -> Channel {
    Channel::of_server(&format!("chat.{id}"))
}
