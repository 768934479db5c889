//! What a follower decides, without a runtime: the log is a list, and the time is a number.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{FilterAction, Follower, Live, Options, Output, Step};
use crate::limits;
use crate::log::{Entry, Item, PageLimit, Position, ReadOutcome, Selection, Start, StoreError};
use crate::message::{Channel, Epoch, EventName, Gap, GapReason, Message, Seq, Timestamp};
use crate::right::{RightEnd, RightHold, Rights};
use crate::wire::{Encoder, EndReason, SseOptions, TextStream};

const SECOND: Duration = Duration::from_secs(1);

/// A log of one channel whose messages are all in memory.
#[derive(Default)]
struct List(Vec<Arc<Entry>>);

impl List {
    fn of(texts: &[&str]) -> List {
        let entry = |(index, text): (usize, &&str)| {
            Arc::new(Entry::new(Arc::new(Message {
                seq: Seq(index as u64 + 1),
                time: Timestamp(0),
                channel: Channel::main(),
                event: EventName::DEFAULT,
                data: (*text).into(),
            })))
        };
        List(texts.iter().enumerate().map(entry).collect())
    }

    fn read(&self, position: &Position, mut limit: PageLimit) -> ReadOutcome {
        let is_new = |entry: &&Arc<Entry>| entry.message().seq > position.at();
        let new: Vec<_> = self.0.iter().filter(is_new).collect();
        let fits = |entry: &&&Arc<Entry>| limit.try_take(entry.message().data.len());
        let items: Vec<Item> = new
            .iter()
            .take_while(fits)
            .map(|entry| Item::Message(Arc::clone(entry)))
            .collect();
        let through = Seq(position.at().0 + items.len() as u64);
        if items.is_empty() {
            return ReadOutcome::UpToDate { through };
        }
        ReadOutcome::Items {
            items,
            through,
            trimmed_through: Seq::START,
        }
    }
}

/// A follower of `main` from the beginning, with a heartbeat of ten seconds.
fn follower(now: Instant, change: impl FnOnce(&mut Options)) -> Follower {
    follower_at(now, None, change)
}

fn follower_at(now: Instant, gap: Option<Gap>, change: impl FnOnce(&mut Options)) -> Follower {
    let mut options = Options::new(Encoder::Text(TextStream::default()), Some(10 * SECOND));
    change(&mut options);
    let start = Start {
        selection: Selection::of_channel(Channel::main()),
        at: Seq::START,
        gap,
        closes: Vec::new(),
        store_until: Seq::START,
    };
    let epoch = Epoch::new("epoch").unwrap();
    Follower::new(
        now,
        Position::new(start),
        epoch,
        Live::after(Seq(1)),
        options,
    )
}

fn text(output: &Output) -> String {
    String::from_utf8(output.chunk.data().to_vec()).unwrap()
}

/// The text of a step that writes and goes on.
fn written(step: Step) -> String {
    match step {
        Step::Write(output) => text(&output),
        other => panic!("{other:?}"),
    }
}

/// The text and the reason of the last step.
fn finished(step: Step) -> (String, EndReason) {
    match step {
        Step::Finish(output, reason) => (text(&output), reason),
        other => panic!("{other:?}"),
    }
}

fn waits_until(step: Step) -> Instant {
    match step {
        Step::Wait(moment) => moment,
        other => panic!("{other:?}"),
    }
}

/// Messages are written together, then the follower waits for its heartbeat, and for the next after
/// that. A message puts the heartbeat off.
#[test]
fn follower_writes_then_waits_then_beats() {
    let now = Instant::now();
    let log = List::of(&["one", "two"]);
    let mut follower = follower(now, |_| ());
    let mut next = |seconds: u32, log: &List| {
        follower.next(now + seconds * SECOND, |at, limit| log.read(at, limit))
    };
    assert_eq!(written(next(0, &log)), "one\ntwo\n");
    assert_eq!(waits_until(next(1, &log)), now + 10 * SECOND);
    assert_eq!(written(next(10, &log)), ".");
    assert_eq!(waits_until(next(11, &log)), now + 20 * SECOND);
    let log = List::of(&["one", "two", "three"]);
    assert_eq!(written(next(15, &log)), "\nthree\n");
    assert_eq!(waits_until(next(20, &log)), now + 25 * SECOND);
}

