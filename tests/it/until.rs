//! `until` and times: which part of the log a stream has, to the message, and that it ends then.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::support::TestServer;
use crate::support::client::{append, get};
use crate::support::wires::{ALL, Stream, StreamEvent};

/// A server whose log is in memory, and one whose log is a file.
fn both_stores(directory: &tempfile::TempDir, keep: usize) -> [TestServer; 2] {
    let stored = directory.path().join("log.db");
    [
        TestServer::with(|config| config.keep.messages = keep),
        TestServer::with(|config| {
            config.keep.messages = keep;
            config.store = forever_frame::config::StoreKind::Sqlite(stored);
        }),
    ]
}

/// Appends these texts to `a`, and gives the epoch of the log and the times of the messages, of which
/// no two are the same.
async fn append_all(addr: SocketAddr, texts: &[&str]) -> (String, Vec<String>) {
    let (mut epoch, mut times) = (String::new(), Vec::new());
    for text in texts {
        let answer = append(addr, "a", text).await;
        let cursor = answer["cursor"].as_str().unwrap();
        cursor.split_once('-').unwrap().0.clone_into(&mut epoch);
        times.push(answer["time"].as_str().unwrap().to_owned());
        sleep(Duration::from_millis(3)).await;
    }
    (epoch, times)
}

/// Follows to the end, which has this reason, except that a long poll does not tell it.
async fn whole(addr: SocketAddr, wire: &'static str, query: &str, reason: &str) -> Stream {
    let stream = Stream::open(addr, wire, "a", query).await.whole().await;
    let (_, why) = stream.end().unwrap_or_else(|| panic!("{wire} {query}"));
    assert_eq!(
        why,
        if wire == "json" { "" } else { reason },
        "{wire} {query}"
    );
    stream
}

fn seq_of_end(stream: &Stream) -> &str {
    stream.end().unwrap().0.rsplit_once('-').unwrap().1
}

/// A stream has the part of the log from `since` to `until`, on every transport.
#[tokio::test]
async fn until_on_each_transport() {
    let directory = crate::support::directory();
    for server in both_stores(&directory, 100) {
        let addr = server.addr;
        let (epoch, times) = append_all(addr, &["1", "2", "3", "4"]).await;
        append(addr, "b", "other").await;
        let (second, fourth) = (&times[1], &times[3]);
        for (query, texts, end) in [
            ("until=now".to_owned(), &["1", "2", "3", "4"][..], "5"),
            ("since=now&until=now".to_owned(), &[], "5"),
            ("since=-2&until=now".to_owned(), &["3", "4"], "5"),
            ("until=3".to_owned(), &["1", "2", "3"], "3"),
            (format!("since=1&until={epoch}-3"), &["2", "3"], "3"),
            (format!("since=3&until={epoch}-2"), &[], "3"),
            ("until=0".to_owned(), &[], "0"),
            (format!("since={second}"), &["2", "3", "4"], ""),
            (format!("until={second}"), &["1"], "1"),
            (format!("since={second}&until={fourth}"), &["2", "3"], "3"),
            (format!("since={fourth}&until={second}"), &[], "3"),
            ("until=2001-01-01T00:00:00Z".to_owned(), &[], "0"),
            ("since=2101-01-01T00:00:00Z&until=now".to_owned(), &[], "5"),
            ("until=now&limit=2".to_owned(), &["1", "2"], ""),
        ] {
            for wire in ALL {
                let query = format!("{query}&timeout=1s&wait=1s");
                let reason = match end {
                    "" if query.contains("limit=") => "limit",
                    "" => "timeout",
                    _ => "until",
                };
                let stream = whole(addr, wire, &query, reason).await;
                assert_eq!(stream.texts(), texts, "{wire} {query}");
                assert!(stream.gaps().is_empty(), "{wire} {query}");
                // A long poll has all that there is, but for what the query leaves out.
                if !end.is_empty() {
                    assert_eq!(seq_of_end(&stream), end, "{wire} {query}");
                }
            }
        }
        server.stop().await;
    }
}

