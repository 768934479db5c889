//! Encodings: bytes only. No IO, no clock; what a stream remembers of its own bytes is in
//! [`Encoder`].
//!
//! A stream has five moments, and an encoding is its answer to each: *open*, *message*, *idle*
//! (nothing new for a heartbeat), *gap*, *end*. What a message becomes is the same for all who
//! follow ([`Wire::message`]), so it is made once and shared; what must stand before it in one
//! stream is that stream's [`Encoder::lead`].

mod chunk;
mod escape;
mod html;
mod json;
mod ndjson;
mod script;
mod sse;
mod text;

use bytes::Bytes;

use crate::message::{Cursor, Epoch, Gap, Message};

pub use chunk::Chunk;
pub use escape::html as escape_html;
pub use script::ScriptFrame;

/// The encoding of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A line a message, for terminals.
    Text,
    /// The forever frame: a page that never ends, an element a message.
    Html,
    /// The hidden iframe: a script a message, which hands it to the page around.
    Script,
    /// Server-Sent Events.
    Sse,
    /// A JSON object a line.
    Ndjson,
    /// The long poll: one JSON object, when there is something.
    Json,
}

impl Wire {
    /// All of them, in the order of their numbers ([`Wire::index`]).
    pub const ALL: [Wire; 6] = [
        Wire::Text,
        Wire::Html,
        Wire::Script,
        Wire::Sse,
        Wire::Ndjson,
        Wire::Json,
    ];

    /// The name that `?as=` takes and metrics show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Wire::Text => "text",
            Wire::Html => "html",
            Wire::Script => "script",
            Wire::Sse => "sse",
            Wire::Ndjson => "ndjson",
            Wire::Json => "json",
        }
    }

    /// The wire of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Wire> {
        Wire::ALL.into_iter().find(|wire| wire.name() == name)
    }

    /// Its number, for tables with a place for each wire.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The `Content-Type` of the stream.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Wire::Text => "text/plain; charset=utf-8",
            Wire::Html | Wire::Script => "text/html; charset=utf-8",
            // Exactly this: some proxies compare the bare string.
            Wire::Sse => "text/event-stream",
            Wire::Ndjson => "application/x-ndjson",
            Wire::Json => "application/json",
        }
    }

    /// Does it show dots, as one watches them?
    #[must_use]
    pub fn has_dots(self) -> bool {
        matches!(self, Wire::Text | Wire::Html)
    }

    /// A message, the same bytes for every follower.
    #[must_use]
    pub fn message(self, message: &Message, epoch: &Epoch) -> Bytes {
        match self {
            Wire::Text => text::message(message),
            Wire::Html => html::message(message, epoch),
            Wire::Script => script::message(message, epoch),
            Wire::Sse => sse::message(message, epoch),
            Wire::Ndjson => ndjson::message(message, epoch),
            Wire::Json => json::message(message, epoch),
        }
    }
}

/// Why a stream ends on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// It has had as many messages as it asked for.
    Limit,
    /// It has lasted as long as it asked for.
    Timeout,
    /// It has grown large enough: its follower is to come back.
    Rotate,
    /// Its follower may not follow it any more.
    Revoked,
    /// The server stops.
    Stop,
    /// The store cannot be read.
    Store,
}

impl EndReason {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EndReason::Limit => "limit",
            EndReason::Timeout => "timeout",
            EndReason::Rotate => "rotate",
            EndReason::Revoked => "revoked",
            EndReason::Stop => "stop",
            EndReason::Store => "store",
        }
    }
}

/// One stream's encoder: the wire, what its follower chose, and what its last bytes ask of the
/// next.
#[derive(Debug)]
pub enum Encoder {
    /// `dots`: they stand on a line that is not ended yet.
    Text {
        /// See above.
        dots: bool,
    },
    /// See [`Encoder::Text`].
    Html {
        /// See above.
        dots: bool,
    },
    /// What makes this frame's scripts its own. Boxed, as the long poll's is: there are streams
    /// without number, and few of them are these.
    Script(Box<ScriptFrame>),
    /// What the follower chose.
    Sse(SseOptions),
    /// Every line is whole.
    Ndjson,
    /// What has been put into the one object so far.
    Json(Box<LongPoll>),
}

pub use json::LongPoll;
pub use sse::SseOptions;

impl Encoder {
    /// The encoding.
    #[must_use]
    pub fn wire(&self) -> Wire {
        match self {
            Encoder::Text { .. } => Wire::Text,
            Encoder::Html { .. } => Wire::Html,
            Encoder::Script(_) => Wire::Script,
            Encoder::Sse(_) => Wire::Sse,
            Encoder::Ndjson => Wire::Ndjson,
            Encoder::Json(_) => Wire::Json,
        }
    }

