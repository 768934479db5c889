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
        StreamEvent::Open(_)
        | StreamEvent::Heartbeat
        | StreamEvent::Closed(..)
        | StreamEvent::End(..) => None,
    };
    stream.said.iter().filter_map(word).collect()
}

/// The transports that go on, each with the parameter that makes it say `live`, where it needs one.
const STREAMING: [(&str, &str); 5] = [
    ("text", "&marks=1"),
    ("html", "&marks=1"),
    ("script", ""),
    ("sse", ""),
    ("ndjson", ""),
];

/// `live` stands between past and future, wherever the stream begins, and once, on every transport.
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
        for (wire, marks) in STREAMING {
            let query = format!("{query}&timeout=100ms{marks}");
            let stream = Stream::open(addr, wire, path, &query).await.whole().await;
            assert_eq!(words(&stream), past, "{wire} {path} {query}");
        }
        let query = format!("{query}&wait=0s");
        let poll = Stream::open(addr, "json", path, &query).await.whole().await;
        assert_eq!(words(&poll), past, "json {path} {query}");
    }
    let mut streams = Vec::new();
    for (wire, marks) in STREAMING {
        let query = format!("since=-1{marks}");
        let mut stream = Stream::open(addr, wire, "a", &query).await;
        stream.until(1).await;
        streams.push((wire, stream));
    }
    for text in ["new", "newer"] {
        append(addr, "a", text).await;
    }
    for (wire, mut stream) in streams {
        stream.until(3).await;
        assert_eq!(words(&stream), ["m5", "live 6", "new", "newer"], "{wire}");
    }
    // A stream that ends with the last message it was to have has not caught up with anything.
    for (wire, marks) in STREAMING {
        let stream = Stream::open(addr, wire, "a", &format!("limit=3{marks}")).await;
        let words = words(&stream.whole().await);
        assert_eq!(words, ["m5", "new", "newer"], "{wire}");
    }
    server.stop().await;
}

/// Streams of `text` and `html` say `live` only to who asks for marks, and no message is taken for one.
#[tokio::test]
async fn live_in_text_only_with_marks() {
    let server = TestServer::start();
    let addr = server.addr;
    let texts = ["# live x-1", "# closed a", "# lively", "\\# live x-1"];
    for text in texts {
        append(addr, "a", text).await;
    }
    for wire in ["text", "html"] {
        for (marks, live) in [("0", &[][..]), ("1", &["live 4"])] {
            let query = format!("timeout=50ms&marks={marks}");
            let stream = Stream::open(addr, wire, "a", &query).await.whole().await;
            assert_eq!(
                words(&stream),
                [&texts[..], live].concat(),
                "{wire} {marks}"
            );
        }
    }
    let bytes = get(addr, "/c/a?limit=4").await.text().await;
    let guarded = "\\# live x-1\n\\# closed a\n# lively\n\\\\# live x-1\n# end ";
    assert!(bytes.starts_with(guarded), "{bytes}");
    let bytes = get(addr, "/c/a,b?since=now&marks=1&timeout=50ms").await;
    let bytes = { bytes }.text().await;
    assert!(
        bytes.starts_with("# live ") && bytes.contains("-4\n.\n# end "),
        "{bytes}"
    );
    server.stop().await;
}

/// A long poll says `live` if its answer reaches what was there when it began.
#[tokio::test]
async fn live_of_a_long_poll() {
    let server = TestServer::start();
    let addr = server.addr;
    for text in ["one", "two"] {
        append(addr, "a", &format!("{text} {}", "x".repeat(40_000))).await;
    }
    let ask = async |query: &str| {
        let path = format!("/c/a?as=json&wait=0s&{query}");
        let said = get(addr, &path).await.json().await;
        let count = said["messages"].as_array().unwrap().len();
        (count, said["live"].as_bool().unwrap())
    };
    assert_eq!(
        ask("since=all").await,
        (1, false),
        "two do not fit one answer"
    );
    assert_eq!(ask("since=1").await, (1, true));
    assert_eq!(ask("since=now").await, (0, true));
    assert_eq!(ask("since=99").await, (0, true));
    assert_eq!(ask("since=all&limit=1").await, (1, false));
    server.stop().await;
}

/// A past that is longer than the tail is read from the file, and `live` comes after all of it.
#[tokio::test]
async fn live_after_a_long_past() {
    let directory = crate::support::directory();
    let server = TestServer::stored(&directory);
    let line = "x".repeat(1000);
    let body = format!("{line}\n").repeat(3000);
    let request = "PUT /c/a";
    let put = crate::support::client::send(server.addr, request, body.as_bytes()).await;
    assert_eq!(put.status, 201);
    server.stop().await;
    // The tail of a server that has just begun is empty.
    let server = TestServer::stored(&directory);
    let is_live = |said: &StreamEvent| matches!(said, StreamEvent::Live(_));
    let before = |said: &&StreamEvent| matches!(said, StreamEvent::Message(_));
    // A script frame ends long before that.
    let whole = STREAMING.into_iter().filter(|(wire, _)| *wire != "script");
    for (past, (wire, marks)) in (3000..).zip(whole) {
        let query = format!("since=0{marks}");
        let mut stream = Stream::open(server.addr, wire, "a", &query).await;
        stream.until(past).await;
        append(server.addr, "a", "new").await;
        stream.until(past + 1).await;
        let at = stream.said.iter().position(is_live).unwrap();
        assert_eq!(
            stream.said[..at].iter().filter(before).count(),
            past,
            "{wire}"
        );
        let lives = stream.said.iter().filter(|said| is_live(said)).count();
        assert_eq!(lives, 1, "{wire}");
    }
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
    while refused.headers.contains_key("log-cursor") {
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
