//! `sse`: Server-Sent Events (HTML standard, section 9.2).
//!
//! # Grammar
//!
//! A part of what the standard's grammar (section 9.2.5) allows, always with LF as line end:
//!
//! ```abnf
//! stream    = "retry: " 1*DIGIT LF *( message / idle / gap / live / closed ) [ end ]
//! message   = "id: " cursor LF [ "event: " event LF ] 1*( "data: " line LF ) LF
//! idle      = ":" LF / heartbeat
//! heartbeat = "event: heartbeat" LF "data: " object LF LF
//! gap       = "id: " cursor LF "event: gap" LF "data: " object LF LF
//! live      = "id: " cursor LF "event: live" LF "data: " object LF LF
//! closed    = "id: " cursor LF "event: closed" LF "data: " object LF LF
//! end       = "id: " cursor LF [ "retry: " 1*DIGIT LF ] "event: end" LF "data: " object LF LF
//! line      = *( any character but CR, LF )
//! ```
//!
//! What the standard has no words for is said by events of their own: `gap`, `live`, `closed`, `end` and, for
//! pages that watch for silence (`heartbeat_event=1`), `heartbeat`. No sender can give these names to
//! a message. Their `object`s are those of `wire/object.rs` without their `type`. `event:` is left
//! out for `message`, which is the default. A text is split into `data:` lines at CRLF, LF and lone
//! CR, where a reader would end a line in any case; the space after `data:` is the one that the
//! reader removes. So CR and CRLF arrive as LF, and all else as it was sent; an empty text is one
//! empty `data:` line. A heartbeat has no `id:`; its cursor is in its object.
//!
//! With `envelope=1` the data of each event is one line of JSON: the object that `ndjson` has in its
//! place, with its `type`. A message then carries its channel and its time, and arrives as it was sent,
//! with CR and CRLF, and whatever else a reader takes for the end of a line: some clients (`iter_lines`
//! of `httpx`) end one at U+0085, U+2028 and U+2029 too, against the standard, and lose the rest of the
//! line. Without an envelope this cannot be mended, since the standard has no escapes.
//!
//! # What a client does with it
//!
//! An `EventSource` remembers the `id`, which is the cursor, and sends it as `Last-Event-ID` when it
//! comes back, `retry` milliseconds after the body has ended (9.2.4). The `retry:` line stands in
//! front of the first event. The event `live` comes once, between the last message that was in the
//! log when the stream began and the first that is new; its `id` is that position, so that a stream
//! that breaks before its first message is resumed from there. The comment of an idle stream, which
//! 9.2.7 advises, reaches no script.
//!
//! Every blank line ends an event that has data. A block without data fires no event by the standard
//! (9.2.6), but two widely used clients (`@microsoft/fetch-event-source` and `httpx-sse`) hand it to
//! their program as an empty message. So a comment is a line without a blank one, and the id of the
//! position at which the stream starts is not said by a block of its own: a stream that breaks
//! before its first event, which takes no longer than to read the first messages, is asked for again
//! as it was the first time.
//! An `EventSource` comes back after an `end` too, unless its page closes it then. Where the
//! server stops, the end says with `retry:` when another one may have taken over, since Firefox takes
//! a refused connection for final, and every browser takes an error of a proxy (502) for final; the
//! `retry:` of the next stream sets the time back. A block without its blank line, at a cut, is thrown away by
//! the reader (9.2.6).
//!
//! A stream that begins quiet has its `retry:` line and `live` at once; with `heartbeat_event=1` a
//! heartbeat follows the first bytes in any case.

use std::time::Duration;

use bytes::Bytes;

use super::EndReason;
use super::object::{ClosedObject, ControlObject, GapObject, Untyped, to_json};
use crate::message::{Channel, Cursor, Epoch, EventName, Gap, Message};

/// What a follower by Server-Sent Events has chosen.
#[derive(Clone, Copy, Debug)]
pub struct SseOptions {
    /// After how many milliseconds the browser comes back when the connection has broken.
    pub retry: u32,
    /// Whether heartbeats are events, which scripts hear, instead of comments.
    pub heartbeat_event: bool,
    /// Whether the data of each event is the object that `ndjson` has in its place.
    pub envelope: bool,
}

