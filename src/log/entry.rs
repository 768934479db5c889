//! A message together with its encodings.

use std::sync::{Arc, OnceLock};

use crate::message::{Epoch, Message};
use crate::wire::{Chunk, Encoding};

/// A message and its bytes in each encoding. A message is encoded when the first follower asks for
/// it; all followers that have this entry share the bytes.
#[derive(Debug)]
pub struct Entry {
    message: Arc<Message>,
    /// A slot for each encoding, once there is any: most lines of an upload have no follower.
    encoded: OnceLock<Box<[OnceLock<Chunk>; Encoding::COUNT]>>,
}

impl Entry {
    /// Returns the entry of a message, not encoded yet.
    #[must_use]
    pub fn new(message: Arc<Message>) -> Entry {
        Entry {
            message,
            encoded: OnceLock::new(),
        }
    }

    /// Returns the entry of a message, not encoded yet, to be shared by its followers.
    pub(super) fn shared(message: &Arc<Message>) -> Arc<Entry> {
        Arc::new(Entry::new(Arc::clone(message)))
    }

    /// Returns the message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Returns a handle on the message.
    pub(super) fn shared_message(&self) -> Arc<Message> {
        Arc::clone(&self.message)
    }

    /// Returns the message's bytes in an encoding.
    #[must_use]
    pub fn encoded(&self, encoding: Encoding, epoch: &Epoch) -> &Chunk {
        self.encoded.get_or_init(Box::default)[encoding.index()]
            .get_or_init(|| Chunk::new(&encoding.message(&self.message, epoch)))
    }
}
