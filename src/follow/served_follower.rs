//! A follower as the server runs it: with what it is counted by, and what ends it from outside.

use std::task::Waker;

use tokio::time::Instant;

use super::half_closed::HalfClosed;
use super::undo::Undo;
use super::{Follower, Live, Options, Output, Step};
use crate::budget::MemoryShare;
use crate::drain::Drain;
use crate::limits;
use crate::log::{Log, LogView, PageLimit, Position, ReadOutcome, Start};
use crate::message::Seq;
use crate::metrics::{Closed, OpenStream};
use crate::wire::{Chunk, EndReason};

/// A follower with its metrics, the drain, and what it takes to take a write back. It knows no timer
/// and no task: whoever runs it asks for its next step, and waits as the step says.
#[derive(Debug)]
pub struct ServedFollower {
    /// The follower itself.
    pub follower: Follower,
    view: LogView,
    drain: Drain,
    /// The part of the drain's window after which this stream ends.
    share: f32,
    open: OpenStream,
    /// Whether the response is broken off instead of ended.
    is_broken_off: bool,
    /// The follower before the chunk that was returned last, if that is large.
    undo: Option<Box<Undo>>,
    /// Whether the next chunk has been counted already.
    is_counted: bool,
    /// Whose share of the memory for answers the stream's unsent chunks take.
    memory: MemoryShare,
}

/// What is to be done for a stream.
#[derive(Debug)]
pub enum StreamStep {
    /// Write this chunk, and ask again when it has been taken.
    Chunk(Chunk),
    /// Nothing follows.
    Over,
    /// Read a page from the store after the follower's position, and ask again.
    Fetch,
    /// Ask again at this moment, or when a message comes.
    Wait(Instant),
}

impl ServedFollower {
    /// A follower of the log from `start` on.
    pub(super) fn new(
        log: &Log,
        start: Start,
        drain: Drain,
        open: OpenStream,
        memory: MemoryShare,
        options: Options,
    ) -> ServedFollower {
        let view = log.view();
        let live = Live::after(view.newest());
        let (position, epoch) = (Position::new(start), view.epoch().clone());
        ServedFollower {
            follower: Follower::new(Instant::now(), position, epoch, live, options),
            view,
            drain,
            share: rand::random(),
            open,
            is_broken_off: false,
            undo: None,
            is_counted: false,
            memory,
        }
    }

    /// The log that is followed.
    #[must_use]
    pub fn view(&self) -> &LogView {
        &self.view
    }

    /// The position of the follower, for those who share the names of its channels.
    pub fn position_mut(&mut self) -> &mut Position {
        &mut self.follower.position
    }

    /// Has a task woken when one of the stream's rights ends. It is to be called before the next step
    /// is asked for.
    pub fn register(&mut self, waker: &Waker) {
        self.follower.options.register(waker);
    }

    /// Whether the stream ends when a right does.
    #[must_use]
    pub fn has_rights(&self) -> bool {
        self.follower.options.has_rights()
    }

    /// Whether one of the stream's rights has ended.
    #[must_use]
    pub fn has_ended_right(&self) -> bool {
        self.follower.options.ended_right().is_some()
    }

    /// The drain, which says when the server stops.
    #[must_use]
    pub fn drain(&self) -> &Drain {
        &self.drain
    }

    /// The metrics in which the stream is counted.
    #[must_use]
    pub fn open(&self) -> &OpenStream {
        &self.open
    }

    /// Whether the response is to stay incomplete after the last chunk, so that its client does not
    /// take the end for the planned one.
    #[must_use]
    pub fn is_broken_off(&self) -> bool {
        self.is_broken_off
    }

    /// The store could not be read before the response began.
    pub(super) fn on_unreadable(&mut self) {
        self.open.closed = Closed::Store;
        self.is_broken_off = true;
    }

    /// The client has closed its sending side: it may have left.
    pub fn on_half_closed(&mut self) {
        let heartbeats = limits::HALF_CLOSE_HEARTBEATS;
        if self.follower.options.half_closed().is_none() {
            self.set_half_closed(HalfClosed::Noticed { heartbeats });
        }
    }

    /// The stream is dropped now for this reason, unless it has ended before.
    pub fn on_closed(&mut self, closed: Closed) {
        if !self.follower.has_ended() && !self.is_broken_off {
            self.open.closed = closed;
        }
    }

    /// The client has stopped reading, and is given up.
    pub fn on_stalled(&mut self) {
        self.open.closed = Closed::Stalled;
    }

    /// Whose share of the memory for answers the stream's unsent chunks take.
    #[must_use]
    pub fn memory(&self) -> &MemoryShare {
        &self.memory
    }

    /// The first part of this chunk, which is a shared frame up to `through`, has been written, and is
    /// not counted yet; the rest is unsent.
    pub fn wrote_part(&mut self, through: Seq, now: Instant) {
        let undo = self.follower.before_write().wrote_through(through);
        self.undo = Some(Box::new(undo));
        self.follower.wrote_shared(through, now);
    }

