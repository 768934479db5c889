//! What makes it safe to try an append again.

use std::fmt;

use super::NameError;
use crate::limits;

/// What a sender calls an append, so that to try again is not to append again:
/// `Idempotency-Key`, 1 to 128 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// A key given by a sender.
    ///
    /// # Errors
    /// When the text is no key.
    pub fn new(text: &str) -> Result<IdempotencyKey, NameError> {
        let printable = |c: char| c.is_ascii_graphic() || c == ' ';
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(c) = text.chars().find(|&c| !printable(c)) {
            return Err(NameError::Character(c, "printable ASCII"));
        }
        if text.len() > limits::IDEMPOTENCY_KEY_BYTES {
            return Err(NameError::TooLong(
                text.len(),
                limits::IDEMPOTENCY_KEY_BYTES,
            ));
        }
        Ok(IdempotencyKey(text.into()))
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The sender's own, where several share a channel: the same key of another is another.
    pub(crate) fn of(&self, sender: impl fmt::Display) -> IdempotencyKey {
        IdempotencyKey(format!("{sender}.{}", self.0).into())
    }
}
