//! Idempotency keys as the log remembers them.

use std::num::NonZeroU64;

use blake2::{Blake2b128, Digest};

use super::{Closing, Draft, IdempotencyKey, LineKey};

/// An [`IdempotencyKey`] together with the append that it came with, as hashes: whatever their length,
/// a remembered key costs the same few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendKey {
    /// The hash of the key and its channel: in another channel it is another key. It is long enough
    /// that no two keys will ever have the same.
    pub id: [u8; 16],
    /// The hash of the event name and the text: an append with the same key and another hash is
    /// another message, not a second try.
    pub content: NonZeroU64,
}

/// The key of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DraftKey {
    /// The draft is the one message of its key.
    Message(AppendKey),
    /// The draft is a line of an upload, all of whose lines share the key.
    Line(LineKey),
}

impl DraftKey {
    /// Returns the hash of the key and its channel.
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        match self {
            DraftKey::Message(key) => key.id,
            DraftKey::Line(key) => key.id,
        }
    }
}

impl AppendKey {
    /// Returns the key of a draft.
    #[must_use]
    pub fn new(key: &IdempotencyKey, draft: &Draft) -> AppendKey {
        let event = draft.event.as_str();
        AppendKey {
            id: AppendKey::id_of(draft.channel.as_str(), key.as_str()),
            content: AppendKey::content_of(event, &draft.data, draft.closing),
        }
    }

    /// Returns the hash of a key and its channel.
    pub(crate) fn id_of(channel: &str, key: &str) -> [u8; 16] {
        hash(channel, key).finalize().into()
    }

    /// Returns the hash of an event name, a text, and whether the channel is closed by it.
    pub(crate) fn content_of(event: &str, text: &str, closing: Closing) -> NonZeroU64 {
        let hash = hash(event, text).chain_update(closing.hashed()).finalize();
        let hash = u128::from_be_bytes(hash.into());
        // The upper half; it is 0 for one text in 2^64.
        NonZeroU64::new((hash >> 64) as u64).unwrap_or(NonZeroU64::MIN)
    }
}

/// Begins the hash of a name and a text.
fn hash(name: &str, text: &str) -> Blake2b128 {
    // No name has a NUL in it.
    let hash = Blake2b128::new().chain_update(name).chain_update([0]);
    hash.chain_update(text)
}

#[cfg(test)]
mod tests {
    use super::super::{Channel, EventName};
    use super::*;

    /// A key is another one in another channel, and its content another one with another event name or
    /// text.
    #[test]
    fn append_key_tells_channel_key_event_and_text() {
        let key = |channel, key, event, text: &str| {
            let draft = Draft {
                event: EventName::new(event).unwrap(),
                ..Draft::new(Channel::new(channel).unwrap(), text)
            };
            AppendKey::new(&IdempotencyKey::new(key).unwrap(), &draft)
        };
        let one = key("a", "bc", "e", "text");
        assert_eq!(one, key("a", "bc", "e", "text"));
        for (other, same_key) in [
            (key("ab", "c", "e", "text"), false),
            (key("a", "bd", "e", "text"), false),
            (key("a", "bc", "et", "ext"), true),
            (key("a", "bc", "e", "other"), true),
            (key("a", "bc", "e", ""), true),
        ] {
            assert_eq!(one.id == other.id, same_key);
            assert_eq!(one.content == other.content, !same_key, "{other:?}");
        }
    }
}