impl SseOptions {
    /// Puts the line that says the time to wait before coming back.
    pub(super) fn open(self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("retry: {}\n", self.retry).as_bytes());
    }

    /// Puts what stands before the object of a message that is in an envelope.
    pub(super) fn lead(self, message: &Message, epoch: &Epoch, out: &mut Vec<u8>) {
        if self.envelope {
            out.extend_from_slice(fields(message, epoch).as_bytes());
            out.extend_from_slice(b"data: ");
        }
    }

    /// Puts the blank line after a message that is in an envelope, whose bytes end its line.
    pub(super) fn trail(self, out: &mut Vec<u8>) {
        if self.envelope {
            out.push(b'\n');
        }
    }

    /// Puts the event of a gap, after which the stream goes on from `resumes`.
    pub(super) fn gap(self, gap: &Gap, resumes: &Cursor, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("id: {resumes}\n").as_bytes());
        self.own("gap", GapObject::new(gap, resumes), out);
    }

    /// Puts the event that says that the follower has caught up, at `cursor`.
    pub(super) fn live(self, cursor: &Cursor, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("id: {cursor}\n").as_bytes());
        self.own("live", ControlObject::live(cursor), out);
    }

    /// Puts the event that says to a follower at `cursor` that a channel is closed.
    pub(super) fn closed(self, channel: &Channel, cursor: &Cursor, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("id: {cursor}\n").as_bytes());
        self.own("closed", ClosedObject::new(channel, cursor), out);
    }

    /// Puts the event that ends the stream at `cursor`. `retry` is the time after which the client is
    /// to come back, if that is another than the stream's own.
    pub(super) fn end(
        self,
        cursor: &Cursor,
        reason: EndReason,
        retry: Option<Duration>,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(format!("id: {cursor}\n").as_bytes());
        if let Some(retry) = retry {
            out.extend_from_slice(format!("retry: {}\n", retry.as_millis()).as_bytes());
        }
        self.own("end", ControlObject::end(cursor, reason, retry), out);
    }

    /// Puts an event of the stream itself, whose data is one line of JSON.
    fn own(self, name: &str, object: impl Untyped, out: &mut Vec<u8>) {
        let data = if self.envelope {
            to_json(&object)
        } else {
            to_json(&object.untyped())
        };
        out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
    }

    /// Puts a heartbeat: a comment, or an event.
    pub(super) fn idle(self, cursor: &Cursor, out: &mut Vec<u8>) {
        if self.heartbeat_event {
            self.own("heartbeat", ControlObject::heartbeat(cursor), out);
        } else {
            out.extend_from_slice(b":\n");
        }
    }
}

