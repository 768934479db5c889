//! Patterns of channels in each store, where they have few channels and where they have many.

use forever_frame::limits;
use forever_frame::log::{LocateError, Moment, PageLimit, Selection, StartAt, Store, Stored};
use forever_frame::message::{Draft, Seq, Timestamp};

use crate::store::{PLENTY, all_of, channel, drafts, retain, shape, stores, subscription};

async fn read_all(store: &Store, selection: &Selection, after: Seq, size: usize) -> Vec<Stored> {
    let (mut at, mut all) = (after, Vec::new());
    let (_, last) = store.bounds();
    while at < last {
        let limit = PageLimit::new(size, 1_000_000);
        let page = store.read(selection, at, limit).await.unwrap();
        assert!(page.through > at, "a page makes progress");
        assert!(
            page.items
                .iter()
                .all(|item| item.seq() > at && item.seq() <= page.through)
        );
        at = page.through;
        all.extend(page.items);
    }
    all
}

/// A pattern has the channels that begin so, those that come later too, together with channels by their names.
#[tokio::test]
async fn pattern_reads_its_channels() {
    let (_directory, stores) = stores(2, 1000);
    for store in stores {
        let commit = async |texts: &[(&str, &str)], now| {
            store.commit(drafts(texts), &Moment::at(now)).await.unwrap();
        };
        commit(
            &[("a.1", ""), ("b", ""), ("a", ""), ("a.2", ""), ("a.1", "")],
            10,
        )
        .await;
        let read = async |names: &[&str], after| {
            let page = store.read(&all_of(names), Seq(after), PLENTY).await;
            shape(&page.unwrap().items)
        };
        assert_eq!(read(&["a.*"], 0).await, [1, 4, 5]);
        assert_eq!(read(&["a.*", "b", "a.1"], 0).await, [1, 2, 4, 5]);
        assert_eq!(read(&["*"], 1).await, [2, 3, 4, 5]);
        assert_eq!(read(&["c*"], 0).await, [0; 0]);
        // What is trimmed is a gap of its channel; what has come is there, in a new channel, too.
        commit(&[("a.1", ""), ("a.3", "")], 20).await;
        assert_eq!(read(&["a.*"], 0).await, [-1, 4, 5, 6, 7]);
        // From the beginning means: of what is kept.
        let seen = async |start_at| {
            let selection = store
                .locate(&subscription(&["a.*"]), start_at)
                .await
                .unwrap();
            let at = selection.first().unwrap();
            shape(&store.read(&selection, at, PLENTY).await.unwrap().items)
        };
        assert_eq!(seen(StartAt::Earliest).await, [4, 5, 6, 7]);
        assert_eq!(seen(StartAt::Each).await, [4, 6, 7]);
        let through = Seq(7);
        assert_eq!(seen(StartAt::Last { count: 2, through }).await, [6, 7]);
        assert_eq!(seen(StartAt::NotBefore(Timestamp(20))).await, [6, 7]);
        // What comes after the follower has begun is read whole, whichever channel it is of.
        let selection = store
            .locate(&subscription(&["a.*"]), StartAt::Each)
            .await
            .unwrap();
        commit(&[("a.4", ""), ("a.2", ""), ("a.4", "")], 30).await;
        let page = store
            .read(&selection, selection.first().unwrap(), PLENTY)
            .await;
        assert_eq!(shape(&page.unwrap().items), [4, 6, 7, 8, 9, 10]);
        retain(&store, 2000).await;
        assert_eq!(read(&["a.*"], 6).await, [-7, -9, -10]);
    }
}

/// Where a pattern has very many channels nothing is different, but that gaps are told together.
#[tokio::test]
async fn pattern_of_many_channels() {
    const CHANNELS: usize = 2 * limits::PAGE_CHANNELS_MAX;
    let (_directory, stores) = stores(2, 100_000);
    for store in stores {
        let names: Vec<String> = (0..CHANNELS).map(|n| format!("m.{n:04}")).collect();
        for round in 0..3 {
            for part in names.chunks(100) {
                let mut batch: Vec<Draft> = part
                    .iter()
                    .map(|name| Draft::new(channel(name), "x"))
                    .collect();
                batch.push(Draft::new(channel("other"), "y"));
                let now = Moment::at(1000 * (round + 1));
                store.commit(batch, &now).await.unwrap();
            }
        }
        // Each channel keeps two messages of three.
        let is_first = |item: &&Stored| matches!(item, Stored::Gap(_));
        for size in [7, 1000] {
            let items = read_all(&store, &all_of(&["m.*"]), Seq::START, size).await;
            let missed = items.iter().filter(is_first).map(|item| match item {
                Stored::Gap(gap) => gap.missed.unwrap(),
                Stored::Message(_) | Stored::Close(_) => 0,
            });
            assert_eq!(missed.sum::<u64>(), CHANNELS as u64);
            let messages = items
                .iter()
                .filter(|item| matches!(item, Stored::Message(_)));
            assert_eq!(messages.count(), 2 * CHANNELS);
            assert!(items.is_sorted_by_key(Stored::seq));
        }
        let seen = async |start_at| {
            let selection = store
                .locate(&subscription(&["m.*"]), start_at)
                .await
                .unwrap();
            let items = read_all(&store, &selection, selection.first().unwrap(), 1000).await;
            assert_eq!(
                items.iter().filter(is_first).count(),
                0,
                "no gap: {start_at:?}"
            );
            items.len()
        };
        let (_, through) = store.bounds();
        assert_eq!(seen(StartAt::Earliest).await, 2 * CHANNELS);
        assert_eq!(seen(StartAt::Each).await, CHANNELS);
        for count in [0, 1, 300, CHANNELS as u64] {
            assert_eq!(seen(StartAt::Last { count, through }).await as u64, count);
        }
        let count = u64::MAX;
        assert_eq!(seen(StartAt::Last { count, through }).await, 2 * CHANNELS);
        assert_eq!(seen(StartAt::NotBefore(Timestamp(3000))).await, CHANNELS);
    }
}

/// The last message of each is for a number of channels that has a bound.
#[tokio::test]
async fn each_of_too_many_is_refused() {
    let (_directory, stores) = stores(2, 100_000);
    for store in stores {
        let names = 0..=limits::KNOWN_CHANNELS_MAX;
        let all: Vec<Draft> = names
            .map(|n| Draft::new(channel(&format!("n{n}")), ""))
            .collect();
        for batch in all.chunks(limits::BATCH_MESSAGES_MAX) {
            store.commit(batch.to_vec(), &Moment::at(1)).await.unwrap();
        }
        let refused = store.locate(&subscription(&["n*"]), StartAt::Each).await;
        assert!(
            matches!(refused, Err(LocateError::TooManyChannels(_))),
            "{refused:?}"
        );
        let some = store.locate(&subscription(&["n1*"]), StartAt::Each).await;
        assert!(some.is_ok());
        let earliest = store
            .locate(&subscription(&["n*"]), StartAt::Earliest)
            .await
            .unwrap();
        let items = read_all(&store, &earliest, earliest.first().unwrap(), 1000).await;
        let messages = items
            .iter()
            .filter(|item| matches!(item, Stored::Message(_)));
        let (oldest, newest) = store.bounds();
        assert_eq!(messages.count() as u64, newest.0 + 1 - oldest.0);
    }
}
