//! `ndjson`: a JSON object per line, each with its `type` and its `cursor`.
//!
//! # Grammar
//!
//! ```abnf
//! stream = open LF *( ( message / heartbeat / gap / live / closed ) LF ) [ end LF ]
//! ```
//!
//! The objects are those of `wire/object.rs`, with their `type`; none has an LF in it (RFC 8259,
//! section 7), so a line is an object.
//!
//! # What a client does with it
//!
//! It splits the body at LF and reads each line as JSON: `fetch` in a page, `jq` in a shell. It
//! keeps the `cursor` of the last line, of whatever type, and comes back with `since=` and that
//! cursor when the body ends, at once or in the middle of a line. A line of an unknown `type` is
//! to be passed over.
//!
//! The line `live` comes once, between the last message that was in the log when the stream began and
//! the first that is new. A stream that begins quiet has `open` and `live` at once. A gap is a line between messages; the
//! `end` line says why the server ended the stream.

use bytes::Bytes;
use serde::Serialize;

use super::object::{MessageObject, to_json};
use crate::message::{Epoch, Message};

/// The line of a message.
pub(super) fn message(message: &Message, epoch: &Epoch) -> Bytes {
    let mut text = to_json(&MessageObject::typed(message, epoch));
    text.push('\n');
    text.into()
}

/// Puts an object and the end of its line.
pub(super) fn line(object: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(to_json(object).as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, AWKWARD, delivered, ended, gaps, idled, opened_quiet};
    use super::super::{Encoder, EndReason};

    /// Every moment of a stream, byte for byte.
    #[test]
    fn ndjson_golden_bytes() {
        let mut ndjson = Encoder::Ndjson;
        assert_eq!(
            opened_quiet(&mut ndjson),
            "{\"type\":\"open\",\"cursor\":\"k3f9x2qa0b-6\"}\n{\"type\":\"live\",\"cursor\":\"k3f9x2qa0b-6\"}\n"
        );
        assert_eq!(
            delivered(&mut ndjson, &testing::message(7, AWKWARD)),
            "{\"type\":\"message\",\"cursor\":\"k3f9x2qa0b-7\",\"channel\":\"build\",\
             \"event\":\"message\",\"time\":\"2025-11-20T11:03:27.042Z\",\
             \"data\":\"</script> \\\"你\\\" & 'x'\\t\\u001b[1m\\u0000\\r\\ntwo\\u2028C:\\\\new\u{7f}\\u0085\"}\n"
        );
        assert_eq!(
            idled(&mut ndjson),
            "{\"type\":\"heartbeat\",\"cursor\":\"k3f9x2qa0b-7\"}\n"
        );
        assert_eq!(
            gaps(&mut ndjson),
            [
                "{\"type\":\"gap\",\"reason\":\"expired\",\"missed\":2,\"cursor\":\"k3f9x2qa0b-9\"}\n",
                "{\"type\":\"gap\",\"reason\":\"epoch\",\"missed\":null,\"cursor\":\"k3f9x2qa0b-9\"}\n",
                "{\"type\":\"gap\",\"reason\":\"future\",\"missed\":null,\"cursor\":\"k3f9x2qa0b-9\"}\n",
            ]
        );
        assert_eq!(
            ended(&mut ndjson, EndReason::Timeout),
            "{\"type\":\"end\",\"cursor\":\"k3f9x2qa0b-9\",\"reason\":\"timeout\"}\n"
        );
    }
}
