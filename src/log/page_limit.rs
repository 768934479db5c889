//! The limit on what one read may return.

/// A limit on a read: a number of messages, and a number of bytes of their text. The first message
/// always fits, so that a read makes progress.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    messages: usize,
    bytes: usize,
    is_untouched: bool,
}

impl PageLimit {
    /// Returns a limit of `messages` messages with `bytes` bytes of text in all.
    #[must_use]
    pub const fn new(messages: usize, bytes: usize) -> PageLimit {
        PageLimit {
            messages,
            bytes,
            is_untouched: true,
        }
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
