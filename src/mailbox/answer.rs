//! What somebody who asked is given, and what becomes of it.

use std::fmt;
use std::sync::Arc;

use super::book::Out;
use super::missed::Missed;
use super::{Mailbox, write};
use crate::message::{Cursor, Message};

/// An answer to who asked for a letter.
#[derive(Debug)]
pub struct Answer {
    /// The letter, unless there was none in the time given.
    pub letter: Option<Letter>,
    /// What was let go of before anybody had it.
    pub missed: Option<Missed>,
    /// To be told what becomes of it; `None` if it says nothing that could be lost.
    pub handed: Option<Handed>,
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
pub struct Handed {
    mailbox: Arc<Mailbox>,
    what: Option<What>,
}

#[derive(Debug)]
enum What {
    Letter(Out),
    Missed(Missed),
}

impl Handed {
    pub(super) fn letter(mailbox: &Arc<Mailbox>, out: Out) -> Handed {
        let (mailbox, what) = (Arc::clone(mailbox), Some(What::Letter(out)));
        Handed { mailbox, what }
    }

    pub(super) fn missed(mailbox: &Arc<Mailbox>, missed: Missed) -> Handed {
        let (mailbox, what) = (Arc::clone(mailbox), Some(What::Missed(missed)));
        Handed { mailbox, what }
    }

    /// It has come.
    pub fn received(mut self) {
        match self.what.take() {
            Some(What::Letter(out)) => drop(self.mailbox.receipt(|book| book.receive(out))),
            Some(What::Missed(_)) => write::note(&self.mailbox),
            None => {}
        }
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        match self.what.take() {
            Some(What::Letter(out)) => self.mailbox.give_back(out),
            Some(What::Missed(missed)) => self.mailbox.book.lock().miss(missed),
            None => {}
        }
    }
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handed").field(&self.what).finish()
    }
}