/// The first bytes are written at once, also when the log is empty.
#[test]
fn follower_opens_an_empty_log_at_once() {
    let now = Instant::now();
    let mut follower = follower(now, |options| options.extras().prelude = "<p>".into());
    let log = List::default();
    let step = follower.next(now, |at, limit| log.read(at, limit));
    assert_eq!(written(step), "<p>.");
}

/// A stream with a limit ends in-band when it has written that many messages.
#[test]
fn follower_ends_at_its_limit() {
    let now = Instant::now();
    let log = List::of(&["one", "two", "three"]);
    let mut follower = follower(now, |options| options.ends_mut().limit = Some(2));
    let mut next = || follower.next(now, |at, limit| log.read(at, limit));
    assert_eq!(written(next()), "one\ntwo\n");
    let (end, reason) = finished(next());
    assert_eq!(
        (end.as_str(), reason),
        ("# end epoch-2 reason=limit\n", EndReason::Limit)
    );
    assert!(follower.has_ended());
}

/// What is there at once is written even by a stream whose time is over, which ends after that.
#[test]
fn follower_reads_once_before_its_timeout() {
    let now = Instant::now();
    let log = List::of(&["one"]);
    let mut follower = follower(now, |options| options.ends_mut().timeout = Some(SECOND));
    let mut next = |seconds| follower.next(now + seconds * SECOND, |at, limit| log.read(at, limit));
    assert_eq!(written(next(2)), "one\n");
    assert_eq!(finished(next(2)).1, EndReason::Timeout);
}

/// A stream that learns of the drain in the moment in which it writes a message ends at the drain's
/// deadline, and not with the heartbeat that its timer was set to.
#[test]
fn follower_that_writes_while_stopping_ends_in_time() {
    let now = Instant::now();
    let mut follower = follower(now, |_| ());
    let mut log = List::of(&["one"]);
    written(follower.next(now, |at, limit| log.read(at, limit)));
    log = List::of(&["one", "two"]);
    follower.stop_by(now + 3 * SECOND, 8 * SECOND);
    written(follower.next(now + SECOND, |at, limit| log.read(at, limit)));
    let wait = follower.next(now + SECOND, |at, limit| log.read(at, limit));
    assert_eq!(waits_until(wait), now + 3 * SECOND);
    let end = follower.next(now + 3 * SECOND, |at, limit| log.read(at, limit));
    assert_eq!(finished(end).1, EndReason::Stop);
}

/// Messages older than the tail are fetched. Meanwhile there are heartbeats, but no opening and no
/// end: what is in the store is written first.
#[test]
fn follower_fetches_before_it_opens_or_ends() {
    let now = Instant::now();
    let mut follower = follower(now, |options| options.ends_mut().timeout = Some(SECOND));
    let step = follower.next(now, |_, _| ReadOutcome::Older);
    assert!(matches!(step, Step::Fetch), "{step:?}");
    let step = follower.next(now, |_, _| ReadOutcome::Fetching);
    assert_eq!(waits_until(step), now + SECOND);
    let step = follower.next(now + 2 * SECOND, |_, _| ReadOutcome::Fetching);
    assert!(waits_until(step) > now + 60 * SECOND);
    let log = List::of(&["one"]);
    let step = follower.next(now + 3 * SECOND, |at, limit| log.read(at, limit));
    assert_eq!(written(step), "one\n");
}

/// A gap that is known from the beginning is written first: with the messages that are there, or
/// alone while they are being fetched.
#[test]
fn follower_writes_its_gap_first() {
    let now = Instant::now();
    let gap = Gap {
        reason: GapReason::Epoch,
        missed: None,
        resumes: Seq::START,
    };
    let mark = "# gap reason=epoch missed=unknown cursor=epoch-0\n";
    let log = List::of(&["one"]);
    let mut both = follower_at(now, Some(gap.clone()), |_| ());
    let step = both.next(now, |at, limit| log.read(at, limit));
    let Step::Write(output) = step else {
        panic!("{step:?}")
    };
    assert_eq!(
        (text(&output), output.gaps, output.messages),
        (format!("{mark}one\n"), 1, 1)
    );
    let mut alone = follower_at(now, Some(gap), |_| ());
    let step = alone.next(now, |_, _| ReadOutcome::Fetching);
    assert_eq!(written(step), mark);
}

