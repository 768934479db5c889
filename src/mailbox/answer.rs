//! What somebody who asked is given, and what becomes of it.

use std::fmt;
use std::sync::Arc;

use super::deliveries::InFlight;
use super::missed::Missed;
use super::{Mailbox, ack_writer};
use crate::message::{Cursor, Message};

/// An answer to who asked for a letter.
#[derive(Debug)]
pub struct Answer {
    /// The letter, unless there was none in the time given.
    pub letter: Option<Letter>,
    /// What was let go of before anybody had it.
    pub missed: Option<Missed>,
    /// To be told what becomes of it; `None` if it says nothing that could be lost.
    pub handed: Option<Delivery>,
}

/// A message of a mailbox.
#[derive(Debug, PartialEq, Eq)]
pub struct Letter {
    /// Who sent it.
    pub from: Box<str>,
    /// What it says.
    pub text: Box<str>,
    /// Its name, which no other letter of any mailbox ever has.
    pub id: Cursor,
}

impl Letter {
    /// A letter as it stands in the log: the sender's name, which is a line, then the text.
    pub(super) fn data(from: &str, text: &str) -> String {
        format!("{from}\n{text}")
    }

    /// Reads what [`Letter::data`] made.
    pub(super) fn read(message: &Message, id: Cursor) -> Letter {
        let (from, text) = message.data.split_once('\n').unwrap_or(("", &message.data));
        Letter {
            from: from.into(),
            text: text.into(),
            id,
        }
    }
}

/// An answer on its way. Dropped, it has not come: its letter goes to the next who asks.
pub struct Delivery {
    mailbox: Arc<Mailbox>,
    what: Option<Payload>,
}

#[derive(Debug)]
enum Payload {
    Letter(InFlight),
    Missed(Missed),
}

impl Delivery {
    pub(super) fn letter(mailbox: &Arc<Mailbox>, out: InFlight) -> Delivery {
        let (mailbox, what) = (Arc::clone(mailbox), Some(Payload::Letter(out)));
        Delivery { mailbox, what }
    }

    pub(super) fn missed(mailbox: &Arc<Mailbox>, missed: Missed) -> Delivery {
        let (mailbox, what) = (Arc::clone(mailbox), Some(Payload::Missed(missed)));
        Delivery { mailbox, what }
    }

    /// It has come.
    pub fn received(mut self) {
        match self.what.take() {
            Some(Payload::Letter(out)) => drop(self.mailbox.receipt(|book| book.receive(out))),
            Some(Payload::Missed(_)) => ack_writer::note(&self.mailbox),
            None => {}
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        match self.what.take() {
            Some(Payload::Letter(out)) => self.mailbox.give_back(out),
            Some(Payload::Missed(missed)) => self.mailbox.book.lock().miss(missed),
            None => {}
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handed").field(&self.what).finish()
    }
}
