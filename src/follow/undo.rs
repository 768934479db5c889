//! Taking back a write that the connection cannot take: the follower goes back to its cursor, and the
//! bytes are made again when there is room for them. Pure.

use bytes::Bytes;

use super::follower::FollowerState;
use super::{Ends, Follower, Live};
use crate::log::{Beginning, Item, insert_closes};
use crate::message::{Close, Seq};
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
    closed: Vec<Close>,
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
    /// is of the same messages and closes, and nothing ends the stream before; the bytes are the same,
    /// too, if the log still has all of the messages.
    pub(super) fn undo(&mut self, undo: Undo, same: bool) {
        let known = undo.beginning.iter().flat_map(Beginning::closes);
        let known: Vec<&Close> = known.chain(&undo.closed).collect();
        let told = self.options.closed().iter();
        let closes = told.filter(|close| !known.contains(close)).cloned();
        let again = Again {
            closes: closes.collect(),
            says_live: self.live.has_come() && !undo.live.has_come(),
            through: undo.through,
        };
        let extras = self.options.extras();
        extras.again = same.then_some(again);
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

/// A write that is to be made again.
#[derive(Debug)]
pub(super) struct Again {
    /// The closes in it. The log forgets them when somebody appends to their channels.
    closes: Vec<Close>,
    /// Whether it says that the follower has caught up. If it ends the stream, that was known of messages of
    /// other channels, which came after those in it.
    pub(super) says_live: bool,
    /// Where the follower stands after it.
    through: Seq,
}

impl Again {
    /// Whether everything up to this seq is all of it.
    pub(super) fn is_done(&self, through: Seq) -> bool {
        through >= self.through
    }

    /// Makes of what the log has after `at`, up to `through`, what it had when this was written before. A close
    /// that is gone may have stood after all that the log has.
    pub(super) fn restore(&self, items: &mut Vec<Item>, at: Seq, through: &mut Seq) {
        items.retain(|item| item.seq() <= self.through && !matches!(item, Item::Close(_)));
        let closes_more = self.closes.iter().any(|close| close.seq > *through);
        if closes_more && !items.is_empty() || *through > self.through {
            *through = self.through;
        }
        let is_of_these = |close: &&Close| close.seq > at && close.seq <= *through;
        let closes = self.closes.iter().filter(is_of_these).cloned();
        insert_closes(items, closes, Item::seq);
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
    use crate::message::{Channel, Epoch, EventName, Gap, GapReason, Message, Timestamp};
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

    /// A channel was closed in a write that is made again, and is open by then: the write has the close, as
    /// before, and nothing that came since.
    #[test]
    fn undo_repeats_a_close_that_is_gone() {
        let now = Instant::now();
        // The mark on a message with others after it by now, and a close that stood alone after all.
        let all = encoders()
            .into_iter()
            .flat_map(|encoder| [(encoder.clone(), Seq(1), 7), (encoder, Seq(2), 1)]);
        for (encoder, seq, last) in all {
            let mut follower = follower(now, encoder);
            if follower.options.ends().is_long_poll {
                continue;
            }
            let before = follower.before_write();
            let close = Close {
                channel: Channel::main(),
                seq,
            };
            let has_closed = |position: &Position, limit| {
                let mut outcome = read(1)(position, limit);
                if let ReadOutcome::Items { items, through, .. } = &mut outcome {
                    items.push(Item::Close(close.clone()));
                    // There are others, in other channels.
                    *through = Seq(7);
                }
                outcome
            };
            let step = follower.next(now, has_closed);
            assert!(matches!(step, Step::Finish(..)), "{step:?}");
            let first = written(step).unwrap();
            let before = before.wrote_through(follower.position().at());
            follower.undo(before, true);
            let again = written(follower.next(now, read(last))).unwrap();
            assert_eq!(again.chunk.data(), first.chunk.data());
            assert!(follower.has_ended());
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
