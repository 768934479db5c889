//! The entry that closes a channel.

use super::{Channel, Seq};

/// A close that is in force: nothing was appended to the channel after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The channel.
    pub channel: Channel,
    /// The position of the channel's last entry: of the message that the close is a mark on, or its own.
    pub seq: Seq,
}

/// Whether a draft closes its channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    /// The draft is a message, and the channel is open after it.
    #[default]
    No,
    /// The draft is a message, and a mark on it closes the channel.
    WithMessage,
    /// The draft has no message. The close is an entry of its own, with a seq.
    Alone,
}

impl Closing {
    /// The closing of a message that closes its channel, or does not.
    #[must_use]
    pub fn by_message(closes: bool) -> Closing {
        if closes {
            Closing::WithMessage
        } else {
            Closing::No
        }
    }

    /// What a hash has of it after the text. No text, which is UTF-8, has these bytes in it.
    pub(super) fn hashed(self) -> &'static [u8] {
        match self {
            Closing::No => &[],
            Closing::WithMessage => &[0xff],
            Closing::Alone => &[0xfe],
        }
    }
}
