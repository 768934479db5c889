//! A message of the tail with its encodings.

use std::sync::{Arc, OnceLock};

use crate::message::{Epoch, Message};
use crate::wire::{Chunk, Wire};

/// A message and what it is on each wire: encoded when the first follower asks for it, and the
/// same bytes for all.
#[derive(Debug)]
pub struct Entry {
    message: Arc<Message>,
    encoded: [OnceLock<Chunk>; Wire::ALL.len()],
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

    /// The same, for all who will follow it.
    pub(super) fn shared(message: &Arc<Message>) -> Arc<Entry> {
        Arc::new(Entry::new(Arc::clone(message)))
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// What it is on a wire.
    #[must_use]
    pub fn encoded(&self, wire: Wire, epoch: &Epoch) -> &Chunk {
        self.encoded[wire.index()].get_or_init(|| Chunk::new(&wire.message(&self.message, epoch)))
    }
}