/// What is appended while a stream goes to its `until` is not a part of it, and a part that is longer
/// than one write is whole.
#[tokio::test]
async fn until_is_exact_in_a_long_log() {
    let directory = crate::support::directory();
    for server in both_stores(&directory, 9999) {
        let addr = server.addr;
        let line = format!("{}\n", "x".repeat(2000)).repeat(500);
        let put = crate::support::client::send(addr, "PUT /c/a", line.as_bytes()).await;
        assert_eq!(put.status, 201);
        sleep(Duration::from_millis(3)).await;
        let later = append(addr, "a", "later").await;
        let time = later["time"].as_str().unwrap();
        let queries = [format!("until={time}"), "until=500".to_owned()];
        for wire in ["text", "html", "sse", "ndjson"] {
            for query in &queries {
                let stream = whole(addr, wire, query, "until").await;
                assert_eq!(stream.messages().count(), 500, "{wire} {query}");
                assert_eq!(seq_of_end(&stream), "500", "{wire} {query}");
            }
        }
        server.stop().await;
    }
}

/// A stream waits for an end that is still to come: a cursor, or a time.
#[tokio::test]
async fn until_waits_for_what_is_to_come() {
    let server = TestServer::start();
    let addr = server.addr;
    let (epoch, _) = append_all(addr, &["1"]).await;
    let soon = jiff::Timestamp::now() + Duration::from_secs(4);
    let began = Instant::now();
    let mut streams = Vec::new();
    for wire in ["text", "html", "script", "sse", "ndjson"] {
        for query in [format!("until={epoch}-3"), format!("until={soon}")] {
            let mut stream = Stream::open(addr, wire, "a", &query).await;
            stream.until(1).await;
            streams.push((wire, query, stream));
        }
    }
    append_all(addr, &["2", "3", "4"]).await;
    for (wire, query, stream) in streams {
        let is_time = query.contains('T');
        let stream = stream.whole().await;
        let (texts, seq) = if is_time {
            (&["1", "2", "3", "4"][..], "4")
        } else {
            (&["1", "2", "3"][..], "3")
        };
        assert_eq!(stream.texts(), texts, "{wire} {query}");
        assert_eq!(stream.end().unwrap().1, "until", "{wire} {query}");
        assert_eq!(seq_of_end(&stream), seq, "{wire} {query}");
        if is_time {
            assert!(began.elapsed() >= Duration::from_millis(3900), "{wire}");
        }
    }
    server.stop().await;
}

/// That messages of the part are missing is said, also where nothing of it is left.
#[tokio::test]
async fn until_says_its_gap() {
    let directory = crate::support::directory();
    for server in both_stores(&directory, 2) {
        let addr = server.addr;
        append_all(addr, &["1", "2", "3", "4"]).await;
        for wire in ALL {
            for (query, gap, texts) in [
                ("since=1&until=2", "expired", &[][..]),
                ("since=0&until=3", "expired", &["3"]),
                ("since=9&until=now", "future", &[]),
                ("since=zzzz-9&until=3", "epoch", &["3"]),
                ("since=zzzz-9&until=1", "epoch", &[]),
            ] {
                let stream = whole(addr, wire, query, "until").await;
                let [StreamEvent::Gap(reason, ..)] = stream.gaps()[..] else {
                    panic!("{wire} {query}: {:?}", stream.said)
                };
                assert_eq!(reason, gap, "{wire} {query}");
                assert_eq!(stream.texts(), texts, "{wire} {query}");
            }
        }
        server.stop().await;
    }
}

/// A time may have any offset, also with its `+` as it stands, which a query reads as a space. What is no
/// time is refused, and so is a cursor of another log as an end.
#[tokio::test]
async fn times_and_their_offsets() {
    let server = TestServer::start();
    let addr = server.addr;
    append_all(addr, &["1"]).await;
    for since in [
        "2001-01-01T00:00:00Z",
        "2001-01-01T00:00:00.5%2B01:00",
        "2001-01-01T00:00:00+01:00",
        "2001-01-01%2000:00:00-08:00",
    ] {
        let query = format!("since={since}&until=now");
        let stream = whole(addr, "ndjson", &query, "until").await;
        assert_eq!(stream.texts(), ["1"], "{since}");
    }
    for (query, says) in [
        ("since=2001-01-01", "since="),
        ("since=2001-01-01T00:00:00", "2026-"),
        ("until=tomorrow", "until="),
        ("until=", "until="),
        ("until=10m", "until="),
        ("until=all", "until="),
        ("until=zzzz-1", "another log"),
    ] {
        let mut refused = get(addr, &format!("/c/a?{query}")).await;
        let text = refused.text().await;
        assert_eq!(refused.status, 400, "{query}");
        assert!(text.contains(says), "{query}: {text}");
    }
    server.stop().await;
}
