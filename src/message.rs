//! Messages, and the names of positions in the log.
//!
//! Every value is checked where it is made ([`Channel::new`], [`EventName::new`],
//! [`IdempotencyKey::new`], [`Cursor::from_str`]), so that all other code can trust it.

mod append_key;
mod close;
mod idempotency_key;
mod name;
mod precondition;
mod upload_key;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
pub use append_key::{AppendKey, DraftKey};
pub use close::{Close, Closing};
pub use idempotency_key::IdempotencyKey;
pub use name::{Channel, EventName, NameError, Pattern};
pub(crate) use name::{check_name, is_dots};
pub use precondition::Precondition;
pub use upload_key::{LineKey, UploadKey};

/// A message's position in the log: 1, 2, 3, … over all channels. 0 is the position before the
/// first message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The position before the first message.
    pub const START: Seq = Seq(0);

    /// Returns the position after this one.
    #[must_use]
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }

    /// Returns the position before this one; for [`Seq::START`], itself.
    #[must_use]
    pub fn before(self) -> Seq {
        Seq(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The log's epoch: a name that changes whenever an old seq would mean another message.
/// Each follower has a handle on it, so that the handle is one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch(Arc<String>);

impl Epoch {
    /// Returns a new epoch out of 50 random bits: ten letters and digits, easy to read aloud.
    #[must_use]
    pub fn random() -> Epoch {
        // Crockford's base 32 has no letters that look like digits.
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut bits: u64 = rand::random();
        let text: String = std::iter::repeat_with(|| {
            let digit = DIGITS[(bits & 31) as usize];
            bits >>= 5;
            char::from(digit)
        })
        .take(10)
        .collect();
        Epoch(Arc::new(text))
    }

    /// Returns the epoch that a text names, or `None` if the text is not 1 to 32 letters and
    /// digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Epoch> {
        let is_valid =
            (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        is_valid.then(|| Epoch(Arc::new(text.to_owned())))
    }

    /// Returns the epoch as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A cursor, `EPOCH-SEQ`: "everything up to and including SEQ has been seen". It is the same on
/// every transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The epoch of the log that `seq` belongs to.
    pub epoch: Epoch,
    /// The last position that has been seen.
    pub seq: Seq,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)
    }
}

/// The error of a text that is not a [`Cursor`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("is not a cursor (EPOCH-SEQ, such as k3f9x2qa0b-17)")]
pub struct ParseCursorError;

impl FromStr for Cursor {
    type Err = ParseCursorError;

    /// Parses a cursor of any epoch. An epoch that is not the log's own is no error here: the
    /// follower is told of a gap.
    fn from_str(text: &str) -> Result<Cursor, ParseCursorError> {
        let (epoch, seq) = text.rsplit_once('-').ok_or(ParseCursorError)?;
        let epoch = Epoch::new(epoch).ok_or(ParseCursorError)?;
        if !seq.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ParseCursorError);
        }
        let seq = seq.parse().map(Seq).map_err(|_| ParseCursorError)?;
        Ok(Cursor { epoch, seq })
    }
}

/// A moment, in milliseconds since 1970-01-01T00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Returns the moment that lies `duration` before this one, but not before 1970.
    #[must_use]
    pub fn earlier(self, duration: Duration) -> Timestamp {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_sub(millis))
    }

    /// Returns the time from an earlier moment to this one; no time if that one is not earlier.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Returns the moment that lies `duration` after this one.
    #[must_use]
    pub fn later(self, duration: Duration) -> Timestamp {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Timestamp(self.0.saturating_add(millis))
    }
}

/// RFC 3339 in UTC with milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = i64::try_from(self.0)
            .ok()
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let moment = moment.unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{moment:.3}")
    }
}

/// The error of a text that is not a moment ([`Timestamp`]).
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("is not a time with its offset, such as 2026-11-27T21:00:00Z or 2026-11-27T22:00:00+01:00")]
pub struct ParseTimestampError;

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Parses RFC 3339. A moment between two milliseconds becomes the later one: no message that is
    /// earlier than the moment is later than that. What lies before 1970 becomes its beginning.
    fn from_str(text: &str) -> Result<Timestamp, ParseTimestampError> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| ParseTimestampError)?;
        let millis = (moment.as_nanosecond() + 999_999).div_euclid(1_000_000);
        Ok(Timestamp(u64::try_from(millis).unwrap_or(0)))
    }
}

