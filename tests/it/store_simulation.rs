//! Random work on each store, checked against what must hold of any store.

use std::collections::BTreeMap;

use forever_frame::log::{DraftRefusal, Moment, PageLimit, Store, Stored};
use forever_frame::message::{Closing, Cursor, Draft, Precondition, Seq};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::store::{all_of, channel, retain, stores};

/// Random commits, retentions and readers are checked against what must hold of any store. A
/// failure names the seed, with which it happens again.
#[tokio::test]
async fn store_each_message_read_once_or_in_gap() {
    for seed in 0..200 {
        let (_directory, stores) = stores(5, 300);
        for store in stores {
            simulate(&store, seed).await;
        }
    }
}

/// An entry of the log: its seq, its channel, and what it is.
type Entry<'a> = (u64, &'a str, Closing);

async fn simulate(store: &Store, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let names = ["a", "b", "c", "aa"];
    let mut history: Vec<Entry<'_>> = Vec::new();
    let mut now = 1000;
    for _ in 0..40 {
        now += random.random_range(0..40);
        match random.random_range(0..4) {
            0 => retain(store, now).await,
            1 => {
                let mut chosen: Vec<&str> = names.into_iter().filter(|_| random.random()).collect();
                let mut asked = chosen.clone();
                if random.random() {
                    // A pattern has the channels that begin so, whether or not there are any yet.
                    asked.push("a*");
                    chosen.retain(|name| !name.starts_with('a'));
                    chosen.extend(["a", "aa"]);
                }
                if !chosen.is_empty() {
                    let after = random.random_range(0..=history.len() as u64);
                    let asked = (&*asked, &*chosen);
                    check_walk(store, &history, asked, after, &mut random, seed).await;
                }
            }
            _ => {
                let batch: Vec<&str> = (0..random.random_range(1..6))
                    .map(|_| names[random.random_range(0..4)])
                    .collect();
                append(store, &mut history, &batch, now, &mut random, seed).await;
            }
        }
    }
}

/// Commits a batch with a message for each of these channels, some of them with a precondition, and
/// checks which were appended.
async fn append<'a>(
    store: &Store,
    history: &mut Vec<Entry<'a>>,
    batch: &[&'a str],
    now: u64,
    random: &mut StdRng,
    seed: u64,
) {
    let cursor = |seq| Cursor {
        epoch: store.epoch().clone(),
        seq: Seq(seq),
    };
    let (mut drafts, mut expected, before) = (Vec::new(), Vec::new(), history.len());
    for name in batch {
        let last = history.iter().rfind(|(_, other, _)| other == name);
        let last = last.map(|(seq, ..)| *seq);
        let closing = match random.random_range(0..8) {
            0 => Closing::Alone,
            1 => Closing::WithMessage,
            _ => Closing::No,
        };
        let precondition = match random.random_range(0..6) {
            0 => Some(Precondition::NoEntry),
            1 => last.map(|seq| Precondition::LastIs(cursor(seq))),
            2 => {
                let seq = random.random_range(0..=history.len() as u64 + 1);
                Some(Precondition::LastIs(cursor(seq)))
            }
            _ => None,
        };
        let holds = match &precondition {
            None => true,
            Some(Precondition::NoEntry) => last.is_none(),
            Some(Precondition::LastIs(cursor)) => last == Some(cursor.seq.0),
        };
        if holds {
            history.push((history.len() as u64 + 1, name, closing));
            expected.push(Ok(history.len() as u64));
        } else {
            expected.push(Err(DraftRefusal::OtherLast(last.map(cursor))));
        }
        drafts.push(Draft {
            precondition,
            closing,
            ..Draft::new(channel(name), "x")
        });
    }
    let committed = store.commit(drafts, &Moment::at(now)).await.unwrap();
    let answers = committed.answers.into_iter();
    let answers: Vec<_> = answers.map(|answer| Ok(answer?.seq.0)).collect();
    assert_eq!(answers, expected, "seed {seed}");
    let entries = &history[before..];
    let messages = entries
        .iter()
        .filter(|(_, _, closing)| *closing != Closing::Alone);
    let seqs = committed.messages.iter().map(|message| message.seq.0);
    assert!(seqs.eq(messages.map(|(seq, ..)| *seq)), "seed {seed}");
    let closes = committed.closes.iter().map(|close| close.seq.0);
    let in_force = entries
        .iter()
        .filter(|entry| closes_channel(history, entry));
    assert!(closes.eq(in_force.map(|(seq, ..)| *seq)), "seed {seed}");
    // Nothing is told of a channel that is open.
    let channels: Vec<_> = ["a", "b", "c", "aa"].map(channel).into();
    let closes = store.closes(&channels, store.bounds().1).await.unwrap();
    let mut closes: Vec<_> = closes.iter().map(|close| close.seq.0).collect();
    closes.sort_unstable();
    let in_force = history
        .iter()
        .filter(|entry| closes_channel(history, entry));
    assert!(
        closes.into_iter().eq(in_force.map(|(seq, ..)| *seq)),
        "seed {seed}"
    );
}

