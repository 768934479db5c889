//! A frame of messages that many readers share. Pure.

use crate::limits;
use crate::message::Seq;
use crate::wire::Chunk;

/// The next messages of one channel as the bytes that its followers of one encoding have in common.
///
/// It is the next write of every follower that stands after what comes before the frame, and before
/// the first message in it: nothing of the channel lies between. So a frame is read and joined once,
/// and written to all.
#[derive(Clone, Debug)]
pub struct SharedFrame {
    /// The position after which the frame was read.
    after: Seq,
    /// The first message in it.
    first: Seq,
    /// The position of a follower that has the frame.
    pub through: Seq,
    /// The number of messages in it.
    pub messages: u64,
    /// The bytes.
    pub chunk: Chunk,
}

impl SharedFrame {
    /// The frame of the first of these messages, as many as fit one write, each encoded by `encode`. They
    /// were read after `after`, and are everything up to `through`. `None` if there are none.
    #[must_use]
    pub fn join<'a, M: 'a>(
        messages: impl IntoIterator<Item = (Seq, &'a M)>,
        after: Seq,
        through: Seq,
        encode: impl Fn(&M) -> Chunk,
    ) -> Option<SharedFrame> {
        let mut messages = messages.into_iter().peekable();
        let (first, message) = messages.next()?;
        let mut frame = SharedFrame {
            after,
            first,
            through,
            messages: 1,
            chunk: encode(message),
        };
        if messages.peek().is_none() {
            return Some(frame);
        }
        let mut joined = Vec::from(frame.chunk.data());
        for (seq, message) in messages {
            let bytes = encode(message).data();
            if joined.len() + bytes.len() > limits::FRAME_BYTES {
                frame.through = seq.before();
                break;
            }
            joined.extend_from_slice(&bytes);
            frame.messages += 1;
        }
        frame.chunk = Chunk::new(&joined);
        Some(frame)
    }

    /// Whether the frame is the next write of a follower that stands at this position.
    #[must_use]
    pub fn comes_after(&self, at: Seq) -> bool {
        self.after <= at && at < self.first
    }
}
