//! A stream of chunks: a follower with its source, timer and drain.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep};

use super::undo::Undo;
use super::{Follower, Live, Options, Output, Step};
use crate::budget::MemoryShare;
use crate::connection::{Phase, PhaseCell};
use crate::drain::Drain;
use crate::limits;
use crate::log::{Log, Position, ReadOutcome, Source, Start, StoreError};
use crate::metrics::{Closed, OpenStream};
use crate::wire::{Chunk, EndReason};

/// A stream, to be polled for its chunks by the connection that writes them, or by hyper.
#[derive(Debug)]
pub struct ChunkStream {
    follower: Follower,
    source: Source,
    drain: Drain,
    /// The part of the drain's window after which this stream ends.
    share: f32,
    timer: Pin<Box<Sleep>>,
    open: OpenStream,
    /// What a client that has closed its sending side is to be told first.
    half_closed: HalfClosed,
    /// Whether the response is broken off instead of ended.
    is_broken_off: bool,
    /// The follower before the chunk that was returned last, if that is large.
    undo: Option<Box<Undo>>,
    /// Whether the next chunk has been counted already.
    is_counted: bool,
    /// Whose share of the memory for answers the stream's unsent chunks take.
    memory: MemoryShare,
    /// The phase of the connection that hyper runs, which tells why a stream is dropped. Weak, since
    /// the connection may hold the stream in turn.
    phase: Weak<PhaseCell>,
}

impl ChunkStream {
    /// A stream of the log from `start` on, on a connection with this phase.
    #[must_use]
    pub fn new(
        log: &Log,
        start: Start,
        drain: Drain,
        open: OpenStream,
        phase: &Arc<PhaseCell>,
        memory: MemoryShare,
        options: Options,
    ) -> ChunkStream {
        let now = Instant::now();
        let mut position = Position::new(start);
        let source = log.source(&mut position);
        let live = Live::after(source.newest());
        ChunkStream {
            follower: Follower::new(now, position, log.epoch().clone(), live, options),
            source,
            drain,
            share: rand::random(),
            timer: Box::pin(tokio::time::sleep_until(now)),
            open,
            half_closed: HalfClosed::No,
            is_broken_off: false,
            undo: None,
            is_counted: false,
            memory,
            phase: Arc::downgrade(phase),
        }
    }

