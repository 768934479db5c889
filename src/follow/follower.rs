//! A follower: what a stream says next. Pure: no socket, no timer, no clock, no waker.
//!
//! The time and what the log has after the follower's position go in; a step comes out. The
//! code that runs it, one task per stream ([`ChunkStream`](super::ChunkStream)) or one for many,
//! writes the bytes, reads the store, and asks again when the step says so.
//!
//! ```text
//!              ┌───────────── Write: these bytes, then ask again ◀───────────┐
//!              ▼                                                             │
//!  next(now, read) ── Fetch: read a page of the store, then ask again ───────┤
//!              │                                                             │
//!              ├── Wait(moment): ask again then, or when a message comes ────┘
//!              ├── Finish: these bytes are the last
//!              └── Break: these bytes are the last, and the response stays incomplete
//! ```

use tokio::time::Instant;

use super::pace::Pace;
use super::timers::{self, Due, IDLE_CHECK};
use super::{EndAt, Ends, Live, Options, Output, Step};
use crate::limits;
use crate::log::{Item, PageLimit, Position, ReadOutcome};
use crate::message::{Cursor, Epoch, Seq};
use crate::wire::{Chunk, EndReason};

/// A cursor over the log, and how its messages are encoded: the state of one stream.
#[derive(Debug)]
pub struct Follower {
    pub(super) options: Options,
    pub(super) position: Position,
    pub(super) epoch: Epoch,
    /// When something was written last, or when the stream began.
    pub(super) wrote: Instant,
    pub(super) state: FollowerState,
    pub(super) live: Live,
}

/// How far a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FollowerState {
    /// Nothing has been written. The stream begins at this seq.
    Fresh(Seq),
    Streaming,
    Ended,
}

impl Follower {
    /// A follower that begins now at `position`, in a log of this epoch, and has caught up at `live`.
    #[must_use]
    pub fn new(
        now: Instant,
        position: Position,
        epoch: Epoch,
        live: Live,
        mut options: Options,
    ) -> Follower {
        let Ends {
            timeout,
            rotate,
            until,
            ..
        } = options.ends();
        if let Some(deadline) = timers::deadline(now, timeout, rotate) {
            options.extras().deadline = Some(deadline);
        }
        match until {
            Some(EndAt::Now) => options.ends_mut().until = live.past().map(EndAt::Seq),
            Some(EndAt::Time { after, .. }) => {
                options.extras().until_time = now.checked_add(after);
            }
            Some(EndAt::Seq(_)) | None => {}
        }
        if let Some(interval) = options.pace_interval() {
            options.extras().pace = Some(Pace::new(interval));
        }
        Follower {
            wrote: now,
            state: FollowerState::Fresh(position.at()),
            options,
            position,
            epoch,
            live,
        }
    }

