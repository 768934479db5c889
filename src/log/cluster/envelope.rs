//! Entries as the engine has them: a subject, a text and headers. Pure.
//!
//! | header | what it is |
//! |---|---|
//! | `Nats-Msg-Id` | the engine stores a second message with the same one not again |
//! | `Ff-By` | the number of the append, by which its server knows its own entries when they come back |
//! | `Ff-Event` | the event name, unless it is `message` |
//! | `Ff-Close` | `mark`: the channel is closed by this message; `alone`: the entry only closes it |
//! | `Ff-Key` | the hashes of an idempotency key and of its message |
//! | `Ff-Line` | of a line of an upload with a key: its hash, the line's number, the hashes before and after |
//!
//! A message without any of these, which somebody else has put into the stream, is a message of its channel
//! like any other.

use std::num::NonZeroU64;

use super::subject;
use crate::message::{AppendKey, Closing, Draft, DraftKey, EventName, LineKey};

/// The names of the headers.
pub(super) const MESSAGE_ID: &str = "Nats-Msg-Id";
const SENT_BY: &str = "Ff-By";
const EVENT: &str = "Ff-Event";
const CLOSE: &str = "Ff-Close";
const KEY: &str = "Ff-Key";
const LINE: &str = "Ff-Line";

/// Returns the headers of a draft, which is the one with this index in the append `sent_by`.
pub(super) fn headers(draft: &Draft, sent_by: u64, index: usize) -> Vec<(&'static str, String)> {
    let mut headers = vec![(SENT_BY, format!("{sent_by:016x}"))];
    match &draft.key {
        None => headers.push((MESSAGE_ID, format!("{sent_by:016x}.{index}"))),
        Some(DraftKey::Message(AppendKey { id, content })) => {
            let id = hex(id);
            headers.push((KEY, format!("{id}-{content:x}")));
            headers.push((MESSAGE_ID, id));
        }
        Some(DraftKey::Line(key)) => {
            let (id, line) = (hex(&key.id), key.line);
            let (before, content) = (key.before, key.content);
            headers.push((LINE, format!("{id}-{line}-{before:x}-{content:x}")));
            headers.push((MESSAGE_ID, format!("{id}.{line}")));
        }
    }
    if let Some(event) = draft.event.own() {
        headers.push((EVENT, event.to_owned()));
    }
    match draft.closing {
        Closing::No => {}
        Closing::WithMessage => headers.push((CLOSE, "mark".to_owned())),
        Closing::Alone => headers.push((CLOSE, "alone".to_owned())),
    }
    headers
}

/// Returns what an entry is, and the number of its append, by its subject, its headers and its text; `None`
/// if it cannot be read.
pub(super) fn read<'a>(
    prefix: &str,
    subject: &str,
    header: impl Fn(&'static str) -> Option<&'a str>,
    text: &[u8],
) -> (Option<Draft>, Option<u64>) {
    let sent_by = header(SENT_BY).and_then(|text| u64::from_str_radix(text, 16).ok());
    let draft = || {
        let channel = subject::channel(prefix, subject)?;
        let data = std::str::from_utf8(text).ok()?;
        let event = header(EVENT).map(EventName::new);
        let key = header(KEY).map(|text| message_key(text).map(DraftKey::Message));
        let line = header(LINE).map(|text| line_key(text).map(DraftKey::Line));
        Some(Draft {
            event: event.transpose().ok()?.unwrap_or(EventName::DEFAULT),
            key: key.or(line).flatten(),
            closing: match header(CLOSE) {
                Some("mark") => Closing::WithMessage,
                Some("alone") => Closing::Alone,
                _ => Closing::No,
            },
            ..Draft::new(channel, data)
        })
    };
    (draft(), sent_by)
}

fn message_key(text: &str) -> Option<AppendKey> {
    let (id, content) = text.split_once('-')?;
    Some(AppendKey {
        id: unhex(id)?,
        content: hash(content)?,
    })
}

fn line_key(text: &str) -> Option<LineKey> {
    let mut parts = text.split('-');
    Some(LineKey {
        id: unhex(parts.next()?)?,
        line: parts.next()?.parse().ok()?,
        before: hash(parts.next()?)?,
        content: hash(parts.next()?)?,
    })
}

fn hex(id: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    Some(u128::from_str_radix(text, 16).ok()?.to_be_bytes())
}

fn hash(text: &str) -> Option<NonZeroU64> {
    NonZeroU64::new(u64::from_str_radix(text, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Channel, IdempotencyKey, UploadKey};

    fn round_trip(draft: &Draft) -> (Option<Draft>, Option<u64>) {
        let headers = headers(draft, 0xabc, 3);
        let header = |name: &str| {
            let found = headers.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| value.as_str())
        };
        let subject = subject::of_channel("log", &draft.channel);
        read("log", &subject, header, draft.data.as_bytes())
    }

    /// What a draft is survives the way through the engine.
    #[test]
    fn envelopes_keep_drafts() {
        let channel = || Channel::new("a.b~c").unwrap();
        let key = IdempotencyKey::new("key").unwrap();
        let event = EventName::new("progress").unwrap();
        let mut upload = UploadKey::new(&key, &channel(), &event);
        let plain = Draft::new(channel(), "täxt\n2");
        let line = Draft {
            key: Some(DraftKey::Line(upload.next("x", Closing::No))),
            event,
            ..Draft::new(channel(), "x")
        };
        let marked = Draft {
            closing: Closing::WithMessage,
            ..plain.clone()
        };
        let drafts = [
            plain.clone().keyed(Some(&key)),
            plain,
            line,
            marked,
            Draft::close(channel()),
        ];
        for draft in drafts {
            let (found, sent_by) = round_trip(&draft);
            assert_eq!(format!("{:?}", found.unwrap()), format!("{draft:?}"));
            assert_eq!(sent_by, Some(0xabc));
        }
    }

    /// A message of somebody else is a message, and what is none has no draft.
    #[test]
    fn foreign_entries_are_read_as_they_are() {
        let none = |_: &'static str| None;
        let (draft, sent_by) = read("log", "log.main", none, b"hello");
        assert_eq!((&*draft.unwrap().data, sent_by), ("hello", None));
        for (subject, text) in [
            ("log.a.b", &b"hello"[..]),
            ("log.~own", b"hello"),
            ("log.main", b"\xff"),
            ("other.main", b"hello"),
        ] {
            assert!(read("log", subject, none, text).0.is_none(), "{subject}");
        }
    }
}
