//! The contract of a store, as a suite that each store passes.

use std::time::Duration;

use forever_frame::limits;
use forever_frame::log::{
    Commit, Keep, Memory, Moment, PageLimit, Selection, Sqlite, StartAt, Store, Stored,
    Subscription,
};
use forever_frame::message::{
    Channel, Draft, IdempotencyKey, Message, Pattern, Precondition, Receipt, Seq, Timestamp,
};
use tempfile::TempDir;

/// The number of bytes that each store here may keep in all.
const BUDGET: usize = 1 << 20;

pub(crate) const PLENTY: PageLimit = PageLimit::new(usize::MAX, usize::MAX);

/// Each store, empty, keeping `messages` messages a channel for `age` milliseconds; and the directory
/// that one of them needs for as long as it lives.
pub(crate) fn stores(messages: usize, age: u64) -> (TempDir, [Store; 2]) {
    let keep = Keep {
        messages,
        age: Duration::from_millis(age),
    };
    let directory = crate::support::directory();
    let path = directory.path().join("log.db");
    let sqlite = Sqlite::open(&path, keep, BUDGET as u64).unwrap();
    let memory = Memory::new(keep, BUDGET);
    (directory, [Store::Memory(memory), Store::Sqlite(sqlite)])
}

pub(crate) async fn retain(store: &Store, now: u64) {
    retain_at(store, &Moment::at(now)).await;
}

pub(crate) async fn retain_at(store: &Store, now: &Moment) {
    while store.retain(now).await.unwrap() {}
}

pub(crate) fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

pub(crate) fn drafts(texts: &[(&str, &str)]) -> Vec<Draft> {
    texts
        .iter()
        .map(|(name, text)| Draft::new(channel(name), *text))
        .collect()
}

/// What these names and patterns ask for.
pub(crate) fn subscription(names: &[&str]) -> Subscription {
    let (patterns, names): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.ends_with('*'));
    let patterns = patterns.into_iter().map(|text| Pattern::new(text).unwrap());
    Subscription::new(names.into_iter().map(channel).collect(), patterns.collect())
}

/// All of what these names and patterns ask for.
pub(crate) fn all_of(names: &[&str]) -> Selection {
    Selection::at(&subscription(names), Seq::START)
}

/// What [`shape`] adds to the seq of a close.
pub(crate) const CLOSE: i64 = 1_000_000;

/// The items of a page for comparison: the seq of a message, `-seq` for a gap up to that seq, and
/// [`CLOSE`] and the seq for a close.
pub(crate) fn shape(items: &[Stored]) -> Vec<i64> {
    let number = |seq: Seq| i64::try_from(seq.0).unwrap();
    let shape = |item: &Stored| match item {
        Stored::Message(message) => number(message.seq),
        Stored::Gap(gap) => -number(gap.resumes),
        Stored::Close(close) => CLOSE + number(close.seq),
    };
    items.iter().map(shape).collect()
}

/// A batch is numbered after the last message, and has the time of its moment, which may be earlier
/// than that of the last message: the wall clock may have been set back.
#[tokio::test]
async fn store_numbers_batches() {
    let (_directory, stores) = stores(100, 1_000_000);
    for store in stores {
        assert_eq!(store.bounds(), (Seq(0), Seq(0)));
        let first = store
            .commit(drafts(&[("a", "one"), ("b", "two")]), &Moment::at(50))
            .await
            .unwrap();
        let second = store
            .commit(drafts(&[("a", "three")]), &Moment::at(40))
            .await
            .unwrap();
        let all: Vec<&Message> = first
            .messages
            .iter()
            .chain(&second.messages)
            .map(|message| &**message)
            .collect();
        let seqs: Vec<u64> = all.iter().map(|message| message.seq.0).collect();
        let times: Vec<u64> = all.iter().map(|message| message.time.0).collect();
        assert_eq!((seqs, times), (vec![1, 2, 3], vec![50, 50, 40]));
        assert_eq!(store.bounds(), (Seq(1), Seq(3)));
        let page = store.read(&all_of(&["a"]), Seq(0), PLENTY).await.unwrap();
        assert_eq!((shape(&page.items), page.through), (vec![1, 3], Seq(3)));
        let Stored::Message(message) = &page.items[1] else {
            panic!()
        };
        assert_eq!(
            (
                &*message.data,
                message.channel.as_str(),
                message.event.as_str()
            ),
            ("three", "a", "message")
        );
    }
}

