//! What a follower writes of the items that were read. Pure.

use tokio::time::Instant;

use super::follower::FollowerState;
use super::{Follower, Output, Step};
use crate::limits;
use crate::log::{Entry, Item};
use crate::message::{Close, Seq};
use crate::wire::{Chunk, EndReason};

/// A write that is being made.
struct Writing {
    out: Vec<u8>,
    messages: u64,
    gaps: u64,
    /// Where the stream begins, if this is its first write.
    start: Seq,
    /// The last message or close in it.
    last: Seq,
}

impl Follower {
    /// Writes these items. Those that do not fit one write are read again. `None` if there is nothing to be
    /// written: there are no items, or the transport does not say what they are.
    pub(super) fn write_items(&mut self, now: Instant, items: &[Item]) -> Option<Step> {
        if items.is_empty() {
            return None;
        }
        let start = match self.state {
            FollowerState::Fresh(start) => start,
            FollowerState::Streaming | FollowerState::Ended => Seq::START,
        };
        let out = self.opening();
        if let [Item::Message(entry)] = items
            && out.is_empty()
            && self.live.has_come()
            && self.options.encoder.is_plain()
        {
            // One message and nothing around it: the chunk that all followers share.
            self.options.note_open(&entry.message().channel);
            return Some(Step::Write(self.output(
                now,
                self.encoded(entry).clone(),
                1,
            )));
        }
        let mut writing = Writing {
            out,
            messages: 0,
            gaps: 0,
            start,
            last: Seq::START,
        };
        for item in items {
            let fits = match item {
                Item::Message(entry) => self.put_message(&mut writing, entry),
                Item::Close(close) => self.put_close(&mut writing, close),
                Item::Gap(gap) => {
                    self.options.encoder.gap(gap, &self.epoch, &mut writing.out);
                    writing.gaps += 1;
                    true
                }
            };
            if !fits {
                self.position.rewind(item.seq().before());
                break;
            }
        }
        self.finish_writing(now, writing)
    }

    /// Puts a message. Returns false if the write has no room for it.
    fn put_message(&mut self, writing: &mut Writing, entry: &Entry) -> bool {
        let bytes = self.encoded(entry).data();
        let message = entry.message();
        if writing.messages > 0 && writing.out.len() + bytes.len() > limits::FRAME_BYTES {
            return false;
        }
        let before = message.seq.before();
        self.put_live(before, before, &mut writing.out);
        let encoder = &mut self.options.encoder;
        encoder.lead(message, &self.epoch, &mut writing.out);
        writing.out.extend_from_slice(&bytes);
        encoder.trail(&mut writing.out);
        self.options.note_open(&message.channel);
        writing.messages += 1;
        writing.last = message.seq;
        true
    }

    /// Puts that a channel is closed. Returns false if the write has no room for it.
    fn put_close(&mut self, writing: &mut Writing, close: &Close) -> bool {
        // A mark is not separated from its message, and what was closed from the beginning not from the
        // beginning.
        let can_wait = close.seq > writing.last.max(writing.start);
        if can_wait && writing.out.len() > limits::FRAME_BYTES {
            return false;
        }
        let before = close.seq.before();
        self.put_live(before, before, &mut writing.out);
        // One that was in force before the follower started does not take it back.
        let cursor = self.cursor_at(close.seq.max(writing.start));
        let encoder = &mut self.options.encoder;
        encoder.closed(&close.channel, &cursor, &mut writing.out);
        self.options.note_closed(close);
        writing.last = writing.last.max(close.seq);
        true
    }

    /// Puts that the follower has caught up, if it has at `at` and this was not said before. It is said
    /// with the cursor of `shown`.
    pub(super) fn put_live(&mut self, at: Seq, shown: Seq, out: &mut Vec<u8>) {
        if self.live.is_due(at) {
            let cursor = self.cursor_at(shown);
            self.options.encoder.live(&cursor, out);
        }
    }

    /// Finishes a write, and ends the stream if it is complete with it.
    fn finish_writing(&mut self, now: Instant, writing: Writing) -> Option<Step> {
        let Writing {
            mut out,
            messages,
            gaps,
            start,
            last,
        } = writing;
        let end = if self.options.ends().is_long_poll {
            self.say_live(&mut out);
            Some(EndReason::Limit)
        } else if self.are_all_closed() {
            // Nothing of these channels comes after their last entry.
            let says_live = self.options.again().is_some_and(|again| again.says_live);
            let at = if says_live {
                Seq(u64::MAX)
            } else {
                self.position.at()
            };
            self.position.rewind(last.max(start));
            self.put_live(at, self.position.at(), &mut out);
            Some(EndReason::Closed)
        } else {
            if !self.options.ends().are_reached_with(messages) {
                self.say_live(&mut out);
            }
            None
        };
        if let Some(reason) = end {
            self.end(reason, &mut out);
            let output = self.output(now, Chunk::new(&out), messages);
            return Some(Step::Finish(Output { gaps, ..output }, reason));
        }
        if out.is_empty() {
            return None;
        }
        if matches!(self.state, FollowerState::Fresh(_)) {
            let cursor = self.cursor();
            self.options.encoder.opened(&cursor, false, &mut out);
        }
        let output = self.output(now, Chunk::new(&out), messages);
        Some(Step::Write(Output { gaps, ..output }))
    }

    /// Whether all that is followed is closed. A pattern never is.
    fn are_all_closed(&self) -> bool {
        let closed = self.options.closed();
        let selection = self.position.selection();
        let mut channels = selection.channels().iter();
        !closed.is_empty()
            && selection.patterns().is_empty()
            && channels.all(|(channel, _)| closed.iter().any(|close| close.channel == *channel))
    }

    fn encoded<'a>(&self, entry: &'a Entry) -> &'a Chunk {
        entry.encoded(self.options.encoder.encoding(), &self.epoch)
    }
}
