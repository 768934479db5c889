//! The log by itself: wake-ups, and a sender that reads its own message.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use forever_frame::limits;
use forever_frame::log::{Item, Keep, Log, Memory, Reader, Room, Since, Store};
use forever_frame::message::{Channel, Draft, Timestamp};
use forever_frame::metrics::Metrics;
use tokio::sync::mpsc;

use crate::support::soon;

fn log() -> Log {
    let keep = Keep {
        messages: 1000,
        age: Duration::from_hours(1),
    };
    Log::open(
        Store::Memory(Memory::new(keep, limits::MEMORY_LOG_BYTES)),
        Arc::new(Metrics::default()),
    )
}

async fn reader(log: &Log, channels: &[Channel], since: Since) -> Reader {
    log.reader(log.start(channels, &since, Timestamp(0)).await.unwrap())
}

async fn next(reader: &mut Reader) -> u64 {
    let items = poll_fn(|cx| reader.poll_read(cx, Room::new(1, 0)))
        .await
        .unwrap();
    let [Item::Message(entry)] = &items[..] else {
        panic!("{items:?}")
    };
    entry.message().seq.0
}

/// There are no heartbeats here, and the next message comes only when all have seen the last: a
/// wake-up that is lost, once in all these rounds, and it stands still for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wake_up_is_never_lost() {
    const ROUNDS: u64 = 10_000;
    const READERS: u64 = 8;
    let log = log();
    let channels: Vec<Channel> = ["a", "b", "c"]
        .iter()
        .map(|name| Channel::new(name).unwrap())
        .collect();
    let (seen, mut all_seen) = mpsc::unbounded_channel();
    for _ in 0..READERS {
        let mut reader = reader(&log, &channels, Since::Now).await;
        let seen = seen.clone();
        tokio::spawn(async move {
            for expected in 1..=ROUNDS {
                assert_eq!(next(&mut reader).await, expected);
                seen.send(expected).unwrap();
            }
        });
    }
    for round in 1..=ROUNDS {
        let channel = channels[usize::try_from(round % 3).unwrap()].clone();
        let message = log.append(Draft::new(channel, "x")).await.unwrap();
        assert_eq!(message.seq.0, round);
        for _ in 0..READERS {
            assert_eq!(soon(all_seen.recv()).await, Some(round));
        }
    }
}

/// The same with readers that come and go, so that places in the lists change hands.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wake_up_is_not_lost_while_others_come_and_go() {
    let log = log();
    let channel = [Channel::main()];
    let coming_and_going = tokio::spawn({
        let (log, channel) = (log.clone(), channel.clone());
        async move {
            loop {
                let mut kept = Vec::new();
                for n in 0..600 {
                    let mut reader = reader(&log, &channel, Since::Now).await;
                    let polled = poll_fn(|cx| {
                        std::task::Poll::Ready(reader.poll_read(cx, Room::new(1, 0)).is_ready())
                    });
                    polled.await;
                    if n % 3 == 0 {
                        kept.push(reader);
                    }
                }
                tokio::task::yield_now().await;
            }
        }
    });
    let mut reader = reader(&log, &channel, Since::Now).await;
    for expected in 1..=3_000 {
        let append = tokio::spawn({
            let log = log.clone();
            async move { log.append(Draft::new(Channel::main(), "x")).await.unwrap() }
        });
        assert_eq!(soon(next(&mut reader)).await, expected);
        append.await.unwrap();
    }
    coming_and_going.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_reads_its_own_message_at_once() {
    let log = log();
    for _ in 0..500 {
        let message = log.append(Draft::new(Channel::main(), "x")).await.unwrap();
        let mut reader = reader(&log, &[Channel::main()], Since::Last(1)).await;
        let polled =
            poll_fn(|cx| std::task::Poll::Ready(reader.poll_read(cx, Room::new(9, 999)))).await;
        let std::task::Poll::Ready(Ok(items)) = polled else {
            panic!("nothing is there: {polled:?}")
        };
        let [Item::Message(entry)] = &items[..] else {
            panic!("{items:?}")
        };
        assert_eq!(entry.message().seq, message.seq);
    }
}

/// A page of the store may end before the place where a gap stands; what the tail still has from
/// there on does not make up for it.
#[tokio::test]
async fn a_gap_behind_a_page_is_said_though_the_tail_begins_before_it() {
    let keep = Keep {
        messages: 150,
        age: Duration::from_hours(1),
    };
    let memory = Memory::new(keep, limits::MEMORY_LOG_BYTES);
    let log = Log::open(Store::Memory(memory), Arc::default());
    let channels = ["a", "b"].map(|name| Channel::new(name).unwrap());
    // It begins when nothing is lost yet.
    let mut reader = reader(&log, &channels, Since::Seq(forever_frame::message::Seq(0))).await;
    let text = "x".repeat(40_000);
    // The tail has the last 208; of b the first 168 are gone, the last of them at 170.
    for seq in 1..=320 {
        let channel = &channels[usize::from(!(131..=132).contains(&seq))];
        let draft = Draft::new(channel.clone(), text.as_str());
        assert_eq!(log.append(draft).await.unwrap().seq.0, seq);
    }
    let mut said = Vec::new();
    while reader.at().0 < 320 {
        for item in poll_fn(|cx| reader.poll_read(cx, Room::new(1, 0)))
            .await
            .unwrap()
        {
            said.push(match item {
                Item::Message(entry) => (entry.message().seq.0, "message"),
                Item::Gap(gap) => (gap.resumes.0, "gap"),
            });
        }
    }
    let mut expected = vec![(131, "message"), (132, "message"), (170, "gap")];
    expected.extend((171..=320).map(|seq| (seq, "message")));
    assert_eq!(said, expected);
}

/// A follower is woken and reads in one go what came while it was away; the memory store's bound
/// holds whatever is appended, and what it let go is said.
#[tokio::test]
async fn the_memory_log_stays_within_its_bytes() {
    let keep = Keep {
        messages: usize::MAX,
        age: Duration::from_hours(1),
    };
    let store = Store::Memory(Memory::new(keep, limits::TAIL_BYTES));
    let log = Log::open(store, Arc::new(Metrics::default()));
    let text = "x".repeat(64 * 1024);
    let count = 3 * limits::TAIL_BYTES / text.len();
    for n in 0..count {
        let channel = Channel::new(&format!("c{n}")).unwrap();
        log.append(Draft::new(channel, text.as_str()))
            .await
            .unwrap();
    }
    let (first, last) = log.bounds();
    let kept = last.0 - first.0 + 1;
    let fits = (limits::TAIL_BYTES / (text.len() + limits::MESSAGE_OVERHEAD)) as u64;
    assert_eq!(kept, fits);
    let mut early = reader(
        &log,
        &[Channel::new("c0").unwrap()],
        Since::Seq(forever_frame::message::Seq(0)),
    )
    .await;
    let items = poll_fn(|cx| early.poll_read(cx, Room::new(1, 0)))
        .await
        .unwrap();
    assert!(
        matches!(&items[..], [Item::Gap(gap)] if gap.missed == Some(1)),
        "{items:?}"
    );
}
