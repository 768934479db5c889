//! The answer that a receiver gets, and the delivery that it carries.

use std::fmt;
use std::sync::Arc;

use super::deliveries::InFlight;
use super::expired::Missed;
use super::{Mailbox, ack_writer};
use crate::message::{Cursor, Message};

/// The answer to a receiver that asked for a letter.
#[derive(Debug)]
pub struct Answer {
    /// The letter; `None` if there was none in the time given.
    pub letter: Option<Letter>,
    /// The number of letters that expired before a receiver acknowledged them, if any did.
    pub missed: Option<Missed>,
    /// The delivery that this answer carries, to be acknowledged when the answer has arrived;
    /// `None` if the answer has neither a letter nor a number of missed letters.
    pub delivery: Option<Delivery>,
}

/// A letter: a message of a mailbox.
#[derive(Debug, PartialEq, Eq)]
pub struct Letter {
    /// The mailbox name that the sender gave as its own.
    pub from: Box<str>,
    /// The text of the letter.
    pub text: Box<str>,
    /// The letter's id, which no other letter of any mailbox ever has.
    pub id: Cursor,
}

impl Letter {
    /// Returns a letter's text in the log: the sender's name on a line, then the text.
    pub(super) fn encode(from: &str, text: &str) -> String {
        format!("{from}\n{text}")
    }

    /// Reads a letter from a message whose text [`Letter::encode`] made.
    pub(super) fn decode(message: &Message, id: Cursor) -> Letter {
        let (from, text) = message.data.split_once('\n').unwrap_or(("", &message.data));
        Letter {
            from: from.into(),
            text: text.into(),
            id,
        }
    }
}

/// An answer's content on its way to a receiver.
///
/// A delivery ends in one of two ways. [`Delivery::acknowledge`] says that the answer has arrived.
/// Dropping the delivery says that it has not, or that nothing is known: the letter returns to the
/// mailbox, and goes to the next receiver that asks.
pub struct Delivery {
    mailbox: Arc<Mailbox>,
    /// Taken by the first of `acknowledge` and `drop`.
    payload: Option<Payload>,
}

/// What a delivery carries.
#[derive(Debug)]
enum Payload {
    /// A letter, with the number of missed letters if there is one.
    Letter(InFlight),
    /// Only a number of missed letters.
    Missed(Missed),
}

impl Delivery {
    /// A delivery of a letter that has just been put in flight.
    pub(super) fn letter(mailbox: &Arc<Mailbox>, in_flight: InFlight) -> Delivery {
        Delivery::new(mailbox, Payload::Letter(in_flight))
    }

    /// A delivery of no letter, but of the number of missed letters.
    pub(super) fn missed(mailbox: &Arc<Mailbox>, missed: Missed) -> Delivery {
        Delivery::new(mailbox, Payload::Missed(missed))
    }

    fn new(mailbox: &Arc<Mailbox>, payload: Payload) -> Delivery {
        Delivery {
            mailbox: Arc::clone(mailbox),
            payload: Some(payload),
        }
    }

    /// Whether this delivers a letter that has returned before. False if that was long ago: only the
    /// last [`MAILBOX_RETURNED_MAX`](crate::limits::MAILBOX_RETURNED_MAX) letters are remembered.
    #[must_use]
    pub fn is_redelivery(&self) -> bool {
        let returned = &self.mailbox.registry.returned;
        matches!(&self.payload, Some(Payload::Letter(letter)) if returned.contains(letter.seq))
    }

    /// Acknowledges the delivery: its answer has arrived.
    pub fn acknowledge(mut self) {
        match self.payload.take() {
            Some(Payload::Letter(in_flight)) => {
                self.mailbox.acknowledge_with(in_flight.seq, |deliveries| {
                    deliveries.acknowledge_delivery(in_flight)
                });
            }
            Some(Payload::Missed(_)) => ack_writer::record(&self.mailbox),
            None => {}
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        match self.payload.take() {
            Some(Payload::Letter(in_flight)) => self.mailbox.return_to_queue(in_flight),
            Some(Payload::Missed(missed)) => self.mailbox.deliveries.lock().add_missed(missed),
            None => {}
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Delivery").field(&self.payload).finish()
    }
}
