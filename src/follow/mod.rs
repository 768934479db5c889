//! A stream: log + cursor + wire + time, as the body of a response that does not end by itself.
//!
//! Written once for all transports. Its connection asks it for chunks, or hyper does as of any body,
//! where that must have it ([`Handover`]). Every time it gives at most one
//! frame with all that is pending (up to [`limits::FRAME_BYTES`]), so a wake-up is one write.

mod filter;
mod handover;
mod link;
mod options;
mod timers;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use crate::drain::Drain;
use crate::limits;
use crate::log::{Entry, Item, Log, PageLimit, Reader, Start};
use crate::message::Cursor;
use crate::metrics::{Closed, OpenStream};
use crate::wire::{Chunk, Encoder, EndReason};
pub use filter::{Filter, FilterAction};
pub use handover::Handover;
pub use link::{Lease, Link, OnDelivered};
pub use options::{DropGuard, Ends, OnProgress, Options};
use timers::{Due, Timers};

/// What a stream is made of.
pub struct Follower {
    reader: Reader,
    encoder: Encoder,
    pace: Timers,
    ends: Ends,
    drain: Drain,
    /// Its part of the drain's window.
    share: f32,
    /// What comes before the first message, until that has come.
    opening: Option<Box<Opening>>,
    /// Weak, since the connection may hold the stream in turn.
    link: Weak<Link>,
    /// What only some streams have.
    extras: Option<Box<Extras>>,
    /// Why it is over, if it is.
    over: Option<EndReason>,
    open: OpenStream,
    state: State,
    timer: Pin<Box<Sleep>>,
    /// When the timer fires, once it has been set.
    fires: Option<Instant>,
}

/// See [`Options`].
struct Extras {
    epilogue: Bytes,
    taken: Option<OnProgress>,
    lens: Option<Filter>,
    _guard: Option<DropGuard>,
}

struct Opening {
    prelude: Bytes,
    /// Where the stream begins.
    start: Cursor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing has been sent.
    Fresh,
    Streaming,
    Ended,
}

impl Follower {
    /// A stream of what comes behind `start`.
    #[must_use]
    pub fn new(
        log: &Log,
        start: Start,
        drain: Drain,
        open: OpenStream,
        options: Options,
    ) -> Follower {
        let Options {
            encoder,
            heartbeat,
            ends,
            timeout,
            prelude,
            epilogue,
            link,
            taken,
            lens,
            guard,
        } = options;
        let now = Instant::now();
        let pace = Timers::new(now, heartbeat, timeout);
        let timer = Box::pin(tokio::time::sleep_until(now));
        let has_extras =
            !epilogue.is_empty() || taken.is_some() || lens.is_some() || guard.is_some();
        Follower {
            opening: Some(Box::new(Opening {
                prelude,
                start: log.cursor(start.at),
            })),
            reader: log.reader(start),
            encoder,
            pace,
            ends,
            drain,
            share: rand::random(),
            link: Arc::downgrade(&link),
            extras: has_extras.then(|| {
                Box::new(Extras {
                    epilogue,
                    taken,
                    lens,
                    _guard: guard,
                })
            }),
            over: None,
            open,
            state: State::Fresh,
            timer,
            fires: None,
        }
    }

    /// What says when the server ends.
    #[must_use]
    pub fn drain(&self) -> &Drain {
        &self.drain
    }

    /// Its connection is its own: nobody else knows what becomes of it.
    pub fn take_over(&mut self) {
        self.link = Weak::new();
    }

    /// Its client has stopped reading, and is given up.
    pub fn stalled(&mut self) {
        self.open.closed = Closed::Stalled;
    }