/// The event of a message.
pub(super) fn message(message: &Message, epoch: &Epoch) -> Bytes {
    let mut out = fields(message, epoch);
    for line in lines(&message.data) {
        // The space is the one that the reader removes.
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out.into()
}

/// The fields of a message's event before its data.
fn fields(message: &Message, epoch: &Epoch) -> String {
    let mut out = format!("id: {epoch}-{}\n", message.seq);
    if message.event != EventName::DEFAULT {
        out.push_str("event: ");
        out.push_str(message.event.as_str());
        out.push('\n');
    }
    out
}

/// Splits a text into lines, which end at CRLF, LF or a lone CR; a reader joins them with LF.
fn lines(mut text: &str) -> impl Iterator<Item = &str> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let Some(end) = text.find(['\r', '\n']) else {
            done = true;
            return Some(text);
        };
        let line = &text[..end];
        let width = if text[end..].starts_with("\r\n") {
            2
        } else {
            1
        };
        text = &text[end + width..];
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Encoder;
    use super::super::testing::{self, AWKWARD, delivered, ended, gaps, idled, opened_quiet};
    use super::*;

    fn sse(heartbeat_event: bool) -> Encoder {
        Encoder::Sse(SseOptions {
            retry: 1000,
            heartbeat_event,
            envelope: false,
        })
    }

    /// Every moment of a stream, byte for byte.
    #[test]
    fn sse_golden_bytes() {
        let mut sse = sse(false);
        assert_eq!(
            opened_quiet(&mut sse),
            "retry: 1000\nid: k3f9x2qa0b-6\nevent: live\ndata: {\"cursor\":\"k3f9x2qa0b-6\"}\n\n"
        );
        assert_eq!(
            delivered(&mut sse, &testing::message(7, AWKWARD)),
            "id: k3f9x2qa0b-7\ndata: </script> \"你\" & 'x'\t\u{1b}[1m\0\n\
             data: two\u{2028}C:\\new\u{7f}\u{85}\n\n"
        );
        let named = Message {
            event: EventName::new("load").unwrap(),
            ..testing::message(8, "")
        };
        assert_eq!(
            delivered(&mut sse, &named),
            "id: k3f9x2qa0b-8\nevent: load\ndata: \n\n"
        );
        assert_eq!(idled(&mut sse), ":\n");
        assert_eq!(
            gaps(&mut sse),
            [
                "id: k3f9x2qa0b-9\nevent: gap\n\
                 data: {\"reason\":\"expired\",\"missed\":2,\"cursor\":\"k3f9x2qa0b-9\"}\n\n",
                "id: k3f9x2qa0b-9\nevent: gap\n\
                 data: {\"reason\":\"epoch\",\"missed\":null,\"cursor\":\"k3f9x2qa0b-9\"}\n\n",
                "id: k3f9x2qa0b-9\nevent: gap\n\
                 data: {\"reason\":\"future\",\"missed\":null,\"cursor\":\"k3f9x2qa0b-9\"}\n\n",
            ]
        );
        assert_eq!(
            ended(&mut sse, EndReason::Limit),
            "id: k3f9x2qa0b-9\nevent: end\n\
             data: {\"cursor\":\"k3f9x2qa0b-9\",\"reason\":\"limit\"}\n\n"
        );
        assert_eq!(
            ended(&mut sse, EndReason::Stop),
            "id: k3f9x2qa0b-9\nretry: 8000\nevent: end\n\
             data: {\"cursor\":\"k3f9x2qa0b-9\",\"reason\":\"stop\",\"retry\":8000}\n\n"
        );
    }

    /// With `heartbeat_event=1` a heartbeat is an event, and the stream begins with one.
    #[test]
    fn sse_heartbeat_event() {
        let mut sse = sse(true);
        assert_eq!(
            opened_quiet(&mut sse),
            "retry: 1000\nid: k3f9x2qa0b-6\nevent: live\ndata: {\"cursor\":\"k3f9x2qa0b-6\"}\n\n\
             event: heartbeat\ndata: {\"cursor\":\"k3f9x2qa0b-6\"}\n\n"
        );
        assert_eq!(
            idled(&mut sse),
            "event: heartbeat\ndata: {\"cursor\":\"k3f9x2qa0b-7\"}\n\n"
        );
    }

    /// In an envelope, the data of each event is the object of `ndjson`.
    #[test]
    fn sse_envelope() {
        let mut sse = Encoder::Sse(SseOptions {
            retry: 1000,
            heartbeat_event: true,
            envelope: true,
        });
        assert!(opened_quiet(&mut sse).contains("\ndata: {\"type\":\"live\",\"cursor\":"));
        let named = Message {
            event: EventName::new("load").unwrap(),
            ..testing::message(8, "two\nlines\u{2028}")
        };
        assert_eq!(
            delivered(&mut sse, &named),
            "id: k3f9x2qa0b-8\nevent: load\n\
             data: {\"type\":\"message\",\"cursor\":\"k3f9x2qa0b-8\",\"channel\":\"build\",\
             \"event\":\"load\",\"time\":\"2025-11-20T11:03:27.042Z\",\
             \"data\":\"two\\nlines\\u2028\"}\n\n"
        );
        assert_eq!(
            idled(&mut sse),
            "event: heartbeat\ndata: {\"type\":\"heartbeat\",\"cursor\":\"k3f9x2qa0b-7\"}\n\n"
        );
        assert!(gaps(&mut sse)[0].contains("\ndata: {\"type\":\"gap\",\"reason\":\"expired\","));
        assert!(ended(&mut sse, EndReason::Limit).contains("\ndata: {\"type\":\"end\","));
    }

    /// A text is split where readers end a line.
    #[test]
    fn sse_lines_end_where_readers_end_them() {
        let split = |text| lines(text).collect::<Vec<_>>();
        assert_eq!(split(""), [""]);
        assert_eq!(split("a\r\nb\rc\nd"), ["a", "b", "c", "d"]);
        assert_eq!(split("\r\r\n\n"), ["", "", "", ""]);
    }
}
