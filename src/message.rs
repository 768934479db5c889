//! What travels, and the names for places in the log.
//!
//! Everything here is checked where it is made ([`Channel::new`],
//! [`EventName::new`], [`Cursor::from_str`]), so that the code behind can trust it.

mod idempotency_key;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::limits;
pub use idempotency_key::IdempotencyKey;

/// A message's place in the log: 1, 2, 3, … over all channels. 0 is the place before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The place before the first message.
    pub const START: Seq = Seq(0);

    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }

    /// The place before this one; the start stays the start.
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

/// Names one life of the log: it changes whenever an old seq would mean another message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// A new epoch out of 50 random bits: ten letters and digits, easy to read aloud.
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
        Epoch(text.into())
    }

    /// The name of some log's life: 1 to 32 letters and digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Epoch> {
        let sound =
            (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        sound.then(|| Epoch(text.into()))
    }

    /// The name.
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

/// `EPOCH-SEQ`: "everything up to and including SEQ has been seen". The same on every transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The life of the log in which `seq` means something.
    pub epoch: Epoch,
    /// The last place that has been seen.
    pub seq: Seq,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)
    }
}

/// The text is not a cursor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("is not a cursor (EPOCH-SEQ, such as k3f9x2qa0b-17)")]
pub struct ParseCursorError;

impl FromStr for Cursor {
    type Err = ParseCursorError;

    /// Takes any epoch: one that is not the log's own is a gap to speak of, not an error.
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

/// Why a text is not a name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// So long, where so much is the most.
    #[error("is {0} characters long; {1} is the most")]
    TooLong(usize, usize),
    /// A character that names do not have.
    #[error("has the character {0:?}; only {1} can stand in it")]
    Character(char, &'static str),
    /// A name that begins with `~`.
    #[error("begins with ~; such channels are the server's own")]
    Reserved,
    /// An event that the server itself says.
    #[error("is what the server itself says on a stream (as are gap, end, heartbeat)")]
    OwnEvent,
}

fn check_name(text: &str, extra: &[u8], allowed: &'static str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let known = |c: char| c.is_ascii_alphanumeric() || (c.is_ascii() && extra.contains(&(c as u8)));
    if let Some(c) = text.chars().find(|&c| !known(c)) {
        return Err(NameError::Character(c, allowed));
    }
    if text.len() > limits::NAME_BYTES {
        return Err(NameError::TooLong(text.len(), limits::NAME_BYTES));
    }
    Ok(())
}

/// A channel's name: `[A-Za-z0-9._~-]{1,64}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel(Arc<str>);

impl Channel {
    /// The channel of somebody outside.
    ///
    /// # Errors
    /// When the text is no channel name, or one of the server's own (`~…`).
    pub fn new(text: &str) -> Result<Channel, NameError> {
        check_name(text, b"._~-", "A-Z a-z 0-9 . _ ~ -")?;
        if text.starts_with('~') {
            return Err(NameError::Reserved);
        }
        Ok(Channel(text.into()))
    }

    /// A channel of the server's own, which nobody outside can name.
    pub(crate) fn of_server(name: &str) -> Channel {
        Channel(format!("~{name}").into())
    }

