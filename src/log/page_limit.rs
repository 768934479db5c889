//! How much one read may carry.

/// A number of messages and of bytes. The first message always fits, so that a read makes progress.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    messages: usize,
    bytes: usize,
    empty: bool,
}

impl PageLimit {
    /// Room for so many messages with so many bytes of text in all.
    #[must_use]
    pub const fn new(messages: usize, bytes: usize) -> PageLimit {
        PageLimit {
            messages,
            bytes,
            empty: true,
        }
    }

    /// Takes room for a message with `bytes` of text; false if there is none.
    #[must_use]
    pub fn try_take(&mut self, bytes: usize) -> bool {
        let fits = self.messages > 0 && (self.empty || bytes <= self.bytes);
        if fits {
            self.messages -= 1;
            self.bytes = self.bytes.saturating_sub(bytes);
            self.empty = false;
        }
        fits
    }
}
