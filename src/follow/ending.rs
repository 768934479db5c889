//! How a follower ends, and what it says then. Pure.

use std::time::Duration;

use tokio::time::Instant;

use super::follower::FollowerState;
use super::timers::Due;
use super::{Follower, Output, Step};
use crate::limits;
use crate::wire::{Chunk, Encoder, EndReason};

impl Follower {
    /// The server is stopping: the stream ends at `deadline`, if not earlier, and tells its client to
    /// come back after the time `retry`. The reason is this one in any case, since the client is to know
    /// that there is no server to come back to at once.
    pub fn stop_by(&mut self, deadline: Instant, retry: Duration) {
        self.end_by(deadline, EndReason::Stop);
        self.options.extras().retry_after_stop = Some(retry);
    }

    /// The stream is to end at this moment, if not earlier.
    fn end_by(&mut self, moment: Instant, reason: EndReason) {
        let extras = self.options.extras();
        let end = extras.deadline.map_or(moment, |(end, _)| end.min(moment));
        extras.deadline = Some((end, reason));
    }

    /// The client has closed its sending side, and may have left. A stream says a heartbeat, if it has
    /// begun; a long poll has nothing to say in advance. It waits on, unless something is held for its
    /// client that is not there any more (such as its presence): then its time is over.
    #[must_use]
    pub fn half_closed(&mut self, now: Instant) -> Option<Output> {
        if self.state == FollowerState::Streaming && self.options.heartbeat().is_some() {
            return Some(self.heartbeat(now));
        }
        if self.options.has_guard() {
            let reason = self
                .options
                .deadline()
                .map_or(EndReason::Timeout, |(_, why)| why);
            self.end_by(now, reason);
        }
        None
    }

    /// Whether the answer of a long poll has a message or a gap.
    #[must_use]
    pub fn has_news(&self) -> bool {
        matches!(&self.options.encoder, Encoder::Json(poll) if poll.has_news())
    }

    /// Why the stream ends before anything more is read, if it does. Its first read comes before the
    /// end of its time, so that what is there at once is written at once.
    pub(super) fn end_before_reading(&self, now: Instant) -> Option<EndReason> {
        self.reason_to_end().or_else(|| match self.due(now) {
            Due::End(reason) if self.state == FollowerState::Streaming => Some(reason),
            _ => None,
        })
    }

    /// Why the stream is complete, if it is.
    pub(super) fn reason_to_end(&self) -> Option<EndReason> {
        self.options
            .ended_right()
            .or(self.options.over())
            .or_else(|| self.options.ends().reached(self.position.at()))
    }

    /// Ends the stream before anything more is read. That messages are missing is said first to who asked
    /// for a part of the log.
    pub(super) fn complete(&mut self, now: Instant, reason: EndReason) -> Step {
        if reason == EndReason::Until {
            let beginning = self.beginning();
            if let Some(step) = self.write_items(now, &beginning) {
                return step;
            }
        }
        self.finish(now, reason)
    }

    pub(super) fn finish(&mut self, now: Instant, reason: EndReason) -> Step {
        let mut out = self.opening();
        if reason == EndReason::Until {
            self.say_live(&mut out);
        }
        self.end(reason, &mut out);
        Step::Finish(self.output(now, Chunk::new(&out), 0), reason)
    }

    /// Ends the stream because the store cannot be read. The one object of a long poll is left
    /// incomplete: whole, it would say that nothing is new.
    pub(super) fn break_off(&mut self, now: Instant) -> Step {
        if self.options.ends().is_long_poll {
            self.state = FollowerState::Ended;
            return Step::Break(None);
        }
        let mut out = self.opening();
        self.end(EndReason::Store, &mut out);
        Step::Break(Some(self.output(now, Chunk::new(&out), 0)))
    }

    /// Puts the last bytes.
    pub(super) fn end(&mut self, reason: EndReason, out: &mut Vec<u8>) {
        let at = self.position.at();
        if !self.options.ends().is_page_complete(at) {
            let cursor = self.cursor();
            let retry = match reason {
                EndReason::Stop => self.options.retry_after_stop(),
                // Ends of this kind are spread, and there is nothing to wait for.
                EndReason::Rotate => Some(limits::RETRY_AFTER_ROTATE),
                _ => None,
            };
            self.options.encoder.end(&cursor, reason, retry, out);
        }
        if let Some(extras) = self.options.extras_mut() {
            out.extend_from_slice(&extras.epilogue);
        }
        self.state = FollowerState::Ended;
    }
}
