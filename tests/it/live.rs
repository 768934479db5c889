//! `live`: a stream says once that its follower has caught up, between the last message that was in
//! the log when the stream began and the first that is new.

use crate::support::TestServer;
use crate::support::client::{append, get};
use crate::support::wires::{Stream, StreamEvent};

/// What a stream has said, in words: the texts of messages, and `live` or `gap` with the seq.
fn words(stream: &Stream) -> Vec<String> {
    let seq = |cursor: &str| cursor.rsplit_once('-').unwrap().1.to_owned();
    let word = |said: &StreamEvent| match said {
        StreamEvent::Message(message) => Some(message.data.clone()),
        StreamEvent::Gap(_, _, cursor) => Some(format!("gap {}", seq(cursor))),
        StreamEvent::Live(cursor) => Some(format!("live {}", seq(cursor))),
        StreamEvent::Open(_) | StreamEvent::Heartbeat | StreamEvent::End(..) => None,
    };
    stream.said.iter().filter_map(word).collect()
}

/// `live` stands between past and future, wherever the stream begins, and once.
#[tokio::test]
async fn live_between_past_and_future() {
    let server = TestServer::with(|config| config.keep.messages = 3);
    let addr = server.addr;
    for n in 1..=5 {
        append(addr, "a", &format!("m{n}")).await;
    }
    append(addr, "b", "other").await;
    for (path, query, past) in [
        ("a", "", &["m3", "m4", "m5", "live 6"][..]),
        ("a", "since=now", &["live 6"]),
        ("a", "since=-1", &["m5", "live 6"]),
        ("a", "since=1", &["gap 2", "m3", "m4", "m5", "live 6"]),
        ("a", "since=99", &["gap 6", "live 6"]),
        ("a", "lastEventId=x", &["gap 2", "m3", "m4", "m5", "live 6"]),
        ("empty", "", &["live 6"]),
        ("a,b", "since=4", &["m5", "other", "live 6"]),
        ("a", "heartbeat_event=1", &["m3", "m4", "m5", "live 6"]),
    ] {
        let query = format!("{query}&timeout=100ms");
        let stream = Stream::open(addr, "sse", path, &query).await.whole().await;
        assert_eq!(words(&stream), past, "{path} {query}");
    }
    let mut stream = Stream::open(addr, "sse", "a", "since=-1").await;
    stream.until(1).await;
    for text in ["new", "newer"] {
        append(addr, "a", text).await;
    }
    stream.until(3).await;
    assert_eq!(words(&stream), ["m5", "live 6", "new", "newer"]);
    // A stream that ends with the last message it was to have has not caught up with anything.
    let stream = Stream::open(addr, "sse", "a", "limit=3").await;
    assert_eq!(words(&stream.whole().await), ["m5", "new", "newer"]);
    server.stop().await;
}

/// A past that is longer than the tail is read from the file, and `live` comes after all of it.
#[tokio::test]
async fn live_after_a_long_past() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let server = TestServer::stored(&directory);
    let line = "x".repeat(1000);
    let body = format!("{line}\n").repeat(3000);
    let request = "PUT /c/a";
    let put = crate::support::client::send(server.addr, request, body.as_bytes()).await;
    assert_eq!(put.status, 201);
    server.stop().await;
    // The tail of a server that has just begun is empty.
    let server = TestServer::stored(&directory);
    let mut stream = Stream::open(server.addr, "sse", "a", "").await;
    stream.until(3000).await;
    append(server.addr, "a", "new").await;
    stream.until(3001).await;
    let is_live = |said: &StreamEvent| matches!(said, StreamEvent::Live(_));
    let at = stream.said.iter().position(is_live).unwrap();
    let before = |said: &&StreamEvent| matches!(said, StreamEvent::Message(_));
    assert_eq!(stream.said[..at].iter().filter(before).count(), 3000);
    assert_eq!(stream.said.iter().filter(|said| is_live(said)).count(), 1);
    server.stop().await;
}

/// No block is without data: two widely used clients would hand it on as an empty message. A heartbeat
/// is one line, and a refusal, too, ends no block.
#[tokio::test]
async fn sse_has_no_block_without_data() {
    let server = TestServer::with(|config| config.max_connections = Some(2));
    let addr = server.addr;
    append(addr, "a", "").await;
    let path = "/c/a?as=sse&heartbeat=1s";
    let mut stream = get(addr, path).await;
    let mut bytes = stream.until("\n:\n").await;
    append(addr, "a", "after").await;
    bytes += &stream.until("after\n\n").await;
    assert!(bytes.starts_with("retry: 3000\nid: "), "{bytes}");
    assert!(!bytes.contains(":\n\n"), "{bytes}");
    let mut blocks: Vec<_> = bytes.split("\n\n").collect();
    assert_eq!(blocks.pop(), Some(""));
    for block in blocks {
        assert!(block.contains("\ndata: "), "{block:?} in {bytes}");
    }
    // Connections of appends may still be closing, so the first refusal counts.
    let mut held = Vec::new();
    let mut refused = get(addr, path).await;
    while refused.headers.contains_key("stream-cursor") {
        held.push(refused);
        refused = get(addr, path).await;
    }
    let refused = refused.text().await;
    assert!(refused.starts_with(": the server is at its connection limit"));
    let last = refused.lines().last().unwrap();
    assert!(
        last.starts_with("retry: ") && !refused.contains("\n\n"),
        "{refused:?}"
    );
    server.stop().await;
}

/// Senders cannot give a message the name of an event of the server, or of one that browsers fire.
#[tokio::test]
async fn event_names_reserved() {
    let server = TestServer::start();
    for name in ["gap", "end", "heartbeat", "live", "closed", "open", "error"] {
        for method in ["POST", "PUT"] {
            let request = format!("{method} /c/a?event={name}");
            let mut refused = crate::support::client::send(server.addr, &request, b"x\n").await;
            assert_eq!(refused.status, 400, "{request}");
            assert!(refused.text().await.contains(name), "{request}");
        }
    }
    for name in ["Live", "live.x", "opened", "message"] {
        append(server.addr, &format!("a?event={name}"), "x").await;
    }
    server.stop().await;
}
