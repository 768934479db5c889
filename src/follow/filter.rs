//! What a follower sees of a message, where that is not the same for all.

use std::sync::Arc;

use super::Follower;
use crate::limits;
use crate::log::{Entry, Item};
use crate::message::{Channel, Message};
use crate::wire::EndReason;

/// Looks at each message before its follower does.
pub type Filter = Box<dyn FnMut(&Message) -> FilterAction + Send>;

/// What its follower sees.
#[derive(Debug)]
pub enum FilterAction {
    /// The message.
    Keep,
    /// This in the place of its data.
    Replace(String),
    /// Nothing.
    Skip,
    /// Nothing; and from here on, what comes in this channel, too.
    Subscribe(Channel),
    /// Nothing, and nothing more: the stream ends.
    End,
}

impl Follower {
    /// What its follower sees of these items.
    pub(super) fn see(&mut self, items: Vec<Item>) -> Vec<Item> {
        let Some(lens) = self.extras.as_mut().and_then(|extras| extras.lens.as_mut()) else {
            return items;
        };
        let mut seen = Vec::with_capacity(items.len());
        for item in items {
            let Item::Message(entry) = &item else {
                seen.push(item);
                continue;
            };
            let message = entry.message();
            match lens(message) {
                FilterAction::Keep => seen.push(item),
                FilterAction::Replace(data) => {
                    let mut message = message.clone();
                    message.data = data.into();
                    seen.push(Item::Message(Arc::new(Entry::new(Arc::new(message)))));
                }
                FilterAction::Skip => {}
                FilterAction::Subscribe(channel) => {
                    // What has been read behind this lacks that channel.
                    self.reader.rewind(message.seq);
                    let most = limits::GROWING_STREAM_CHANNELS_MAX;
                    if !self.reader.add_channel(channel, message.seq, most) {
                        // It is to come back, and will see this again, with the channels of then.
                        self.reader.rewind(message.seq.before());
                        self.over = Some(EndReason::Rotate);
                    }
                    break;
                }
                FilterAction::End => {
                    self.reader.rewind(message.seq);
                    self.over = Some(EndReason::Revoked);
                    break;
                }
            }
        }
        seen
    }
}
