//! `pace`: from `live` on a stream writes a burst at each tick, with all that has come.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

use crate::support::client::{append, get, send};
use crate::support::wires::{Stream, StreamEvent};
use crate::support::{TestServer, at_last, soon};

const STREAMING: [&str; 5] = ["text", "html", "script", "sse", "ndjson"];

/// A stream that is read chunk by chunk, and when those came that have messages.
struct Paced {
    wire: &'static str,
    stream: Stream,
    writes: Vec<Instant>,
}

impl Paced {
    async fn open(addr: SocketAddr, wire: &'static str, query: &str) -> Paced {
        let stream = Stream::open(addr, wire, "a", query).await;
        let writes = Vec::new();
        Paced {
            wire,
            stream,
            writes,
        }
    }

    /// Reads until this many messages have come.
    async fn until(&mut self, count: usize) {
        let read = async {
            while self.stream.messages().count() < count {
                let before = self.stream.messages().count();
                assert!(self.stream.read().await.unwrap(), "{}", self.wire);
                if self.stream.messages().count() > before {
                    self.writes.push(Instant::now());
                }
            }
        };
        at_last(read).await;
    }
}

/// 50 messages a second are about one write a second, with nothing lost and in order, by a server with
/// and without a crowd.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn burst_at_each_tick() {
    const MESSAGES: usize = 200;
    let directory = crate::support::directory();
    for (server, handover) in [
        (TestServer::stored(&directory), true),
        (TestServer::with(|config| config.handover = false), false),
    ] {
        let addr = server.addr;
        append(addr, "a", "past").await;
        let began = Instant::now();
        let mut followers = JoinSet::new();
        for wire in STREAMING {
            followers.spawn(async move {
                let mut paced = Paced::open(addr, wire, "pace=1s").await;
                paced.until(1 + MESSAGES).await;
                paced
            });
        }
        server.open_streams(5).await;
        let mut ticks = interval(Duration::from_millis(20));
        for n in 0..MESSAGES {
            ticks.tick().await;
            append(addr, "a", &n.to_string()).await;
        }
        while let Some(paced) = soon(followers.join_next()).await {
            let Paced {
                wire,
                stream,
                writes,
            } = paced.unwrap();
            let expected = (0..MESSAGES).map(|n| n.to_string());
            let expected: Vec<_> = std::iter::once("past".to_owned()).chain(expected).collect();
            assert_eq!(stream.texts(), expected, "{wire}");
            // A tick a second, and the past. A busy machine may delay a tick, not add one.
            let (all, most) = (writes.len(), 2 + began.elapsed().as_secs());
            let is_paced = all >= 4 && all as u64 <= most;
            assert!(is_paced, "{wire} {handover}: {all} writes, at most {most}");
            let apart = writes
                .windows(2)
                .filter(|pair| pair[1] - pair[0] > Duration::from_millis(500));
            assert!(apart.count() >= 3, "{wire} {handover}");
        }
        server.stop().await;
    }
}

/// What was there before is not held back, and neither is a long poll.
#[tokio::test]
async fn past_is_written_at_once() {
    let server = TestServer::start();
    let addr = server.addr;
    for n in 0..3 {
        append(addr, "a", &n.to_string()).await;
    }
    for wire in STREAMING {
        let began = Instant::now();
        let mut stream = Stream::open(addr, wire, "a", "pace=60s").await;
        stream.until(3).await;
        assert!(began.elapsed() < Duration::from_secs(20), "{wire}");
    }
    server.open_streams(0).await;
    let poll = tokio::spawn(async move {
        get(addr, "/c/a?as=json&since=now&pace=60s&wait=50s")
            .await
            .text()
            .await
    });
    server.open_streams(1).await;
    append(addr, "a", "new").await;
    assert!(soon(poll).await.unwrap().contains("new"));
    server.stop().await;
}

/// A quiet stream says its heartbeats at its ticks, as often as it would without a pace and not more
/// often than the ticks come.
#[tokio::test]
async fn heartbeats_come_at_ticks() {
    let server = TestServer::start();
    let addr = server.addr;
    for (query, most) in [
        ("pace=100ms&heartbeat=1s&timeout=3500ms", 4),
        ("pace=1s&heartbeat=1s&timeout=3500ms", 4),
        ("pace=3s&heartbeat=1s&timeout=3500ms", 2),
    ] {
        for wire in ["text", "ndjson"] {
            let mut stream = Stream::open(addr, wire, "a", query).await;
            while stream.read().await.unwrap() {}
            let beats = stream.heartbeats();
            // A stream of text begins with a dot.
            let least = if wire == "text" { 2 } else { 1 };
            assert!((least..=most).contains(&beats), "{wire} {query}: {beats}");
        }
    }
    server.stop().await;
}

/// A stream with a pace ends in time, has all that `until` asks for, and its end has the cursor from
/// which it goes on.
#[tokio::test]
async fn paced_stream_ends_in_time() {
    let server = TestServer::start();
    let addr = server.addr;
    append(addr, "a", "one").await;
    for (query, texts, reason) in [
        ("timeout=1s", &["one"][..], "timeout"),
        ("until=now", &["one"], "until"),
        ("limit=1", &["one"], "limit"),
        ("until=SOON", &["one", "new"], "until"),
    ] {
        let began = Instant::now();
        let soon = jiff::Timestamp::now() + Duration::from_secs(3);
        let query = query.replace("SOON", &soon.to_string());
        let mut stream = Stream::open(addr, "ndjson", "a", &format!("{query}&pace=20s")).await;
        stream.until(1).await;
        if query.starts_with("until=2") {
            append(addr, "a", "new").await;
        }
        let stream = stream.whole().await;
        assert_eq!(stream.texts(), texts, "{query}");
        let Some(StreamEvent::End(cursor, why)) = stream.said.last() else {
            panic!("{query}: {:?}", stream.said)
        };
        assert_eq!(why, reason, "{query}");
        assert!(
            cursor.ends_with(&format!("-{}", texts.len())),
            "{query}: {cursor}"
        );
        assert!(began.elapsed() < Duration::from_secs(15), "{query}");
    }
    server.stop().await;
}

/// A burst that is long comes whole and in order to a
/// client that reads slowly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_burst_is_whole() {
    let server = TestServer::start();
    let addr = server.addr;
    let mut streams = Vec::new();
    for wire in ["text", "sse", "ndjson"] {
        streams.push(Paced::open(addr, wire, "pace=1s").await);
    }
    let lines: Vec<_> = (0..3000)
        .map(|n| format!("{n} {}\n", "x".repeat(1000)))
        .collect();
    let put = send(addr, "PUT /c/a", lines.concat().as_bytes()).await;
    assert_eq!(put.status, 201);
    sleep(Duration::from_millis(1500)).await;
    for mut paced in streams {
        paced.until(3000).await;
        for (n, text) in paced.stream.texts().into_iter().enumerate() {
            assert!(text.starts_with(&format!("{n} ")), "{}: {n}", paced.wire);
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn pace_outside_its_bounds_is_refused() {
    let server = TestServer::start();
    for bad in ["99ms", "61s", "0s", "", "x", "1"] {
        let mut refused = get(server.addr, &format!("/c/a?pace={bad}")).await;
        assert_eq!(refused.status, 400, "{bad}");
        assert!(refused.text().await.contains("pace="), "{bad}");
    }
    for good in ["100ms", "60s"] {
        let path = format!("/c/a?pace={good}&timeout=50ms");
        assert_eq!(get(server.addr, &path).await.status, 200, "{good}");
    }
    server.stop().await;
}
