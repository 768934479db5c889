//! A log on the disk: what survives the end of a server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use crate::support::client::{append, get, send};
use crate::support::follower::Follower;
use crate::support::log_dir::LogDir;
use crate::support::port::Port;
use crate::support::reference_log::ReferenceLog;
use crate::support::sender::{Answer, Sender};
use crate::support::wires::{ALL, Stream};
use crate::support::{at_last, soon};

const LAST: &str = "that was all";

/// Follows up to the last message of the log.
async fn up_to_last(addr: SocketAddr, wire: &'static str, channels: &str, query: &str) -> Stream {
    let mut stream = Stream::open(addr, wire, channels, query).await;
    while stream.texts().last() != Some(&LAST) {
        assert!(
            stream.read().await.unwrap(),
            "{wire} {query}: {:?}",
            stream.said
        );
    }
    stream
}

/// Cursors stay valid on each transport when the server is stopped, and when it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resume_after_restart() {
    let (log_dir, port, mut told) = (LogDir::new(), Port::reserve(), ReferenceLog::default());
    let follower = |wire| tokio::spawn(Follower::new(port.addr, wire, &["a", "b"]).until(LAST));
    let followers = ALL.map(follower);
    let mut cursors = Vec::new();
    for signal in ["-TERM", "-KILL", "-TERM", "-KILL"] {
        let server = log_dir.start_at(&port.listen(), &["--drain", "0s"]).await;
        for n in 0..20 {
            let text = format!("{signal} {}", told.entries.len());
            told.append(port.addr, ["a", "b"][n % 2], &text).await;
            cursors.push(format!("{}-{}", told.epoch, told.last()));
        }
        // By now the followers have streams that can break.
        let mut seen = Stream::open(port.addr, "ndjson", "a,b", "since=0").await;
        seen.until(told.entries.len()).await;
        server.end(signal).await;
    }
    let _server = log_dir.start_at(&port.listen(), &[]).await;
    told.append(port.addr, "a", LAST).await;
    told.append(port.addr, "b", LAST).await;
    for follower in followers {
        let follower = at_last(follower).await.unwrap();
        assert_eq!((told.check(&follower), follower.gaps()), (0, 0));
    }
    for (n, cursor) in cursors.iter().enumerate() {
        let (wire, query) = (ALL[n % 6], format!("since={cursor}&limit=1"));
        let stream = Stream::open(port.addr, wire, "a,b", &query).await;
        let stream = stream.whole().await;
        let next = &*told.entries[&(n as u64 + 2)].text;
        assert_eq!(stream.texts().first(), Some(&next), "{wire} {cursor}");
        assert_eq!(stream.gaps().len(), 0, "{wire} {cursor}");
    }
}

/// Each way to begin finds its position in a log on the disk.
#[tokio::test]
async fn since_finds_position_on_disk() {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&[]).await;
    for (channel, text) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")] {
        told.append(server.addr, channel, text).await;
    }
    // The duration in the queries below ends in the middle of this pause, however slow the machine.
    sleep(Duration::from_millis(1500)).await;
    let pause = Instant::now();
    sleep(Duration::from_millis(1500)).await;
    for (channel, text) in [("b", "5"), ("c", "6"), ("a", "7"), ("a", LAST)] {
        told.append(server.addr, channel, text).await;
    }
    server.end("-TERM").await;
    let server = log_dir.start(&[]).await;
    let cursor = |seq: u64| format!("{}-{seq}", told.epoch);
    for (since, channels, texts) in [
        ("all", "a", &["1", "3", "7"][..]),
        ("all", "a,b", &["1", "2", "3", "5", "7"]),
        ("0", "c,a", &["1", "3", "4", "6", "7"]),
        ("3", "a,b", &["5", "7"]),
        (&cursor(3), "a,c", &["4", "6", "7"]),
        (&cursor(7), "a,b", &[]),
        ("-1", "a,b,c", &[]),
        ("-3", "a", &["3", "7"]),
        ("-3", "a,b,c", &["6", "7"]),
        ("-99", "a,b", &["1", "2", "3", "5", "7"]),
        ("10m", "a,c", &["1", "3", "4", "6", "7"]),
        ("pause", "a", &["7"]),
        ("pause", "a,b,c", &["5", "6", "7"]),
    ] {
        for wire in ALL {
            let since = match since {
                "pause" => format!("{}ms", pause.elapsed().as_millis()),
                since => since.to_owned(),
            };
            let query = format!("since={since}");
            let stream = soon(up_to_last(server.addr, wire, channels, &query)).await;
            let said = stream.texts();
            let (_, said) = said.split_last().unwrap();
            assert_eq!(said, texts, "{wire} {channels} {since}");
            assert_eq!(stream.gaps().len(), 0, "{wire} {channels} {since}");
        }
    }
    for wire in ["text", "ndjson"] {
        let mut stream = Stream::open(server.addr, wire, "a", "since=now").await;
        told.append(server.addr, "a", wire).await;
        stream.until(1).await;
        assert_eq!(stream.texts(), [wire]);
    }
}

