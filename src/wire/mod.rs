//! Encodings: bytes only. No IO, no clock, no state but the line that dots stand on.
//!
//! A stream has five moments, and an encoding is its answer to each: *message*, *idle* (nothing
//! new for a heartbeat), *gap*, *end*, and the *open* that a page stands in for. What a message
//! becomes is the same for all who follow ([`Wire::message`]), so it is made once and shared.

mod escape;
mod html;
mod text;

use bytes::Bytes;

use crate::message::{Cursor, Epoch, Gap, Message};

pub use escape::html as escape_html;

/// The encoding of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A line a message, for terminals.
    Text,
    /// The forever frame: a page that never ends, an element a message.
    Html,
}

impl Wire {
    /// All of them, in the order of their numbers ([`Wire::index`]).
    pub const ALL: [Wire; 2] = [Wire::Text, Wire::Html];

    /// The name that `?as=` takes and metrics show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Wire::Text => "text",
            Wire::Html => "html",
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
            Wire::Html => "text/html; charset=utf-8",
        }
    }

    /// A message, the same bytes for every follower.
    #[must_use]
    pub fn message(self, message: &Message, epoch: &Epoch) -> Bytes {
        match self {
            Wire::Text => text::message(message),
            Wire::Html => html::message(message, epoch),
        }
    }
}

/// One stream's encoder: the wire, and what the stream's last byte asks of the next.
#[derive(Debug)]
pub struct Encoder {
    wire: Wire,
    /// Dots stand on a line that is not ended yet.
    dots: bool,
}

impl Encoder {
    /// An encoder at the start of a stream.
    #[must_use]
    pub fn new(wire: Wire) -> Encoder {
        Encoder { wire, dots: false }
    }

    /// The encoding.
    #[must_use]
    pub fn wire(&self) -> Wire {
        self.wire
    }

    /// What must stand before the next message, gap or end.
    #[must_use]
    pub fn lead(&mut self) -> &'static [u8] {
        // In HTML an element begins its own line; the newline keeps the source readable.
        if std::mem::take(&mut self.dots) {
            b"\n"
        } else {
            b""
        }
    }

    /// Nothing new for a heartbeat: a dot.
    pub fn idle(&mut self, out: &mut Vec<u8>) {
        self.dots = true;
        out.push(b'.');
    }

    /// Messages that were asked for are gone.
    pub fn gap(&mut self, gap: &Gap, epoch: &Epoch, out: &mut Vec<u8>) {
        out.extend_from_slice(self.lead());
        let resumes = Cursor {
            epoch: epoch.clone(),
            seq: gap.resumes,
        };
        match self.wire {
            Wire::Text => text::gap(gap, &resumes, out),
            Wire::Html => html::gap(gap, &resumes, out),
        }
    }

    /// The stream ends here, on purpose.
    pub fn end(&mut self, cursor: &Cursor, out: &mut Vec<u8>) {
        out.extend_from_slice(self.lead());
        match self.wire {
            Wire::Text => text::end(cursor, out),
            Wire::Html => html::end(cursor, out),
        }
    }
}