/// A store that cannot be read breaks the stream off, with a reason; the object of a long poll is
/// left incomplete.
#[test]
fn follower_breaks_off_when_the_store_fails() {
    let now = Instant::now();
    let mut follower = follower(now, |_| ());
    let failed = StoreError("broken".to_owned());
    let step = follower.next(now, |_, _| ReadOutcome::Failed(failed.clone()));
    let Step::Break(Some(output)) = step else {
        panic!("{step:?}")
    };
    assert!(text(&output).starts_with("# end "), "{output:?}");
    assert!(follower.has_ended());
    let mut poll = self::follower(now, |options| {
        options.encoder = Encoder::Json(Box::default());
        options.ends_mut().is_long_poll = true;
    });
    let step = poll.next(now, |_, _| ReadOutcome::Failed(failed.clone()));
    assert!(matches!(step, Step::Break(None)), "{step:?}");
    assert!(poll.has_ended());
}

/// A long poll ends with the first messages, as one JSON object.
#[test]
fn long_poll_finishes_with_the_first_messages() {
    let now = Instant::now();
    let log = List::of(&["one"]);
    let mut follower = follower(now, |options| {
        options.encoder = Encoder::Json(Box::default());
        options.ends_mut().is_long_poll = true;
    });
    let step = follower.next(now, |at, limit| log.read(at, limit));
    let (object, reason) = finished(step);
    let object: serde_json::Value = serde_json::from_str(&object).unwrap();
    assert_eq!(object["messages"][0]["data"], "one");
    assert_eq!(
        (object["cursor"].as_str(), reason),
        (Some("epoch-1"), EndReason::Limit)
    );
}

/// Messages that do not fit one write, as encoded, are read again for the next.
#[test]
fn follower_rewinds_what_does_not_fit() {
    let now = Instant::now();
    let long = "\u{1}".repeat(limits::FRAME_BYTES / 4);
    let log = List::of(&["short", &long, "last"]);
    let mut follower = follower(now, |_| ());
    let mut next = || written(follower.next(now, |at, limit| log.read(at, limit)));
    assert_eq!(next(), "short\n");
    assert_eq!(next(), format!("{}\n", "\\x01".repeat(long.len())));
    assert_eq!(next(), "last\n");
}

/// `live` comes once: in the write that ends the past, before the first message that is new, or alone
/// where nothing of the past is seen.
#[test]
fn follower_says_live_between_past_and_future() {
    let now = Instant::now();
    let sse = |options: &mut Options| {
        options.encoder = Encoder::Sse(SseOptions {
            retry: 1,
            heartbeat_event: false,
            envelope: false,
        });
    };
    let live = "id: epoch-1\nevent: live\ndata: {\"cursor\":\"epoch-1\"}\n\n";
    let [one, two, three] = [1, 2, 3].map(|n| format!("id: epoch-{n}\ndata: {n}\n\n"));
    let mut log = List::of(&["1"]);
    let mut apart = follower(now, sse);
    let step = apart.next(now, |at, limit| log.read(at, limit));
    assert_eq!(written(step), format!("retry: 1\n{one}{live}"));
    log = List::of(&["1", "2", "3"]);
    let step = apart.next(now, |at, limit| log.read(at, limit));
    assert_eq!(written(step), format!("{two}{three}"));
    let step = follower(now, sse).next(now, |at, limit| log.read(at, limit));
    let together = format!("retry: 1\n{one}{live}{two}{three}");
    assert_eq!(written(step), together);
    let mut unseen = follower(now, |options| {
        sse(options);
        options.extras().filter = Some(Box::new(|_| FilterAction::Skip));
    });
    let step = unseen.next(now, |_, _| ReadOutcome::Fetching);
    assert_eq!(waits_until(step), now + 10 * SECOND);
    let step = unseen.next(now + 10 * SECOND, |_, _| ReadOutcome::Fetching);
    assert_eq!(written(step), "retry: 1\n");
    log = List::of(&["1"]);
    let step = unseen.next(now + 11 * SECOND, |at, limit| log.read(at, limit));
    assert_eq!(written(step), live);
}