    /// Is there nothing to say behind the chunk that it gave last? Then whoever it was given in this
    /// task's turn need not ask again in it: the task will be woken when there is.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let timer_is_set = self.fires.is_some_and(|fires| self.pace.last() < fires);
        timer_is_set
            && self.reader.is_up_to_date()
            && self.state == State::Streaming
            && self.complete().is_none()
            && self.extras.is_none()
    }

    /// The next chunk, or `None` behind the last. To ask again says that the one before has been
    /// taken.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        if self.state == State::Ended {
            return Poll::Ready(None);
        }
        // Whoever asks again has taken what they were given before.
        if let Some(taken) = self
            .extras
            .as_mut()
            .and_then(|extras| extras.taken.as_mut())
        {
            taken(self.reader.at());
        }
        let now = Instant::now();
        if let Some(end) = self.drain.end(self.share) {
            self.pace.end_by(end);
        }
        loop {
            // The first look at the log comes before the end: what is there at once is sent at once.
            let over = self.state == State::Streaming && self.pace.due(now) == Due::End;
            if over || self.complete().is_some() {
                return Poll::Ready(Some(self.end(now)));
            }
            match self.reader.poll_read(cx, self.room()) {
                Poll::Ready(Ok(items)) => {
                    let items = self.see(items);
                    if !items.is_empty() {
                        return Poll::Ready(Some(self.items(&items, now)));
                    }
                }
                Poll::Ready(Err(error)) => {
                    log::error!("a stream ends: {error}");
                    self.over = Some(EndReason::Store);
                    return Poll::Ready(Some(self.end(now)));
                }
                Poll::Pending => return self.poll_time(cx, now),
            }
        }
    }

    /// Nothing new: a heartbeat, the end, or nothing yet.
    fn poll_time(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<Option<Chunk>> {
        if self.complete().is_some() {
            return Poll::Ready(Some(self.end(now)));
        }
        // What is in the store is there at once, too, even if it takes a moment to read.
        let fetching = self.reader.is_fetching();
        if self.state == State::Fresh && !fetching {
            return Poll::Ready(Some(self.open_quiet(now)));
        }
        loop {
            match self.pace.due(now) {
                Due::End if fetching => return Poll::Pending,
                Due::End => return Poll::Ready(Some(self.end(now))),
                Due::Heartbeat if self.state == State::Fresh => {
                    return Poll::Ready(Some(self.open_quiet(now)));
                }
                Due::Heartbeat => return Poll::Ready(Some(self.heartbeat(now))),
                Due::At(moment) => {
                    // A message pushes the heartbeat back without touching the timer: it is set
                    // anew only when it has fired too early, or must fire earlier.
                    if self.timer.is_elapsed() || moment < self.timer.deadline() {
                        self.timer.as_mut().reset(moment);
                    }
                    self.fires = Some(self.timer.deadline());
                    ready!(self.timer.as_mut().poll(cx));
                }
            }
        }
    }

    /// The first bytes when there is nothing to say yet.
    fn open_quiet(&mut self, now: Instant) -> Chunk {
        let mut out = self.opening();
        let cursor = self.reader.cursor();
        self.encoder.opened(&cursor, true, &mut out);
        self.sent(Chunk::new(&out), 0, now)
    }

    /// Why the stream is complete, if it is.
    fn complete(&self) -> Option<EndReason> {
        if self.over.is_some() {
            return self.over;
        }
        if self.ends.limit == Some(0) || self.is_whole() {
            return Some(EndReason::Limit);
        }
        (self.ends.bytes == Some(0)).then_some(EndReason::Rotate)
    }

    /// Has a page all that it is to have?
    fn is_whole(&self) -> bool {
        self.ends
            .until
            .is_some_and(|until| self.reader.at() >= until)
    }

    fn end_reason(&self) -> EndReason {
        if let Some(reason) = self.complete() {
            reason
        } else if self.drain.has_begun() {
            EndReason::Stop
        } else {
            EndReason::Timeout
        }
    }

    fn room(&self) -> PageLimit {
        let left = self
            .ends
            .limit
            .and_then(|limit| usize::try_from(limit).ok());
        PageLimit::new(
            limits::FRAME_MESSAGES.min(left.unwrap_or(usize::MAX)),
            limits::FRAME_BYTES,
        )
    }

    /// What comes before all else, if nothing has come yet.
    fn opening(&mut self) -> Vec<u8> {
        let Some(opening) = self.opening.take() else {
            return Vec::new();
        };
        let mut out = Vec::from(opening.prelude);
        self.encoder.open(&opening.start, &mut out);
        out
    }

    /// The frame of these items; of those that do not fit it the reader is told to give them again.
    fn items(&mut self, items: &[Item], now: Instant) -> Chunk {
        let mut out = self.opening();
        if let [Item::Message(entry)] = items
            && out.is_empty()
            && self.encoder.is_plain()
        {
            // One message and nothing around it: the chunk that all followers share.
            return self.sent(self.encoded(entry).clone(), 1, now);
        }
        let mut messages = 0;
        for item in items {
            match item {
                Item::Message(entry) => {
                    let bytes = self.encoded(entry).data();
                    if messages > 0 && out.len() + bytes.len() > limits::FRAME_BYTES {
                        self.reader.rewind(entry.message().seq.before());
                        break;
                    }
                    self.encoder.lead(&mut out);
                    out.extend_from_slice(&bytes);
                    messages += 1;
                }
                Item::Gap(gap) => {
                    self.open.metrics().gap();
                    self.encoder.gap(gap, self.reader.epoch(), &mut out);
                }
            }
        }
        if self.ends.poll {
            self.close(&mut out, EndReason::Limit);
        } else if self.state == State::Fresh {
            let cursor = self.reader.cursor();
            self.encoder.opened(&cursor, false, &mut out);
        }
        self.sent(Chunk::new(&out), messages, now)
    }

    fn encoded<'a>(&self, entry: &'a Entry) -> &'a Chunk {
        entry.encoded(self.encoder.wire(), self.reader.epoch())
    }

    fn heartbeat(&mut self, now: Instant) -> Chunk {
        let mut out = Vec::new();
        let cursor = self.reader.cursor();
        self.encoder.idle(&cursor, &mut out);
        self.open.metrics().heartbeat();
        self.sent(Chunk::new(&out), 0, now)
    }

    fn end(&mut self, now: Instant) -> Chunk {
        let mut out = self.opening();
        self.close(&mut out, self.end_reason());
        self.sent(Chunk::new(&out), 0, now)
    }

    /// Puts the last bytes.
    fn close(&mut self, out: &mut Vec<u8>, reason: EndReason) {
        if !self.is_whole() {
            let cursor = self.reader.cursor();
            self.encoder.end(&cursor, reason, out);
        }
        if let Some(extras) = &self.extras {
            out.extend_from_slice(&extras.epilogue);
        }
        self.open.closed = match reason {
            EndReason::Limit | EndReason::Timeout | EndReason::Rotate | EndReason::Revoked => {
                Closed::Complete
            }
            EndReason::Stop => Closed::Drain,
            EndReason::Store => Closed::Store,
        };
        self.state = State::Ended;
    }

    /// Books what is handed out.
    fn sent(&mut self, chunk: Chunk, messages: u64, now: Instant) -> Chunk {
        let bytes = chunk.size();
        if self.state == State::Fresh {
            self.state = State::Streaming;
        }
        self.ends.limit = self.ends.limit.map(|limit| limit.saturating_sub(messages));
        self.ends.bytes = self.ends.bytes.map(|left| left.saturating_sub(bytes));
        self.pace.wrote(now);
        self.open.metrics().delivered(messages, bytes);
        chunk
    }
}

impl Body for Follower {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.poll_chunk(cx)
            .map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk.data()))))
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Ended
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if self.state != State::Ended
            && let Some(link) = self.link.upgrade()
        {
            self.open.closed = link.closed();
        }
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow")
            .field("reader", &self.reader)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