/// A message that is not in the log yet, or a close. It has no seq and no time: the store gives it both.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The channel that the message is for.
    pub channel: Channel,
    /// The message's event name.
    pub event: EventName,
    /// The message's text.
    pub data: Box<str>,
    /// The sender's key, with which the sender can safely try the append again.
    pub key: Option<DraftKey>,
    /// What must hold of the channel for the message to be appended.
    pub precondition: Option<Precondition>,
    /// Whether the draft closes the channel.
    pub closing: Closing,
}

impl Draft {
    /// Returns a draft with the default event name, no key and no precondition.
    #[must_use]
    pub fn new(channel: Channel, data: impl Into<Box<str>>) -> Draft {
        Draft {
            channel,
            event: EventName::DEFAULT,
            data: data.into(),
            key: None,
            precondition: None,
            closing: Closing::No,
        }
    }

    /// Returns the draft of a close that is an entry of its own.
    #[must_use]
    pub fn close(channel: Channel) -> Draft {
        Draft {
            closing: Closing::Alone,
            ..Draft::new(channel, "")
        }
    }

    /// Returns the draft with a sender's key. The key is tied to what the draft has now.
    #[must_use]
    pub fn keyed(mut self, key: Option<&IdempotencyKey>) -> Draft {
        self.key = key.map(|key| DraftKey::Message(AppendKey::new(key, &self)));
        self
    }
}

/// The answer to an append: where in the log the message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message's position.
    pub seq: Seq,
    /// When the store took the message.
    pub time: Timestamp,
    /// Whether the message had been appended before, under the same key. Of a line of an upload `seq` is
    /// then that of the last line with the key, or, if it is the first line, its own; 0 if that is not
    /// known.
    pub duplicate: bool,
    /// How many more lines than this of the same upload had been appended: it is compared with them when
    /// the last of them comes.
    pub later: u64,
}

/// A message of the log.
#[derive(Clone, Debug)]
pub struct Message {
    /// The message's position.
    pub seq: Seq,
    /// When the store took the message, by the wall clock. It is less than the time of the message
    /// before if that clock was set back meanwhile.
    pub time: Timestamp,
    /// The message's channel.
    pub channel: Channel,
    /// The message's event name.
    pub event: EventName,
    /// The message's text.
    pub data: Box<str>,
}

impl Message {
    /// Returns what the message counts against a bound of bytes: its text, and
    /// [`limits::MESSAGE_OVERHEAD_BYTES`] for all the rest.
    #[must_use]
    pub fn cost(&self) -> usize {
        cost(self.data.len())
    }
}

/// Returns what a message with a text of `text_bytes` counts against a bound of bytes, as
/// [`Message::cost`] does.
#[must_use]
pub fn cost(text_bytes: usize) -> usize {
    text_bytes + limits::MESSAGE_OVERHEAD_BYTES
}

/// The reason of a [`Gap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// The messages have been trimmed by retention.
    Expired,
    /// The cursor is of another epoch of the log.
    Epoch,
    /// The cursor is past the end of the log.
    Future,
}

impl GapReason {
    /// Returns the reason's word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            GapReason::Expired => "expired",
            GapReason::Epoch => "epoch",
            GapReason::Future => "future",
        }
    }
}

/// A gap in what a follower asked for. The follower is told of it in the stream; messages are never
/// missing silently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why messages are missing.
    pub reason: GapReason,
    /// How many messages are missing, where that is known.
    pub missed: Option<u64>,
    /// The position after which the stream continues.
    pub resumes: Seq,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_round_trip() {
        let cursor = Cursor {
            epoch: Epoch::random(),
            seq: Seq(17),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in [
            "",
            "-",
            "17",
            "-17",
            "abc-",
            "abc-x",
            "abc--1",
            "a.b-1",
            "abc-+1",
            "abc-18446744073709551616",
        ] {
            assert_eq!(bad.parse::<Cursor>(), Err(ParseCursorError), "{bad}");
        }
    }

    #[test]
    fn timestamp_is_rfc_3339() {
        assert_eq!(
            Timestamp(1_763_636_607_042).to_string(),
            "2025-11-20T11:03:27.042Z"
        );
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        for (text, millis) in [
            ("2025-11-20T11:03:27.042Z", 1_763_636_607_042),
            ("2025-11-20t12:03:27.042+01:00", 1_763_636_607_042),
            ("2025-11-20 11:03:27.0411z", 1_763_636_607_042),
            ("1970-01-01T00:00:00Z", 0),
            ("1969-07-20T20:17:40Z", 0),
        ] {
            assert_eq!(text.parse(), Ok(Timestamp(millis)), "{text}");
        }
        for bad in ["", "2025-11-20", "2025-11-20T11:03:27", "now", "11:03Z"] {
            assert_eq!(bad.parse::<Timestamp>(), Err(ParseTimestampError), "{bad}");
        }
    }
}
