//! The JSON objects of the transports that speak JSON: `script`, `ndjson`, `json`, and the events
//! of `sse` that are not messages.
//!
//! # Grammar
//!
//! ```abnf
//! message   = '{' [ '"type":"message",' ] '"cursor":' string ',"channel":' string
//!             ',"event":' string ',"time":' string ',"data":' string '}'
//! open      = '{"type":"open","cursor":' string '}'
//! heartbeat = '{' [ '"type":"heartbeat",' ] '"cursor":' string '}'
//! live      = '{' [ '"type":"live",' ] '"cursor":' string '}'
//! closed    = '{' [ '"type":"closed",' ] '"channel":' string ',"cursor":' string '}'
//! gap       = '{' [ '"type":"gap",' ] '"reason":"' reason '","missed":' ( missed / "null" )
//!             ',"cursor":' string '}'
//! end       = '{' [ '"type":"end",' ] '"cursor":' string ',"reason":"' end-reason '"'
//!             [ ',"retry":' 1*DIGIT ] '}'
//! ```
//!
//! The `type` is left out where something else says it: the name of an SSE event, the place in a
//! long poll's object. A `string` is one of RFC 8259, section 7: `"`, `\` and the controls below
//! U+0020 are escaped (`\b`, `\t`, `\n`, `\f`, `\r`, else `\u` and four lower-case digits), and so
//! are the controls from U+0080 to U+009F, U+2028 and U+2029; all else is written as it is. So an object
//! is one line for every reader, also where U+0085, U+2028 and U+2029 end a line (as for
//! `str.splitlines` of Python, which several of its HTTP clients use), and its reader has the text
//! exactly as it was sent. `retry` is the time, in milliseconds, after which the client is to come
//! back, where the server has a reason to choose it.

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde_json::ser::Formatter;

use super::EndReason;
use crate::message::{Channel, Cursor, Epoch, Gap, Message};

/// A message as a JSON object.
#[derive(Serialize)]
pub(super) struct MessageObject<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    cursor: String,
    channel: &'a str,
    event: &'a str,
    time: String,
    data: &'a str,
}

impl<'a> MessageObject<'a> {
    /// The object of a message where nothing else can stand in its place.
    pub(super) fn untyped(message: &'a Message, epoch: &Epoch) -> MessageObject<'a> {
        MessageObject {
            kind: None,
            cursor: format!("{epoch}-{}", message.seq),
            channel: message.channel.as_str(),
            event: message.event.as_str(),
            time: message.time.to_string(),
            data: &message.data,
        }
    }

    /// The object of a message among objects of other types.
    pub(super) fn typed(message: &'a Message, epoch: &Epoch) -> MessageObject<'a> {
        MessageObject {
            kind: Some("message"),
            ..MessageObject::untyped(message, epoch)
        }
    }
}

/// An object of a stream that can do without its `type`, in a place where something else says it.
pub(super) trait Untyped: Serialize {
    /// Removes the `type`.
    fn untyped(self) -> Self;
}

/// What a stream says of itself as a JSON object: that it opens, that its follower has caught up,
/// that it is alive, that it ends.
#[derive(Serialize)]
pub(super) struct ControlObject {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    cursor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<u64>,
}

impl ControlObject {
    fn new(kind: &'static str, cursor: &Cursor) -> ControlObject {
        ControlObject {
            kind: Some(kind),
            cursor: cursor.to_string(),
            reason: None,
            retry: None,
        }
    }

    /// The object that opens a stream at `cursor`.
    pub(super) fn open(cursor: &Cursor) -> ControlObject {
        ControlObject::new("open", cursor)
    }

    /// The object that says that nothing is new, and everything up to `cursor` has been sent.
    pub(super) fn heartbeat(cursor: &Cursor) -> ControlObject {
        ControlObject::new("heartbeat", cursor)
    }

    /// The object that says that everything up to `cursor`, all that was in the log when the stream
    /// began, has been sent.
    pub(super) fn live(cursor: &Cursor) -> ControlObject {
        ControlObject::new("live", cursor)
    }

    /// The object that ends a stream at `cursor`; the client is to come back after `retry`, if the
    /// server has a reason to choose the time.
    pub(super) fn end(
        cursor: &Cursor,
        reason: EndReason,
        retry: Option<Duration>,
    ) -> ControlObject {
        let millis = |retry: Duration| u64::try_from(retry.as_millis()).unwrap_or(u64::MAX);
        ControlObject {
            reason: Some(reason.as_str()),
            retry: retry.map(millis),
            ..ControlObject::new("end", cursor)
        }
    }
}

impl Untyped for ControlObject {
    fn untyped(self) -> ControlObject {
        ControlObject { kind: None, ..self }
    }
}

/// A channel that is closed as a JSON object.
#[derive(Serialize)]
pub(super) struct ClosedObject<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    channel: &'a str,
    cursor: String,
}

impl ClosedObject<'_> {
    /// The object that says to a follower at `cursor` that it has all that the channel has.
    pub(super) fn new<'a>(channel: &'a Channel, cursor: &Cursor) -> ClosedObject<'a> {
        ClosedObject {
            kind: Some("closed"),
            channel: channel.as_str(),
            cursor: cursor.to_string(),
        }
    }
}

impl Untyped for ClosedObject<'_> {
    fn untyped(self) -> Self {
        ClosedObject { kind: None, ..self }
    }
}

/// A gap as a JSON object; `missed` is null where the number is not known.
#[derive(Serialize)]
pub(super) struct GapObject {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    reason: &'static str,
    missed: Option<u64>,
    cursor: String,
}

impl GapObject {
    /// The object of a gap after which the stream goes on from `resumes`.
    pub(super) fn new(gap: &Gap, resumes: &Cursor) -> GapObject {
        GapObject {
            kind: Some("gap"),
            reason: gap.reason.as_str(),
            missed: gap.missed,
            cursor: resumes.to_string(),
        }
    }
}

impl Untyped for GapObject {
    fn untyped(self) -> GapObject {
        GapObject { kind: None, ..self }
    }
}

/// Returns a value as JSON in one line, whatever a reader takes for the end of a line. The values
/// here have only string keys; other keys are all that could make this fail.
#[must_use]
pub fn to_json(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    let mut writer = serde_json::Serializer::with_formatter(&mut out, OneLine);
    let written = value.serialize(&mut writer);
    match (written, String::from_utf8(out)) {
        (Ok(()), Ok(json)) => json,
        _ => String::new(),
    }
}

/// The format of JSON without white space, in which the controls past ASCII, with U+0085 among them,
/// and U+2028 and U+2029 are escaped.
struct OneLine;

/// Whether JSON may have this character in a string as it is, and a reader may take it for the end of
/// a line.
fn ends_line(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}')
}

impl Formatter for OneLine {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        mut fragment: &str,
    ) -> io::Result<()> {
        if fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        while let Some((at, c)) = fragment.char_indices().find(|(_, c)| ends_line(*c)) {
            writer.write_all(&fragment.as_bytes()[..at])?;
            write!(writer, "\\u{:04x}", u32::from(c))?;
            fragment = &fragment[at + c.len_utf8()..];
        }
        writer.write_all(fragment.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Any text is one line for every reader, and is read back as it was.
        #[test]
        fn json_is_one_line(text in r"(\PC|[\p{Cc}\x{2028}\x{2029}]){0,40}") {
            let json = to_json(&text);
            let is_end = |c: char| ends_line(c) || c < ' ';
            prop_assert!(!json.contains(is_end), "{:?}", json);
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
