//! `script`: the hidden iframe. A script a message, which hands it to the page around.
//!
//! Each script carries the response's nonce, so that a policy can forbid all others, and takes
//! itself out of the document when it has run. Data is JSON in which nothing can end the script.

use bytes::Bytes;
use serde::Serialize;

use super::escape;
use super::json::{self, MessageObject};
use crate::message::{Epoch, Message};

/// What makes one frame's scripts its own.
#[derive(Clone, Debug)]
pub struct ScriptFrame {
    nonce: String,
    /// The page's origin, if it is not the server's own.
    origin: Option<String>,
}

impl ScriptFrame {
    /// A frame with a nonce that no other has, for a page of the server or of a foreign origin.
    #[must_use]
    pub fn new(nonce: String, origin: Option<String>) -> ScriptFrame {
        ScriptFrame { nonce, origin }
    }

    /// The nonce, for the policy of the response.
    #[must_use]
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// The foreign origin that the frame talks to.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// The beginning of the document: what all further scripts call.
    #[must_use]
    pub fn prelude(&self) -> String {
        let ScriptFrame { nonce, origin } = self;
        let origin = match origin {
            Some(origin) => escape::script(&json::line(origin)),
            None => "location.origin".to_owned(),
        };
        format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<title>forever-frame</title>\n<script nonce=\"{nonce}\">\n\
             const origin = {origin};\n\
             function f(said) {{ document.currentScript.remove(); parent.postMessage(said, origin); }}\n\
             </script>\n"
        )
    }

    pub(super) fn lead(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"<script nonce=\"");
        out.extend_from_slice(self.nonce.as_bytes());
        out.extend_from_slice(b"\">f(");
    }

    pub(super) fn call(&self, said: &impl Serialize, out: &mut Vec<u8>) {
        self.lead(out);
        out.extend_from_slice(&argument(said));
    }
}

pub(super) fn message(message: &Message, epoch: &Epoch) -> Bytes {
    argument(&MessageObject::new(message, epoch, Some("message"))).into()
}

/// The argument of a call, and the end of its script.
fn argument(value: &impl Serialize) -> Vec<u8> {
    let mut text = escape::script(&json::line(value));
    text.push_str(")</script>\n");
    text.into_bytes()
}