    /// `main`, the channel of `/stream`, `/send`, `/sender` and `/receiver`.
    #[must_use]
    pub fn main() -> Channel {
        Channel("main".into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event's name: `[A-Za-z0-9._:-]{1,64}`; `message` unless the sender says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName(Option<Box<str>>);

impl EventName {
    /// The name that a message has unless it is given another.
    pub const DEFAULT: EventName = EventName(None);

    /// A name given by a sender.
    ///
    /// # Errors
    /// When the text is no event name.
    pub fn new(text: &str) -> Result<EventName, NameError> {
        check_name(text, b"._:-", "A-Z a-z 0-9 . _ : -")?;
        // In Server-Sent Events a message of that name could not be told from the server's word.
        if ["gap", "end", "heartbeat"].contains(&text) {
            return Err(NameError::OwnEvent);
        }
        Ok(EventName((text != "message").then(|| text.into())))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.own().unwrap_or("message")
    }

    /// A name that the server gives; it is one that a sender could give, too.
    pub(crate) fn of_server(name: &'static str) -> EventName {
        EventName(Some(name.into()))
    }

    /// The name, if it is another than the default.
    pub(crate) fn own(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// What [`EventName::own`] gave, coming back from where it was kept.
    pub(crate) fn from_own(own: Option<Box<str>>) -> EventName {
        EventName(own)
    }
}

/// A moment, in milliseconds since 1970-01-01T00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The clock's time. Only the edges ask for it; all else is given its time.
    #[must_use]
    pub fn now() -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp(since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The moment that lies `span` before this one.
    #[must_use]
    pub fn earlier(self, span: Duration) -> Timestamp {
        Timestamp(
            self.0
                .saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
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

/// A message that is not in the log yet. It has no seq and no time: those come from the store.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Where it goes.
    pub channel: Channel,
    /// What kind it is.
    pub event: EventName,
    /// What it says.
    pub data: Box<str>,
    /// What its sender calls it, to try again safely.
    pub key: Option<IdempotencyKey>,
}

impl Draft {
    /// A draft with the default event name and no key.
    #[must_use]
    pub fn new(channel: Channel, data: impl Into<Box<str>>) -> Draft {
        Draft {
            channel,
            event: EventName::DEFAULT,
            data: data.into(),
            key: None,
        }
    }
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The message's place.
    pub seq: Seq,
    /// When the store took it.
    pub time: Timestamp,
    /// Was it appended before, under the same key?
    pub duplicate: bool,
}

/// A message of the log.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its place.
    pub seq: Seq,
    /// When the store took it. Never less than that of the message before.
    pub time: Timestamp,
    /// Its channel.
    pub channel: Channel,
    /// Its event name.
    pub event: EventName,
    /// Its text.
    pub data: Box<str>,
}

impl Message {
    /// What it counts against a bound of bytes: its text, and a share for all the rest.
    #[must_use]
    pub fn cost(&self) -> usize {
        cost(self.data.len())
    }
}

/// See [`Message::cost`].
#[must_use]
pub fn cost(text_bytes: usize) -> usize {
    text_bytes + limits::MESSAGE_OVERHEAD_BYTES
}

/// Why messages that were asked for are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// They were older than what is kept.
    Expired,
    /// The cursor is of another life of the log.
    Epoch,
    /// The cursor lies behind the end of the log.
    Future,
}

impl GapReason {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            GapReason::Expired => "expired",
            GapReason::Epoch => "epoch",
            GapReason::Future => "future",
        }
    }
}

/// Messages that were asked for and are gone: said in-band, never silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// How many, where that is known.
    pub missed: Option<u64>,
    /// The place from which it goes on.
    pub resumes: Seq,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_they_are_written() {
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
    fn names_are_checked_at_the_entrance() {
        assert_eq!(Channel::new("a.B_9~-").unwrap().as_str(), "a.B_9~-");
        assert_eq!(Channel::new(""), Err(NameError::Empty));
        assert_eq!(Channel::new("~own"), Err(NameError::Reserved));
        assert_eq!(
            Channel::new(&"x".repeat(65)),
            Err(NameError::TooLong(65, 64))
        );
        assert!(matches!(
            Channel::new("ä"),
            Err(NameError::Character('ä', _))
        ));
        assert!(matches!(
            EventName::new("a\nb"),
            Err(NameError::Character('\n', _))
        ));
        assert_eq!(EventName::new("message"), Ok(EventName::DEFAULT));
        assert_eq!(EventName::new("gap"), Err(NameError::OwnEvent));
    }

    #[test]
    fn moments_are_rfc_3339() {
        assert_eq!(
            Timestamp(1_763_636_607_042).to_string(),
            "2025-11-20T11:03:27.042Z"
        );
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