    /// The stream begins at `cursor`.
    pub fn open(&mut self, cursor: &Cursor, out: &mut Vec<u8>) {
        match self {
            Encoder::Text { .. } | Encoder::Html { .. } | Encoder::Json(_) => {}
            Encoder::Script(frame) => frame.call(&json::ControlEvent::new("open", cursor), out),
            Encoder::Sse(choice) => choice.open(cursor, out),
            Encoder::Ndjson => ndjson::line(&json::ControlEvent::new("open", cursor), out),
        }
    }

    /// The first bytes have been put, up to `cursor`; `quiet` if there was nothing to follow. There
    /// must be a byte all the same, and scripts that ask for heartbeats an event: clients, and
    /// those between, wait for it.
    pub fn opened(&mut self, cursor: &Cursor, quiet: bool, out: &mut Vec<u8>) {
        let waited_for = match self {
            Encoder::Text { .. } | Encoder::Html { .. } | Encoder::Json(_) => quiet,
            Encoder::Sse(choice) => choice.heartbeat_event,
            Encoder::Script(_) | Encoder::Ndjson => false,
        };
        if waited_for {
            self.idle(cursor, out);
        }
    }

    /// Can the next message stand as it is, with nothing before it?
    #[must_use]
    pub fn is_plain(&self) -> bool {
        match self {
            Encoder::Text { dots } | Encoder::Html { dots } => !dots,
            Encoder::Sse(_) | Encoder::Ndjson => true,
            Encoder::Script(_) | Encoder::Json(_) => false,
        }
    }

    /// Puts what must stand before the next message.
    pub fn lead(&mut self, out: &mut Vec<u8>) {
        match self {
            // In HTML an element begins its own line; the newline keeps the source readable.
            Encoder::Text { dots } | Encoder::Html { dots } => {
                if std::mem::take(dots) {
                    out.push(b'\n');
                }
            }
            Encoder::Script(frame) => frame.lead(out),
            Encoder::Sse(_) | Encoder::Ndjson => {}
            Encoder::Json(poll) => poll.lead(out),
        }
    }

    /// Nothing new for a heartbeat; all up to `cursor` has been seen.
    pub fn idle(&mut self, cursor: &Cursor, out: &mut Vec<u8>) {
        match self {
            Encoder::Text { dots } | Encoder::Html { dots } => {
                *dots = true;
                out.push(b'.');
            }
            Encoder::Script(frame) => {
                frame.call(&json::ControlEvent::new("heartbeat", cursor), out)
            }
            Encoder::Sse(choice) => choice.idle(cursor, out),
            Encoder::Ndjson => ndjson::line(&json::ControlEvent::new("heartbeat", cursor), out),
            // White space before the object, which no reader of JSON minds.
            Encoder::Json(_) => out.push(b'\n'),
        }
    }

    /// Messages that were asked for are gone.
    pub fn gap(&mut self, gap: &Gap, epoch: &Epoch, out: &mut Vec<u8>) {
        let resumes = Cursor {
            epoch: epoch.clone(),
            seq: gap.resumes,
        };
        match self {
            Encoder::Text { .. } => {
                self.lead(out);
                text::gap(gap, &resumes, out);
            }
            Encoder::Html { .. } => {
                self.lead(out);
                html::gap(gap, &resumes, out);
            }
            Encoder::Script(frame) => frame.call(&json::GapEvent::new(gap, &resumes), out),
            Encoder::Sse(_) => sse::gap(gap, &resumes, out),
            Encoder::Ndjson => ndjson::line(&json::GapEvent::new(gap, &resumes), out),
            Encoder::Json(poll) => poll.gap(gap, &resumes),
        }
    }

    /// The stream ends here, on purpose.
    pub fn end(&mut self, cursor: &Cursor, reason: EndReason, out: &mut Vec<u8>) {
        match self {
            Encoder::Text { .. } => {
                self.lead(out);
                text::end(cursor, out);
            }
            Encoder::Html { .. } => {
                self.lead(out);
                html::end(cursor, out);
            }
            Encoder::Script(frame) => frame.call(&json::ControlEvent::end(cursor, reason), out),
            Encoder::Sse(_) => sse::end(cursor, reason, out),
            Encoder::Ndjson => ndjson::line(&json::ControlEvent::end(cursor, reason), out),
            Encoder::Json(poll) => poll.end(cursor, out),
        }
    }
}
