//! `script`: the hidden iframe, with a script per message that hands it to the page around.
//!
//! # Grammar
//!
//! ```abnf
//! stream  = prelude *call
//! prelude = '<!doctype html>' LF '<meta charset="utf-8">' LF '<title>forever-frame</title>' LF
//!           '<script nonce="' nonce '">' LF
//!           'const origin = ' ( string / 'location.origin' ) ';' LF
//!           'function f(said) { document.currentScript.remove(); parent.postMessage(said, origin); }' LF
//!           '</script>' LF
//! call    = '<script nonce="' nonce '">f(' ( open / message / heartbeat / gap / live
//!           / closed / end )
//!           ')</script>' LF
//! nonce   = 32HEXDIG
//! ```
//!
//! The objects are those of `wire/object.rs`, with their `type`; the first call has `open`, and the
//! last, if the server ends the stream, `end`. In an object, and in the origin's `string`, `<`, `>`
//! and `&` are written as `\u` and four digits, as U+2028 and U+2029 are in all objects. So nothing in a message ends the
//! script or opens a comment in it (HTML standard, section 4.12.1.3), and nothing ends a line in a
//! string for engines to which the last two are line ends (ECMA-262 before 2019).
//!
//! Each script carries the nonce of its response, so that the policy of the response (Content
//! Security Policy Level 3, `nonce-source`) can forbid all others, and removes itself from the
//! document when it has run. `http` pads the prelude to 1 KiB for browsers.
//!
//! # What a client does with it
//!
//! The page puts the iframe into its document, then sets its `src`, and is sent each object by
//! `postMessage` (HTML standard, section 9.3), with an explicit target origin: the server's own, or
//! the allowed one of `?origin=`. A response is over with the object `end`; the page then comes back
//! with `since=` and its cursor. Where the response ends without that object, the `load` event of the
//! iframe, if it fires, may overtake objects that were posted before it. A connection that is cut
//! fires no `load` in some browsers, so the page also watches for heartbeats that fail to come.
//!
//! The call with `live` comes once, between the last message that was in the log when the stream began
//! and the first that is new. A stream that begins quiet has its prelude, `open` and `live` at once. The document of a
//! frame grows with what a browser keeps of it, so the server ends it after a while, with the reason
//! `rotate`.

use bytes::Bytes;
use serde::Serialize;

use super::escape;
use super::object::{MessageObject, to_json};
use crate::message::{Epoch, Message};

/// What makes the scripts of one frame its own: the nonce of its response, and the page's origin.
#[derive(Clone, Debug)]
pub struct ScriptFrame {
    nonce: String,
    /// The page's origin, if it is not the server's own.
    origin: Option<String>,
}

impl ScriptFrame {
    /// A frame with a nonce that no other frame has, for a page of this server or of another
    /// origin.
    #[must_use]
    pub fn new(nonce: String, origin: Option<String>) -> ScriptFrame {
        ScriptFrame { nonce, origin }
    }

    /// The nonce, for the policy of the response.
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The origin that the frame talks to, if it is not the server's own.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The beginning of the document, with the function that all further scripts call.
    #[must_use]
    pub fn prelude(&self) -> String {
        let ScriptFrame { nonce, origin } = self;
        let origin = match origin {
            Some(origin) => escape::script(&to_json(origin)),
            None => "location.origin".to_owned(),
        };
        format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<title>forever-frame</title>\n<script nonce=\"{nonce}\">\n\
             const origin = {origin};\n\
             function f(said) {{ document.currentScript.remove(); parent.postMessage(said, origin); }}\n\
             </script>\n"
        )
    }

    /// Puts the beginning of a call, up to its argument.
    pub(super) fn lead(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<script nonce=\"");
        out.extend_from_slice(self.nonce.as_bytes());
        out.extend_from_slice(b"\">f(");
    }

    /// Puts a whole call with this object.
    pub(super) fn call(&self, object: &impl Serialize, out: &mut Vec<u8>) {
        self.lead(out);
        out.extend_from_slice(&argument(object));
    }
}

/// The argument of a message's call and the end of its script, which are the same in all frames.
pub(super) fn message(message: &Message, epoch: &Epoch) -> Bytes {
    argument(&MessageObject::typed(message, epoch)).into()
}

/// The argument of a call, and the end of its script.
fn argument(object: &impl Serialize) -> Vec<u8> {
    let mut text = escape::script(&to_json(object));
    text.push_str(")</script>\n");
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, AWKWARD, delivered, ended, gaps, idled, opened_quiet};
    use super::super::{Encoder, EndReason};
    use super::*;

    /// Every moment of a stream, byte for byte.
    #[test]
    fn script_golden_bytes() {
        let mut script = Encoder::Script(std::sync::Arc::new(ScriptFrame::new("6e".into(), None)));
        assert_eq!(
            opened_quiet(&mut script),
            "<script nonce=\"6e\">f({\"type\":\"open\",\"cursor\":\"k3f9x2qa0b-6\"})</script>\n\
             <script nonce=\"6e\">f({\"type\":\"live\",\"cursor\":\"k3f9x2qa0b-6\"})</script>\n"
        );
        assert_eq!(
            delivered(&mut script, &testing::message(7, AWKWARD)),
            "<script nonce=\"6e\">f({\"type\":\"message\",\"cursor\":\"k3f9x2qa0b-7\",\
             \"channel\":\"build\",\"event\":\"message\",\"time\":\"2025-11-20T11:03:27.042Z\",\
             \"data\":\"\\u003c/script\\u003e \\\"你\\\" \\u0026 'x'\\t\\u001b[1m\\u0000\\r\\ntwo\
             \\u2028C:\\\\new\u{7f}\\u0085\"})</script>\n"
        );
        assert_eq!(
            idled(&mut script),
            "<script nonce=\"6e\">f({\"type\":\"heartbeat\",\"cursor\":\"k3f9x2qa0b-7\"})</script>\n"
        );
        assert_eq!(
            gaps(&mut script),
            [
                "<script nonce=\"6e\">f({\"type\":\"gap\",\"reason\":\"expired\",\"missed\":2,\
                 \"cursor\":\"k3f9x2qa0b-9\"})</script>\n",
                "<script nonce=\"6e\">f({\"type\":\"gap\",\"reason\":\"epoch\",\"missed\":null,\
                 \"cursor\":\"k3f9x2qa0b-9\"})</script>\n",
                "<script nonce=\"6e\">f({\"type\":\"gap\",\"reason\":\"future\",\"missed\":null,\
                 \"cursor\":\"k3f9x2qa0b-9\"})</script>\n",
            ]
        );
        assert_eq!(
            ended(&mut script, EndReason::Rotate),
            "<script nonce=\"6e\">f({\"type\":\"end\",\"cursor\":\"k3f9x2qa0b-9\",\
             \"reason\":\"rotate\"})</script>\n"
        );
    }

    /// The prelude names the server's own origin by an expression, another by a string that cannot
    /// end the script.
    #[test]
    fn script_prelude() {
        assert_eq!(
            ScriptFrame::new("6e".into(), None).prelude(),
            "<!doctype html>\n<meta charset=\"utf-8\">\n<title>forever-frame</title>\n\
             <script nonce=\"6e\">\nconst origin = location.origin;\n\
             function f(said) { document.currentScript.remove(); parent.postMessage(said, origin); }\n\
             </script>\n"
        );
        let other = ScriptFrame::new("6e".into(), Some("https://a.example/</script>".into()));
        assert!(
            other
                .prelude()
                .contains("\nconst origin = \"https://a.example/\\u003c/script\\u003e\";\n")
        );
    }
}
