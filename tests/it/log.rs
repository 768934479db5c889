//! The log without a server: wake-ups, reading backwards, gaps, and catching up.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use forever_frame::limits;
use forever_frame::log::{
    Item, Keep, Log, Memory, PageLimit, Reader, Since, Sqlite, Store, Stored,
};
use forever_frame::message::{Channel, Draft, Seq};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::support::soon;

const KEEP: Keep = Keep {
    messages: 1000,
    age: Duration::from_hours(1),
};

fn log() -> Log {
    let memory = Memory::new(KEEP, limits::MEMORY_LOG_BYTES_DEFAULT);
    Log::open(Store::Memory(memory), Arc::default()).unwrap()
}

fn stored_log(directory: &TempDir) -> Log {
    let path = directory.path().join("log.db");
    let sqlite = Sqlite::open(&path, KEEP, limits::STORED_LOG_BYTES_DEFAULT).unwrap();
    Log::open(Store::Sqlite(sqlite), Arc::default()).unwrap()
}

async fn reader(log: &Log, channels: &[Channel], since: Since) -> Reader {
    log.reader(log.start(&channels.to_vec().into(), &since).await.unwrap())
}

async fn next(reader: &mut Reader) -> u64 {
    let items = poll_fn(|cx| reader.poll_read(cx, PageLimit::new(1, 0)))
        .await
        .unwrap();
    let [Item::Message(entry)] = &items[..] else {
        panic!("{items:?}")
    };
    entry.message().seq.0
}

/// Page by page from the end, a channel is read whole and once, and the number of its trimmed
/// messages is told.
#[tokio::test]
async fn channel_read_backwards() {
    const KEPT: usize = 25;
    let directory = TempDir::new().unwrap();
    let keep = Keep {
        messages: KEPT,
        ..KEEP
    };
    let path = directory.path().join("log.db");
    let sqlite = Sqlite::open(&path, keep, limits::STORED_LOG_BYTES_DEFAULT).unwrap();
    let memory = Memory::new(keep, limits::MEMORY_LOG_BYTES_DEFAULT);
    for store in [Store::Memory(memory), Store::Sqlite(sqlite)] {
        let log = Log::open(store, Arc::default()).unwrap();
        let [ours, others] = ["ours", "others"].map(|name| Channel::new(name).unwrap());
        for number in 0..40 {
            for channel in [&ours, &others] {
                // The text is longer than what the store reads in one go.
                let text = format!("{number}:{}", "x".repeat(10_000));
                log.append(Draft::new(channel.clone(), text)).await.unwrap();
            }
        }
        let (mut through, mut numbers) = (Seq(u64::MAX), Vec::new());
        let missed = loop {
            let span = log.history(&ours, through, 10).await.unwrap();
            let page: Vec<u64> = span
                .items
                .iter()
                .filter_map(|item| match item {
                    Stored::Message(message) => message.data.split_once(':')?.0.parse().ok(),
                    Stored::Gap(_) | Stored::Close(_) => None,
                })
                .collect();
            assert!(page.len() == 10 || !span.more);
            numbers.splice(0..0, page);
            if !span.more {
                break span.missed();
            }
            through = span.items[0].seq().before();
        };
        assert_eq!(numbers, (15..40).collect::<Vec<_>>());
        assert_eq!(missed, Some(15));
    }
}

/// No wake-up is lost. There are no heartbeats here, and the next message comes only when all
/// readers have seen the last: after a single lost wake-up the test would stand still for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn wake_never_lost() {
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

/// No wake-up is lost while other readers come and go, so that the slots of the wake lists are
/// reused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn wake_not_lost_while_readers_change() {
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
                        std::task::Poll::Ready(
                            reader.poll_read(cx, PageLimit::new(1, 0)).is_ready(),
                        )
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

/// A sender can read its own message as soon as it has the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn append_is_readable_at_once() {
    reads_its_own_messages(&log()).await;
    let directory = crate::support::directory();
    reads_its_own_messages(&stored_log(&directory)).await;
}

async fn reads_its_own_messages(log: &Log) {
    for _ in 0..500 {
        let message = log.append(Draft::new(Channel::main(), "x")).await.unwrap();
        let mut reader = reader(log, &[Channel::main()], Since::Last(1)).await;
        let polled =
            poll_fn(|cx| std::task::Poll::Ready(reader.poll_read(cx, PageLimit::new(9, 999))))
                .await;
        let std::task::Poll::Ready(Ok(items)) = polled else {
            panic!("nothing is there: {polled:?}")
        };
        let [Item::Message(entry)] = &items[..] else {
            panic!("{items:?}")
        };
        assert_eq!(entry.message().seq, message.seq);
    }
}