/// Messages on the disk reach also clients that do not wait.
#[tokio::test]
async fn stored_messages_reach_impatient_clients() {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&[]).await;
    for n in 0..10 {
        told.append(server.addr, "a", &n.to_string()).await;
    }
    server.end("-TERM").await;
    for round in 0..5 {
        // After each start the server has nothing in memory.
        let server = log_dir.start(&[]).await;
        for (wire, query) in [
            ("json", "wait=0s"),
            ("json", "wait=1ms"),
            ("json", "timeout=1ms"),
            ("ndjson", "timeout=1ms"),
            ("sse", "timeout=1ms"),
            ("text", "timeout=1ms"),
            ("html", "timeout=1ms"),
            ("script", "timeout=1ms"),
        ] {
            let stream = Stream::open(server.addr, wire, "a", query).await;
            let stream = stream.whole().await;
            let said = stream.texts();
            assert_eq!(said.len(), 10, "round {round}: {wire} {query}");
        }
        server.end("-TERM").await;
    }
}

/// Sends a `POST` with a key, and gives the status and the answer.
async fn once(addr: SocketAddr, channel: &str, text: &str) -> (u16, Value) {
    let request = format!("POST /c/{channel}\r\nIdempotency-Key: the key");
    let mut answer = send(addr, &request, text.as_bytes()).await;
    (answer.status, answer.json().await)
}

/// A key gives the first answer again, also after the server was stopped or killed.
#[tokio::test]
async fn idempotency_key_survives_restart() {
    let log_dir = LogDir::new();
    let server = log_dir.start(&[]).await;
    let (status, first) = once(server.addr, "a", "first").await;
    assert_eq!((status, first.get("duplicate")), (201, None));
    let mut again = first.clone();
    again["duplicate"] = true.into();
    assert_eq!(once(server.addr, "a", "first").await, (200, again.clone()));
    let mut server = server;
    for (n, signal) in ["-TERM", "-KILL", "-TERM"].into_iter().enumerate() {
        server.end(signal).await;
        server = log_dir.start(&[]).await;
        let text = format!("after {signal}");
        assert_eq!(
            once(server.addr, "a", "first").await,
            (200, again.clone()),
            "{signal}"
        );
        assert_eq!(once(server.addr, "a", &text).await.0, 422, "{signal}");
        // On another channel it is another key.
        let (status, _) = once(server.addr, &format!("b{n}"), &text).await;
        assert_eq!(status, 201, "{signal}");
    }
    let whole = ReferenceLog::read(server.addr, "a,b0,b1,b2", 4).await;
    let texts: Vec<&str> = whole.entries.values().map(|entry| &*entry.text).collect();
    assert_eq!(
        texts,
        ["first", "after -TERM", "after -KILL", "after -TERM"]
    );
}

/// A stopped server leaves one file, and a copy of it is the same log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_server_leaves_one_file() {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&["--drain", "0s"]).await;
    for n in 0..300 {
        let text = format!("{n} {}", "x".repeat(n * 10));
        told.append(server.addr, ["a", "b"][n % 2], &text).await;
    }
    // Followers, also one that reads old messages, do not keep the file from being closed.
    let mut open = Vec::new();
    for wire in ALL {
        open.push(get(server.addr, &format!("/c/a,b?as={wire}&since=1")).await);
    }
    server.end("-TERM").await;
    let others: Vec<String> = log_dir
        .names()
        .into_iter()
        .filter(|name| name != "log.db")
        .collect();
    assert!(
        others.iter().all(|name| name == "log.db-lock"),
        "{others:?}"
    );
    let copy = LogDir::new();
    std::fs::copy(log_dir.file(), copy.file()).unwrap();
    // From here on the two logs are independent.
    let (server, other) = (log_dir.start(&[]).await, copy.start(&[]).await);
    for addr in [server.addr, other.addr] {
        let whole = ReferenceLog::read(addr, "a,b", told.last()).await;
        assert_eq!((&whole.epoch, &whole.entries), (&told.epoch, &told.entries));
    }
    let seq = told.last() + 1;
    told.append(other.addr, "a", "of the copy").await;
    assert_eq!(told.last(), seq);
}

/// A committed message can be read before it is answered: a cursor after it is valid from that
/// moment on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursor_told_is_never_of_future() {
    let log_dir = LogDir::new();
    let server = log_dir.start(&[]).await;
    append(server.addr, "busy", "before").await;
    server.end("-TERM").await;
    // The server has no old message in memory, and has to ask the disk for them.
    let server = log_dir.start(&[]).await;
    let (addr, end) = (server.addr, Instant::now() + Duration::from_secs(4));
    let publishers = (0..8).map(|_| {
        tokio::spawn(async move {
            let mut sender = Sender::new(addr);
            while Instant::now() < end {
                let answer = sender.post("/c/busy", "x").await;
                assert!(matches!(answer, Answer::Reply(201, _)), "{answer:?}");
            }
        })
    });
    let pollers = (0..8).map(|_| {
        tokio::spawn(async move {
            while Instant::now() < end {
                let mut since = "0".to_owned();
                for _ in 0..2 {
                    let path = format!("/c/quiet?as=json&wait=0s&since={since}");
                    let answer = get(addr, &path).await.json().await;
                    assert!(answer["gap"].is_null(), "since={since}: {answer}");
                    answer["cursor"].as_str().unwrap().clone_into(&mut since);
                }
            }
        })
    });
    for task in publishers.chain(pollers).collect::<Vec<_>>() {
        soon(task).await.unwrap();
    }
}
