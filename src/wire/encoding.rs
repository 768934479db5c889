//! How a message is written into a stream, and what streams have in common by it.

use bytes::Bytes;

use super::{html, json, ndjson, script, sse, text};
use crate::message::{Epoch, Message};

/// How messages are written: all streams of one encoding have the same bytes for a message, so that
/// they share them. Most transports have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The line of `text`.
    Text,
    /// The line of `text` with `color=1`.
    ColoredText,
    /// The element of `html`.
    Html,
    /// The argument of a call in `script`.
    Script,
    /// The event of `sse`.
    Sse,
    /// The object of `ndjson`, which `sse` has in it with `envelope=1`.
    Ndjson,
    /// The object of `json`.
    Json,
}

impl Encoding {
    /// The number of encodings, for tables with a slot for each.
    pub const COUNT: usize = Encoding::Json as usize + 1;

    /// The index of this encoding in tables with a slot for each.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Encodes a message, into the same bytes for every follower of this epoch's log.
    #[must_use]
    pub fn message(self, message: &Message, epoch: &Epoch) -> Bytes {
        match self {
            Encoding::Text => text::message(message),
            Encoding::ColoredText => text::colored_message(message),
            Encoding::Html => html::message(message, epoch),
            Encoding::Script => script::message(message, epoch),
            Encoding::Sse => sse::message(message, epoch),
            Encoding::Ndjson => ndjson::message(message, epoch),
            Encoding::Json => json::message(message, epoch),
        }
    }
}
