//! Transports: a stream's moments as bytes. No IO and no clock; what a stream remembers of its own
//! bytes is in its [`Encoder`].
//!
//! **Transport** is the word outside: in `?as=`, in errors, in the label of the metrics. In the code
//! its name is [`Wire`].
//!
//! # The moments of a stream
//!
//! A message has the same bytes for every follower of one encoding ([`Encoding::message`]), so it is
//! encoded once and shared. All else depends on the stream, and its [`Encoder`] writes it. What each transport says
//! at each moment, where `{…}` is a JSON object (`object.rs`):
//!
//! | moment | `text` | `html` | `script` | `sse` | `ndjson` | `json` |
//! |---|---|---|---|---|---|---|
//! | [open](Encoder::open) | nothing | nothing | `f({open})` | `retry:` | `{open}` | nothing |
//! | [first bytes](Encoder::opened) when quiet | `.` | `<i></i>.` | no more | no more, or `event: heartbeat` | no more | nothing |
//! | [lead](Encoder::lead) of a message | ends the dots, `channel: ` | ends the dots | `<script nonce=…>f(` | nothing | nothing | `{"messages":[` or `,` |
//! | [message](Encoding::message) | a line | `<p class="message">` | `{message})</script>` | `id:` `event:` `data:` | `{message}` | `{message}` |
//! | [live](Encoder::live), caught up | `# live …` with `marks=1` | `<div class="new">`, with `marks=1` after `<p class="live">` | `f({live})` | `event: live` | `{live}` | nothing until the end |
//! | [closed](Encoder::closed), a channel | `# closed …` with `marks=1` | `<p class="closed">` with `marks=1` | `f({closed})` | `event: closed` | `{closed}` | nothing until the end |
//! | [idle](Encoder::idle), a heartbeat | `.` | `.`, some with `<i></i>` | `f({heartbeat})` | `:`, or `event: heartbeat` | `{heartbeat}` | nothing |
//! | [gap](Encoder::gap) | `# gap …` | `<p class="gap">` | `f({gap})` | `event: gap` | `{gap}` | nothing until the end |
//! | [end](Encoder::end) | `# end …` | `<p class="end">` | `f({end})` | `event: end` | `{end}` | `],"gap":…,"closed":…,"live":…,"cursor":…}` |
//!
//! With `color=1` a message in `text` keeps its colours, as it always does in `html`: `sgr.rs` says what
//! these are. The other transports have the text as it was sent.
//!
//! With `envelope=1` a message in `sse` is the `{message}` of `ndjson`: the lead is then `id:`, `event:`
//! and `data:`, and a [trail](Encoder::trail) ends the block.
//!
//! The end is said in-band, and then the chunk that ends the body comes; so a client can tell a
//! stream that was cut from one that has ended. Where the log cannot be read the end is said with the
//! reason `store`, and the body stays incomplete: that chunk does not come, and neither does the
//! rest of a long poll's object. Chunks are no boundaries of messages, since proxies
//! cut and join them: what separates messages is in the body.
//!
//! # Grammars
//!
//! The grammar of each transport, and what a client does with it, stands at the head of its file.
//! Grammars are ABNF (RFC 5234) with strings that are case-sensitive (RFC 7405) and in single quotes
//! where they contain double ones. They share these rules:
//!
//! ```abnf
//! cursor     = 1*32( ALPHA / DIGIT ) "-" 1*20DIGIT      ; EPOCH-SEQ
//! channel    = 1*64( ALPHA / DIGIT / "." / "_" / "~" / "-" )
//! event      = 1*64( ALPHA / DIGIT / "." / "_" / ":" / "-" )
//! time       = 4DIGIT "-" 2DIGIT "-" 2DIGIT "T" 2DIGIT ":" 2DIGIT ":" 2DIGIT "." 3DIGIT "Z"
//! missed     = 1*20DIGIT
//! reason     = "expired" / "epoch" / "future"
//! end-reason = "limit" / "until" / "closed" / "timeout" / "rotate" / "revoked" / "expired" / "stop" / "store"
//! ```
//!
//! # A new transport
//!
//! One that is a body of bytes, as these six are, is a file here and its lines in the matches of
//! [`Wire`], [`Encoding`] and [`Encoder`]. `http/negotiate.rs` has the `Accept` that selects it, `http/stream.rs`
//! makes its encoder from the parameters of the request. `script`, `sse`, `ndjson` and `json` have the
//! objects of `object.rs` in common, above all that of the gap. The log and the metrics need no
//! change, since they have a slot for each of [`Wire::ALL`], and neither does the follower, which
//! knows only the encoder. A reader of its grammar in `tests/support/wires.rs` puts it under the
//! conformance tests, which go through all transports.
//!
//! One that is not a chunked HTTP/1.1 body, such as WebSocket (RFC 6455), needs more, because
//! chunked framing reaches from here to the socket: [`Chunk`] has it, `log/entry.rs` caches a
//! framed message per encoding, `log/shared_frame.rs` frames several, `follow/follower.rs` frames all
//! that is not a message alone, and `server/stream_conn.rs` writes the bytes and ends them with
//! [`Chunk::LAST`]. Framing would become a property of the [`Wire`], which these files ask for it. WebSocket also needs the answer 101
//! instead of a stream's head (`http/stream.rs`, `http/reply.rs`), and a connection that reads what
//! its client sends, to answer pings and the closing handshake: `server/stream_conn.rs` and
//! `server/crowd` throw those bytes away.