/// Whether an entry is the last of its channel, and closes it.
fn closes_channel(history: &[Entry<'_>], (seq, name, closing): &Entry<'_>) -> bool {
    let is_later = |(other, of, _): &Entry<'_>| of == name && other > seq;
    *closing != Closing::No && !history.iter().any(is_later)
}

/// Reads from a position to the end in pages of random sizes, and checks what was read.
async fn check_walk(
    store: &Store,
    history: &[Entry<'_>],
    (asked, names): (&[&str], &[&str]),
    after: u64,
    random: &mut StdRng,
    seed: u64,
) {
    let selection = all_of(asked);
    let (mut at, mut read, mut gone) = (Seq(after), Vec::new(), Vec::new());
    let mut closed = Vec::new();
    while at.0 < history.len() as u64 {
        let page = store
            .read(
                &selection,
                at,
                PageLimit::new(random.random_range(1..4), 100),
            )
            .await
            .unwrap();
        assert!(page.through > at, "seed {seed}: a page makes progress");
        at = page.through;
        for item in page.items {
            match item {
                Stored::Message(message) => read.push((message.seq.0, message.channel.to_string())),
                Stored::Gap(gap) => gone.push((gap.resumes.0, gap.missed)),
                Stored::Close(close) => {
                    let last = read
                        .iter()
                        .rfind(|(_, name)| *name == close.channel.as_str());
                    assert!(
                        last.is_none_or(|(seq, _)| *seq <= close.seq.0),
                        "seed {seed}"
                    );
                    closed.push(close.seq.0);
                }
            }
        }
    }
    assert!(read.is_sorted(), "seed {seed}: in seq order: {read:?}");
    let asked = |(seq, name, _): &&Entry<'_>| *seq > after && names.contains(name);
    let in_force = history
        .iter()
        .filter(asked)
        .filter(|entry| closes_channel(history, entry));
    let in_force: Vec<_> = in_force.map(|(seq, ..)| *seq).collect();
    assert_eq!(closed, in_force, "seed {seed}");
    let messages = || {
        let entries = history.iter().filter(asked);
        entries.filter(|(_, _, closing)| *closing != Closing::Alone)
    };
    let mut lost: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (seq, name, _) in messages() {
        if !read.contains(&(*seq, (*name).to_owned())) {
            lost.entry(name).or_default().push(*seq);
        }
    }
    let expected = lost.len();
    assert_eq!(
        gone.len(),
        expected,
        "seed {seed}: one gap for each channel that misses some: {lost:?} {gone:?}"
    );
    for seqs in lost.values() {
        let gap = gone
            .iter()
            .find(|(resumes, _)| Some(resumes) == seqs.last());
        let (_, missed) = gap
            .unwrap_or_else(|| panic!("seed {seed}: {seqs:?} are missing, and {gone:?} is told"));
        assert!(
            missed.is_none_or(|missed| missed == seqs.len() as u64),
            "seed {seed}: {missed:?} of {seqs:?}"
        );
    }
    let total = messages().count();
    assert_eq!(
        read.len() + lost.values().map(Vec::len).sum::<usize>(),
        total,
        "seed {seed}: none twice"
    );
}
