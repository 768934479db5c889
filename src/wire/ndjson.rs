//! `ndjson`: a JSON object a line, each with its `type` and its `cursor`.

use bytes::Bytes;
use serde::Serialize;

use super::json::{self, MessageObject};
use crate::message::{Epoch, Message};

pub(super) fn message(message: &Message, epoch: &Epoch) -> Bytes {
    let mut text = json::line(&MessageObject::new(message, epoch, Some("message")));
    text.push('\n');
    text.into()
}

pub(super) fn line(said: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(json::line(said).as_bytes());
    out.push(b'\n');
}
