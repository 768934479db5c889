//! What a follower of the chat sees.

use super::Session;
use super::account_event::{AccountEvent, Friends};
use super::conversation::{self, ChatText};
use crate::follow::FilterAction;
use crate::message::Message;

/// Looks at the messages for one session.
#[derive(Debug)]
pub struct ChatFilter {
    session: Session,
    /// Is it a person who reads, and not a program?
    reads: bool,
    /// Is it one conversation, without the news?
    only: bool,
}

impl ChatFilter {
    /// All that concerns the session's account, for programs as it is, for people as sentences.
    #[must_use]
    pub fn all(session: Session, reads: bool) -> ChatFilter {
        ChatFilter {
            session,
            reads,
            only: false,
        }
    }

    /// One conversation, for people.
    #[must_use]
    pub fn conversation(session: Session) -> ChatFilter {
        ChatFilter {
            session,
            reads: true,
            only: true,
        }
    }

    /// What is seen of a message.
    #[must_use]
    pub fn look(&self, message: &Message) -> FilterAction {
        match AccountEvent::read(message) {
            None => self.said(message),
            Some(AccountEvent::Ended(session)) if session == self.session.id => FilterAction::End,
            Some(AccountEvent::Ended(_)) => FilterAction::Skip,
            Some(_) if self.only => FilterAction::Skip,
            Some(AccountEvent::Hear(other)) => {
                FilterAction::Subscribe(conversation::channel([self.session.account.id, other]))
            }
            Some(AccountEvent::Friends(friends)) if self.reads => {
                FilterAction::Replace(sentence(&friends))
            }
            Some(AccountEvent::Read(_)) if self.reads => FilterAction::Skip,
            Some(AccountEvent::Friends(_) | AccountEvent::Read(_)) => FilterAction::Keep,
        }
    }

    /// What is seen of what somebody says.
    fn said(&self, message: &Message) -> FilterAction {
        let Some(said) = ChatText::read(message).filter(|_| self.reads) else {
            return FilterAction::Keep;
        };
        let ChatText { from, to, text } = said;
        FilterAction::Replace(if self.only {
            format!("{from}: {text}")
        } else {
            format!("{from} → {to}: {text}")
        })
    }
}

/// News of somebody, as one reads it.
fn sentence(friends: &Friends) -> String {
    let name = &friends.name;
    match &*friends.change {
        "asked" => format!("You have asked {name} to be your friend."),
        "asking" => format!("{name} asks to be your friend."),
        "friend" => format!("{name} and you are friends."),
        _ => format!("{name} and you are not friends."),
    }
}