    /// Waits until the first messages have been read from the store, if they are there: from here on
    /// the response can begin.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn prepare(&mut self) -> Result<(), StoreError> {
        let (position, limit) = (self.follower.position(), self.follower.page_limit());
        let prepared = self.source.prepare(position, limit).await;
        if prepared.is_err() {
            self.open.closed = Closed::Store;
            self.is_broken_off = true;
        }
        prepared
    }

    /// The drain, which says when the server stops.
    #[must_use]
    pub fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Whether the last chunk has been returned.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.follower.has_ended()
    }

    /// Whether the response is to stay incomplete after the last chunk, so that its client does not
    /// take the end for the planned one.
    #[must_use]
    pub fn is_broken_off(&self) -> bool {
        self.is_broken_off
    }

    /// The connection is the stream's own from here on, and nothing else knows how it ends.
    pub fn take_over(&mut self) {
        self.phase = Weak::new();
    }

    /// The client has closed its sending side: it may have left.
    pub fn on_half_closed(&mut self) {
        if self.half_closed == HalfClosed::No {
            self.half_closed = HalfClosed::Noticed {
                heartbeats: limits::HALF_CLOSE_HEARTBEATS,
            };
        }
    }

    /// The client has stopped reading, and is given up.
    pub fn on_stalled(&mut self) {
        self.open.closed = Closed::Stalled;
    }

    /// Whether nothing is left to be said after the chunk that was returned last. Then the task need
    /// not poll again in this turn: it is woken when there is more.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        // A message moves the next heartbeat without touching the timer, which then fires early. It
        // must not fire late: the end of the stream may have come nearer since it was set.
        self.follower.is_quiet(self.timer.deadline())
    }

    /// Whose share of the memory for answers the stream's unsent chunks take.
    #[must_use]
    pub fn memory(&self) -> &MemoryShare {
        &self.memory
    }

    /// Takes back the chunk that was returned last: the stream stands at the cursor before it, and the
    /// next chunk begins there. Returns false, and does nothing, for a chunk that is small
    /// ([`limits::SMALL_ANSWER_BYTES`]) or has no messages.
    pub fn take_back(&mut self) -> bool {
        self.undo(false)
    }

    /// Takes back the chunk that was returned last, as [`ChunkStream::take_back`] does, but a part of
    /// it has been sent: the next chunk is the same, if the log still has its messages.
    pub fn withhold(&mut self) -> bool {
        self.undo(true)
    }

    fn undo(&mut self, same: bool) -> bool {
        let Some(undo) = self.undo.take() else {
            return false;
        };
        self.follower.undo(*undo, same);
        self.open.closed = Closed::Client;
        self.is_counted = true;
        true
    }

    /// The next chunk, or `None` after the last. To poll again says that the connection has taken
    /// the chunk before.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        self.poll(cx, true)
    }

    /// The next chunk without messages: a heartbeat, or the end of the stream's time. It is for a
    /// stream that waits for memory.
    pub fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        self.poll(cx, false)
    }

    fn poll(&mut self, cx: &mut Context<'_>, reads: bool) -> Poll<Option<Chunk>> {
        if self.follower.has_ended() {
            return Poll::Ready(None);
        }
        self.follower.options.register(cx.waker());
        if !self.is_counted {
            self.follower.report_progress();
        }
        self.undo = None;
        if let Some(deadline) = self.drain.deadline(self.share) {
            let retry = self.drain.retry_after(deadline);
            self.follower.stop_by(deadline, retry);
        }
        let mut now = Instant::now();
        if let Some(chunk) = ready!(self.poll_hold(cx, now)) {
            return Poll::Ready(Some(chunk));
        }
        now = Instant::now();
        loop {
            let source = &mut self.source;
            let read = |position: &Position, limit| {
                if reads {
                    return source.poll(cx, position, limit);
                }
                let through = position.at();
                ReadOutcome::UpToDate { through }
            };
            let before = self.follower.before_write();
            match self.follower.next(now, read) {
                Step::Write(output) => {
                    self.keep(before, &output);
                    return Poll::Ready(Some(self.count(output)));
                }
                Step::Finish(output, reason) => {
                    self.keep(before, &output);
                    self.open.closed = closed_by(reason);
                    return Poll::Ready(Some(self.count(output)));
                }
                Step::Break(output) => {
                    self.open.closed = Closed::Store;
                    self.is_broken_off = true;
                    return Poll::Ready(output.map(|output| self.count(output)));
                }
                Step::Fetch => self
                    .source
                    .fetch(self.follower.position(), self.follower.page_limit()),
                Step::Wait(moment) => {
                    // The timer is set anew only when it has fired too early, or must fire earlier.
                    if self.timer.is_elapsed() || moment < self.timer.deadline() {
                        self.timer.as_mut().reset(moment);
                    }
                    ready!(self.timer.as_mut().poll(cx));
                    now = Instant::now();
                }
            }
        }
    }

    /// Says a heartbeat to a client that has closed its sending side, and then nothing for a while: a
    /// client that has left answers it by a reset, and what is written before that would count as
    /// seen. A proxy in between notices that by the next bytes only, so more heartbeats follow.
    /// Ready with a heartbeat, or with `None` when the stream goes on.
    fn poll_hold(&mut self, cx: &mut Context<'_>, mut now: Instant) -> Poll<Option<Chunk>> {
        if self
            .phase
            .upgrade()
            .is_some_and(|phase| phase.get() == Phase::HalfClosed)
        {
            self.on_half_closed();
        }
        // A part of the next chunk may have been sent.
        while !self.is_counted {
            match self.half_closed {
                HalfClosed::No | HalfClosed::Noticed { heartbeats: 0 } => break,
                HalfClosed::Noticed { heartbeats } => {
                    let Some(output) = self.follower.half_closed(now) else {
                        break;
                    };
                    self.half_closed = HalfClosed::Held {
                        until: now + limits::HALF_CLOSE_HOLD,
                        heartbeats: heartbeats - 1,
                    };
                    return Poll::Ready(Some(self.count(output)));
                }
                HalfClosed::Held { .. } if self.drain.has_begun() => {
                    self.half_closed = HalfClosed::Noticed { heartbeats: 0 };
                }
                HalfClosed::Held { until, .. } if now < until => {
                    self.timer.as_mut().reset(until);
                    ready!(self.timer.as_mut().poll(cx));
                    now = Instant::now();
                }
                HalfClosed::Held { heartbeats, .. } => {
                    self.half_closed = HalfClosed::Noticed { heartbeats };
                }
            }
        }
        Poll::Ready(None)
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
            metrics.heartbeat();
        }
        output.chunk
    }
}

/// Whether the client has closed its sending side, and what was done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HalfClosed {
    /// It has not, as far as is known.
    No,
    /// It has, and is to be told so many heartbeats before anything else.
    Noticed { heartbeats: u32 },
    /// It was told a heartbeat, and is told nothing until this moment; so many heartbeats follow.
    Held { until: Instant, heartbeats: u32 },
}

/// How metrics call the end of a stream.
fn closed_by(reason: EndReason) -> Closed {
    match reason {
        EndReason::Limit
        | EndReason::Timeout
        | EndReason::Rotate
        | EndReason::Revoked
        | EndReason::Expired => Closed::Complete,
        EndReason::Stop => Closed::Drain,
        EndReason::Store => Closed::Store,
    }
}

impl Drop for ChunkStream {
    fn drop(&mut self) {
        if !self.follower.has_ended()
            && !self.is_broken_off
            && let Some(phase) = self.phase.upgrade()
        {
            self.open.closed = phase.closed();
        }
    }
}