    /// The position of the follower: everything in its channels up to here has been written.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Whether the last bytes have been written.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state == FollowerState::Ended
    }

    /// Everything that was written has been taken by the connection.
    pub fn report_progress(&mut self) {
        let at = self.position.at();
        let extras = self.options.extras_mut();
        if let Some(on_progress) = extras.and_then(|extras| extras.on_progress.as_mut()) {
            on_progress(at);
        }
    }

    /// What is to be done now. `read` tells what the log has after a position; it is called as often
    /// as it takes to find something that the follower sees.
    #[must_use]
    pub fn next(
        &mut self,
        now: Instant,
        mut read: impl FnMut(&Position, PageLimit) -> ReadOutcome,
    ) -> Step {
        loop {
            if self.options.again().is_none()
                && let Some(reason) = self.end_before_reading(now)
            {
                return self.complete(now, reason);
            }
            if self.options.again().is_none() && self.pauses() {
                return Step::Wait(self.next_look(now, now + IDLE_CHECK));
            }
            match read(&self.position, self.page_limit()) {
                ReadOutcome::Shared {
                    frame,
                    trimmed_through,
                } => {
                    if let Some(reason) = self.options.ended_right() {
                        return self.finish(now, reason);
                    }
                    self.position.advance(frame.through, trimmed_through);
                    return Step::Write(self.output(now, frame.chunk, frame.messages));
                }
                ReadOutcome::Items {
                    mut items,
                    mut through,
                    trimmed_through,
                } => {
                    let before = self.position.at();
                    if let Some(again) = self.options.again() {
                        again.restore(&mut items, before, &mut through);
                    }
                    if let Some(until) = self.options.ends().until
                        && let Some(end) = until.cut(before, &mut items)
                    {
                        // A time has become a seq, up to which more than one write may be needed.
                        self.options.ends_mut().until = Some(EndAt::Seq(end));
                        through = end;
                    }
                    self.position.advance(through, trimmed_through);
                    let mut seen = self.beginning();
                    seen.extend(self.filter(items));
                    // Looked at after the read: what was said after the right had ended may be among
                    // the items. The follower has seen none of them.
                    if self.options.again().is_none()
                        && let Some(reason) = self.options.ended_right()
                    {
                        self.position.rewind(before);
                        return self.finish(now, reason);
                    }
                    if let Some(step) = self.write_items(now, &seen) {
                        return step;
                    }
                    if self
                        .options
                        .again()
                        .is_some_and(|again| again.is_done(through))
                    {
                        return self.break_off(now);
                    }
                }
                ReadOutcome::Older => return Step::Fetch,
                // Nothing may come between the parts of a write.
                ReadOutcome::Fetching if self.options.again().is_some() => {
                    return Step::Wait(now + IDLE_CHECK);
                }
                ReadOutcome::Fetching => return self.wait(now, true),
                // What was taken back is not in the log any more.
                ReadOutcome::UpToDate { .. } if self.options.again().is_some() => {
                    return self.break_off(now);
                }
                ReadOutcome::UpToDate { through } => {
                    self.position.advance(through, Seq::START);
                    return self.wait(now, false);
                }
                ReadOutcome::Failed(_) => {
                    let beginning = self.beginning();
                    // If something is written, the next read may succeed.
                    let written = self.write_items(now, &beginning);
                    return written.unwrap_or_else(|| self.break_off(now));
                }
            }
        }
    }

    /// What is known from the beginning, if it is still to be written: a gap, and the channels that are
    /// closed. A long poll is not told of these: it waits until one is opened.
    pub(super) fn beginning(&mut self) -> Vec<Item> {
        let mut beginning = self.position.take_beginning();
        if self.options.ends().is_long_poll {
            beginning.retain(|item| !matches!(item, Item::Close(_)));
        }
        beginning
    }

    /// Nothing new can be read now: what was known before, the end, a heartbeat, or nothing.
    fn wait(&mut self, now: Instant, is_fetching: bool) -> Step {
        let beginning = self.beginning();
        if let Some(step) = self.write_items(now, &beginning) {
            return step;
        }
        if let Some(reason) = self.reason_to_end() {
            return self.finish(now, reason);
        }
        let until_time = self.options.until_time();
        if !is_fetching && until_time.is_some_and(|until| until <= now) {
            return self.finish(now, EndReason::Until);
        }
        let is_fresh = matches!(self.state, FollowerState::Fresh(_));
        if !is_fetching {
            self.end_burst(true);
        }
        // What is in the store is written first, even if it takes a moment to read.
        if !is_fetching {
            if is_fresh && !self.options.ends().is_long_poll {
                return self.write_opening(now);
            }
            let mut out = Vec::new();
            self.say_live(&mut out);
            if !out.is_empty() {
                return Step::Write(self.output(now, Chunk::new(&out), 0));
            }
        }
        match self.due(now) {
            Due::End(_) if is_fetching => Step::Wait(now + IDLE_CHECK),
            Due::End(reason) => self.finish(now, reason),
            Due::Heartbeat if is_fresh => self.write_opening(now),
            Due::Heartbeat => self.write_heartbeat(now),
            Due::At(moment) => Step::Wait(self.next_look(now, moment)),
        }
    }

    /// When the follower is to be looked at again: at `moment`, or earlier where something else is due
    /// then. A follower that keeps its pace has nothing due but its ticks and its end.
    fn next_look(&self, now: Instant, moment: Instant) -> Instant {
        let until_time = self.options.until_time().filter(|until| *until > now);
        let moment = match self.tick() {
            Some(tick) => self
                .options
                .deadline()
                .map_or(tick, |(end, _)| end.min(tick)),
            None => moment,
        };
        until_time.map_or(moment, |until| until.min(moment))
    }

    pub(super) fn due(&self, now: Instant) -> Due {
        let heartbeat = self.options.heartbeat();
        let heartbeat = heartbeat.map(|beat| beat.saturating_sub(self.earlier_heartbeat()));
        timers::due(now, self.wrote, heartbeat, self.options.deadline())
    }

    /// How much one read may return: what fits one write, and no more than the stream still takes.
    #[must_use]
    pub fn page_limit(&self) -> PageLimit {
        let left = self.options.ends().limit;
        let left = left.and_then(|limit| usize::try_from(limit).ok());
        let messages = limits::FRAME_MESSAGES.min(left.unwrap_or(usize::MAX));
        let mut limit = PageLimit::new(messages, limits::FRAME_BYTES);
        limit.share = self.share();
        limit
    }

    /// The cursor of the follower's position.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor_at(self.position.at())
    }

    pub(super) fn cursor_at(&self, seq: Seq) -> Cursor {
        Cursor {
            epoch: self.epoch.clone(),
            seq,
        }
    }

    /// The bytes before everything else, if nothing has been written yet.
    pub(super) fn opening(&mut self) -> Vec<u8> {
        let FollowerState::Fresh(start) = self.state else {
            return Vec::new();
        };
        let mut out = Vec::from(self.options.take_prelude());
        let start = self.cursor_at(start);
        self.options.encoder.open(&start, &mut out);
        out
    }

    /// Puts that the follower has caught up, if it has by now and this was not said before.
    pub(super) fn say_live(&mut self, out: &mut Vec<u8>) {
        let at = self.position.at();
        self.put_live(at, at, out);
    }

    /// The first bytes while nothing is there to be written.
    fn write_opening(&mut self, now: Instant) -> Step {
        let mut out = self.opening();
        self.say_live(&mut out);
        let cursor = self.cursor();
        self.options.encoder.opened(&cursor, true, &mut out);
        Step::Write(self.output(now, Chunk::new(&out), 0))
    }

    fn write_heartbeat(&mut self, now: Instant) -> Step {
        Step::Write(self.heartbeat(now))
    }

    pub(super) fn heartbeat(&mut self, now: Instant) -> Output {
        let chunk = self.idle_chunk();
        let output = self.output(now, chunk, 0);
        Output {
            is_heartbeat: true,
            ..output
        }
    }

    /// Counts what is written.
    pub(super) fn output(&mut self, now: Instant, chunk: Chunk, messages: u64) -> Output {
        if matches!(self.state, FollowerState::Fresh(_)) {
            self.state = FollowerState::Streaming;
        }
        if let Some(extras) = self.options.extras_mut() {
            extras.again = None;
            extras.ends.count(messages, chunk.size());
            self.options.shed();
        }
        if let Some(pace) = self.options.pace_mut()
            && self.live.has_come()
        {
            pace.start(now);
        }
        self.end_burst(false);
        self.wrote = now;
        Output {
            chunk,
            messages,
            gaps: 0,
            is_heartbeat: false,
        }
    }
}
