//! The contract of a store, as a suite that each of them passes.

use std::collections::BTreeMap;
use std::time::Duration;

use forever_frame::log::{Keep, Memory, Place, Room, Selection, Store, Stored};
use forever_frame::message::{Channel, Draft, Message, Seq, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const PLENTY: Room = Room::new(usize::MAX, usize::MAX);

/// Every store, empty, keeping so many messages a channel for so many milliseconds.
fn stores(messages: usize, age: u64) -> Vec<Store> {
    let keep = Keep {
        messages,
        age: Duration::from_millis(age),
    };
    vec![Store::Memory(Memory::new(keep, 1 << 20))]
}

fn channel(name: &str) -> Channel {
    Channel::new(name).unwrap()
}

fn drafts(texts: &[(&str, &str)]) -> Vec<Draft> {
    texts
        .iter()
        .map(|(name, text)| Draft::new(channel(name), *text))
        .collect()
}

fn all_of(names: &[&str]) -> Selection {
    names
        .iter()
        .map(|name| (channel(name), Seq::START))
        .collect()
}

/// What a page has, for comparison: seqs of messages, and `-seq` for a gap up to there.
fn shape(items: &[Stored]) -> Vec<i64> {
    let place = |seq: Seq| i64::try_from(seq.0).unwrap();
    let shape = |item: &Stored| match item {
        Stored::Message(message) => place(message.seq),
        Stored::Gap(gap) => -place(gap.resumes),
    };
    items.iter().map(shape).collect()
}

#[tokio::test]
async fn a_batch_is_numbered_behind_the_last_and_time_never_falls() {
    for store in stores(100, 1_000_000) {
        assert_eq!(store.bounds(), (Seq(0), Seq(0)));
        let first = store
            .commit(drafts(&[("a", "one"), ("b", "two")]), Timestamp(50))
            .await
            .unwrap();
        let second = store
            .commit(drafts(&[("a", "three")]), Timestamp(40))
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
        assert_eq!((seqs, times), (vec![1, 2, 3], vec![50, 50, 50]));
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

#[tokio::test]
async fn a_page_has_what_there_is_room_for_and_says_how_far_it_goes() {
    for store in stores(100, 1_000_000) {
        store
            .commit(
                drafts(&[("a", "1"), ("b", "2"), ("c", "3"), ("a", "4"), ("b", "5")]),
                Timestamp(1),
            )
            .await
            .unwrap();
        let both = all_of(&["b", "a"]);
        let page = store.read(&both, Seq(0), Room::new(2, 100)).await.unwrap();
        assert_eq!(shape(&page.items), [1, 2]);
        assert!((2..=3).contains(&page.through.0), "{:?}", page.through);
        let page = store.read(&both, page.through, PLENTY).await.unwrap();
        assert_eq!((shape(&page.items), page.through), (vec![4, 5], Seq(5)));
        // The first fits whatever its size.
        let page = store.read(&both, Seq(0), Room::new(9, 0)).await.unwrap();
        assert_eq!(shape(&page.items), [1]);
    }
}

#[tokio::test]
async fn what_is_too_many_or_too_old_goes_and_leaves_a_gap() {
    for store in stores(2, 100) {
        store
            .commit(
                drafts(&[("a", "1"), ("b", "2"), ("a", "3"), ("a", "4")]),
                Timestamp(1000),
            )
            .await
            .unwrap();
        let page = store
            .read(&all_of(&["a", "b"]), Seq(0), PLENTY)
            .await
            .unwrap();
        assert_eq!(shape(&page.items), [-1, 2, 3, 4]);
        assert_eq!(store.lost(), Seq(1));
        // Each channel by itself: from behind the gap nothing is missing.
        let page = store
            .read(&all_of(&["a", "b"]), Seq(1), PLENTY)
            .await
            .unwrap();
        assert_eq!(shape(&page.items), [2, 3, 4]);
        store
            .commit(drafts(&[("b", "5")]), Timestamp(1090))
            .await
            .unwrap();
        store.retain(Timestamp(1101)).await.unwrap();
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

#[tokio::test]
async fn places_are_found() {
    for store in stores(3, 1000) {
        for (time, name) in [
            (10, "a"),
            (20, "b"),
            (30, "a"),
            (40, "a"),
            (50, "a"),
            (60, "b"),
        ] {
            store
                .commit(drafts(&[(name, "x")]), Timestamp(time))
                .await
                .unwrap();
        }
        let names = [channel("a"), channel("b")];
        let seen = async |place| {
            let selection = store.locate(&names, place, Timestamp(60)).await.unwrap();
            let at = selection.iter().map(|(_, from)| *from).min().unwrap();
            shape(&store.read(&selection, at, PLENTY).await.unwrap().items)
        };
        assert_eq!(
            seen(Place::Earliest).await,
            [2, 3, 4, 5, 6],
            "what is gone is not asked for"
        );
        assert_eq!(seen(Place::Last(0)).await, [0; 0]);
        assert_eq!(seen(Place::Last(3)).await, [4, 5, 6]);
        assert_eq!(seen(Place::Last(99)).await, [2, 3, 4, 5, 6]);
        assert_eq!(seen(Place::Ago(Duration::from_millis(20))).await, [4, 5, 6]);
        assert_eq!(seen(Place::Ago(Duration::from_millis(0))).await, [6]);
        assert_eq!(
            seen(Place::Ago(Duration::from_secs(9))).await,
            [2, 3, 4, 5, 6]
        );
    }
}

/// Random commits, retentions and readers, against what must hold of any store. A failure names
/// the seed, with which it happens again.
#[tokio::test]
async fn each_message_is_read_once_or_said_to_be_gone() {
    for seed in 0..200 {
        for store in stores(5, 300) {
            simulate(&store, seed).await;
        }
    }
}

async fn simulate(store: &Store, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let names = ["a", "b", "c", "d"];
    let mut history: Vec<(u64, &str)> = Vec::new();
    let mut now = 1000;
    for _ in 0..40 {
        now += random.random_range(0..40);
        match random.random_range(0..4) {
            0 => store.retain(Timestamp(now)).await.unwrap(),
            1 => {
                let chosen: Vec<&str> = names.into_iter().filter(|_| random.random()).collect();
                if !chosen.is_empty() {
                    let after = random.random_range(0..=history.len() as u64);
                    check_walk(store, &history, &chosen, after, &mut random, seed).await;
                }
            }
            _ => {
                let batch: Vec<&str> = (0..random.random_range(1..6))
                    .map(|_| names[random.random_range(0..4)])
                    .collect();
                let drafts = batch
                    .iter()
                    .map(|name| Draft::new(channel(name), "x"))
                    .collect();
                let committed = store.commit(drafts, Timestamp(now)).await.unwrap();
                history.extend(
                    committed
                        .messages
                        .iter()
                        .map(|message| message.seq.0)
                        .zip(batch),
                );
            }
        }
    }
}

/// Walks from a place to the end in pages of random sizes.
async fn check_walk(
    store: &Store,
    history: &[(u64, &str)],
    names: &[&str],
    after: u64,
    random: &mut StdRng,
    seed: u64,
) {
    let selection = all_of(names);
    let (mut at, mut read, mut gone) = (Seq(after), Vec::new(), Vec::new());
    while at.0 < history.len() as u64 {
        let page = store
            .read(&selection, at, Room::new(random.random_range(1..4), 100))
            .await
            .unwrap();
        assert!(page.through > at, "seed {seed}: a page makes progress");
        at = page.through;
        for item in page.items {
            match item {
                Stored::Message(message) => read.push((message.seq.0, message.channel.to_string())),
                Stored::Gap(gap) => gone.push((gap.resumes.0, gap.missed)),
            }
        }
    }
    assert!(read.is_sorted(), "seed {seed}: in seq order: {read:?}");
    let mut lost: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (seq, name) in history
        .iter()
        .filter(|(seq, name)| *seq > after && names.contains(name))
    {
        if !read.contains(&(*seq, (*name).to_owned())) {
            lost.entry(name).or_default().push(*seq);
        }
    }
    let expected = lost.len();
    assert_eq!(
        gone.len(),
        expected,
        "seed {seed}: a gap a channel that lost some: {lost:?} {gone:?}"
    );
    for seqs in lost.values() {
        let gap = gone
            .iter()
            .find(|(resumes, _)| Some(resumes) == seqs.last());
        let (_, missed) =
            gap.unwrap_or_else(|| panic!("seed {seed}: {seqs:?} are gone, and {gone:?} is said"));
        assert!(
            missed.is_none_or(|missed| missed == seqs.len() as u64),
            "seed {seed}: {missed:?} of {seqs:?}"
        );
    }
    let total = history
        .iter()
        .filter(|(seq, name)| *seq > after && names.contains(name))
        .count();
    assert_eq!(
        read.len() + lost.values().map(Vec::len).sum::<usize>(),
        total,
        "seed {seed}: none twice"
    );
}
