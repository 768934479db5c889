//! What a follower sees of a message, where that is not the same for all.

use crate::message::{Channel, Message};

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
