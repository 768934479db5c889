//! What a follower sees of a message, where that is not the same for all.

use std::sync::Arc;

use super::Follow;
use crate::limits;
use crate::log::{Entry, Item};
use crate::message::{Channel, Message};
use crate::wire::EndReason;

/// Looks at each message before its follower does.
pub type Lens = Box<dyn FnMut(&Message) -> Sight + Send>;

/// What its follower sees.
#[derive(Debug)]
pub enum Sight {
    /// The message.
    Same,
    /// This in the place of its data.
    Instead(String),
    /// Nothing.
    Nothing,
    /// Nothing; and from here on, what comes in this channel, too.
    Also(Channel),
    /// Nothing, and nothing more: the stream ends.
    End,
}

impl Follow {
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
                Sight::Same => seen.push(item),
                Sight::Instead(data) => {
                    let mut message = message.clone();
                    message.data = data.into();
                    seen.push(Item::Message(Arc::new(Entry::new(Arc::new(message)))));
                }
                Sight::Nothing => {}
                Sight::Also(channel) => {
                    // What has been read behind this lacks that channel.
                    self.reader.rewind(message.seq);
                    let most = limits::CHANNELS_GROWN;
                    if !self.reader.also(channel, message.seq, most) {
                        // It is to come back, and will see this again, with the channels of then.
                        self.reader.rewind(message.seq.before());
                        self.over = Some(EndReason::Rotate);
                    }
                    break;
                }
                Sight::End => {
                    self.reader.rewind(message.seq);
                    self.over = Some(EndReason::Revoked);
                    break;
                }
            }
        }
        seen
    }
}