/// A page has the messages for which there is room, and says how far it reaches.
#[tokio::test]
async fn store_page_limits() {
    let (_directory, stores) = stores(100, 1_000_000);
    for store in stores {
        store
            .commit(
                drafts(&[("a", "1"), ("b", "2"), ("c", "3"), ("a", "4"), ("b", "5")]),
                &Moment::at(1),
            )
            .await
            .unwrap();
        let both = all_of(&["b", "a"]);
        let page = store
            .read(&both, Seq(0), PageLimit::new(2, 100))
            .await
            .unwrap();
        assert_eq!(shape(&page.items), [1, 2]);
        assert!((2..=3).contains(&page.through.0), "{:?}", page.through);
        let page = store.read(&both, page.through, PLENTY).await.unwrap();
        assert_eq!((shape(&page.items), page.through), (vec![4, 5], Seq(5)));
        // The first message fits whatever its size.
        let page = store
            .read(&both, Seq(0), PageLimit::new(9, 0))
            .await
            .unwrap();
        assert_eq!(shape(&page.items), [1]);
    }
}

/// Messages above the count or the age are trimmed, and leave a gap in their channel.
#[tokio::test]
async fn store_retention_leaves_gaps() {
    let (_directory, stores) = stores(2, 100);
    for store in stores {
        store
            .commit(
                drafts(&[("a", "1"), ("b", "2"), ("a", "3"), ("a", "4")]),
                &Moment::at(1000),
            )
            .await
            .unwrap();
        let page = store
            .read(&all_of(&["a", "b"]), Seq(0), PLENTY)
            .await
            .unwrap();
        assert_eq!(shape(&page.items), [-1, 2, 3, 4]);
        assert_eq!(store.trimmed_through(), Seq(1));
        // Each channel has its own gaps: after this one nothing is missing.
        let page = store
            .read(&all_of(&["a", "b"]), Seq(1), PLENTY)
            .await
            .unwrap();
        assert_eq!(shape(&page.items), [2, 3, 4]);
        store
            .commit(drafts(&[("b", "5")]), &Moment::at(1090))
            .await
            .unwrap();
        retain(&store, 1101).await;
        let page = store
            .read(&all_of(&["a", "b"]), Seq(0), PLENTY)
            .await
            .unwrap();
        assert_eq!(shape(&page.items), [-2, -4, 5]);
        let missed: Vec<_> = page
            .items
            .iter()
            .filter_map(|item| {
                if let Stored::Gap(gap) = item {
                    Some(gap.missed)
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(missed, [Some(1), Some(3)]);
        assert_eq!(store.bounds(), (Seq(5), Seq(5)));
    }
}

/// Each way to begin finds its position in the log.
#[tokio::test]
async fn store_locates_starts() {
    let (_directory, stores) = stores(3, 1000);
    for store in stores {
        for (time, name) in [
            (10, "a"),
            (20, "b"),
            (30, "a"),
            (40, "a"),
            (50, "a"),
            (60, "b"),
        ] {
            store
                .commit(drafts(&[(name, "x")]), &Moment::at(time))
                .await
                .unwrap();
        }
        let names = subscription(&["a", "b"]);
        let seen = async |start| {
            let selection = store.locate(&names, start).await.unwrap();
            let at = selection.first().unwrap();
            shape(&store.read(&selection, at, PLENTY).await.unwrap().items)
        };
        assert_eq!(
            seen(StartAt::Earliest).await,
            [2, 3, 4, 5, 6],
            "expired messages are not asked for"
        );
        let last = |count, through| StartAt::Last {
            count,
            through: Seq(through),
        };
        assert_eq!(seen(last(0, 6)).await, [0; 0]);
        assert_eq!(seen(last(3, 6)).await, [4, 5, 6]);
        assert_eq!(seen(last(1, 4)).await, [4, 5, 6], "and later ones");
        assert_eq!(
            seen(last(3, 3)).await,
            [2, 3, 4, 5, 6],
            "there are two up to there"
        );
        assert_eq!(seen(last(99, 6)).await, [2, 3, 4, 5, 6]);
        assert_eq!(seen(StartAt::NotBefore(Timestamp(40))).await, [4, 5, 6]);
        assert_eq!(seen(StartAt::NotBefore(Timestamp(60))).await, [6]);
        assert_eq!(
            seen(StartAt::NotBefore(Timestamp(0))).await,
            [2, 3, 4, 5, 6]
        );
    }
}

/// Within its window a key is answered as it was the first time.
#[tokio::test]
async fn store_idempotency_key_window() {
    let window = u64::try_from(limits::IDEMPOTENCY_WINDOW.as_millis()).unwrap();
    let (_directory, stores) = stores(1, 10 * window);
    for store in stores {
        let commit = async |names: &[(&str, Option<&str>)], now| {
            let draft = |(name, key): &(&str, Option<&str>)| {
                let key = key.map(|key| IdempotencyKey::new(key).unwrap());
                Draft::new(channel(name), "x").keyed(key.as_ref())
            };
            let drafts = names.iter().map(draft).collect();
            let Commit {
                answers, messages, ..
            } = store.commit(drafts, &Moment::at(now)).await.unwrap();
            let receipts: Vec<Receipt> = answers.into_iter().map(Result::unwrap).collect();
            let new = receipts.iter().filter(|receipt| !receipt.duplicate);
            assert_eq!(new.count(), messages.len());
            let answer = |receipt: &Receipt| (receipt.seq.0, receipt.time.0, receipt.duplicate);
            receipts.iter().map(answer).collect::<Vec<_>>()
        };
        // A key counts within one commit, too; on another channel it is another key.
        let first = commit(
            &[
                ("a", Some("k")),
                ("a", Some("k")),
                ("b", Some("k")),
                ("a", None),
            ],
            1000,
        );
        let expected = [
            (1, 1000, false),
            (1, 1000, true),
            (2, 1000, false),
            (3, 1000, false),
        ];
        assert_eq!(first.await, expected);
        // The message has expired (one is kept), and the key has not.
        let again = commit(&[("a", Some("k"))], 999 + window).await;
        assert_eq!(again, [(1, 1000, true)]);
        let over = commit(&[("a", Some("k")), ("a", Some("k"))], 1000 + window).await;
        assert_eq!(over, [(4, 1000 + window, false), (4, 1000 + window, true)]);
        retain(&store, 1000 + 2 * window).await;
        let over = commit(&[("a", Some("k"))], 1000 + 2 * window).await;
        assert_eq!(over, [(5, 1000 + 2 * window, false)]);
    }
}

/// All channels together are kept within a number of bytes.
#[tokio::test]
async fn store_bytes_bound() {
    let (_directory, stores) = stores(usize::MAX >> 1, 1_000_000);
    for store in stores {
        let text = "x".repeat(10_000);
        let fits = BUDGET as u64 / (10_000 + limits::MESSAGE_OVERHEAD_BYTES as u64);
        for n in 0..2 * fits {
            let draft = Draft::new(channel(&format!("c{n}")), text.as_str());
            store.commit(vec![draft], &Moment::at(1)).await.unwrap();
        }
        assert_eq!(store.bounds(), (Seq(fits + 1), Seq(2 * fits)));
        assert_eq!(store.trimmed_through(), Seq(fits));
        let page = store.read(&all_of(&["c0"]), Seq(0), PLENTY).await.unwrap();
        assert_eq!(shape(&page.items), [-1]);
    }
}

/// Of the channels that have no messages left, only a limited number is remembered. A reader of a
/// forgotten channel is told that something may be missing, also if the channel exists again.
#[tokio::test]
async fn store_forgotten_channel_tells_gap() {
    let (_directory, stores) = stores(10, 100);
    for store in stores {
        let names = 0..=limits::EMPTY_CHANNELS_MAX;
        let drafts: Vec<Draft> = names
            .map(|n| Draft::new(channel(&format!("c{n}")), ""))
            .collect();
        let batches = drafts.chunks(limits::BATCH_MESSAGES_MAX);
        for (now, batch) in (1000..).step_by(1000).zip(batches) {
            let committed = store.commit(batch.to_vec(), &Moment::at(now)).await;
            assert!(committed.is_ok());
            retain(&store, now + 500).await;
        }
        let last = limits::EMPTY_CHANNELS_MAX as u64 + 1;
        // It has been forgotten that there ever was an entry.
        let again = Draft {
            precondition: Some(Precondition::NoEntry),
            ..Draft::new(channel("c0"), "again")
        };
        let now = Moment::at(1_000_000);
        let commit = store.commit(vec![again], &now).await.unwrap();
        assert!(commit.answers[0].is_ok());
        let seen = async |name, after| {
            let page = store
                .read(&all_of(&[name]), Seq(after), PLENTY)
                .await
                .unwrap();
            let missed = page.items.iter().map(|item| match item {
                Stored::Gap(gap) => gap.missed,
                Stored::Message(_) | Stored::Close(_) => Some(0),
            });
            (shape(&page.items), missed.collect::<Vec<_>>())
        };
        let again = i64::try_from(last + 1).unwrap();
        assert_eq!(seen("c0", 0).await, (vec![-1, again], vec![None, Some(0)]));
        assert_eq!(seen("c0", 1).await, (vec![again], vec![Some(0)]));
        assert_eq!(seen("c1", 0).await, (vec![-2], vec![Some(1)]));
        assert_eq!(seen("unheard-of", 0).await, (vec![-1], vec![None]));
    }
}

/// The last messages of some channels are found however many they are.
#[tokio::test]
async fn store_finds_the_last_of_many() {
    let directory = crate::support::directory();
    let keep = Keep {
        messages: usize::MAX >> 1,
        age: Duration::from_hours(1),
    };
    let plenty = 1 << 30;
    let sqlite = Sqlite::open(&directory.path().join("log.db"), keep, plenty as u64).unwrap();
    let stores = [
        Store::Memory(Memory::new(keep, plenty)),
        Store::Sqlite(sqlite),
    ];
    let (all, step) = (3 * limits::LOCATE_STEP_ROWS + 7, limits::LOCATE_STEP_ROWS);
    for store in stores {
        let names = ["a", "b", "a", "c", "d"].into_iter().cycle();
        let drafts: Vec<Draft> = (0..all)
            .zip(names)
            .map(|(_, name)| Draft::new(channel(name), ""))
            .collect();
        for batch in drafts.chunks(limits::BATCH_MESSAGES_MAX) {
            store
                .commit(batch.to_vec(), &Moment::at(1000))
                .await
                .unwrap();
        }
        // Every fifth message is in none of these channels.
        let seqs: Vec<u64> = (1..=all).filter(|seq| seq % 5 != 0).collect();
        let (channels, len) = (["a", "b", "c"].map(channel), seqs.len() as u64);
        for through in [all, all - 3, all / 2] {
            let there = seqs.partition_point(|seq| *seq <= through);
            for count in [
                0,
                1,
                2,
                step - 1,
                step,
                step + 1,
                2 * step + 1,
                len,
                u64::MAX,
            ] {
                let start_at = StartAt::Last {
                    count,
                    through: Seq(through),
                };
                let located = store.locate(&channels.to_vec().into(), start_at).await;
                let at = located.unwrap().first().unwrap().0;
                let found = seqs[..there].iter().filter(|seq| **seq > at).count() as u64;
                assert_eq!(found, count.min(there as u64), "{count} up to {through}");
            }
        }
    }
}