mod chunk;
mod encoding;
mod escape;
mod html;
#[cfg(test)]
mod html_language_tests;
mod json;
mod ndjson;
mod object;
mod script;
mod sgr;
mod sse;
mod style;
#[cfg(test)]
mod testing;
mod text;

use std::sync::Arc;
use std::time::Duration;

use crate::message::{Channel, Cursor, Epoch, Gap, Message};
use object::{ClosedObject, ControlObject, GapObject};

pub use chunk::Chunk;
pub use encoding::Encoding;
pub use escape::{html as escape_html, script as escape_script};
pub use html::HtmlStream;
pub use json::LongPoll;
pub use object::to_json;
pub use script::ScriptFrame;
pub use sse::SseOptions;
pub use text::TextStream;

/// The transport of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A line per message, for terminals.
    Text,
    /// The forever frame: a page that never ends, with an element per message.
    Html,
    /// The hidden iframe: a script per message, which hands it to the page around.
    Script,
    /// Server-Sent Events.
    Sse,
    /// A JSON object per line.
    Ndjson,
    /// The long poll: one JSON object, as soon as there is something.
    Json,
}

impl Wire {
    /// All transports, in the order of their indices ([`Wire::index`]).
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

    /// Returns the transport of this name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Wire> {
        Wire::ALL.into_iter().find(|wire| wire.name() == name)
    }

    /// The index of this transport in tables with a slot for each.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The `Content-Type` of a stream.
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

    /// Whether a quiet stream shows dots, which a person watches.
    #[must_use]
    pub fn has_dots(self) -> bool {
        matches!(self, Wire::Text | Wire::Html)
    }
}

/// Why the server ends a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The stream has had as many messages as were asked for, or a long poll has its answer.
    Limit,
    /// The stream has all that was asked for of the log.
    Until,
    /// All channels of the stream are closed, and it has all that they have.
    Closed,
    /// The stream has lasted as long as was asked for.
    Timeout,
    /// The stream has grown large enough; the client is to come back with its cursor.
    Rotate,
    /// The right to follow was taken back.
    Revoked,
    /// The time of the right to follow is over.
    Expired,
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
            EndReason::Until => "until",
            EndReason::Closed => "closed",
            EndReason::Timeout => "timeout",
            EndReason::Rotate => "rotate",
            EndReason::Revoked => "revoked",
            EndReason::Expired => "expired",
            EndReason::Stop => "stop",
            EndReason::Store => "store",
        }
    }
}

