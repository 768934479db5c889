//! What a follower of a chat stream sees of each message.

use super::AccountId;
use super::account_event::{AccountEvent, FriendsEvent};
use super::conversation::{ChatText, conversation_channel};
use crate::follow::FilterAction;
use crate::message::Message;

/// The filter of a chat stream: it adds the conversations of new friends, and turns messages into
/// sentences where a person reads them.
#[derive(Debug)]
pub struct ChatFilter {
    me: AccountId,
    /// Whether messages are shown as sentences, to a person, and not as JSON, to a program.
    renders: bool,
    /// Whether the stream is of a single conversation, without the account's events.
    is_single: bool,
}

impl ChatFilter {
    /// A filter for a stream of all that concerns an account. With `renders`, messages
    /// are shown as sentences for people; otherwise they stay JSON for programs.
    #[must_use]
    pub fn all(me: AccountId, renders: bool) -> ChatFilter {
        ChatFilter {
            me,
            renders,
            is_single: false,
        }
    }

    /// A filter for a stream of one conversation, shown as sentences for people.
    #[must_use]
    pub fn conversation(me: AccountId) -> ChatFilter {
        ChatFilter {
            me,
            renders: true,
            is_single: true,
        }
    }

    /// Decides what the follower sees of a message.
    #[must_use]
    pub fn apply(&self, message: &Message) -> FilterAction {
        match AccountEvent::from_message(message) {
            None => self.apply_to_text(message),
            Some(AccountEvent::SessionEnded) => FilterAction::Skip,
            Some(_) if self.is_single => FilterAction::Skip,
            Some(AccountEvent::ConversationAdded(other)) => {
                FilterAction::Subscribe(conversation_channel(self.me, other))
            }
            Some(AccountEvent::Friends(friends)) if self.renders => {
                FilterAction::Replace(render_friends(&friends))
            }
            Some(AccountEvent::Read(_) | AccountEvent::Seen(_)) if self.renders => {
                FilterAction::Skip
            }
            Some(AccountEvent::Friends(_) | AccountEvent::Read(_) | AccountEvent::Seen(_)) => {
                FilterAction::Keep
            }
        }
    }

    /// Decides what the follower sees of a chat message.
    fn apply_to_text(&self, message: &Message) -> FilterAction {
        let Some(text) = ChatText::from_message(message).filter(|_| self.renders) else {
            return FilterAction::Keep;
        };
        let ChatText { from, to, text } = text;
        FilterAction::Replace(if self.is_single {
            format!("{from}: {text}")
        } else {
            format!("{from} → {to}: {text}")
        })
    }
}

/// Renders a change between the account and another as a sentence.
fn render_friends(friends: &FriendsEvent) -> String {
    let name = &friends.name;
    match &*friends.change {
        "asked" => format!("You have asked {name} to be your friend."),
        "asking" => format!("{name} asks to be your friend."),
        "friend" => format!("{name} and you are friends."),
        "blocked" => format!("You have blocked {name}."),
        _ => format!("{name} and you are not friends."),
    }
}
