//! A store that is a copy: it takes entries with their places, whatever it would say to them itself, and
//! loses its past at once when the log that it copies has gone on without it.

use forever_frame::log::{Moment, Numbered, Place, Store};
use forever_frame::message::{
    Closing, Cursor, Draft, Epoch, IdempotencyKey, Precondition, Seq, Timestamp,
};

use crate::store::{CLOSE, PLENTY, all_of, channel, drafts, retain, shape, stores};

/// An entry at a position, with a time of its own.
fn entry(seq: u64, draft: Option<Draft>) -> Numbered {
    Numbered {
        place: Place {
            seq: Seq(seq),
            time: Timestamp(1000 + seq),
        },
        draft,
        sent_by: None,
    }
}

fn keyed(name: &str, text: &str, key: &str) -> Draft {
    Draft::new(channel(name), text).keyed(Some(&IdempotencyKey::new(key).unwrap()))
}

async fn items(store: &Store, names: &[&str], after: u64) -> Vec<i64> {
    let page = store.read(&all_of(names), Seq(after), PLENTY).await;
    shape(&page.unwrap().items)
}

/// Entries have the places that they came with, each with its own time, also where there is nothing at a
/// position; and what is committed next comes after them.
#[tokio::test]
async fn copies_take_numbered_entries() {
    let (_directory, stores) = stores(100, 1_000_000);
    for store in stores {
        let text = |name: &str, text: &str| Some(Draft::new(channel(name), text));
        let entries = vec![
            entry(1, text("a", "one")),
            entry(2, None),
            entry(3, text("b", "three")),
            entry(4, Some(Draft::close(channel("a")))),
        ];
        let commit = store.apply(entries, &Moment::at(9)).await.unwrap();
        let answers: Vec<_> = commit.answers.iter().flatten().collect();
        let seqs: Vec<u64> = answers.iter().map(|receipt| receipt.seq.0).collect();
        assert_eq!(seqs, [1, 3, 4], "a position with nothing has no answer");
        assert!(
            commit
                .messages
                .iter()
                .all(|own| own.time.0 == 1000 + own.seq.0)
        );
        assert_eq!(store.bounds(), (Seq(1), Seq(4)));
        assert_eq!(items(&store, &["a", "b"], 0).await, [1, 3, CLOSE + 4]);
        // Nothing alone at the end is a position, too.
        store
            .apply(vec![entry(5, None)], &Moment::at(9))
            .await
            .unwrap();
        assert_eq!(store.bounds(), (Seq(1), Seq(5)));
        let own = store
            .commit(drafts(&[("a", "six")]), &Moment::at(9))
            .await
            .unwrap();
        assert_eq!(own.answers[0].as_ref().unwrap().seq, Seq(6));
    }
}

/// What was decided elsewhere is not decided again: neither a key nor a precondition is against an entry.
/// What the copy knows of keys and of last entries it says before drafts are sent.
#[tokio::test]
async fn copies_know_and_do_not_decide() {
    let (_directory, stores) = stores(100, 1_000_000);
    for store in stores {
        let moment = Moment::at(1_000_000);
        let late = Draft {
            precondition: Some(Precondition::NoEntry),
            ..keyed("a", "again", "k")
        };
        let entries = vec![entry(1, Some(keyed("a", "one", "k"))), entry(2, Some(late))];
        let commit = store.apply(entries, &moment).await.unwrap();
        assert!(commit.answers.iter().all(Result::is_ok), "{commit:?}");
        let is_last = Draft {
            precondition: Some(Precondition::LastIs(Cursor {
                epoch: store.epoch().clone(),
                seq: Seq(2),
            })),
            closing: Closing::WithMessage,
            ..Draft::new(channel("a"), "three")
        };
        let asked = [
            keyed("a", "again", "k"),
            keyed("a", "x", "k"),
            keyed("a", "x", "l"),
            is_last,
        ];
        let known = store.known(&asked, &moment).await.unwrap();
        let answers: Vec<_> = known
            .iter()
            .map(|known| {
                known
                    .answer
                    .as_ref()
                    .map(|answer| answer.clone().map(|own| own.seq.0).ok())
            })
            .collect();
        assert_eq!(answers, [Some(Some(2)), Some(None), None, None]);
        let lasts: Vec<_> = known.iter().map(|known| known.last).collect();
        assert_eq!(lasts, [None, None, None, Some(Seq(2))]);
    }
}

/// A copy that begins later has nothing of what was before, and says so to whoever asks for it, in
/// whatever channel; another log in its place has another epoch.
#[tokio::test]
async fn copies_begin_later() {
    let (_directory, stores) = stores(100, 1_000_000);
    for mut store in stores {
        let moment = Moment::at(1_000_000);
        let before = vec![
            entry(1, Some(keyed("a", "one", "k"))),
            entry(2, Some(Draft::close(channel("b")))),
        ];
        store.apply(before, &moment).await.unwrap();
        store.skip(Seq(10), &moment).await.unwrap();
        assert_eq!(store.bounds(), (Seq(0), Seq(10)));
        assert_eq!((store.trimmed_through(), store.keys_held()), (Seq(10), 0));
        for name in ["a", "b", "other"] {
            assert_eq!(items(&store, &[name], 1).await, [-10]);
            assert_eq!(items(&store, &[name], 10).await, [0_i64; 0]);
        }
        assert_eq!(store.closes(&[channel("b")], Seq(10)).await.unwrap(), []);
        let next = vec![entry(11, Some(keyed("a", "x", "k")))];
        store.apply(next, &moment).await.unwrap();
        assert_eq!(items(&store, &["a"], 5).await, [-10, 11]);
        let (old, new) = (store.epoch().clone(), Epoch::random());
        store.begin_anew(&new, Seq(3), &moment).unwrap();
        assert!(*store.epoch() == new && *store.epoch() != old);
        assert_eq!(store.bounds(), (Seq(0), Seq(3)));
        assert_eq!(items(&store, &["a"], 0).await, [-3]);
    }
}

/// What is before the head goes, whatever may be kept, and nothing else.
#[tokio::test]
async fn copies_follow_the_head() {
    let (_directory, stores) = stores(100, 1_000_000);
    for store in stores {
        let text = |seq: u64| Some(Draft::new(channel("a"), format!("{seq}")));
        let entries = (1..=9).map(|seq| entry(seq, text(seq))).collect();
        store.apply(entries, &Moment::at(1000)).await.unwrap();
        store.set_head(Seq(4));
        retain(&store, 1001).await;
        assert_eq!(items(&store, &["a"], 0).await, [-3, 4, 5, 6, 7, 8, 9]);
        store.set_head(Seq(100));
        retain(&store, 1002).await;
        assert_eq!(
            (store.bounds(), items(&store, &["a"], 0).await),
            ((Seq(0), Seq(9)), vec![-9])
        );
    }
}
