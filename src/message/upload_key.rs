//! The idempotency key of an upload, and what each of its lines has of it.

use std::num::NonZeroU64;

use blake2::{Blake2b128, Digest};

use super::{AppendKey, Channel, Closing, EventName, IdempotencyKey};

/// An [`IdempotencyKey`] together with the upload that it came with, as far as the upload has been read.
#[derive(Clone, Copy, Debug)]
pub struct UploadKey {
    id: [u8; 16],
    lines: u64,
    content: NonZeroU64,
}

/// What a line has of its upload's key: where it stands, and hashes of what the upload has up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineKey {
    /// The hash of the key and its channel, as [`AppendKey::id`].
    pub id: [u8; 16],
    /// The number of the line in the upload, from 1.
    pub line: u64,
    /// The hash of the event name and all lines before this one.
    pub before: NonZeroU64,
    /// The hash of the event name and all lines up to this one.
    pub content: NonZeroU64,
}

impl UploadKey {
    /// Returns the key of an upload of which nothing has been read.
    #[must_use]
    pub fn new(key: &IdempotencyKey, channel: &Channel, event: &EventName) -> UploadKey {
        UploadKey {
            id: AppendKey::id_of(channel.as_str(), key.as_str()),
            lines: 0,
            content: link(0, event.as_str(), Closing::No),
        }
    }

    /// Returns the key of the next line, which has this text, or of a close after the lines, which counts
    /// as one more of them.
    pub fn next(&mut self, text: &str, closing: Closing) -> LineKey {
        let before = self.content;
        self.lines += 1;
        self.content = link(before.get(), text, closing);
        LineKey {
            id: self.id,
            line: self.lines,
            before,
            content: self.content,
        }
    }
}

/// Returns the hash of what was before and a text: the next link of a chain.
fn link(before: u64, text: &str, closing: Closing) -> NonZeroU64 {
    let hash = Blake2b128::new().chain_update(before.to_be_bytes());
    let hash = hash.chain_update(text).chain_update(closing.hashed());
    let hash = u128::from_be_bytes(hash.finalize().into());
    // The upper half; it is 0 for one text in 2^64.
    NonZeroU64::new((hash >> 64) as u64).unwrap_or(NonZeroU64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of two uploads are the same up to the first line that differs.
    #[test]
    fn line_keys_tell_uploads_apart() {
        let keys = |event, lines: &[&str]| -> Vec<LineKey> {
            let key = IdempotencyKey::new("k").unwrap();
            let event = EventName::new(event).unwrap();
            let mut upload = UploadKey::new(&key, &Channel::main(), &event);
            let mut next = |line: &&str| upload.next(line, Closing::No);
            lines.iter().map(&mut next).collect()
        };
        let one = keys("e", &["a", "b", "c"]);
        assert_eq!(one[2].line, 3);
        assert_eq!(one[1].content, one[2].before);
        assert_eq!(one[..2], keys("e", &["a", "b", "d"])[..2]);
        assert_ne!(one[2].content, keys("e", &["a", "b", "d"])[2].content);
        assert_ne!(one[2].content, keys("e", &["x", "b", "c"])[2].content);
        assert_ne!(one[1].content, keys("e", &["ab", ""])[1].content);
        assert_ne!(one[0].content, keys("f", &["a"])[0].content);
        let key = IdempotencyKey::new("k").unwrap();
        let upload = UploadKey::new(&key, &Channel::main(), &EventName::new("e").unwrap());
        let of = |text, closing| upload.clone().next(text, closing).content;
        let contents = [
            of("a", Closing::No),
            of("a", Closing::WithMessage),
            of("", Closing::No),
            of("", Closing::Alone),
        ];
        let different: std::collections::HashSet<_> = contents.iter().collect();
        assert_eq!(different.len(), contents.len(), "a close is not a line");
    }
}
