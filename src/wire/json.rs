//! `json`: the long poll. And the JSON that other wires say.

use bytes::Bytes;
use serde::Serialize;

use super::EndReason;
use crate::message::{Cursor, Epoch, Gap, Message};

/// A message as JSON has it.
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
    /// `kind` is `message` where objects of other kinds stand beside it.
    pub(super) fn new(
        message: &'a Message,
        epoch: &Epoch,
        kind: Option<&'static str>,
    ) -> MessageObject<'a> {
        MessageObject {
            kind,
            cursor: format!("{epoch}-{}", message.seq),
            channel: message.channel.as_str(),
            event: message.event.as_str(),
            time: message.time.to_string(),
            data: &message.data,
        }
    }
}

/// What a stream says of itself.
#[derive(Serialize)]
pub(super) struct ControlEvent {
    /// Left out where something else says it, as the event's name does in SSE.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    cursor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl ControlEvent {
    /// Where something else says what it is.
    pub(super) fn untyped(self) -> ControlEvent {
        ControlEvent { kind: None, ..self }
    }

    pub(super) fn new(kind: &'static str, cursor: &Cursor) -> ControlEvent {
        ControlEvent {
            kind: Some(kind),
            cursor: cursor.to_string(),
            reason: None,
        }
    }

    pub(super) fn end(cursor: &Cursor, reason: EndReason) -> ControlEvent {
        ControlEvent {
            reason: Some(reason.as_str()),
            ..ControlEvent::new("end", cursor)
        }
    }
}

/// A gap as JSON has it; `missed` is null where it is not known.
#[derive(Serialize)]
pub(super) struct GapEvent {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    reason: &'static str,
    missed: Option<u64>,
    cursor: String,
}

impl GapEvent {
    /// Where something else says what it is.
    pub(super) fn untyped(self) -> GapEvent {
        GapEvent { kind: None, ..self }
    }

    pub(super) fn new(gap: &Gap, resumes: &Cursor) -> GapEvent {
        let reason = gap.reason.as_str();
        GapEvent {
            kind: Some("gap"),
            reason,
            missed: gap.missed,
            cursor: resumes.to_string(),
        }
    }
}

/// JSON in one line; what is said here has only string keys, which is all that could fail.
pub(super) fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn message(message: &Message, epoch: &Epoch) -> Bytes {
    line(&MessageObject::new(message, epoch, None)).into()
}

/// The answer of a long poll, while it is put together:
/// `{"messages":[…],"gap":null or {…},"cursor":…}`.
#[derive(Debug, Default)]
pub struct LongPoll {
    messages: u64,
    /// A poll says one gap: of several the first reason, the sum, and the last place.
    gap: Option<(Gap, Cursor)>,
}

impl LongPoll {
    pub(super) fn lead(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.messages == 0 { OPENING } else { b"," });
        self.messages += 1;
    }

    pub(super) fn gap(&mut self, gap: &Gap, resumes: &Cursor) {
        let mut gap = gap.clone();
        if let Some((before, _)) = &self.gap {
            gap.reason = before.reason;
            gap.missed = before
                .missed
                .zip(gap.missed)
                .map(|(before, now)| before + now);
        }
        self.gap = Some((gap, resumes.clone()));
    }

    pub(super) fn end(&mut self, cursor: &Cursor, out: &mut Vec<u8>) {
        if self.messages == 0 {
            out.extend_from_slice(OPENING);
        }
        let gap = self.gap.take();
        let gap = gap.map(|(gap, resumes)| GapEvent::new(&gap, &resumes).untyped());
        let rest = format!("],\"gap\":{},\"cursor\":\"{cursor}\"}}\n", line(&gap));
        out.extend_from_slice(rest.as_bytes());
    }
}

const OPENING: &[u8] = b"{\"messages\":[";
