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
//! gap       = '{' [ '"type":"gap",' ] '"reason":"' reason '","missed":' ( missed / "null" )
//!             ',"cursor":' string '}'
//! end       = '{' [ '"type":"end",' ] '"cursor":' string ',"reason":"' end-reason '"}'
//! ```
//!
//! The `type` is left out where something else says it: the name of an SSE event, the place in a
//! long poll's object. A `string` is one of RFC 8259, section 7: `"`, `\` and the controls below
//! U+0020 are escaped (`\b`, `\t`, `\n`, `\f`, `\r`, else `\u00` and two lower-case digits), all
//! else is written as it is. So an object has no LF and no CR in it, and its reader has the text
//! exactly as it was sent.

use serde::Serialize;

use super::EndReason;
use crate::message::{Cursor, Epoch, Gap, Message};

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

/// What a stream says of itself as a JSON object: that it opens, that its follower has caught up,
/// that it is alive, that it ends.
#[derive(Serialize)]
pub(super) struct ControlObject {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    cursor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl ControlObject {
    fn new(kind: &'static str, cursor: &Cursor) -> ControlObject {
        ControlObject {
            kind: Some(kind),
            cursor: cursor.to_string(),
            reason: None,
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

    /// The object that ends a stream at `cursor`.
    pub(super) fn end(cursor: &Cursor, reason: EndReason) -> ControlObject {
        ControlObject {
            reason: Some(reason.as_str()),
            ..ControlObject::new("end", cursor)
        }
    }

    /// Removes the `type`, for a place where something else says it.
    pub(super) fn untyped(self) -> ControlObject {
        ControlObject { kind: None, ..self }
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

    /// Removes the `type`, for a place where something else says it.
    pub(super) fn untyped(self) -> GapObject {
        GapObject { kind: None, ..self }
    }
}

/// Returns a value as JSON in one line. The values here have only string keys; other keys are all
/// that could make this fail.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
