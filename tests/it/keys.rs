//! Idempotency keys, which make it safe to try an append again.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use forever_frame::config::StoreKind;
use forever_frame::machine_clock::{MachineClock, ManualClock};
use forever_frame::message::Timestamp;
use tempfile::TempDir;

use crate::support::client::{Response, append, get, send};
use crate::support::{TestServer, soon};

/// Sends a `POST` with a key.
async fn post_once(addr: SocketAddr, to: &str, key: &str, text: &str) -> Response {
    let request = format!("POST /c/{to}\r\nIdempotency-Key: {key}");
    send(addr, &request, text.as_bytes()).await
}

/// The number of messages in a channel.
async fn count(addr: SocketAddr, channel: &str) -> usize {
    let mut response = get(addr, &format!("/c/{channel}?as=json&wait=0s")).await;
    let answer = response.json().await;
    answer["messages"].as_array().unwrap().len()
}

/// The stores of the log: in memory, and in a file of a directory.
fn stores(directory: &TempDir) -> [StoreKind; 2] {
    let path = directory.path().join("log.db");
    [StoreKind::Memory, StoreKind::Sqlite(path)]
}

/// The clocks of a machine that has just started.
fn clock() -> Arc<ManualClock> {
    ManualClock::new(Some("first"), Timestamp(1_800_000_000_000))
}

/// A hundred requests with one key at the same time append one message, and those with another text
/// are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idempotency_key_concurrent_retries() {
    let directory = crate::support::directory();
    for store in stores(&directory) {
        let server = TestServer::with(|config| config.store = store);
        let addr = server.addr;
        let tries: Vec<_> = (0..100)
            .map(|n| {
                tokio::spawn(async move {
                    let mut answer = post_once(addr, "a", "k", ["x", "y"][n % 2]).await;
                    (answer.status, answer.json().await)
                })
            })
            .collect();
        let (mut new, mut again, mut refused, mut cursors) = (0, 0, 0, BTreeSet::new());
        for answer in tries {
            let (status, answer) = soon(answer).await.unwrap();
            match (status, answer.get("duplicate")) {
                (201, None) => new += 1,
                (200, Some(duplicate)) if duplicate == true => again += 1,
                (422, None) => {
                    refused += 1;
                    continue;
                }
                other => panic!("{other:?} {answer}"),
            }
            cursors.insert((answer["cursor"].to_string(), answer["time"].to_string()));
        }
        assert_eq!((new, again, refused, cursors.len()), (1, 49, 50, 1));
        assert_eq!(count(addr, "a").await, 1);
        server.stop().await;
    }
}

/// A key that comes again with another text, or another event name, is refused, and the answer says
/// what to do.
#[tokio::test]
async fn idempotency_key_of_other_message() {
    let server = TestServer::start();
    let addr = server.addr;
    assert_eq!(post_once(addr, "a?event=e", "k", "text").await.status, 201);
    for (to, text, status) in [
        ("a?event=e", "text", 200),
        // The newline that is dropped makes no other text.
        ("a?event=e", "text\n", 200),
        ("a?event=e", "texts", 422),
        ("a?event=e", "text\n\n", 422),
        ("a?event=f", "text", 422),
        ("a", "text", 422),
        ("b", "texts", 201),
    ] {
        let mut answer = post_once(addr, to, "k", text).await;
        assert_eq!(answer.status, status, "{to} {text:?}");
        let answer = answer.text().await;
        let is_refused = answer.contains("seq 1") && answer.contains("a new key");
        assert_eq!(is_refused, status == 422, "{answer}");
    }
    assert_eq!((count(addr, "a").await, count(addr, "b").await), (1, 1));
    server.stop().await;
}

/// When as many keys are held as may be, new ones are refused until the oldest is forgotten; all else
/// goes on.
#[tokio::test]
async fn idempotency_keys_are_never_pushed_out() {
    let directory = crate::support::directory();
    for store in stores(&directory) {
        let clock = clock();
        let server = TestServer::with(|config| {
            config.store = store;
            config.idempotency_keys_max = 3;
            config.machine_clock = MachineClock::Manual(Arc::clone(&clock));
        });
        let addr = server.addr;
        for key in ["k1", "k2", "k3"] {
            assert_eq!(post_once(addr, "a", key, "x").await.status, 201, "{key}");
            clock.pass(Duration::from_mins(1));
        }
        let mut refused = post_once(addr, "a", "k4", "x").await;
        assert_eq!(refused.status, 503);
        // The first key is three minutes old.
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((420..=421).contains(&wait), "{wait}");
        let sentence = refused.text().await;
        assert!(sentence.contains("without a key"), "{sentence}");
        append(addr, "a", "without a key").await;
        for (key, text, status) in [("k1", "x", 200), ("k3", "x", 200), ("k2", "y", 422)] {
            assert_eq!(
                post_once(addr, "a", key, text).await.status,
                status,
                "{key}"
            );
        }
        let metrics = get(addr, "/metrics").await.text().await;
        assert!(metrics.contains("\nforever_frame_idempotency_keys 3\n"));
        clock.pass(Duration::from_mins(7));
        assert_eq!(post_once(addr, "a", "k4", "x").await.status, 201);
        assert_eq!(post_once(addr, "a", "k5", "x").await.status, 503);
        assert_eq!(post_once(addr, "a", "k2", "x").await.status, 200);
        assert_eq!(count(addr, "a").await, 5);
        server.stop().await;
    }
}

/// A key is forgotten when its window has passed, and not when the wall clock is set.
#[tokio::test]
async fn idempotency_key_forgotten_by_time_that_passes() {
    const DAY: Duration = Duration::from_hours(24);
    let directory = crate::support::directory();
    for store in stores(&directory) {
        let clock = clock();
        let server = TestServer::with(|config| {
            config.store = store;
            config.machine_clock = MachineClock::Manual(Arc::clone(&clock));
        });
        let addr = server.addr;
        let status = async |text| post_once(addr, "a", "daily", text).await.status;
        assert_eq!(status("Monday").await, 201);
        clock.set_forward(DAY);
        assert_eq!(status("Monday").await, 200);
        clock.set_back(3 * DAY);
        assert_eq!(
            (status("Monday").await, status("Tuesday").await),
            (200, 422)
        );
        clock.pass(Duration::from_millis(599_999));
        assert_eq!(status("Monday").await, 200);
        clock.pass(Duration::from_millis(1));
        assert_eq!(
            (status("Tuesday").await, status("Monday").await),
            (201, 422)
        );
        server.stop().await;
    }
}

/// An idempotency key counts in its own channel only.
#[tokio::test]
async fn idempotency_key_per_channel() {
    let server = TestServer::start();
    for (channel, key, status) in [
        ("a", "k", 201),
        ("a", "k", 200),
        ("b", "k", 201),
        ("a", "K", 201),
        ("b", "k", 200),
        ("a", "two words", 201),
    ] {
        assert_eq!(
            post_once(server.addr, channel, key, "x").await.status,
            status,
            "{channel} {key}"
        );
    }
    for key in ["", "a\tb", "ä", &"k".repeat(129)] {
        let mut refused = post_once(server.addr, "a", key, "x").await;
        assert_eq!(refused.status, 400, "{key:?}");
        assert!(refused.text().await.contains("Idempotency-Key"));
    }
    assert_eq!(
        post_once(server.addr, "a", &"k".repeat(128), "x")
            .await
            .status,
        201
    );
    server.stop().await;
}
