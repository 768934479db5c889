//! What one follower sees of the messages, where that is not the same for all.

use std::sync::Arc;

use super::Follower;
use crate::limits;
use crate::log::{Entry, Item};
use crate::message::{Channel, Message};
use crate::wire::EndReason;

/// Decides about each message before its follower sees it.
pub type Filter = Box<dyn FnMut(&Message) -> FilterAction + Send>;

/// What happens to a message on its way to one follower.
#[derive(Debug)]
pub enum FilterAction {
    /// The follower sees the message.
    Keep,
    /// The follower sees the message with this text in the place of its own.
    Replace(String),
    /// The follower does not see the message.
    Skip,
    /// The follower does not see the message, and follows one more channel from there on.
    Subscribe(Channel),
}

impl Follower {
    /// The items that the follower sees of those that were read.
    pub(super) fn filter(&mut self, items: Vec<Item>) -> Vec<Item> {
        let extras = self.options.extras_mut();
        let Some((grows, Some(filter))) = extras.map(|extras| (extras.grows, &mut extras.filter))
        else {
            return items;
        };
        let mut seen = Vec::with_capacity(items.len());
        for item in items {
            let entry = match &item {
                Item::Message(entry) => entry,
                Item::Gap(gap) => {
                    let resumes = gap.resumes;
                    seen.push(item);
                    if grows {
                        self.position.rewind(resumes);
                        self.options.extras().over = Some(EndReason::Rotate);
                        break;
                    }
                    continue;
                }
                Item::Close(_) => {
                    seen.push(item);
                    continue;
                }
            };
            let message = entry.message();
            match filter(message) {
                FilterAction::Keep => seen.push(item),
                FilterAction::Replace(data) => {
                    let mut message = message.clone();
                    message.data = data.into();
                    seen.push(Item::Message(Arc::new(Entry::new(Arc::new(message)))));
                }
                FilterAction::Skip => {}
                FilterAction::Subscribe(channel) => {
                    // What has been read after this message lacks that channel.
                    self.position.rewind(message.seq);
                    let max = limits::GROWING_STREAM_CHANNELS_MAX;
                    if !self.position.add_channel(channel, message.seq, max) {
                        // The client reconnects, reads this message again, and then has the
                        // channels of that moment.
                        self.position.rewind(message.seq.before());
                        self.options.extras().over = Some(EndReason::Rotate);
                    }
                    break;
                }
            }
        }
        seen
    }
}
