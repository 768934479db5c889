//! A mailbox's name, and where in the log its letters are.

use std::fmt::Write;

use blake2::{Blake2b128, Digest};

use crate::limits;
use crate::message::{Channel, NameError};

/// Whose mailbox it is: any text without control characters, taken as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxName(Box<str>);

impl MailboxName {
    /// A name given by somebody outside.
    ///
    /// # Errors
    /// When the text is no name.
    pub fn new(text: &str) -> Result<MailboxName, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            return Err(NameError::Character(c, "text without control characters"));
        }
        let count = text.chars().count();
        if count > limits::MAILBOX_NAME_CHARS {
            return Err(NameError::TooLong(count, limits::MAILBOX_NAME_CHARS));
        }
        Ok(MailboxName(text.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The channel of its letters. Names are any text and channels are not, so it has the name's
    /// hash; 128 bits, so that nobody finds two names that share one by chance.
    pub(super) fn letters(&self) -> Channel {
        Channel::of_server(&format!("mailbox.{}", self.hash()))
    }

    /// The channel of its notes ([`AckState`](super::ack_state::AckState)).
    pub(super) fn notes(&self) -> Channel {
        Channel::of_server(&format!("mailbox.{}.read", self.hash()))
    }

    fn hash(&self) -> String {
        let mut hex = String::with_capacity(32);
        for byte in Blake2b128::digest(self.0.as_bytes()) {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_any_text_that_is_a_line() {
        for good in ["Ada", "<b>x</b>", "你好 👋", " ", "a/b?c"] {
            let name = MailboxName::new(good).unwrap();
            assert_eq!(name.as_str(), good);
            assert!(name.notes().as_str().len() <= limits::NAME_BYTES);
            assert_ne!(name.letters(), name.notes());
        }
        assert_eq!(MailboxName::new(""), Err(NameError::Empty));
        assert!(matches!(
            MailboxName::new("a\nb"),
            Err(NameError::Character('\n', _))
        ));
        let long = "你".repeat(limits::MAILBOX_NAME_CHARS);
        assert!(MailboxName::new(&long).is_ok());
        assert!(matches!(
            MailboxName::new(&(long + "x")),
            Err(NameError::TooLong(..))
        ));
    }

    #[test]
    fn a_name_is_always_the_same_channel() {
        let letters = |name| MailboxName::new(name).unwrap().letters();
        assert_eq!(
            letters("Ada").as_str(),
            "~mailbox.4522719c829031ba33df0718ce66bc8e"
        );
        assert_ne!(letters("Ada"), letters("ada"));
    }
}
