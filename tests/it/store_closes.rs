//! Closes in each store: what is told of them, and for how long.

use std::time::Duration;

use forever_frame::limits;
use forever_frame::log::{DraftRefusal, Keep, Moment, PageLimit, Sqlite, Store};
use forever_frame::message::{
    AppendKey, Closing, Cursor, Draft, IdempotencyKey, Pattern, Precondition, Seq,
};

use crate::store::{CLOSE, PLENTY, all_of, channel, retain, shape, stores};

fn message(name: &str) -> Draft {
    Draft::new(channel(name), "x")
}

fn last_message(name: &str) -> Draft {
    Draft {
        closing: Closing::WithMessage,
        ..message(name)
    }
}

fn close(name: &str) -> Draft {
    Draft::close(channel(name))
}

async fn commit(store: &Store, drafts: Vec<Draft>, now: u64) -> Vec<u64> {
    let commit = store.commit(drafts, &Moment::at(now)).await.unwrap();
    let seqs = commit
        .answers
        .into_iter()
        .map(|answer| answer.unwrap().seq.0);
    seqs.collect()
}

async fn read(store: &Store, names: &[&str], after: u64) -> Vec<i64> {
    let page = store.read(&all_of(names), Seq(after), PLENTY).await;
    shape(&page.unwrap().items)
}

/// The seqs of the closes of these channels.
async fn closes(store: &Store, names: &[&str]) -> Vec<u64> {
    let channels: Vec<_> = names.iter().map(|name| channel(name)).collect();
    let closes = store.closes(&channels, store.bounds().1).await.unwrap();
    closes.iter().map(|close| close.seq.0).collect()
}

/// A close is a mark on a message, or an entry of its own; the next entry opens the channel, and then the
/// close is passed over.
#[tokio::test]
async fn close_is_the_last_entry() {
    let (_directory, stores) = stores(100, 1_000_000);
    for store in stores {
        let drafts = vec![message("a"), last_message("a"), message("b"), close("b")];
        assert_eq!(commit(&store, drafts, 1).await, [1, 2, 3, 4]);
        assert_eq!(store.bounds(), (Seq(1), Seq(4)));
        assert_eq!(read(&store, &["a"], 0).await, [1, 2, CLOSE + 2]);
        assert_eq!(read(&store, &["b"], 3).await, [CLOSE + 4]);
        assert_eq!(
            read(&store, &["a", "b"], 1).await,
            [2, CLOSE + 2, 3, CLOSE + 4]
        );
        assert_eq!(
            read(&store, &["*"], 0).await,
            [1, 2, CLOSE + 2, 3, CLOSE + 4]
        );
        assert_eq!(read(&store, &["a", "b"], 4).await, [0; 0]);
        assert_eq!(closes(&store, &["a", "b", "c"]).await, [2, 4]);
        // A page ends before what does not fit, and a mark stays with its message.
        let limit = PageLimit::new(1, 100);
        let page = store.read(&all_of(&["a"]), Seq(1), limit).await.unwrap();
        assert_eq!(
            (shape(&page.items), page.through),
            (vec![2, CLOSE + 2], Seq(4))
        );
        let page = store
            .read(&all_of(&["a", "b"]), Seq(0), limit)
            .await
            .unwrap();
        assert_eq!((shape(&page.items), page.through), (vec![1], Seq(1)));

        assert_eq!(
            commit(&store, vec![message("a"), close("b")], 2).await,
            [5, 6]
        );
        assert_eq!(read(&store, &["a", "b"], 0).await, [1, 2, 3, 5, CLOSE + 6]);
        assert_eq!(closes(&store, &["a", "b"]).await, [6]);
        // Within a commit the last entry of a channel is what counts.
        let drafts = vec![
            close("a"),
            last_message("b"),
            message("a"),
            close("c"),
            message("b"),
        ];
        let committed = store.commit(drafts, &Moment::at(3)).await.unwrap();
        let told: Vec<_> = committed.closes.iter().map(|close| close.seq.0).collect();
        assert_eq!(told, [10]);
        assert_eq!(closes(&store, &["a", "b", "c"]).await, [10]);
    }
}

/// A channel stays closed when its messages are gone, until it is forgotten.
#[tokio::test]
async fn close_outlives_messages() {
    let (_directory, stores) = stores(2, 1000);
    for store in stores {
        commit(
            &store,
            vec![message("a"), message("a"), last_message("a")],
            10,
        )
        .await;
        commit(&store, vec![message("b"), close("b"), close("c")], 10).await;
        assert_eq!(read(&store, &["a"], 0).await, [-1, 2, 3, CLOSE + 3]);
        retain(&store, 2000).await;
        assert_eq!(read(&store, &["a"], 0).await, [-3, CLOSE + 3]);
        assert_eq!(
            read(&store, &["a", "b", "c"], 3).await,
            [-4, CLOSE + 5, CLOSE + 6]
        );
        assert_eq!(closes(&store, &["c", "b", "a"]).await, [6, 5, 3]);
        let infos = store
            .list(&Pattern::new("*").unwrap(), "", 9)
            .await
            .unwrap();
        let told: Vec<_> = infos
            .iter()
            .map(|info| (info.last.0, info.kept, info.is_closed))
            .collect();
        assert_eq!(told, [(3, 0, true), (5, 0, true), (6, 0, true)]);
        // A message opens the channel, whose gap is told as before.
        assert_eq!(
            commit(&store, vec![message("b"), message("c")], 2000).await,
            [7, 8]
        );
        assert_eq!(read(&store, &["b"], 0).await, [-4, 7]);
        assert_eq!(read(&store, &["c"], 0).await, [8]);
        assert_eq!(closes(&store, &["c", "b", "a"]).await, [3]);
    }
}

