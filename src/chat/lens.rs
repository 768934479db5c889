//! What a follower of the chat sees.

use super::Session;
use super::conversation::{self, Said};
use super::news::{Friends, News};
use crate::follow::Sight;
use crate::message::Message;

/// Looks at the messages for one session.
#[derive(Debug)]
pub struct Lens {
    session: Session,
    /// Is it a person who reads, and not a program?
    reads: bool,
    /// Is it one conversation, without the news?
    only: bool,
}

impl Lens {
    /// All that concerns the session's account, for programs as it is, for people as sentences.
    #[must_use]
    pub fn all(session: Session, reads: bool) -> Lens {
        Lens {
            session,
            reads,
            only: false,
        }
    }

    /// One conversation, for people.
    #[must_use]
    pub fn conversation(session: Session) -> Lens {
        Lens {
            session,
            reads: true,
            only: true,
        }
    }

    /// What is seen of a message.
    #[must_use]
    pub fn look(&self, message: &Message) -> Sight {
        match News::read(message) {
            None => self.said(message),
            Some(News::Ended(session)) if session == self.session.id => Sight::End,
            Some(News::Ended(_)) => Sight::Nothing,
            Some(_) if self.only => Sight::Nothing,
            Some(News::Hear(other)) => {
                Sight::Also(conversation::channel([self.session.account.id, other]))
            }
            Some(News::Friends(friends)) if self.reads => Sight::Instead(sentence(&friends)),
            Some(News::Read(_)) if self.reads => Sight::Nothing,
            Some(News::Friends(_) | News::Read(_)) => Sight::Same,
        }
    }

    /// What is seen of what somebody says.
    fn said(&self, message: &Message) -> Sight {
        let Some(said) = Said::read(message).filter(|_| self.reads) else {
            return Sight::Same;
        };
        let Said { from, to, text } = said;
        Sight::Instead(if self.only {
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
