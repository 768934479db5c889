//! Idempotency keys, which make it safe to try an append again.

use std::fmt;

use super::{NameError, check_name};
use crate::limits;

/// An `Idempotency-Key`, 1 to 128 printable ASCII characters: a sender's name for an append, so
/// that a second try with the same key does not append the message again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// Returns the key that a sender gave.
    ///
    /// # Errors
    /// When the text is no key.
    pub fn new(text: &str) -> Result<IdempotencyKey, NameError> {
        let is_printable = |c: char| c.is_ascii_graphic() || c == ' ';
        check_name(
            text,
            limits::IDEMPOTENCY_KEY_BYTES_MAX,
            "printable ASCII",
            is_printable,
        )?;
        Ok(IdempotencyKey(text.into()))
    }

    /// Returns the key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the key with the sender's name in front, for a channel that several senders share:
    /// the same key of two senders is then two keys.
    pub(crate) fn of(&self, sender: impl fmt::Display) -> IdempotencyKey {
        IdempotencyKey(format!("{sender}.{}", self.0).into())
    }
}