/// The encoder of one stream: its transport, what its follower chose, and the state of its last
/// bytes as far as the next depend on it.
#[derive(Clone, Debug)]
pub enum Encoder {
    /// `text`, with what its follower chose and the state of its dots.
    Text(TextStream),
    /// `html`, with what its follower chose and the state of its dots.
    Html(HtmlStream),
    /// `script`, with the nonce and the origin of its frame. Elsewhere in memory, as the state of a
    /// long poll is, because there are very many streams, and few of them are of these two transports.
    Script(Arc<ScriptFrame>),
    /// `sse`, with what its follower chose.
    Sse(SseOptions),
    /// `ndjson`, which has no state: every line is whole.
    Ndjson,
    /// `json`, with the state of its one object.
    Json(Box<LongPoll>),
}

impl Encoder {
    /// The transport.
    #[must_use]
    pub fn wire(&self) -> Wire {
        match self {
            Encoder::Text(_) => Wire::Text,
            Encoder::Html(_) => Wire::Html,
            Encoder::Script(_) => Wire::Script,
            Encoder::Sse(_) => Wire::Sse,
            Encoder::Ndjson => Wire::Ndjson,
            Encoder::Json(_) => Wire::Json,
        }
    }

    /// Puts the opening of a stream that begins at `cursor`.
    pub fn open(&mut self, cursor: &Cursor, out: &mut Vec<u8>) {
        match self {
            Encoder::Text(_) | Encoder::Html(_) | Encoder::Json(_) => {}
            Encoder::Script(frame) => frame.call(&ControlObject::open(cursor), out),
            Encoder::Sse(options) => options.open(out),
            Encoder::Ndjson => ndjson::line(&ControlObject::open(cursor), out),
        }
    }

    /// Puts what completes the first bytes of a stream, after the opening and the messages that
    /// were there at once, up to `cursor`; `quiet` if there was none.
    ///
    /// There must be a byte in any case, except that a long poll is answered at once, and an event for scripts that asked for heartbeats, because
    /// clients and proxies wait for it.
    pub fn opened(&mut self, cursor: &Cursor, quiet: bool, out: &mut Vec<u8>) {
        let is_idle = match self {
            Encoder::Text(_) | Encoder::Html(_) => quiet,
            Encoder::Sse(options) => options.heartbeat_event,
            Encoder::Script(_) | Encoder::Ndjson | Encoder::Json(_) => false,
        };
        if is_idle {
            self.idle(cursor, out);
        }
    }

