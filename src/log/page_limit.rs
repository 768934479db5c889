//! The limit on what one read may return.

use crate::limits;
use crate::message::Seq;
use crate::wire::Encoding;

/// A limit on a read: a number of messages, and a number of bytes of their text. The first message
/// always fits, so that a read makes progress.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    messages: usize,
    bytes: usize,
    is_untouched: bool,
    /// Whether the messages may come as bytes that other readers share.
    pub share: Option<Share>,
}

/// What a reader takes as bytes that it shares with others ([`SharedFrame`](super::SharedFrame)).
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// The encoding of the bytes.
    pub encoding: Encoding,
    /// The reader has something to say of its own when it has come here, so the bytes end before.
    pub before: Seq,
}

impl PageLimit {
    /// Returns a limit of `messages` messages with `bytes` bytes of text in all.
    #[must_use]
    pub const fn new(messages: usize, bytes: usize) -> PageLimit {
        PageLimit {
            messages,
            bytes,
            is_untouched: true,
            share: None,
        }
    }

    /// Whether the limit is that of one write, as of all readers that do not ask for less.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.messages == limits::FRAME_MESSAGES && self.bytes == limits::FRAME_BYTES
    }

    /// Counts a message with `bytes` of text against the limit. Returns false, and counts nothing,
    /// if the message does not fit.
    #[must_use]
    pub fn try_take(&mut self, bytes: usize) -> bool {
        let fits = self.messages > 0 && (self.is_untouched || bytes <= self.bytes);
        if fits {
            self.messages -= 1;
            self.bytes = self.bytes.saturating_sub(bytes);
            self.is_untouched = false;
        }
        fits
    }
}
