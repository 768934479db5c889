//! What concerns one account beside its conversations, in a channel of its own.

use serde::{Deserialize, Serialize};

use super::{AccountId, SessionId};
use crate::message::{Channel, Draft, EventName, Message};

/// Something new; each kind is an event of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AccountEvent {
    /// `friends`: how somebody stands to them now.
    Friends(Friends),
    /// `read`: they have read a conversation up to a place.
    Read(Read),
    /// `hear`: whatever these two will say concerns them. Only streams hear this.
    Hear(AccountId),
    /// `ended`: a session is over, and so are its streams. Only streams hear this.
    Ended(SessionId),
}

/// See [`AccountEvent::Friends`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Friends {
    /// The other's name.
    pub(super) name: String,
    /// How they stand: `friend`, `asked`, `asking`, or `gone`.
    pub(super) change: String,
}

/// See [`AccountEvent::Read`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Read {
    /// The friend.
    pub(super) name: String,
    /// The cursor of the last message that has been read.
    pub(super) through: String,
}

impl AccountEvent {
    /// What a message of the channel says; `None` if it is of no kind that is known.
    pub(super) fn read(message: &Message) -> Option<AccountEvent> {
        let data = &*message.data;
        match message.event.as_str() {
            "friends" => serde_json::from_str(data).ok().map(AccountEvent::Friends),
            "read" => serde_json::from_str(data).ok().map(AccountEvent::Read),
            "hear" => data
                .parse()
                .ok()
                .map(|id| AccountEvent::Hear(AccountId(id))),
            "ended" => data
                .parse()
                .ok()
                .map(|id| AccountEvent::Ended(SessionId(id))),
            _ => None,
        }
    }

    /// The message, in a channel.
    pub(super) fn draft(&self, channel: Channel) -> Draft {
        let (event, data) = match self {
            AccountEvent::Friends(friends) => ("friends", serde_json::to_string(friends)),
            AccountEvent::Read(read) => ("read", serde_json::to_string(read)),
            AccountEvent::Hear(id) => ("hear", Ok(id.0.to_string())),
            AccountEvent::Ended(id) => ("ended", Ok(id.0.to_string())),
        };
        Draft {
            event: EventName::of_server(event),
            ..Draft::new(channel, data.unwrap_or_default())
        }
    }
}

/// The channel of an account.
#[must_use]
pub fn channel(id: AccountId) -> Channel {
    Channel::of_server(&format!("chat.{id}"))
}
