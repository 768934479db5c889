//! Taking back a write that the connection cannot take: the follower goes back to its cursor, and the
//! bytes are made again when there is room for them. Pure.

use bytes::Bytes;

use super::follower::FollowerState;
use super::{Ends, Follower, Live};
use crate::log::Beginning;
use crate::message::{Channel, Seq};
use crate::wire::{Encoder, EndReason};

/// A follower as it was before a write, in all that a write changes.
#[derive(Debug)]
pub(super) struct Undo {
    at: Seq,
    beginning: Option<Beginning>,
    prelude: Bytes,
    encoder: Encoder,
    ends: Ends,
    state: FollowerState,
    over: Option<EndReason>,
    closed: Vec<Channel>,
    live: Live,
    /// Where the follower stood after the write.
    through: Seq,
}

impl Follower {
    /// The follower as it is now, before a write.
    pub(super) fn before_write(&self) -> Undo {
        Undo {
            at: self.position.at(),
            beginning: self.position.beginning().cloned(),
            prelude: self.options.prelude(),
            encoder: self.options.encoder.clone(),
            ends: self.options.ends(),
            state: self.state,
            over: self.options.over(),
            closed: self.options.closed().to_vec(),
            live: self.live,
            through: self.position.at(),
        }
    }

    /// Takes back the write after which the follower stands where it does. With `same` the next write
    /// is of the same messages, and nothing ends the stream before; the bytes are the same, too, if
    /// the log still has all of them.
    pub(super) fn undo(&mut self, undo: Undo, same: bool) {
        let extras = self.options.extras();
        extras.again = same.then_some(undo.through);
        extras.ends = undo.ends;
        extras.over = undo.over;
        extras.closed = undo.closed;
        extras.prelude = undo.prelude;
        self.position.return_to(undo.at, undo.beginning);
        self.options.encoder = undo.encoder;
        self.state = undo.state;
        self.live = undo.live;
    }
}

impl Undo {
    /// Notes where the follower stands after the write.
    pub(super) fn wrote_through(mut self, through: Seq) -> Undo {
        self.through = through;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::super::{Options, Output, Step};
    use super::*;
    use crate::limits;
    use crate::log::{Entry, Item, PageLimit, Position, ReadOutcome, Selection, Start};
    use crate::message::{Epoch, EventName, Gap, GapReason, Message, Timestamp};
    use crate::wire::{HtmlStream, ScriptFrame, SseOptions, TextStream};

    fn message(seq: u64) -> Item {
        let message = Message {
            seq: Seq(seq),
            time: Timestamp(0),
            channel: Channel::main(),
            event: EventName::DEFAULT,
            data: format!("{seq} {}", "\u{1}".repeat(3000)).into(),
        };
        Item::Message(Arc::new(Entry::new(Arc::new(message))))
    }

    /// A log with these last messages, of which each read returns at most what the limit allows.
    fn read(last: u64) -> impl Fn(&Position, PageLimit) -> ReadOutcome {
        move |position, mut limit| {
            let seqs = position.at().0 + 1..=last;
            let fit: Vec<u64> = seqs.take_while(|_| limit.try_take(3002)).collect();
            match fit.last() {
                None => ReadOutcome::UpToDate { through: Seq(last) },
                Some(&through) => ReadOutcome::Items {
                    items: fit.into_iter().map(message).collect(),
                    through: Seq(through),
                    trimmed_through: Seq::START,
                },
            }
        }
    }

    fn encoders() -> [Encoder; 6] {
        let frame = ScriptFrame::new("nonce".to_owned(), None);
        let sse = SseOptions {
            retry: limits::SSE_RETRY_MS_DEFAULT,
            heartbeat_event: false,
            envelope: true,
        };
        [
            Encoder::Text(TextStream::new(true, false)),
            Encoder::Html(HtmlStream::default()),
            Encoder::Script(Arc::new(frame)),
            Encoder::Sse(sse),
            Encoder::Ndjson,
            Encoder::Json(Box::default()),
        ]
    }

    /// A follower from the beginning, which has a page in front and a gap to report.
    fn follower(now: Instant, encoder: Encoder) -> Follower {
        let is_long_poll = matches!(encoder, Encoder::Json(_));
        let mut options = Options::new(encoder, None);
        options.ends_mut().limit = Some(9);
        options.ends_mut().is_long_poll = is_long_poll;
        options.extras().prelude = Bytes::from_static(b"<page>");
        let gap = Gap {
            reason: GapReason::Expired,
            missed: Some(2),
            resumes: Seq::START,
        };
        let start = Start {
            selection: Selection::of_channel(Channel::main()),
            at: Seq::START,
            gap: Some(gap),
            closes: Vec::new(),
            store_until: Seq::START,
        };
        let epoch = Epoch::new("k3f9x2qa0b").unwrap();
        Follower::new(
            now,
            Position::new(start),
            epoch,
            Live::after(Seq(7)),
            options,
        )
    }

    fn written(step: Step) -> Option<Output> {
        match step {
            Step::Write(output) | Step::Finish(output, _) => Some(output),
            _ => None,
        }
    }

    /// A write that is taken back is made again, byte for byte, though there are more messages now and
    /// the stream is to end; and then it goes on as if nothing had been.
    #[test]
    fn undo_repeats_every_write() {
        let now = Instant::now();
        for encoder in encoders() {
            let mut plain = follower(now, encoder.clone());
            let mut undone = follower(now, encoder);
            let mut last = 0;
            while !plain.has_ended() {
                last += 5;
                let Some(expected) = written(plain.next(now, read(last))) else {
                    continue;
                };
                let before = undone.before_write();
                let first = written(undone.next(now, read(last))).unwrap();
                assert_eq!(first.chunk.data(), expected.chunk.data());
                if first.messages == 0 {
                    continue;
                }
                let before = before.wrote_through(undone.position().at());
                undone.undo(before, true);
                undone.stop_by(now, std::time::Duration::ZERO);
                let again = written(undone.next(now, read(last + 7))).unwrap();
                assert_eq!(again.chunk.data(), expected.chunk.data());
                assert_eq!(again.messages, expected.messages);
                plain.stop_by(now, std::time::Duration::ZERO);
            }
            assert!(undone.has_ended());
        }
    }

    /// Messages that are gone when a write is to be made again end the stream without an end.
    #[test]
    fn undo_notices_what_is_gone() {
        let now = Instant::now();
        let mut follower = follower(now, Encoder::Ndjson);
        let before = follower.before_write();
        written(follower.next(now, read(3))).unwrap();
        let before = before.wrote_through(follower.position().at());
        follower.undo(before, true);
        let through = Seq(3);
        let step = follower.next(now, |_, _| ReadOutcome::UpToDate { through });
        assert!(matches!(step, Step::Break(_)), "{step:?}");
    }
}
