//! Helpers that the unit tests of the log share.

use std::sync::Arc;

use super::{Entry, Selection};
use crate::message::{Channel, EventName, Message, Seq, Timestamp};

/// Returns the entry of a message of a channel; its text is as long for every seq below 1000.
pub(super) fn entry(seq: u64, channel: &str) -> Arc<Entry> {
    let channel = Channel::new(channel).unwrap();
    let data = format!("message {seq:3}").into();
    let message = Message {
        seq: Seq(seq),
        time: Timestamp(seq),
        channel,
        event: EventName::DEFAULT,
        data,
    };
    Arc::new(Entry::new(Arc::new(message)))
}

/// Returns a selection of all messages of some channels.
pub(super) fn selection(channels: &[&str]) -> Selection {
    channels
        .iter()
        .map(|name| (Channel::new(name).unwrap(), Seq::START))
        .collect()
}
