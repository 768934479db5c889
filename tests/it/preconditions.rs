//! Appends that depend on the last entry of their channel: `If-Match` and `If-None-Match`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use forever_frame::config::StoreKind;
use forever_frame::log::{DraftRefusal, Moment, Store};
use forever_frame::message::{Cursor, Draft, Epoch, IdempotencyKey, Precondition, Seq};

use crate::store::{channel, retain, stores};
use crate::support::client::{Response, append, get, post, send};
use crate::support::sender::{Answer, Sender};
use crate::support::{TestServer, at_last};

/// Commits drafts for these channels with their preconditions, and returns for each the seq of its
/// message, or the last entry that it was refused with.
async fn commit(
    store: &Store,
    now: u64,
    drafts: &[(&str, Option<Precondition>)],
) -> Vec<Result<u64, Option<u64>>> {
    let draft = |(name, precondition): &(&str, Option<Precondition>)| Draft {
        precondition: precondition.clone(),
        ..Draft::new(channel(name), "x")
    };
    let drafts = drafts.iter().map(draft).collect();
    let commit = store.commit(drafts, &Moment::at(now)).await.unwrap();
    let answers = commit.answers.into_iter().map(|answer| match answer {
        Ok(receipt) => Ok(receipt.seq.0),
        Err(DraftRefusal::OtherLast(last)) => Err(last.map(|last| {
            assert_eq!(last.epoch, *store.epoch());
            last.seq.0
        })),
        Err(other) => panic!("{other}"),
    });
    answers.collect()
}

fn last_is(store: &Store, seq: u64) -> Precondition {
    Precondition::LastIs(Cursor {
        epoch: store.epoch().clone(),
        seq: Seq(seq),
    })
}

const NO_ENTRY: Option<Precondition> = Some(Precondition::NoEntry);

/// The drafts of a batch see what those in front of them have appended, and one that is refused takes
/// no number.
#[tokio::test]
async fn store_precondition_sees_drafts_before() {
    let (_directory, stores) = stores(100, 1_000_000);
    for store in stores {
        let at = |seq| Some(last_is(&store, seq));
        let other_epoch = Some(Precondition::LastIs(Cursor {
            epoch: Epoch::random(),
            seq: Seq(2),
        }));
        let batch = [
            ("a", at(0)),
            ("a", NO_ENTRY),
            ("a", NO_ENTRY),
            ("a", at(1)),
            ("a", at(1)),
            ("b", at(2)),
            ("b", NO_ENTRY),
            ("a", other_epoch),
            ("a", at(2)),
            ("b", at(3)),
        ];
        let answers = commit(&store, 1000, &batch).await;
        let expected = [
            Err(None),
            Ok(1),
            Err(Some(1)),
            Ok(2),
            Err(Some(2)),
            Err(None),
            Ok(3),
            Err(Some(2)),
            Ok(4),
            Ok(5),
        ];
        assert_eq!(answers, expected);
        assert_eq!(store.bounds(), (Seq(1), Seq(5)));
        let next = commit(&store, 1000, &[("a", at(5)), ("a", at(4)), ("b", at(5))]).await;
        assert_eq!(next, [Err(Some(4)), Ok(6), Ok(7)]);
    }
}

/// The last entry of a channel stays that when its message has been trimmed.
#[tokio::test]
async fn store_precondition_names_trimmed_entry() {
    let (_directory, stores) = stores(100, 100);
    for store in stores {
        commit(&store, 1000, &[("a", None), ("a", None), ("b", None)]).await;
        retain(&store, 2000).await;
        assert_eq!(store.bounds(), (Seq(0), Seq(3)));
        let at = |seq| Some(last_is(&store, seq));
        let answers = commit(&store, 2000, &[("a", NO_ENTRY), ("a", at(2)), ("a", at(4))]).await;
        assert_eq!(answers, [Err(Some(2)), Ok(4), Ok(5)]);
        assert_eq!(commit(&store, 2000, &[("b", at(3))]).await, [Ok(6)]);
    }
}

/// A key is looked up before the precondition: a second try with the same key would otherwise be
/// refused because the first has been appended.
#[tokio::test]
async fn store_key_goes_before_precondition() {
    let (_directory, stores) = stores(100, 1_000_000);
    for store in stores {
        let key = IdempotencyKey::new("k").unwrap();
        let draft = |precondition| Draft {
            precondition,
            ..Draft::new(channel("a"), "x").keyed(Some(&key))
        };
        let drafts = [Some(last_is(&store, 9)), NO_ENTRY, NO_ENTRY].map(draft);
        let commit = store.commit(drafts.to_vec(), &Moment::at(1)).await.unwrap();
        let answers = commit.answers.into_iter();
        let duplicates: Vec<_> = answers.map(|answer| Ok(answer?.duplicate)).collect();
        // The first, which was refused, has not used the key.
        let expected = [Err(DraftRefusal::OtherLast(None)), Ok(false), Ok(true)];
        assert_eq!(duplicates, expected);
    }
}

/// Sends a `POST` with these headers.
async fn post_if(addr: SocketAddr, path: &str, headers: &str, text: &str) -> Response {
    send(addr, &format!("POST {path}\r\n{headers}"), text.as_bytes()).await
}

