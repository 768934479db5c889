//! What a follower asks for.

use tokio::time::Instant;

use crate::wire::{Chunk, EndReason};

/// What is to be done for a follower.
#[derive(Debug)]
pub enum Step {
    /// Write these bytes, and ask again when they have been taken.
    Write(Output),
    /// Write these bytes, and close the stream: they end with its end mark.
    Finish(Output, EndReason),
    /// Write these bytes, if there are any, and break the response off: the store cannot be read, and
    /// an end that looked like the planned one would say that there is nothing more.
    Break(Option<Output>),
    /// Read a page from the store after the follower's position, and ask again.
    Fetch,
    /// Ask again at this moment, or when a message comes.
    Wait(Instant),
}

/// The bytes of one write, and what is in them.
#[derive(Debug)]
pub struct Output {
    /// The bytes, in the framing of HTTP/1.1.
    pub chunk: Chunk,
    /// The number of messages in them.
    pub messages: u64,
    /// The number of gaps in them.
    pub gaps: u64,
    /// Whether they are a heartbeat.
    pub is_heartbeat: bool,
}
