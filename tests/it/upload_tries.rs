//! Uploads with an idempotency key, which can be tried again as a whole.

use std::net::SocketAddr;
use std::time::Duration;

use forever_frame::config::StoreKind;
use forever_frame::limits;
use forever_frame::log::{DraftRefusal, Moment};
use forever_frame::machine_clock::{MachineClock, ManualClock};
use forever_frame::message::{
    Closing, Draft, DraftKey, EventName, IdempotencyKey, Seq, Timestamp, UploadKey,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::store::{channel, retain, stores};
use crate::support::client::{Response, append, get, send};
use crate::support::log_dir::LogDir;
use crate::support::port::Port;
use crate::support::upload::{Upload, chunk};
use crate::support::{TestServer, at_last};

/// Uploads a text as a whole.
async fn put(addr: SocketAddr, path: &str, key: &str, text: &str) -> Response {
    let request = format!("PUT {path}\r\nIdempotency-Key: {key}");
    send(addr, &request, text.as_bytes()).await
}

/// The numbers in an answer: the seqs of its first and last line, how many there are, and how many
/// were there before.
fn numbers(answer: &Value) -> (u64, u64, u64, u64) {
    let seq = |name: &str| {
        let cursor = answer[name].as_str().unwrap_or("-0");
        cursor.rsplit_once('-').unwrap().1.parse().unwrap()
    };
    let count = |name: &str| answer[name].as_u64().unwrap_or(0);
    (
        seq("first"),
        seq("last"),
        count("count"),
        count("duplicates"),
    )
}

/// The texts that a channel has, which are this many; one is appended to see that there are no more.
async fn texts(addr: SocketAddr, channel: &str, count: usize) -> Vec<String> {
    append(addr, channel, "the end").await;
    let path = format!("/c/{channel}?as=ndjson&limit={}", count + 1);
    let all = at_last(async { get(addr, &path).await.text().await }).await;
    let lines = all.lines().map(|line| serde_json::from_str(line).unwrap());
    let messages = lines.filter(|line: &Value| line["type"] == "message");
    let text = |message: Value| message["data"].as_str().unwrap().to_owned();
    let mut texts: Vec<_> = messages.map(text).collect();
    assert_eq!(texts.pop().unwrap(), "the end");
    texts
}

fn drafts(key: &str, texts: &[&str]) -> Vec<Draft> {
    let key = IdempotencyKey::new(key).unwrap();
    let mut upload = UploadKey::new(&key, &channel("a"), &EventName::DEFAULT);
    let draft = |text: &&str| Draft {
        key: Some(DraftKey::Line(upload.next(text, Closing::No))),
        ..Draft::new(channel("a"), *text)
    };
    texts.iter().map(draft).collect()
}

/// An upload goes on where it broke off, in one commit or several, and its window begins anew with each
/// line.
#[tokio::test]
async fn store_upload_key_goes_on() {
    let window = u64::try_from(limits::IDEMPOTENCY_WINDOW.as_millis()).unwrap();
    let (_directory, stores) = stores(100, 10 * window);
    for store in stores {
        let commit = async |key: &str, texts: &[&str], now| {
            let commit = store
                .commit(drafts(key, texts), &Moment::at(now))
                .await
                .unwrap();
            let answers = commit.answers.into_iter();
            let short =
                answers.map(|answer| answer.map(|receipt| (receipt.seq.0, receipt.duplicate)));
            short.collect::<Vec<_>>()
        };
        let first = commit("k", &["a", "b"], 1000).await;
        assert_eq!(first, [Ok((1, false)), Ok((2, false))]);
        let second = commit("k", &["a", "b", "c"], 500 + window).await;
        assert_eq!(second, [Ok((1, true)), Ok((2, true)), Ok((3, false))]);
        assert_eq!(store.keys_held(), 1);
        retain(&store, 1000 + window).await;
        // The last line is younger than the first two.
        let third = commit("k", &["a", "b", "c"], 1499 + window).await;
        assert_eq!(third.last(), Some(&Ok((3, true))));
        let other = commit("k", &["a", "x", "c", "d"], 1499 + window).await;
        let refusal = DraftRefusal::OtherUpload {
            first: Seq(1),
            last: Seq(3),
            lines: 3,
        };
        assert_eq!(other[2..], [Err(refusal.clone()), Err(refusal)]);
        assert_eq!(store.bounds().1, Seq(3));
        let much_later = commit("k", &["a", "b", "c"], 500 + 2 * window).await;
        assert_eq!(much_later, [Ok((4, false)), Ok((5, false)), Ok((6, false))]);
        retain(&store, 500 + 4 * window).await;
        assert_eq!(store.keys_held(), 0);
    }
}

/// The whole of an upload can be sent again: what is there is counted, and what is missing is
/// appended. Another text is refused, with what is there.
#[tokio::test]
async fn upload_key_answers() {
    let server = TestServer::start();
    let addr = server.addr;
    append(addr, "b", "elsewhere").await;
    for (text, status, expected) in [
        ("a\nb\n", 201, (2, 3, 2, 0)),
        ("a\nb\n", 200, (2, 3, 2, 2)),
        ("a\nb", 200, (2, 3, 2, 2)),
        ("a\nb\nc\nd\n", 201, (2, 5, 4, 2)),
        ("a\nx\nc\nd\n", 422, (2, 5, 4, 4)),
        ("a\nb\nc\nx\n", 422, (2, 5, 4, 4)),
        ("a\nb\nc\n", 422, (2, 5, 4, 4)),
        ("a\n", 422, (2, 0, 4, 4)),
        ("a\nb\nc\nd\ne\n", 201, (2, 6, 5, 4)),
    ] {
        let mut answer = put(addr, "/c/a", "k", text).await;
        assert_eq!(answer.status, status, "{text:?}");
        let answer = answer.json().await;
        assert_eq!(numbers(&answer), expected, "{text:?}: {answer}");
        let says = answer["error"].as_str().unwrap_or("");
        assert_eq!(
            says.contains("a new upload with a new key"),
            status == 422,
            "{says}"
        );
    }
    assert_eq!(
        put(addr, "/c/a?event=e", "k", "a\nb\nc\nd\ne\n")
            .await
            .status,
        422
    );
    assert_eq!(
        put(addr, "/c/c", "k", "a\n").await.status,
        201,
        "another channel"
    );
    // The key of an upload is none of a message.
    let once = "POST /c/a\r\nIdempotency-Key: k";
    assert_eq!(send(addr, once, b"a").await.status, 422);
    let once = "POST /c/a\r\nIdempotency-Key: m";
    assert_eq!(send(addr, once, b"a").await.status, 201);
    assert_eq!(put(addr, "/c/a", "m", "a\n").await.status, 422);
    assert_eq!(texts(addr, "a", 6).await, ["a", "b", "c", "d", "e", "a"]);
    // Receipts begin when the lines have been compared.
    let mut again = put(addr, "/c/a?receipts=1", "k", "a\nb\nc\nd\ne\nf\n").await;
    assert_eq!(again.status, 201);
    let said = again.text().await;
    let last: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(numbers(&last), (2, 10, 6, 5), "{said}");
    let refused = put(addr, "/c/a?receipts=1", "k", "a\nb\n").await;
    assert_eq!(refused.status, 422);
    server.stop().await;
}

/// An upload uses up one key, however many lines it has, and one that pauses for longer than the window
/// goes on.
#[tokio::test]
async fn upload_key_is_one_key() {
    let clock = ManualClock::new(Some("first"), Timestamp(1_800_000_000_000));
    let server = TestServer::with(|config| {
        config.idempotency_keys_max = 2;
        config.machine_clock = MachineClock::Manual(clock.clone());
    });
    let addr = server.addr;
    let many = "x\n".repeat(5000);
    assert_eq!(put(addr, "/c/a", "k", &many).await.status, 201);
    let key = "Idempotency-Key: l\r\n";
    let mut upload = Upload::start_with(addr, "/c/b?receipts=1", key).await;
    upload.send(b"one\n").await;
    let mut running = upload.answer().await;
    running.until("\"count\":1").await;
    assert_eq!(put(addr, "/c/a", "m", "x\n").await.status, 503);
    let metrics = get(addr, "/metrics").await.text().await;
    assert!(metrics.contains("\nforever_frame_idempotency_keys 2\n"));
    clock.pass(Duration::from_mins(11));
    running.socket().write_all(&chunk(b"two\n")).await.unwrap();
    running.until("\"count\":2").await;
    drop(running);
    let mut again = put(addr, "/c/b", "l", "one\ntwo\nthree\n").await;
    assert_eq!(again.status, 201);
    assert_eq!(again.json().await["count"], 3);
    assert_eq!(texts(addr, "b", 3).await, ["one", "two", "three"]);
    server.stop().await;
}

/// Of several tries at the same time each is answered with the whole upload, which is in the log once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_key_tries_at_once() {
    let directory = crate::support::directory();
    let path = directory.path().join("log.db");
    for store in [StoreKind::Memory, StoreKind::Sqlite(path)] {
        let server = TestServer::with(|config| config.store = store);
        let addr = server.addr;
        let text = file(&mut StdRng::seed_from_u64(1));
        let tries = (0..4).map(|_| {
            let text = text.clone();
            tokio::spawn(async move { put(addr, "/c/a", "k", &text).await.json().await })
        });
        let mut before = 0;
        for answer in tries.collect::<Vec<_>>() {
            let answer = numbers(&at_last(answer).await.unwrap());
            assert_eq!((answer.0, answer.1, answer.2), (1, 4000, 4000));
            before += answer.3;
        }
        assert_eq!(before, 3 * 4000);
        let whole = texts(addr, "a", 4000).await.join("\n") + "\n";
        assert!(whole == text);
        server.stop().await;
    }
}