/// Channels that keep no message are forgotten in the order of their last entries, those that never had
/// a message among them.
#[tokio::test]
async fn closes_are_forgotten_with_their_channels() {
    let (_directory, stores) = stores(1, 1000);
    for store in stores {
        commit(&store, vec![last_message("a"), close("b")], 10).await;
        retain(&store, 2000).await;
        for part in 0..=limits::EMPTY_CHANNELS_MAX / 1000 {
            let drafts = (0..1000).map(|n| close(&format!("c{part}.{n}")));
            commit(&store, drafts.collect(), 2000).await;
        }
        assert_eq!(closes(&store, &["a", "b"]).await, [0; 0]);
        let after_gap = [-1];
        assert_eq!(
            read(&store, &["a"], 0).await,
            after_gap,
            "its message is gone"
        );
        let newest = format!("c{}.999", limits::EMPTY_CHANNELS_MAX / 1000);
        assert_eq!(closes(&store, &[&newest]).await, [store.bounds().1.0]);
        // The memory for what is known without a look at the file is bounded; older ones are found.
        assert_eq!(closes(&store, &["c1.500"]).await, [2 + 1501]);
        assert_eq!(closes(&store, &["unknown"]).await, [0; 0]);
    }
}

/// A reader of very many channels is told of each close once, in pages that end.
#[tokio::test]
async fn closes_of_many_channels() {
    let (_directory, stores) = stores(1, 100_000);
    let count = 2 * limits::PAGE_CLOSES_MAX + 10;
    for store in stores {
        for n in 0..count {
            let last = if n % 3 == 0 { last_message } else { close };
            commit(&store, vec![last(&format!("m.{n}"))], 10).await;
        }
        for size in [1, 7, 1000] {
            let (mut at, mut told) = (Seq::START, Vec::new());
            while at < store.bounds().1 {
                let limit = PageLimit::new(size, 1_000_000);
                let page = store.read(&all_of(&["m.*"]), at, limit).await.unwrap();
                assert!(page.through > at && page.items.len() <= 2 * limits::PAGE_CLOSES_MAX);
                at = page.through;
                told.extend(shape(&page.items));
            }
            let expected = (0..count).flat_map(|n| {
                let seq = i64::try_from(n).unwrap() + 1;
                let message = (n % 3 == 0).then_some(seq);
                message.into_iter().chain([CLOSE + seq])
            });
            assert!(told.into_iter().eq(expected), "{size}");
        }
    }
}

/// A close counts as an entry where a sender names the last one, and a key knows it.
#[tokio::test]
async fn close_is_an_entry_for_conditions_and_keys() {
    let (_directory, stores) = stores(100, 1_000_000);
    for store in stores {
        commit(&store, vec![message("a"), close("a")], 1).await;
        let cursor = |seq| Cursor {
            epoch: store.epoch().clone(),
            seq: Seq(seq),
        };
        let if_last = |seq, draft| Draft {
            precondition: Some(Precondition::LastIs(cursor(seq))),
            ..draft
        };
        let drafts = vec![
            if_last(1, message("a")),
            if_last(2, close("a")),
            if_last(3, message("a")),
        ];
        let answers = store.commit(drafts, &Moment::at(2)).await.unwrap().answers;
        let other = DraftRefusal::OtherLast(Some(cursor(2)));
        assert_eq!(answers[0], Err(other));
        assert_eq!(answers[1].as_ref().unwrap().seq, Seq(3));
        assert_eq!(answers[2].as_ref().unwrap().seq, Seq(4));

        let key = IdempotencyKey::new("k").unwrap();
        let keyed = |draft: Draft| draft.keyed(Some(&key));
        let drafts = vec![
            keyed(last_message("b")),
            keyed(last_message("b")),
            keyed(message("b")),
        ];
        let answers = store.commit(drafts, &Moment::at(3)).await.unwrap().answers;
        assert!(answers[1].as_ref().unwrap().duplicate);
        let other = DraftRefusal::OtherMessage(Seq(5));
        assert_eq!(
            answers[2],
            Err(other),
            "without the close it is another append"
        );
        assert_eq!(closes(&store, &["b"]).await, [5]);
        let [one, other] = [message("b"), close("b")].map(|draft| AppendKey::new(&key, &draft));
        assert!(one.id == other.id && one.content != other.content);
    }
}

/// What is closed when the file is opened again was closed before.
#[tokio::test]
async fn close_is_stored() {
    let directory = crate::support::directory();
    let path = directory.path().join("log.db");
    let keep = Keep {
        messages: 9,
        age: Duration::from_secs(1),
    };
    for round in 0..3 {
        let store = Store::Sqlite(Sqlite::open(&path, keep, 1 << 20).unwrap());
        assert_eq!(closes(&store, &["a", "b"]).await.len(), [0, 2, 1][round]);
        let drafts = if round == 0 {
            vec![last_message("a"), close("b")]
        } else {
            vec![message("b")]
        };
        commit(&store, drafts, 10).await;
    }
}
