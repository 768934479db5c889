//! Patterns of channels over HTTP, and `since=each`, on every transport and both stores.

use forever_frame::limits;
use tokio::task::JoinSet;

use crate::support::TestServer;
use crate::support::client::{append, get, post};
use crate::support::wires::{ALL, Stream};

/// A server for each store.
fn servers(directory: &tempfile::TempDir) -> [TestServer; 2] {
    [TestServer::start(), TestServer::stored(directory)]
}

/// A pattern has the past of its channels, and what comes, in channels that there were not before, too;
/// with channels by their names, each message once.
#[tokio::test]
async fn pattern_on_every_transport() {
    let directory = crate::support::directory();
    for server in servers(&directory) {
        let addr = server.addr;
        for (channel, text) in [
            ("build.1", "a"),
            ("main", "b"),
            ("build", "c"),
            ("build.2", "d"),
        ] {
            append(addr, channel, text).await;
        }
        for (path, limit, expected) in [
            ("build.*", 2, &["a", "d"][..]),
            ("build*", 3, &["a", "c", "d"]),
            ("*", 4, &["a", "b", "c", "d"]),
            ("build.*,main,build.1", 3, &["a", "b", "d"]),
            ("build.*,*,build.1*", 4, &["a", "b", "c", "d"]),
            ("%2A,main", 4, &["a", "b", "c", "d"]),
        ] {
            for wire in ALL {
                let query = format!("limit={limit}");
                let stream = Stream::open(addr, wire, path, &query).await.whole().await;
                assert_eq!(stream.texts(), expected, "{wire} {path}");
                if wire != "html" && wire != "sse" {
                    let first = stream.messages().next().unwrap();
                    assert_eq!(first.channel, "build.1", "{wire} {path}");
                }
            }
        }
        let mut streams = JoinSet::new();
        let mut open = Vec::new();
        for wire in ALL.into_iter().filter(|wire| *wire != "json") {
            let stream = Stream::open(addr, wire, "build.*,main", "since=now").await;
            open.push((wire, stream));
        }
        for (channel, text) in [
            ("build.3", "e"),
            ("other", "f"),
            ("build", "g"),
            ("main", "h"),
        ] {
            append(addr, channel, text).await;
        }
        for (wire, mut stream) in open {
            streams.spawn(async move {
                stream.until(2).await;
                assert_eq!(stream.texts(), ["e", "h"], "{wire}");
            });
        }
        while let Some(done) = streams.join_next().await {
            done.unwrap();
        }
        server.stop().await;
    }
}

/// A cursor is good for a pattern: a follower that comes back with it misses nothing and has nothing
/// twice, whichever channels there are by then.
#[tokio::test]
async fn pattern_resumes_from_a_cursor() {
    let directory = crate::support::directory();
    for server in servers(&directory) {
        let addr = server.addr;
        let (mut since, mut texts) = ("all".to_owned(), Vec::new());
        for n in 0..30 {
            append(addr, &format!("p.{}", n % 7), &n.to_string()).await;
            append(addr, "other", "x").await;
            if n % 3 == 0 {
                let query = format!("since={since}&wait=0s");
                let poll = Stream::open(addr, "json", "p.*", &query)
                    .await
                    .whole()
                    .await;
                texts.extend(poll.texts().into_iter().map(str::to_owned));
                since = poll.end().unwrap().0.to_owned();
            }
        }
        let expected: Vec<String> = (0..28).map(|n| n.to_string()).collect();
        assert_eq!(texts, expected);
        server.stop().await;
    }
}

/// `since=each` is the last message of each channel, in the order of the log, and then what comes.
#[tokio::test]
async fn each_is_the_last_of_each_channel() {
    let directory = crate::support::directory();
    for server in servers(&directory) {
        let addr = server.addr;
        for (channel, text) in [
            ("s.a", "1"),
            ("s.b", "2"),
            ("s.a", "3"),
            ("t", "4"),
            ("s.c", "5"),
        ] {
            append(addr, channel, text).await;
        }
        for (path, expected) in [
            ("s.*", &["2", "3", "5"][..]),
            ("s.a,t,empty", &["3", "4"]),
            ("*", &["2", "3", "4", "5"]),
            ("t", &["4"]),
        ] {
            for wire in ALL {
                let query = format!("since=each&limit={}", expected.len());
                let stream = Stream::open(addr, wire, path, &query).await.whole().await;
                assert_eq!(
                    (stream.texts(), stream.gaps()),
                    (expected.to_vec(), vec![]),
                    "{wire} {path}"
                );
            }
        }
        let mut stream = Stream::open(addr, "ndjson", "s.*", "since=each").await;
        stream.until(3).await;
        for (channel, text) in [("s.d", "6"), ("s.b", "7")] {
            append(addr, channel, text).await;
        }
        stream.until(5).await;
        assert_eq!(stream.texts(), ["2", "3", "5", "6", "7"]);
        server.stop().await;
    }
}

/// A pattern can only be followed, and has its star at the end. There may be as many as names.
#[tokio::test]
async fn what_is_no_pattern() {
    let server = TestServer::start();
    let addr = server.addr;
    let mut refused = post(addr, "/c/build.*", "x").await;
    assert_eq!(refused.status, 400);
    let text = refused.text().await;
    assert!(text.contains("can only be followed"), "{text}");
    for path in ["a*b", "**", "~*", "*,", "a b*"] {
        let path = path.replace(' ', "%20");
        let refused = get(addr, &format!("/c/{path}?as=text")).await;
        assert_eq!(refused.status, 400, "{path}");
    }
    let many: Vec<String> = (0..=limits::STREAM_CHANNELS_MAX)
        .map(|n| format!("p{n}.*"))
        .collect();
    let refused = get(addr, &format!("/c/{}?as=text", many.join(","))).await;
    assert_eq!(refused.status, 400);
    server.stop().await;
}
