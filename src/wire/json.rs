//! `json`: the long poll, one JSON object that answers as soon as there is something
//! (RFC 6202, section 2).
//!
//! # Grammar
//!
//! ```abnf
//! body = '{"messages":[' [ message *( "," message ) ] '],"gap":' ( "null" / gap )
//!        ',"closed":[' [ string *( "," string ) ] '],"live":' ( "true" / "false" ) ',"cursor":"' cursor '"}' LF
//! ```
//!
//! `message` and `gap` are the objects of `wire/object.rs` without their `type`. Nothing comes
//! before the object is whole, not even the head of the response, which has the object's cursor as its
//! `ETag`. With `If-None-Match` and a tag, an object without any news is not sent, but 304.
//!
//! # What a client does with it
//!
//! It waits for the object, takes `messages` in their order, and asks again with `since=` and the
//! `cursor`. The object comes as soon as there is news: messages, a gap, or the end of a channel that is
//! closed. It has all that there is up to a bound, and no news when the time to wait is over; why the poll
//! ended is not said. `closed` are the channels whose end the object reaches, if they are closed: a poll
//! that begins there waits for what comes when the channel is opened again. `live` is
//! true if the object reaches all that was in the log when the poll began. A body
//! that is not a whole object was cut, and is asked for again with the cursor before it.
//!
//! Of several gaps the object has one: the reason of the first, the sum of what was missed (null if
//! any of them is unknown), and the cursor of the last.

use bytes::Bytes;

use super::object::{GapObject, MessageObject, Untyped, to_json};
use crate::message::{Channel, Cursor, Epoch, Gap, Message};

/// What comes before the first message.
const OPENING: &[u8] = b"{\"messages\":[";

/// The object of a message.
pub(super) fn message(message: &Message, epoch: &Epoch) -> Bytes {
    to_json(&MessageObject::untyped(message, epoch)).into()
}

/// The state of a long poll whose object is being written.
#[derive(Clone, Debug, Default)]
pub struct LongPoll {
    messages: u64,
    /// All gaps so far, as one, and the cursor after the last.
    gap: Option<(Gap, Cursor)>,
    /// The names of the channels that are closed.
    closed: Vec<String>,
    /// Whether the follower has caught up.
    is_live: bool,
}

