//! What a stream has for its socket, and what is kept of it for a client that does not read.

use std::hash::{DefaultHasher, Hasher};

use bytes::{Buf, Bytes};

use crate::budget::Reservation;
use crate::follow::ServedFollower;
use crate::limits;
use crate::wire::Chunk;

/// The bytes that the socket has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// What is to be written next.
    bytes: Bytes,
    /// Boxed, because most streams are idle and have neither.
    held: Option<Box<Held>>,
}

/// How a chunk is kept that the socket does not take.
#[derive(Debug)]
enum Held {
    /// It stays in memory.
    Memory { _reservation: Reservation },
    /// It is made again.
    Withheld(WithheldChunk),
}

/// A chunk of which the stream keeps the cursor only.
#[derive(Debug)]
struct WithheldChunk {
    /// The size of the whole chunk, with its framing.
    size: usize,
    /// How much of it is left after the bytes that are kept.
    left: usize,
    /// The hash of what is left.
    hash: u64,
}

/// The chunk that was made again is another than before.
#[derive(Debug, thiserror::Error)]
#[error("the log does not have the messages any more of which a part had been sent")]
pub(super) struct Mismatch;

impl Unsent {
    /// A chunk is to be written. What was before it has been.
    pub(super) fn set(&mut self, bytes: Bytes) {
        self.bytes = bytes;
    }

    /// The bytes to be written next.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The socket has taken so many bytes.
    pub(super) fn advance(&mut self, written: usize) {
        self.bytes.advance(written);
    }

    /// All bytes that were here have been written. They are not kept, because they may be one of many
    /// handles that keep a message in memory. Returns whether the rest of the chunk is to be made.
    pub(super) fn is_withheld(&mut self) -> bool {
        self.bytes = Bytes::new();
        if matches!(self.held.as_deref(), Some(Held::Memory { .. })) {
            self.held = None;
        }
        self.held.is_some()
    }

    /// The socket takes nothing at this moment. What is left of a large chunk is kept if there is
    /// memory for it; otherwise the stream goes back to its cursor, and the chunk is made again when
    /// the client reads on. `size` is that of the whole chunk.
    pub(super) fn on_blocked(&mut self, follower: &mut ServedFollower, size: usize) {
        if self.bytes.len() <= limits::SMALL_ANSWER_BYTES || self.held.is_some() {
            return;
        }
        if let Some(reservation) = follower.memory().try_reserve(self.bytes.len()) {
            self.held = Some(Box::new(Held::Memory {
                _reservation: reservation,
            }));
        } else if follower.undo(true) {
            let (piece, rest) = self.bytes.split_at(limits::UNSENT_PIECE_BYTES);
            self.held = Some(Box::new(Held::Withheld(WithheldChunk {
                size,
                left: rest.len(),
                hash: hash(rest),
            })));
            self.bytes = Bytes::copy_from_slice(piece);
        }
    }

    /// Goes on with a chunk that has been made again.
    pub(super) fn resume(&mut self, chunk: Chunk) -> Result<(), Mismatch> {
        let Some(Held::Withheld(withheld)) = self.held.take().map(|held| *held) else {
            return Err(Mismatch);
        };
        let mut bytes = chunk.into_framed();
        if bytes.len() != withheld.size {
            return Err(Mismatch);
        }
        bytes.advance(withheld.size - withheld.left);
        if hash(&bytes) != withheld.hash {
            return Err(Mismatch);
        }
        self.bytes = bytes;
        Ok(())
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
