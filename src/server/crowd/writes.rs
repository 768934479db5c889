//! What a crowd writes to its followers, and reads from their clients.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::super::stream_conn::StreamConn;
use super::crowd_follower::OnMessage;
use super::{Crowd, number};
use crate::follow::StreamStep;
use crate::limits;
use crate::log::{Entry, Item, ReadOutcome, SharedFrame};
use crate::message::Seq;
use crate::wire::{Chunk, Encoding};

/// The shared frames of the present slice.
#[derive(Default)]
pub(super) struct Frames {
    /// The log, and the first message's channel by its ring.
    of: Option<(u8, u32)>,
    /// Each with whether the log has more after it.
    by_encoding: [Option<(SharedFrame, bool)>; Encoding::COUNT],
    /// The heartbeats of a log, by encoding, each with the cursor that it has.
    heartbeats: [Option<(u8, Seq, Chunk)>; Encoding::COUNT],
    /// What has been written and is not counted yet.
    messages: u64,
    bytes: usize,
    heartbeats_written: u64,
}

impl Crowd {
    /// There may be messages for a follower.
    pub(super) fn advance(&mut self, key: u32) {
        let Some(follower) = self.followers.get_mut(key as usize) else {
            return;
        };
        let encoding = match follower.on_message {
            OnMessage::Share(encoding) => encoding,
            OnMessage::Look => return self.look(key),
            OnMessage::Wait => return,
        };
        let of = Some((follower.log, follower.slots.first_ring()));
        if self.frames.of != of {
            self.frames.by_encoding = Default::default();
            self.frames.of = of;
        }
        let frame = &mut self.frames.by_encoding[encoding.index()];
        if !frame
            .as_ref()
            .is_some_and(|(frame, _)| frame.comes_after(follower.at))
        {
            let view = &self.logs[usize::from(follower.log)].view;
            let newest = view.newest();
            let rest = follower.rest(self.ticks);
            *frame = match view.read(rest.follower.position(), rest.follower.page_limit()) {
                ReadOutcome::UpToDate { .. } => return,
                ReadOutcome::Items { items, through, .. } => {
                    let encode = |entry: &Arc<Entry>| entry.encoded(encoding, view.epoch()).clone();
                    // All else each follower is told by itself.
                    if items.iter().all(|item| item.message().is_some()) {
                        let messages = items.iter().filter_map(Item::message);
                        SharedFrame::join(messages, follower.at, through, encode)
                    } else {
                        None
                    }
                }
                _ => None,
            }
            .map(|frame| {
                let has_more = frame.through < newest;
                (frame, has_more)
            });
            // A heartbeat's interval begins when there was a message, however long the slice has taken.
            self.now = Instant::now();
        }
        let Some((frame, has_more)) = frame else {
            return self.look(key);
        };
        // Looked at after the read: what was said after the right had ended may be in the frame.
        if follower.has_ended_right() {
            return self.look(key);
        }
        let bytes = frame.chunk.framed();
        let wrote = follower.write(bytes);
        if wrote.is_ok() {
            self.frames.messages += frame.messages;
            self.frames.bytes += frame.chunk.size();
        }
        match wrote {
            Ok(written) if written == bytes.len() && !follower.has_unsent() => {
                let has_more = *has_more;
                follower.at = frame.through;
                follower.is_ahead = true;
                follower.wrote = self.ticks.after(self.now);
                if has_more {
                    self.queue(key);
                }
            }
            wrote => {
                let (bytes, through) = (bytes.clone(), frame.through);
                follower.rest(self.ticks).wrote_part(through, self.now);
                self.interrupt(key, &bytes, wrote);
            }
        }
    }

