//! `--rotate`: a stream has a longest life, after which its client comes back with its cursor.

use std::time::{Duration, Instant};

use crate::support::TestServer;
use crate::support::binary::Binary;
use crate::support::client::append;
use crate::support::follower::Follower;
use crate::support::wires::{ALL, Stream};

/// Each stream ends in-band with that reason, spread, and says to come back soon; a long poll has its
/// own end, and a time that the client chose comes first where it is shorter.
#[tokio::test]
async fn rotate_ends_each_stream_in_band() {
    let server = Binary::start(&["--rotate", "2s"]).await;
    let addr = server.addr;
    append(addr, "a", "one").await;
    let open = |wire, query: &'static str| async move {
        let began = Instant::now();
        let stream = Stream::open(addr, wire, "a", query).await.whole().await;
        (stream, began.elapsed())
    };
    let streams = ALL.map(|wire| async move {
        let query = if wire == "json" {
            "since=now&wait=3s"
        } else {
            ""
        };
        let (stream, took) = open(wire, query).await;
        let (_, reason) = stream.end().expect(wire);
        assert_eq!(reason, if wire == "json" { "" } else { "rotate" }, "{wire}");
        // It lasts for four fifths of the time at least.
        assert!(took >= Duration::from_millis(1590), "{wire}: {took:?}");
        assert_eq!(stream.reader.retry(), (wire == "sse").then_some(250));
    });
    let streams: Vec<_> = streams.into_iter().collect();
    let (stream, _) = open("sse", "timeout=100ms").await;
    assert_eq!(stream.end().unwrap().1, "timeout");
    assert_eq!(stream.reader.retry(), Some(3000));
    for stream in streams {
        stream.await;
    }
    server.end("-TERM").await;
}

/// Followers that are sent away again and again get each message once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotate_loses_nothing() {
    const MESSAGES: usize = 300;
    let server = TestServer::with(|config| config.rotate = Some(Duration::from_secs(1)));
    let addr = server.addr;
    let followers = ["text", "html", "script", "sse", "ndjson"].map(|wire| {
        let follower = Follower::new(addr, wire, &["a"]);
        tokio::spawn(follower.until("last"))
    });
    for n in 0..MESSAGES {
        append(addr, "a", &n.to_string()).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    append(addr, "a", "last").await;
    for follower in followers {
        let follower = crate::support::at_last(follower).await.unwrap();
        assert_eq!(follower.said.len(), MESSAGES + 1, "{}", follower.wire);
        assert_eq!(
            (follower.gaps(), follower.breaks),
            (0, 0),
            "{}",
            follower.wire
        );
    }
    server.stop().await;
}