/// The answer 412 has the cursor to try again with, in its body and as its `ETag`.
#[tokio::test]
async fn if_match_answer_has_last_cursor() {
    let server = TestServer::start();
    let addr = server.addr;
    let mut refused = post_if(addr, "/c/a", "If-Match: \"k3f9x2qa0b-1\"", "x").await;
    assert_eq!((refused.status, refused.header("etag")), (412, ""));
    let refused = refused.json().await;
    assert_eq!(refused["cursor"], serde_json::Value::Null);
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("If-None-Match: *")
    );
    let mut first = post_if(addr, "/c/a", "If-None-Match: *", "one").await;
    assert_eq!(first.status, 201);
    let first = first.json().await["cursor"].as_str().unwrap().to_owned();
    append(addr, "b", "elsewhere").await;
    let if_first = format!("If-Match: \"{first}\"");
    let second = post_if(addr, "/c/a", &if_first, "two").await.json().await;
    for headers in [&*if_first, "If-None-Match: *", "If-Match: \"k3f9x2qa0b-3\""] {
        let mut refused = post_if(addr, "/c/a", headers, "three").await;
        let tag = refused.header("etag").to_owned();
        assert_eq!(
            (refused.status, tag),
            (412, format!("{}", second["cursor"]))
        );
        let refused = refused.json().await;
        assert_eq!(refused["cursor"], second["cursor"]);
        assert!(
            refused["error"]
                .as_str()
                .unwrap()
                .contains(&format!("If-Match: {}", second["cursor"]))
        );
    }
    let texts = get(addr, "/c/a?limit=2").await.text().await;
    assert!(texts.starts_with("one\ntwo\n# end"), "{texts}");
    // A retry whose first try was taken is that, whatever has been appended meanwhile.
    let once = format!("{if_first}\r\nIdempotency-Key: k");
    assert_eq!(post_if(addr, "/c/a", &once, "three").await.status, 412);
    let once = format!("If-Match: {}\r\nIdempotency-Key: k", second["cursor"]);
    assert_eq!(post_if(addr, "/c/a", &once, "three").await.status, 201);
    let mut again = post_if(addr, "/c/a", &once, "three").await;
    assert_eq!(
        (again.status, &again.json().await["duplicate"]),
        (200, &true.into())
    );
    assert_eq!(
        post_if(addr, "/send", "If-None-Match: *", "x").await.status,
        201
    );
    server.stop().await;
}

/// A precondition that cannot be read is refused, and so is one of an upload; nothing is appended.
#[tokio::test]
async fn if_match_bad_request_refused() {
    let server = TestServer::start();
    let addr = server.addr;
    for (request, says) in [
        ("POST /c/a\r\nIf-Match: k3f9x2qa0b-1", "in double quotes"),
        ("POST /c/a\r\nIf-Match: *", "in double quotes"),
        (
            "POST /c/a\r\nIf-Match: \"a-1\", \"a-2\"",
            "in double quotes",
        ),
        ("POST /c/a\r\nIf-None-Match: \"a-1\"", "goes into If-Match"),
        (
            "POST /c/a\r\nIf-None-Match: *\r\nIf-Match: \"a-1\"",
            "send one of them",
        ),
        ("PUT /c/a\r\nIf-None-Match: *", "go with POST"),
        ("PUT /c/a\r\nIf-Match: \"a-1\"", "go with POST"),
    ] {
        let mut refused = send(addr, request, b"x").await;
        assert_eq!(refused.status, 400, "{request}");
        let said = refused.text().await;
        assert!(said.contains(says), "{request}: {said}");
    }
    assert_eq!(append(addr, "a", "first").await["seq"], 1);
    server.stop().await;
}

/// Raises the number in the channel `n` by one, as long as there are turns left, each time by what was
/// read there last. Returns the numbers that this has appended.
async fn count_up(addr: SocketAddr, turns: Arc<AtomicUsize>) -> Vec<u64> {
    let (mut sender, mut won) = (Sender::new(addr), Vec::new());
    let (mut number, mut condition) = (0, "If-None-Match: *".to_owned());
    while turns
        .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
        .is_ok()
    {
        loop {
            let (path, next) = (format!("/c/n\r\n{condition}"), number + 1);
            let last = match sender.post(&path, &next.to_string()).await {
                Answer::Reply(201, answer) => answer,
                Answer::Reply(412, _) => {
                    let newest = "/c/n?as=json&wait=0s&since=-1";
                    let poll = get(addr, newest).await.json().await;
                    poll["messages"][0].clone()
                }
                other => panic!("{other:?}"),
            };
            condition = format!("If-Match: {}", last["cursor"]);
            match last.get("data") {
                Some(read) => number = read.as_str().unwrap().parse().unwrap(),
                None => break number = next,
            }
        }
        won.push(number);
    }
    won
}

/// Of 64 publishers that each append by what they have read, as many win as are answered 201: each
/// number is there once, and in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn if_match_64_publishers_count_once() {
    const PUBLISHERS: usize = 64;
    const TURNS: usize = 300;
    let directory = crate::support::directory();
    let path = directory.path().join("log.db");
    for store in [StoreKind::Memory, StoreKind::Sqlite(path)] {
        let server = TestServer::with(|config| config.store = store);
        let addr = server.addr;
        let turns = Arc::new(AtomicUsize::new(TURNS));
        let publishers = (0..PUBLISHERS).map(|_| tokio::spawn(count_up(addr, Arc::clone(&turns))));
        let mut won = Vec::new();
        for publisher in publishers.collect::<Vec<_>>() {
            won.extend(at_last(publisher).await.unwrap());
        }
        assert_eq!(won.len(), TURNS);
        let numbers: BTreeSet<u64> = won.into_iter().collect();
        assert!(numbers.into_iter().eq(1..=TURNS as u64));
        post(addr, "/c/n", "end").await;
        let log = get(addr, &format!("/c/n?limit={}", TURNS + 1))
            .await
            .text()
            .await;
        let numbers = (1..=TURNS)
            .map(|n| format!("{n}\n"))
            .collect::<Vec<_>>()
            .concat();
        assert!(log.starts_with(&(numbers + "end\n# end ")), "{log}");
        server.stop().await;
    }
}
