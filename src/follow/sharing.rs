//! What a follower writes that many others write, too. Pure.

use std::time::Duration;

use tokio::time::Instant;

use super::Follower;
use super::follower::FollowerState;
use crate::log::Share;
use crate::message::Seq;
use crate::wire::{Chunk, Encoder, Encoding};

impl Follower {
    /// The encoding whose shared frames ([`SharedFrame`](crate::log::SharedFrame)) are this
    /// follower's next writes, whatever comes; `None` if it has to look at what comes.
    #[must_use]
    pub fn shared_encoding(&self) -> Option<Encoding> {
        let share = self.share().filter(|_| self.live.has_come());
        let is_new = !self.position.is_before_store_until();
        share.filter(|_| is_new).map(|share| share.encoding)
    }

    /// The interval of the follower's heartbeats, if these are all there is to be done until a message
    /// comes, and are the same for all followers of a transport at a cursor ([`Follower::idle_chunk`]).
    #[must_use]
    pub fn shared_heartbeat(&self) -> Option<Duration> {
        let is_shared = match &self.options.encoder {
            Encoder::Sse(options) => !options.heartbeat_event,
            Encoder::Ndjson => true,
            _ => false,
        };
        let is_endless = self.options.deadline().is_none();
        self.options.heartbeat().filter(|_| is_shared && is_endless)
    }

    /// When something was written last, or when the stream began.
    #[must_use]
    pub fn last_write(&self) -> Instant {
        self.wrote
    }

    /// A heartbeat at the follower's cursor.
    #[must_use]
    pub fn idle_chunk(&mut self) -> Chunk {
        let mut out = Vec::new();
        let cursor = self.cursor();
        self.options.encoder.idle(&cursor, &mut out);
        Chunk::new(&out)
    }

    /// What the follower takes as bytes that it shares: messages with nothing of its own before, between
    /// or after them.
    pub(super) fn share(&self) -> Option<Share> {
        let is_plain = self.state == FollowerState::Streaming
            && self.position.is_plain()
            && self.options.is_plain()
            && self.options.encoder.is_plain();
        is_plain.then(|| Share {
            encoding: self.options.encoder.encoding(),
            before: self.live.past().unwrap_or(Seq(u64::MAX)),
        })
    }

    /// All up to `at` has been written as all followers share it, the last of it at this moment.
    pub fn wrote_shared(&mut self, at: Seq, now: Instant) {
        self.position.advance(at, Seq::START);
        self.wrote = now;
    }
}
