//! `sse`: Server-Sent Events (HTML standard, section 9.2).
//!
//! `id:` is the cursor. What the standard has no words for is said by events of their own: `gap`,
//! `end`, and, for pages that watch for silence, `heartbeat`.

use bytes::Bytes;
use serde::Serialize;

use super::EndReason;
use super::json::{self, ControlEvent, GapEvent};
use crate::message::{Cursor, Epoch, EventName, Gap, Message};

/// What a follower chose.
#[derive(Clone, Copy, Debug)]
pub struct SseOptions {
    /// After how many milliseconds a browser comes back when the line breaks.
    pub retry: u32,
    /// Heartbeats as events, which scripts hear of, instead of comments.
    pub heartbeat_event: bool,
}

impl SseOptions {
    /// A block without data fires no event, but sets the last event's id.
    pub(super) fn open(self, cursor: &Cursor, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("retry: {}\nid: {cursor}\n\n", self.retry).as_bytes());
    }

    pub(super) fn idle(self, cursor: &Cursor, out: &mut Vec<u8>) {
        if self.heartbeat_event {
            event(
                "heartbeat",
                &ControlEvent::new("heartbeat", cursor).untyped(),
                out,
            );
        } else {
            out.extend_from_slice(b":\n\n");
        }
    }
}

pub(super) fn message(message: &Message, epoch: &Epoch) -> Bytes {
    let mut out = format!("id: {epoch}-{}\n", message.seq);
    if message.event != EventName::DEFAULT {
        out.push_str("event: ");
        out.push_str(message.event.as_str());
        out.push('\n');
    }
    for line in lines(&message.data) {
        // The space is the one that the reader takes away.
        out.push_str("data: ");
        out.push_str(line);
        out.push('\n');
    }
    out.push('\n');
    out.into()
}

/// A line ends at CRLF, LF or a lone CR; a reader joins them again with LF.
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

pub(super) fn gap(gap: &Gap, resumes: &Cursor, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("id: {resumes}\n").as_bytes());
    event("gap", &GapEvent::new(gap, resumes).untyped(), out);
}

pub(super) fn end(cursor: &Cursor, reason: EndReason, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("id: {cursor}\n").as_bytes());
    event("end", &ControlEvent::end(cursor, reason).untyped(), out);
}

fn event(name: &str, said: &impl Serialize, out: &mut Vec<u8>) {
    let data = json::line(said);
    out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_readers_end_them() {
        let split = |text| lines(text).collect::<Vec<_>>();
        assert_eq!(split(""), [""]);
        assert_eq!(split("a\r\nb\rc\nd"), ["a", "b", "c", "d"]);
        assert_eq!(split("\r\r\n\n"), ["", "", "", ""]);
    }
}
