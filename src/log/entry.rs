//! A message of the tail with its encodings.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::message::{Epoch, Message};
use crate::wire::Wire;

/// A message and what it is on each wire: encoded when the first follower asks for it, and the
/// same bytes for all.
#[derive(Debug)]
pub struct Entry {
    message: Arc<Message>,
    encoded: [OnceLock<Bytes>; Wire::ALL.len()],
}

impl Entry {
    /// A message that nobody has asked for yet.
    #[must_use]
    pub fn new(message: Arc<Message>) -> Entry {
        Entry {
            message,
            encoded: Default::default(),
        }
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Its bytes on a wire.
    #[must_use]
    pub fn encoded(&self, wire: Wire, epoch: &Epoch) -> Bytes {
        self.encoded[wire.index()]
            .get_or_init(|| wire.message(&self.message, epoch))
            .clone()
    }
}