/// The lines of the upload that is broken off again and again.
fn file(random: &mut StdRng) -> String {
    let line = |n| format!("{n} {}\n", "x".repeat(random.random_range(0..60)));
    (0..4000).map(line).collect()
}

/// Sends the upload up to a random place, and breaks it off there.
async fn break_off(addr: SocketAddr, text: &str, random: &mut StdRng) {
    let mut upload = Upload::start_with(addr, "/c/a", "Idempotency-Key: k\r\n").await;
    let end = random.random_range(0..text.len());
    for piece in text.as_bytes()[..end].chunks(10_000) {
        if upload.try_send(piece).await.is_err() {
            return;
        }
    }
    // What has been sent is on its way, or half of it is appended.
    sleep(Duration::from_millis(random.random_range(0..20))).await;
}

/// An upload that is broken off at twenty random places, and sent whole each time, is in the log once and
/// in order, with either store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_key_broken_off_20_times() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let directory = crate::support::directory();
    let path = directory.path().join("log.db");
    for store in [StoreKind::Memory, StoreKind::Sqlite(path)] {
        let mut random = StdRng::seed_from_u64(seed);
        let server = TestServer::with(|config| config.store = store);
        let (addr, text) = (server.addr, file(&mut random));
        for _ in 0..20 {
            break_off(addr, &text, &mut random).await;
        }
        let mut answer = put(addr, "/c/a", "k", &text).await;
        assert!([200, 201].contains(&answer.status));
        let (first, last, count, _) = numbers(&answer.json().await);
        assert_eq!((first, last, count), (1, 4000, 4000));
        let whole = texts(addr, "a", 4000).await.join("\n") + "\n";
        assert!(whole == text, "{} lines", whole.lines().count());
        server.stop().await;
    }
}

/// An upload whose server is killed at twenty random places is in the log once and in order, too: its
/// key is committed together with its lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_key_survives_kill() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let (log_dir, port, text) = (LogDir::new(), Port::reserve(), file(&mut random));
    for _ in 0..20 {
        let server = log_dir.start_at(&port.listen(), &[]).await;
        break_off(port.addr, &text, &mut random).await;
        server.end("-KILL").await;
    }
    let server = log_dir.start_at(&port.listen(), &[]).await;
    let mut answer = put(port.addr, "/c/a", "k", &text).await;
    assert!([200, 201].contains(&answer.status));
    let (first, last, count, before) = numbers(&answer.json().await);
    println!("{before} lines were there before");
    assert_eq!((first, last, count), (1, 4000, 4000));
    let whole = texts(port.addr, "a", 4000).await.join("\n") + "\n";
    assert!(whole == text, "{} lines", whole.lines().count());
    server.end("-TERM").await;
}