    /// The encoding of messages that this stream has in it.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        match self {
            Encoder::Text(text) if text.has_colors => Encoding::ColoredText,
            Encoder::Text(_) => Encoding::Text,
            Encoder::Html(_) => Encoding::Html,
            Encoder::Script(_) => Encoding::Script,
            Encoder::Sse(options) if options.envelope => Encoding::Ndjson,
            Encoder::Sse(_) => Encoding::Sse,
            Encoder::Ndjson => Encoding::Ndjson,
            Encoder::Json(_) => Encoding::Json,
        }
    }

    /// Whether the shared bytes of the next message can stand as they are, with no lead and no trail.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        match self {
            Encoder::Text(text) => text.is_plain(),
            Encoder::Html(html) => !html.dots.are_unended(),
            Encoder::Sse(options) => !options.envelope,
            Encoder::Ndjson => true,
            Encoder::Script(_) | Encoder::Json(_) => false,
        }
    }

    /// Puts what must stand before the shared bytes of this message.
    pub fn lead(&mut self, message: &Message, epoch: &Epoch, out: &mut Vec<u8>) {
        match self {
            Encoder::Text(text) => text.lead(&message.channel, out),
            Encoder::Html(html) => html.dots.lead(out),
            Encoder::Script(frame) => frame.lead(out),
            Encoder::Sse(options) => options.lead(message, epoch, out),
            Encoder::Ndjson => {}
            Encoder::Json(poll) => poll.lead(out),
        }
    }

    /// Puts what must stand after the shared bytes of a message.
    pub fn trail(&self, out: &mut Vec<u8>) {
        if let Encoder::Sse(options) = self {
            options.trail(out);
        }
    }

    /// Puts that the follower has caught up: everything up to `cursor`, all that was in the log when
    /// the stream began, has been sent, and what comes now is new. A stream of `text` says so only if its
    /// follower chose that, and one of `html` in words.
    pub fn live(&mut self, cursor: &Cursor, out: &mut Vec<u8>) {
        match self {
            Encoder::Text(text) => text.live(cursor, out),
            Encoder::Html(html) => html.live(cursor, out),
            Encoder::Script(frame) => frame.call(&ControlObject::live(cursor), out),
            Encoder::Sse(options) => options.live(cursor, out),
            Encoder::Ndjson => ndjson::line(&ControlObject::live(cursor), out),
            Encoder::Json(poll) => poll.live(),
        }
    }

    /// Puts that a channel is closed: its follower, who stands at `cursor`, has all that it has. A stream
    /// of `text` or `html` says so only if its follower chose that.
    pub fn closed(&mut self, channel: &Channel, cursor: &Cursor, out: &mut Vec<u8>) {
        match self {
            Encoder::Text(text) => text.closed(channel, out),
            Encoder::Html(html) => html.closed(channel, cursor, out),
            Encoder::Script(frame) => frame.call(&ClosedObject::new(channel, cursor), out),
            Encoder::Sse(options) => options.closed(channel, cursor, out),
            Encoder::Ndjson => ndjson::line(&ClosedObject::new(channel, cursor), out),
            Encoder::Json(poll) => poll.closed(channel),
        }
    }

    /// Puts a heartbeat: nothing is new, and everything up to `cursor` has been sent.
    pub fn idle(&mut self, cursor: &Cursor, out: &mut Vec<u8>) {
        match self {
            Encoder::Text(TextStream { dots, .. }) => dots.idle(out),
            Encoder::Html(HtmlStream { dots, .. }) => dots.idle(out),
            Encoder::Script(frame) => frame.call(&ControlObject::heartbeat(cursor), out),
            Encoder::Sse(options) => options.idle(cursor, out),
            Encoder::Ndjson => ndjson::line(&ControlObject::heartbeat(cursor), out),
            // Its head has not been sent.
            Encoder::Json(_) => {}
        }
    }

    /// Puts a gap: messages that were asked for are gone, or it is unknown whether there are any.
    pub fn gap(&mut self, gap: &Gap, epoch: &Epoch, out: &mut Vec<u8>) {
        let resumes = Cursor {
            epoch: epoch.clone(),
            seq: gap.resumes,
        };
        match self {
            Encoder::Text(text) => text::gap(&mut text.dots, gap, &resumes, out),
            Encoder::Html(html) => html::gap(html, gap, &resumes, out),
            Encoder::Script(frame) => frame.call(&GapObject::new(gap, &resumes), out),
            Encoder::Sse(options) => options.gap(gap, &resumes, out),
            Encoder::Ndjson => ndjson::line(&GapObject::new(gap, &resumes), out),
            Encoder::Json(poll) => poll.gap(gap, &resumes),
        }
    }

    /// Puts the end of a stream that the server ends at `cursor`. `retry` is the time after which the
    /// client is to come back, if the server has a reason to choose it; `text` and `html` do not say
    /// it.
    pub fn end(
        &mut self,
        cursor: &Cursor,
        reason: EndReason,
        retry: Option<Duration>,
        out: &mut Vec<u8>,
    ) {
        match self {
            Encoder::Text(text) => text::end(&mut text.dots, cursor, reason, out),
            Encoder::Html(html) => html::end(html, cursor, reason, out),
            Encoder::Script(frame) => frame.call(&ControlObject::end(cursor, reason, retry), out),
            Encoder::Sse(options) => options.end(cursor, reason, retry, out),
            Encoder::Ndjson => ndjson::line(&ControlObject::end(cursor, reason, retry), out),
            Encoder::Json(poll) => poll.end(cursor, out),
        }
    }
}
