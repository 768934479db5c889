//! A mailbox's name, and the channels of the log that belong to it.

use std::fmt::Write;

use blake2::{Blake2b128, Digest};

use crate::limits;
use crate::message::{Channel, NameError, check_name, is_dots};

/// A mailbox's name: any text without control characters, at most
/// [`limits::MAILBOX_NAME_CHARS_MAX`] characters long. Names are compared exactly as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxName(Box<str>);

impl MailboxName {
    /// Checks a name that a client gave.
    ///
    /// # Errors
    /// When the text is empty, too long, a dot or two, or has a control character.
    pub fn new(text: &str) -> Result<MailboxName, NameError> {
        check_name(
            text,
            limits::MAILBOX_NAME_CHARS_MAX,
            "text without control characters",
            |c| !c.is_control(),
        )?;
        // A client that puts the name into a path would leave it out.
        if is_dots(text) {
            return Err(NameError::Dots);
        }
        Ok(MailboxName(text.into()))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the channel of the mailbox's letters. A name may be any text and a channel may not,
    /// so the channel has the name's hash; 128 bits, so that no two names share one by chance.
    pub(super) fn letters(&self) -> Channel {
        Channel::of_server(&format!("mailbox.{}", self.hash()))
    }

    /// Returns the channel of the mailbox's ack records, whose text is its
    /// [`AckState`](super::ack_state::AckState).
    pub(super) fn ack_records(&self) -> Channel {
        Channel::of_server(&format!("mailbox.{}.read", self.hash()))
    }

    /// Returns the name's hash as 32 hexadecimal digits.
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

    /// A name may be any text on one line that is not too long.
    #[test]
    fn mailbox_names_checked() {
        for good in ["Ada", "<b>x</b>", "你好 👋", " ", "a/b?c"] {
            let name = MailboxName::new(good).unwrap();
            assert_eq!(name.as_str(), good);
            assert!(name.ack_records().as_str().len() <= limits::NAME_BYTES_MAX);
            assert_ne!(name.letters(), name.ack_records());
        }
        assert_eq!(MailboxName::new(""), Err(NameError::Empty));
        for dots in [".", "..", "．．", "‥"] {
            assert_eq!(MailboxName::new(dots), Err(NameError::Dots));
        }
        assert!(matches!(
            MailboxName::new("a\nb"),
            Err(NameError::Character('\n', _))
        ));
        let long = "你".repeat(limits::MAILBOX_NAME_CHARS_MAX);
        assert!(MailboxName::new(&long).is_ok());
        assert!(matches!(
            MailboxName::new(&(long + "x")),
            Err(NameError::TooLong(..))
        ));
    }

    /// A name always has the same channel, and the case of its letters counts.
    #[test]
    fn channel_of_name_is_stable() {
        let letters = |name| MailboxName::new(name).unwrap().letters();
        assert_eq!(
            letters("Ada").as_str(),
            "~mailbox.4522719c829031ba33df0718ce66bc8e"
        );
        assert_ne!(letters("Ada"), letters("ada"));
    }
}
