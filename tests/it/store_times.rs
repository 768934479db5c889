//! The contract of a store: what grows old, times that fall, and keys that come again.

use forever_frame::limits;
use forever_frame::log::{Commit, DraftRefusal, Moment, StartAt};
use forever_frame::message::{Draft, IdempotencyKey, Seq, Timestamp};

use crate::store::{PLENTY, channel, drafts, retain_at, shape, stores, subscription};

/// A key that comes again with another text is refused, also within one commit, and nothing of the
/// rest of the batch is.
#[tokio::test]
async fn store_key_of_other_text_refused() {
    let (_directory, stores) = stores(10, 1_000_000);
    let draft = |text: &str, key| {
        let key = IdempotencyKey::new(key).unwrap();
        Draft::new(channel("a"), text).keyed(Some(&key))
    };
    for store in stores {
        let drafts = vec![
            draft("one", "k"),
            draft("two", "k"),
            draft("three", "l"),
            draft("one", "k"),
        ];
        let Commit {
            answers, messages, ..
        } = store.commit(drafts, &Moment::at(1)).await.unwrap();
        let answers = answers
            .into_iter()
            .map(|answer| answer.map(|receipt| (receipt.seq.0, receipt.duplicate)));
        let refused = Err(DraftRefusal::OtherMessage(Seq(1)));
        let expected = [Ok((1, false)), refused, Ok((2, false)), Ok((1, true))];
        assert_eq!(answers.collect::<Vec<_>>(), expected);
        assert_eq!(messages.len(), 2);
    }
}

/// The moment at which the log's clock says one time and the wall clock another.
fn moment(log_time: u64, wall: u64) -> Moment {
    let mut moment = Moment::at(log_time);
    moment.time = Timestamp(wall);
    moment
}

/// Messages and keys grow old by the log's clock, whatever the wall clock says.
#[tokio::test]
async fn store_ages_by_its_own_clock() {
    let window = u64::try_from(limits::IDEMPOTENCY_WINDOW.as_millis()).unwrap();
    let (_directory, stores) = stores(100, window + 100);
    for store in stores {
        let keyed = || {
            let key = IdempotencyKey::new("k").unwrap();
            vec![Draft::new(channel("a"), "x").keyed(Some(&key))]
        };
        // The wall clock is far ahead for one message, and far back after it.
        for (log_time, wall) in [(1000, 1000), (1001, u64::MAX >> 2), (1002, 3)] {
            let now = moment(log_time, wall);
            let committed = store.commit(drafts(&[("a", "x")]), &now).await.unwrap();
            assert_eq!(committed.messages[0].time, Timestamp(wall));
            retain_at(&store, &now).await;
            assert_eq!(store.bounds().0, Seq(1), "nothing is old");
        }
        let first = store.commit(keyed(), &moment(1003, 5)).await.unwrap();
        assert_eq!(first.answers[0].as_ref().unwrap().seq, Seq(4));
        for wall in [0, u64::MAX >> 2] {
            let now = moment(1002 + window, wall);
            retain_at(&store, &now).await;
            let again = store.commit(keyed(), &now).await.unwrap();
            assert!(again.answers[0].as_ref().unwrap().duplicate, "{wall}");
            assert_eq!(store.bounds(), (Seq(1), Seq(4)));
        }
        let now = moment(1002 + window + 100, 7);
        retain_at(&store, &now).await;
        assert_eq!((store.bounds(), store.keys_held()), ((Seq(3), Seq(4)), 0));
        let late = store.commit(keyed(), &now).await.unwrap();
        assert!(!late.answers[0].as_ref().unwrap().duplicate);
    }
}

/// Where times fall, a start by time is before the first message, by seq, that is not earlier.
#[tokio::test]
async fn store_locates_times_that_fall() {
    let (_directory, stores) = stores(1000, 1_000_000);
    for store in stores {
        let times = [
            ("a", 50),
            ("b", 60),
            ("a", 10),
            ("a", 20),
            ("b", 900),
            ("a", 30),
            ("a", 40),
            ("b", 40),
        ];
        for (log_time, (name, time)) in (1..).zip(times) {
            let now = moment(log_time, time);
            store.commit(drafts(&[(name, "x")]), &now).await.unwrap();
        }
        for (names, time, expected) in [
            (&["a"][..], 55, &[][..]),
            (&["a"], 45, &[1, 3, 4, 6, 7]),
            (&["b"], 55, &[2, 5, 8]),
            (&["b"], 70, &[5, 8]),
            (&["b"], 901, &[]),
            (&["a", "b"], 55, &[2, 3, 4, 5, 6, 7, 8]),
            (&["a", "b"], 70, &[5, 6, 7, 8]),
        ] {
            let start_at = StartAt::NotBefore(Timestamp(time));
            let selection = store.locate(&subscription(names), start_at).await.unwrap();
            let at = selection.first().unwrap();
            let page = store.read(&selection, at, PLENTY).await.unwrap();
            assert_eq!(shape(&page.items), expected, "{names:?} from {time}");
        }
    }
}