impl LongPoll {
    /// Puts what stands before the next message: the opening of the object, or a comma.
    pub(super) fn lead(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.messages == 0 { OPENING } else { b"," });
        self.messages += 1;
    }

    /// Remembers a gap, together with those before it, for the end of the object.
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

    /// Remembers, for the end of the object, that a channel is closed.
    pub(super) fn closed(&mut self, channel: &Channel) {
        self.closed.push(channel.to_string());
    }

    /// Remembers, for the end of the object, that the follower has caught up.
    pub(super) fn live(&mut self) {
        self.is_live = true;
    }

    /// Whether the object has a message, a gap or the end of a channel.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.messages > 0 || self.gap.is_some() || !self.closed.is_empty()
    }

    /// Puts the rest of the object, or all of it if there was no message.
    pub(super) fn end(&mut self, cursor: &Cursor, out: &mut Vec<u8>) {
        if self.messages == 0 {
            out.extend_from_slice(OPENING);
        }
        let gap = self.gap.as_ref();
        let gap = gap.map(|(gap, resumes)| GapObject::new(gap, resumes).untyped());
        let rest = format!(
            "],\"gap\":{},\"closed\":{},\"live\":{},\"cursor\":\"{cursor}\"}}\n",
            to_json(&gap),
            to_json(&self.closed),
            self.is_live
        );
        out.extend_from_slice(rest.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, AWKWARD, delivered, ended, gap, gaps, idled, opened_quiet};
    use super::super::testing::{epoch, written};
    use super::super::{Encoder, EndReason};
    use super::*;
    use crate::message::GapReason;

    fn poll() -> Encoder {
        Encoder::Json(Box::default())
    }

    /// A poll that waits, has two messages, and ends.
    #[test]
    fn json_golden_bytes() {
        let mut json = poll();
        assert_eq!(opened_quiet(&mut json), "");
        assert_eq!(idled(&mut json), "");
        assert_eq!(
            delivered(&mut json, &testing::message(7, AWKWARD)),
            "{\"messages\":[{\"cursor\":\"k3f9x2qa0b-7\",\"channel\":\"build\",\
             \"event\":\"message\",\"time\":\"2025-11-20T11:03:27.042Z\",\
             \"data\":\"</script> \\\"你\\\" & 'x'\\t\\u001b[1m\\u0000\\r\\ntwo\\u2028C:\\\\new\u{7f}\\u0085\"}"
        );
        assert_eq!(
            delivered(&mut json, &testing::message(8, "")),
            ",{\"cursor\":\"k3f9x2qa0b-8\",\"channel\":\"build\",\"event\":\"message\",\
             \"time\":\"2025-11-20T11:03:27.042Z\",\"data\":\"\"}"
        );
        assert_eq!(
            ended(&mut json, EndReason::Limit),
            "],\"gap\":null,\"closed\":[],\"live\":true,\"cursor\":\"k3f9x2qa0b-9\"}\n"
        );
    }

    /// A poll whose time is over has an object without messages.
    #[test]
    fn json_empty_poll() {
        assert_eq!(
            ended(&mut poll(), EndReason::Timeout),
            "{\"messages\":[],\"gap\":null,\"closed\":[],\"live\":false,\"cursor\":\"k3f9x2qa0b-9\"}\n"
        );
    }

    /// Channels that are closed are named at the end of the object, and are an answer by themselves.
    #[test]
    fn json_names_closed_channels() {
        let mut json = poll();
        assert_eq!(testing::closed(&mut json), "");
        let Encoder::Json(poll) = &json else { panic!() };
        assert!(poll.has_news());
        assert_eq!(
            ended(&mut json, EndReason::Limit),
            "{\"messages\":[],\"gap\":null,\"closed\":[\"build\"],\"live\":false,\"cursor\":\"k3f9x2qa0b-9\"}\n"
        );
    }

    /// A gap stands at the end of the object, whatever its reason.
    #[test]
    fn json_gap_of_each_reason() {
        for (found, shown) in [
            (
                gap(GapReason::Expired, Some(2)),
                "\"reason\":\"expired\",\"missed\":2",
            ),
            (
                gap(GapReason::Epoch, None),
                "\"reason\":\"epoch\",\"missed\":null",
            ),
            (
                gap(GapReason::Future, None),
                "\"reason\":\"future\",\"missed\":null",
            ),
        ] {
            let mut json = poll();
            assert_eq!(written(|out| json.gap(&found, &epoch(), out)), "");
            assert_eq!(
                ended(&mut json, EndReason::Limit),
                format!(
                    "{{\"messages\":[],\"gap\":{{{shown},\"cursor\":\"k3f9x2qa0b-9\"}},\
                     \"closed\":[],\"live\":false,\"cursor\":\"k3f9x2qa0b-9\"}}\n"
                )
            );
        }
    }

    /// Several gaps become one: the first reason, the sum if all are known, the last cursor.
    #[test]
    fn json_gaps_are_added_up() {
        let mut json = poll();
        let first = Gap {
            resumes: testing::cursor(5).seq,
            ..gap(GapReason::Expired, Some(2))
        };
        let second = gap(GapReason::Expired, Some(3));
        assert_eq!(written(|out| json.gap(&first, &epoch(), out)), "");
        assert_eq!(written(|out| json.gap(&second, &epoch(), out)), "");
        assert!(
            ended(&mut json, EndReason::Limit).contains(
                "\"gap\":{\"reason\":\"expired\",\"missed\":5,\"cursor\":\"k3f9x2qa0b-9\"}"
            )
        );
        let mut json = poll();
        assert_eq!(gaps(&mut json), ["", "", ""]);
        assert!(ended(&mut json, EndReason::Limit).contains(
            "\"gap\":{\"reason\":\"expired\",\"missed\":null,\"cursor\":\"k3f9x2qa0b-9\"}"
        ));
    }
}