/// Checks that messages older than the tail are read from the store, and that what is appended
/// meanwhile is not missed.
async fn falls_behind_and_catches_up(log: &Log) {
    let channels = ["a", "b", "c"].map(|name| Channel::new(name).unwrap());
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut readers = Vec::new();
    for n in 0..20 {
        let mut random = StdRng::seed_from_u64(seed ^ n);
        let count = random.random_range(1..=3);
        let mine: Vec<Channel> = channels.sample(&mut random, count).cloned().collect();
        let since = Since::Seq(Seq::START);
        let mut reader = reader(log, &mine, since).await;
        readers.push(tokio::spawn(async move {
            let (mut seen, mut ends) = (Vec::new(), 0);
            while ends < count {
                let room = PageLimit::new(random.random_range(1..30), 1 << 20);
                for item in poll_fn(|cx| reader.poll_read(cx, room)).await.unwrap() {
                    let Item::Message(entry) = item else {
                        panic!("{item:?}")
                    };
                    seen.push(entry.message().seq.0);
                    ends += usize::from(entry.message().data.is_empty());
                }
                if random.random_ratio(1, 4) {
                    // This reader pauses, and the tail goes on without it.
                    tokio::time::sleep(Duration::from_millis(random.random_range(1..60))).await;
                }
            }
            (mine, seen)
        }));
    }
    let mut random = StdRng::seed_from_u64(!seed);
    let text = "x".repeat(40_000);
    let mut sent = Vec::new();
    while sent.len() < 800 {
        let batch: Vec<&Channel> = (0..random.random_range(1..20))
            .filter_map(|_| channels.choose(&mut random))
            .collect();
        let drafts = batch
            .iter()
            .map(|channel| Draft::new((*channel).clone(), text.as_str()));
        log.append_all(drafts.collect()).await.unwrap();
        sent.extend(batch);
    }
    let ends = channels
        .iter()
        .map(|channel| Draft::new(channel.clone(), ""));
    log.append_all(ends.collect()).await.unwrap();
    sent.extend(&channels);
    let bytes = text.len() * sent.len();
    assert!(bytes > 3 * limits::TAIL_BYTES, "the tail holds only a part");
    for reader in readers {
        let (mine, seen) = soon(reader).await.unwrap();
        let all = sent
            .iter()
            .zip(1..)
            .filter(|(channel, _)| mine.contains(channel));
        let all: Vec<u64> = all.map(|(_, seq)| seq).collect();
        assert_eq!(seen, all, "seed {seed}");
    }
}

/// A reader that falls behind the tail catches up again by reading the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_reader_catches_up() {
    falls_behind_and_catches_up(&log()).await;
    let directory = crate::support::directory();
    falls_behind_and_catches_up(&stored_log(&directory)).await;
}

/// A page of the store may end before the position of a gap; the gap is told though the tail
/// begins before it, and what the tail still has from there on does not make up for it.
#[tokio::test]
async fn gap_after_page_told_within_tail() {
    let keep = Keep {
        messages: 150,
        ..KEEP
    };
    let memory = Memory::new(keep, limits::MEMORY_LOG_BYTES_DEFAULT);
    let log = Log::open(Store::Memory(memory), Arc::default()).unwrap();
    let channels = ["a", "b"].map(|name| Channel::new(name).unwrap());
    // The reader begins before anything is trimmed.
    let mut reader = reader(&log, &channels, Since::Seq(Seq::START)).await;
    let text = "x".repeat(40_000);
    // The tail has the last 208 messages; of b the first 168 are trimmed, the last of them at 170.
    for seq in 1..=320 {
        let channel = &channels[usize::from(!(131..=132).contains(&seq))];
        let draft = Draft::new(channel.clone(), text.as_str());
        assert_eq!(log.append(draft).await.unwrap().seq.0, seq);
    }
    let mut said = Vec::new();
    while reader.at().0 < 320 {
        for item in poll_fn(|cx| reader.poll_read(cx, PageLimit::new(1, 0)))
            .await
            .unwrap()
        {
            said.push(match item {
                Item::Message(entry) => (entry.message().seq.0, "message"),
                Item::Gap(gap) => (gap.resumes.0, "gap"),
                Item::Close(close) => (close.seq.0, "close"),
            });
        }
    }
    let mut expected = vec![(131, "message"), (132, "message"), (170, "gap")];
    expected.extend((171..=320).map(|seq| (seq, "message")));
    assert_eq!(said, expected);
}

/// The memory store stays within its bytes whatever is appended, and a reader is told what was
/// trimmed.
#[tokio::test]
async fn memory_log_within_its_bytes() {
    let keep = Keep {
        messages: usize::MAX,
        age: Duration::from_hours(1),
    };
    let store = Store::Memory(Memory::new(keep, limits::TAIL_BYTES));
    let log = Log::open(store, Arc::default()).unwrap();
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
    let fits = (limits::TAIL_BYTES / (text.len() + limits::MESSAGE_OVERHEAD_BYTES)) as u64;
    assert_eq!(kept, fits);
    let mut early = reader(&log, &[Channel::new("c0").unwrap()], Since::Seq(Seq::START)).await;
    let items = poll_fn(|cx| early.poll_read(cx, PageLimit::new(1, 0)))
        .await
        .unwrap();
    assert!(
        matches!(&items[..], [Item::Gap(gap)] if gap.missed == Some(1)),
        "{items:?}"
    );
}