    /// A follower's time has come. Most have nothing to say but a heartbeat, and that is the same for all
    /// at a cursor.
    pub(super) fn beat(&mut self, key: u32) {
        let Some(follower) = self.followers.get_mut(key as usize) else {
            return;
        };
        let (OnMessage::Share(encoding), 1..) = (follower.on_message, follower.heartbeat) else {
            return self.look(key);
        };
        let due = follower.wrote + u64::from(follower.heartbeat);
        if due > self.ticks.by(self.now) {
            // Another that had this key may have stood here; this one stands elsewhere then.
            if !self.wheel.has(follower.looks) {
                follower.looks = self.wheel.put(key, due);
            }
            return;
        }
        if follower.at < self.logs[usize::from(follower.log)].view.newest() {
            return self.look(key);
        }
        let (log, at) = (follower.log, follower.at);
        let known = &mut self.frames.heartbeats[encoding.index()];
        if known
            .as_ref()
            .is_none_or(|known| (known.0, known.1) != (log, at))
        {
            let chunk = follower.rest(self.ticks).follower.idle_chunk();
            *known = Some((log, at, chunk));
        }
        let Some((_, _, chunk)) = known else {
            return;
        };
        let bytes = chunk.framed();
        match follower.write(bytes) {
            Ok(written) => {
                self.frames.heartbeats_written += 1;
                self.frames.bytes += chunk.size();
                follower.is_ahead = true;
                follower.wrote = self.ticks.after(self.now);
                if !self.wheel.has(follower.looks) {
                    let next = follower.wrote + u64::from(follower.heartbeat);
                    follower.looks = self.wheel.put(key, next);
                }
                if written < bytes.len() || follower.has_unsent() {
                    let bytes = bytes.clone();
                    self.interrupt(key, &bytes, Ok(written));
                }
            }
            Err(error) => self.lose(key, &error),
        }
    }

    /// Asks a follower what is to be done, and does it.
    pub(super) fn look(&mut self, key: u32) {
        for _ in 0..limits::WRITES_AT_ONCE {
            let Some(follower) = self.followers.get_mut(key as usize) else {
                return;
            };
            follower.is_queued = false;
            // What it says now is not known to the shared frames until it settles.
            follower.on_message = OnMessage::Look;
            let view = &self.logs[usize::from(follower.log)].view;
            let rest = follower.rest(self.ticks);
            self.now = Instant::now();
            let step = rest.next(self.now, |position, limit| view.read(position, limit));
            match step {
                StreamStep::Chunk(chunk) => {
                    let bytes = chunk.framed();
                    match follower.write(bytes) {
                        Ok(written) if written == bytes.len() && !follower.has_unsent() => {}
                        wrote => return self.interrupt(key, bytes, wrote),
                    }
                }
                // With another channel the follower joins anew.
                StreamStep::Wait(moment) if follower.has_all_slots() => {
                    follower.settle(self.ticks);
                    let tick = self.ticks.after(moment);
                    if !self.wheel.has(follower.looks) || tick < follower.looks {
                        follower.looks = self.wheel.put(key, tick);
                    }
                    return;
                }
                StreamStep::Wait(_) | StreamStep::Fetch | StreamStep::Over => {
                    return self.leave(key, true, |stream| stream);
                }
            }
        }
        self.queue(key);
    }

    /// A write has not taken all of these bytes, or not sent them: a task goes on with the rest, unless the
    /// connection is broken.
    fn interrupt(&mut self, key: u32, bytes: &Bytes, wrote: io::Result<usize>) {
        match wrote {
            Ok(written) => {
                let (rest, size) = (bytes.slice(written..), bytes.len());
                self.leave(key, true, |stream| stream.with_unsent(rest, size));
            }
            Err(error) => self.lose(key, &error),
        }
    }

    /// Reads what a follower's client has sent, to notice when it leaves. What it sends is ignored: the
    /// response has said that it is the last on this connection.
    pub(super) fn read(&mut self, key: u32) {
        while let Some(follower) = self.followers.get_mut(key as usize)
            // A client that sends more is noticed to be gone when it is written to.
            && (follower.ignored as usize) < limits::HTTP_BUFFER_BYTES
        {
            match follower.ignore() {
                Ok(0) => return self.leave(key, true, StreamConn::with_half_closed_client),
                Ok(read) => follower.ignored += number(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return self.lose(key, &error),
            }
            // An answer of TLS to what has come, which is rare.
            if follower.has_unsent() {
                return self.leave(key, true, |stream| stream);
            }
        }
    }

    /// Ends a slice: what it wrote is counted, and what it read may be old in the next one.
    pub(super) fn end_slice(&mut self) {
        let Frames {
            messages,
            bytes,
            heartbeats_written,
            ..
        } = std::mem::take(&mut self.frames);
        if bytes > 0 {
            self.metrics.delivered(messages, bytes);
            self.metrics.heartbeats(heartbeats_written);
        }
    }
}
