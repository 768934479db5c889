//! Another program holds the lock of the database for a while.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use crate::support::client::{get, post};
use crate::support::log_dir::{Lock, LogDir};
use crate::support::person::{PASSWORD, Person};
use crate::support::reference_log::ReferenceLog;
use crate::support::sender::{Answer, Sender};
use crate::support::wires::Stream;
use crate::support::{at_last, eventually, soon};

const CHANNELS: [&str; 10] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];
const WIRES: [&str; 4] = ["text", "sse", "ndjson", "script"];
const LAST: &str = "that was all";

/// The number of messages that were taken, and whether to stop.
#[derive(Default)]
struct State {
    taken: AtomicU64,
    stop: AtomicBool,
}

async fn publish(addr: SocketAddr, n: usize, state: Arc<State>) -> Vec<(Value, String)> {
    let (mut sender, mut taken) = (Sender::new(addr), Vec::new());
    while !state.stop.load(Relaxed) {
        let text = format!("{n}.{}", taken.len());
        match sender.post(&format!("/c/c{}", n % 10), &text).await {
            Answer::Reply(201, answer) => taken.push((answer, text)),
            other => panic!("{other:?}"),
        }
        state.taken.fetch_add(1, Relaxed);
        sleep(Duration::from_millis(200)).await;
    }
    taken
}

/// Follows until the last message, and gives the stream and its longest silence.
async fn follow(mut stream: Stream) -> (Stream, Duration) {
    let (mut heard, mut silence) = (Instant::now(), Duration::ZERO);
    while stream
        .messages()
        .last()
        .is_none_or(|last| last.data != LAST)
    {
        assert!(stream.read().await.unwrap(), "it ended");
        silence = silence.max(heard.elapsed());
        heard = Instant::now();
    }
    (stream, silence)
}

/// A lock of two seconds is no error to any sender, and makes no heartbeat late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lock_for_two_seconds_delays_only_appends() {
    let log_dir = LogDir::new();
    let server = log_dir.start(&[]).await;
    let (addr, state) = (server.addr, Arc::new(State::default()));
    let mut readers = Vec::new();
    for n in 0..200 {
        let (wire, channel) = (WIRES[n / 10 % 4], CHANNELS[n % 10]);
        let stream = Stream::open(addr, wire, channel, "since=now&heartbeat=1s").await;
        readers.push((channel, tokio::spawn(follow(stream))));
    }
    let publisher = |n| tokio::spawn(publish(addr, n, Arc::clone(&state)));
    let publishers: Vec<_> = (0..200).map(publisher).collect();
    for how in ["IMMEDIATE", "EXCLUSIVE"] {
        let before = state.taken.load(Relaxed);
        eventually("all publish", async || {
            state.taken.load(Relaxed) > before + 400
        })
        .await;
        let lock = Lock::take(&log_dir, how).await;
        let before = state.taken.load(Relaxed);
        sleep(Duration::from_secs(2)).await;
        // Each publisher may get one answer more, to a message that was committed before.
        let meanwhile = state.taken.load(Relaxed) - before;
        assert!(
            meanwhile <= 200,
            "nothing is taken under the lock: {meanwhile}"
        );
        drop(lock);
    }
    let before = state.taken.load(Relaxed);
    eventually("all go on", async || {
        state.taken.load(Relaxed) > before + 400
    })
    .await;
    state.stop.store(true, Relaxed);
    let mut told = ReferenceLog::default();
    for publisher in publishers {
        for (answer, text) in at_last(publisher).await.unwrap() {
            told.enter(&answer, &text);
        }
    }
    for channel in CHANNELS {
        told.append(addr, channel, LAST).await;
    }
    let mut longest = Duration::ZERO;
    for (channel, reader) in readers {
        let (stream, silence) = at_last(reader).await.unwrap();
        let sent = told
            .entries
            .values()
            .filter(|entry| entry.channel == channel);
        let sent = sent.map(|entry| &*entry.text);
        assert!(
            stream.texts().into_iter().eq(sent),
            "{channel}: each once, in order"
        );
        assert_eq!(stream.gaps().len(), 0);
        longest = longest.max(silence);
    }
    println!(
        "{} messages, longest silence {longest:?}",
        told.entries.len()
    );
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}

/// While a login waits for the lock of the file, the chat is read as ever, by sessions that were used
/// long ago, too; and so is everything that is followed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lock_delays_no_reads_of_the_chat() {
    let log_dir = LogDir::new();
    let server = log_dir.start(&[]).await;
    let [zoe, mut ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    assert_eq!(ben.say(&zoe, "hello").await.status, 201);
    let connection = log_dir.connect();
    let age = "UPDATE sessions SET used = used - 2 * 3600000";
    let aged = tokio::task::spawn_blocking(move || connection.execute_batch(age));
    aged.await.unwrap().unwrap();
    let lock = Lock::take(&log_dir, "EXCLUSIVE").await;
    let mut again = Person::nobody(server.addr);
    let waits = tokio::spawn(async move { again.enter("login", "Zoë", PASSWORD).await.status });
    let acts = tokio::spawn(async move { ben.befriend("remove", "Zoë").await.status });
    // Until the login waits for the lock.
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    for path in [
        "/chat/friends",
        "/chat/with/Ben",
        "/chat/stream?timeout=1ms",
    ] {
        let answer = zoe.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let request = format!("GET {path}\r\nAccept: text/html");
        let page = zoe.send(&request, b"").await;
        assert_eq!(page.status, 200, "{path}");
    }
    let mut frame = zoe.get("/chat/frame/Ben").await;
    frame.until("hello").await;
    println!("read in {:?}", began.elapsed());
    assert!(
        !waits.is_finished() && !acts.is_finished(),
        "reads came first"
    );
    drop(lock);
    assert_eq!(soon(waits).await.unwrap(), 200);
    assert_eq!(soon(acts).await.unwrap(), 200);
}

/// A lock that is held for too long makes appends fail, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lock_for_too_long_refuses_appends() {
    let log_dir = LogDir::new();
    let server = log_dir.start(&["--heartbeat", "1s"]).await;
    let mut told = ReferenceLog::default();
    told.append(server.addr, "a", "before").await;
    let mut watcher = Stream::open(server.addr, "ndjson", "a", "").await;
    watcher.until(1).await;
    let lock = Lock::take(&log_dir, "EXCLUSIVE").await;
    let began = Instant::now();
    let mut refused = soon(post(server.addr, "/c/a", "during")).await;
    let (status, took) = (refused.status, began.elapsed());
    println!("{status} {} after {took:?}", refused.text().await);
    assert_eq!(status, 503);
    let waited = Duration::from_secs(5)..Duration::from_secs(15);
    assert!(waited.contains(&took), "{took:?}");
    while watcher.heartbeats() < 3 {
        assert!(watcher.read().await.unwrap());
    }
    let mut past = Stream::open(server.addr, "text", "a", "since=0").await;
    past.until(1).await;
    drop(lock);
    eventually("it is well", async || {
        get(server.addr, "/healthz").await.status == 200
    })
    .await;
    told.append(server.addr, "a", "after").await;
    let whole = ReferenceLog::read(server.addr, "a", 2).await;
    assert_eq!(whole.entries, told.entries);
}