/// With a pace, what comes after `live` is written at the next tick, and so is a heartbeat.
#[test]
fn paced_follower_writes_at_its_ticks() {
    let now = Instant::now();
    let pace = Some(2 * SECOND);
    let mut follower = follower(now, |options| options.extras().pace_interval = pace);
    let mut next = |seconds: u32, log: &List| {
        let now = now + seconds * SECOND;
        follower.begin_burst(now, || Seq(log.0.len() as u64));
        follower.next(now, |at, limit| log.read(at, limit))
    };
    assert_eq!(written(next(0, &List::of(&["one"]))), "one\n");
    let log = List::of(&["one", "two", "three"]);
    assert_eq!(waits_until(next(1, &log)), now + 2 * SECOND);
    assert_eq!(written(next(2, &log)), "two\nthree\n");
    assert_eq!(waits_until(next(2, &log)), now + 4 * SECOND);
    assert_eq!(waits_until(next(5, &log)), now + 6 * SECOND);
    assert_eq!(written(next(12, &log)), ".");
    assert_eq!(waits_until(next(13, &log)), now + 14 * SECOND);
}

/// A filter may keep, replace and skip messages; what it skips is read over at once.
#[test]
fn filter_decides_what_is_seen() {
    let now = Instant::now();
    let log = List::of(&["keep", "skip", "replace"]);
    let mut follower = follower(now, |options| {
        options.extras().filter = Some(Box::new(|message| match &*message.data {
            "keep" => FilterAction::Keep,
            "replace" => FilterAction::Replace("other".to_owned()),
            _ => FilterAction::Skip,
        }));
    });
    let mut next = || follower.next(now, |at, limit| log.read(at, limit));
    assert_eq!(written(next()), "keep\nother\n");
}

/// A stream that adds channels ends after a gap, from where the next one goes on.
#[test]
fn growing_stream_rotates_after_a_gap() {
    let now = Instant::now();
    let log = List::of(&["one", "two", "three"]);
    let mut follower = follower(now, |options| {
        options.extras().grows = true;
        options.extras().filter = Some(Box::new(|_| FilterAction::Keep));
    });
    let gap = Gap {
        reason: GapReason::Expired,
        missed: Some(1),
        resumes: Seq(2),
    };
    let mut next = || {
        follower.next(now, |at, limit| match log.read(at, limit) {
            ReadOutcome::Items { through, .. } => ReadOutcome::Items {
                items: vec![
                    Item::Message(Arc::clone(&log.0[0])),
                    Item::Gap(gap.clone()),
                    Item::Message(Arc::clone(&log.0[2])),
                ],
                through,
                trimmed_through: Seq::START,
            },
            other => other,
        })
    };
    assert!(written(next()).starts_with("one\n# gap"));
    let (end, reason) = finished(next());
    assert_eq!(
        (&*end, reason),
        ("# end epoch-2 reason=rotate\n", EndReason::Rotate)
    );
}

/// A right that ends while its follower reads ends the stream: nothing that was read is written, and the
/// end says so.
#[test]
fn right_that_ends_withholds_what_was_read() {
    for (end, reason) in [
        (RightEnd::Revoked, EndReason::Revoked),
        (RightEnd::Expired, EndReason::Expired),
    ] {
        let now = Instant::now();
        let mut log = List::of(&["before"]);
        let rights = Rights::new();
        let mut follower = follower(now, |options| {
            options.extras().rights = vec![RightHold::new(rights.right(()))];
        });
        let next = follower.next(now, |at, limit| log.read(at, limit));
        assert_eq!(written(next), "before\n");
        log = List::of(&["before", "after"]);
        let next = follower.next(now, |at, limit| {
            rights.end(&(), end);
            log.read(at, limit)
        });
        let end = format!("# end epoch-1 reason={}\n", reason.as_str());
        assert_eq!(finished(next), (end, reason));
    }
}

/// A filter may add a channel: what comes after that message is read again, with the new channel.
#[test]
fn filter_subscribes_from_its_message_on() {
    let now = Instant::now();
    let log = List::of(&["one", "more", "three"]);
    let more = Channel::new("more").unwrap();
    let added = more.clone();
    let mut follower = follower(now, |options| {
        options.extras().filter = Some(Box::new(move |message| match &*message.data {
            "more" => FilterAction::Subscribe(added.clone()),
            _ => FilterAction::Keep,
        }));
    });
    let mut read_at = Vec::new();
    let mut next = || {
        written(follower.next(now, |position, limit| {
            read_at.push((position.at(), position.selection().count()));
            log.read(position, limit)
        }))
    };
    assert_eq!((next(), next()), ("one\n".to_owned(), "three\n".to_owned()));
    assert_eq!(read_at, [(Seq(0), 1), (Seq(2), 2)]);
    assert_eq!(
        follower.position().selection().channels()[1],
        (more, Seq(2))
    );
}