    /// Takes back the chunk that was returned last: the stream stands at the cursor before it, and the
    /// next chunk begins there. With `same` a part of it has been sent: the next chunk is the same, if
    /// the log still has its messages. Returns false, and does nothing, for a chunk that is small
    /// ([`limits::SMALL_ANSWER_BYTES`]) or has no messages.
    pub fn undo(&mut self, same: bool) -> bool {
        let Some(undo) = self.undo.take() else {
            return false;
        };
        self.follower.undo(*undo, same);
        self.open.closed = Closed::Client;
        self.is_counted = true;
        true
    }

    /// What is to be done now. `read` tells what the log has after a position. To ask again says that
    /// the connection has taken the chunk before.
    pub fn next(
        &mut self,
        now: Instant,
        read: impl FnMut(&Position, PageLimit) -> ReadOutcome,
    ) -> StreamStep {
        if self.follower.has_ended() {
            return StreamStep::Over;
        }
        if !self.is_counted {
            self.follower.report_progress();
        }
        self.undo = None;
        if let Some(deadline) = self.drain.deadline(self.share) {
            let retry = self.drain.retry_after(deadline);
            self.follower.stop_by(deadline, retry);
        }
        if let Some(step) = self.hold(now) {
            return step;
        }
        self.follower.begin_burst(now, || self.view.newest());
        let before = self.follower.before_write();
        match self.follower.next(now, read) {
            Step::Write(output) => {
                self.keep(before, &output);
                StreamStep::Chunk(self.count(output))
            }
            Step::Finish(output, reason) => {
                self.keep(before, &output);
                self.open.closed = closed_by(reason);
                StreamStep::Chunk(self.count(output))
            }
            Step::Break(output) => {
                self.on_unreadable();
                output.map_or(StreamStep::Over, |output| {
                    StreamStep::Chunk(self.count(output))
                })
            }
            Step::Fetch => StreamStep::Fetch,
            Step::Wait(moment) => StreamStep::Wait(moment),
        }
    }

    /// Says a heartbeat to a client that has closed its sending side, and then nothing for a while: a
    /// client that has left answers it by a reset, and what is written before that would count as
    /// seen. A proxy in between notices that by the next bytes only, so more heartbeats follow.
    /// Returns `None` when the stream goes on.
    fn hold(&mut self, now: Instant) -> Option<StreamStep> {
        // A part of the next chunk may have been sent.
        while !self.is_counted {
            let next = match self.follower.options.half_closed()? {
                HalfClosed::Noticed { heartbeats: 0 } => break,
                HalfClosed::Noticed { heartbeats } => {
                    let output = self.follower.half_closed(now)?;
                    let step = StreamStep::Chunk(self.count(output));
                    let (until, heartbeats) = (now + limits::HALF_CLOSE_HOLD, heartbeats - 1);
                    self.set_half_closed(HalfClosed::Held { until, heartbeats });
                    return Some(step);
                }
                HalfClosed::Held { .. } if self.drain.has_begun() => {
                    HalfClosed::Noticed { heartbeats: 0 }
                }
                HalfClosed::Held { until, .. } if now < until => {
                    return Some(StreamStep::Wait(until));
                }
                HalfClosed::Held { heartbeats, .. } => HalfClosed::Noticed { heartbeats },
            };
            self.set_half_closed(next);
        }
        None
    }

    fn set_half_closed(&mut self, half_closed: HalfClosed) {
        self.follower.options.extras().half_closed = Some(half_closed);
    }

    /// Keeps what it takes to take a large chunk back. Without messages a chunk is large only if a page
    /// of the operator's is.
    fn keep(&mut self, before: Undo, output: &Output) {
        if output.messages > 0 && output.chunk.size() > limits::SMALL_ANSWER_BYTES {
            let through = self.follower.position().at();
            self.undo = Some(Box::new(before.wrote_through(through)));
        }
    }

    fn count(&mut self, output: Output) -> Chunk {
        if output.messages > 0 && std::mem::take(&mut self.is_counted) {
            return output.chunk;
        }
        let metrics = self.open.metrics();
        metrics.delivered(output.messages, output.chunk.size());
        for _ in 0..output.gaps {
            metrics.gap();
        }
        if output.is_heartbeat {
            metrics.heartbeats(1);
        }
        output.chunk
    }
}

/// How metrics call the end of a stream.
fn closed_by(reason: EndReason) -> Closed {
    match reason {
        EndReason::Limit
        | EndReason::Until
        | EndReason::Closed
        | EndReason::Timeout
        | EndReason::Rotate
        | EndReason::Revoked
        | EndReason::Expired => Closed::Complete,
        EndReason::Stop => Closed::Drain,
        EndReason::Store => Closed::Store,
    }
}
