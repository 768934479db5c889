//! Closing a channel: who says it, who is told, and what ends with it, on every transport.

use crate::support::client::{append, get, post, send};
use crate::support::wires::{ALL, Stream, StreamEvent};
use crate::support::{TestServer, directory};

/// The transports, each with the parameter that makes it say `closed`, where it needs one.
const STREAMING: [(&str, &str); 5] = [
    ("text", "&marks=1"),
    ("html", "&marks=1"),
    ("script", ""),
    ("sse", ""),
    ("ndjson", ""),
];

pub(crate) fn seq(cursor: &str) -> &str {
    cursor.rsplit_once('-').unwrap().1
}

/// What a stream has said, in words.
pub(crate) fn words(stream: &Stream) -> Vec<String> {
    let word = |said: &StreamEvent| match said {
        StreamEvent::Message(message) => Some(message.data.clone()),
        StreamEvent::Gap(_, _, cursor) => Some(format!("gap {}", seq(cursor))),
        StreamEvent::Live(cursor) => Some(format!("live {}", seq(cursor))),
        StreamEvent::Closed(channel, _) => Some(format!("closed {channel}")),
        StreamEvent::End(cursor, reason) => Some(format!("end {} {reason}", seq(cursor))),
        StreamEvent::Open(_) | StreamEvent::Heartbeat => None,
    };
    stream.said.iter().filter_map(word).collect()
}

pub(crate) async fn close(server: &TestServer, channel: &str, text: &str) -> serde_json::Value {
    let mut answer = post(server.addr, &format!("/c/{channel}?close=1"), text).await;
    assert_eq!(answer.status, 201);
    answer.json().await
}

/// The words of a stream on each transport that goes on. They must be the same on all.
pub(crate) async fn all_say(server: &TestServer, path: &str, query: &str, expected: &[&str]) {
    for (wire, marks) in STREAMING {
        let query = format!("{query}&timeout=200ms{marks}");
        let stream = Stream::open(server.addr, wire, path, &query)
            .await
            .whole()
            .await;
        assert_eq!(words(&stream), expected, "{wire} {path} {query}");
    }
}

/// Each store, empty.
pub(crate) fn servers() -> (tempfile::TempDir, [TestServer; 2]) {
    let directory = directory();
    let stored = TestServer::stored(&directory);
    (directory, [TestServer::start(), stored])
}

/// Whoever comes after a close reads the past and ends; an append opens the channel again, and then the
/// close is passed over.
#[tokio::test]
async fn close_ends_those_who_come_later() {
    let (_directory, servers) = servers();
    for server in servers {
        append(server.addr, "a", "one").await;
        let answer = close(&server, "a", "two").await;
        assert_eq!(answer["seq"], 2);
        let end = ["closed a", "live 2", "end 2 closed"];
        all_say(&server, "a", "", &[&["one", "two"][..], &end].concat()).await;
        all_say(&server, "a", "since=-1", &[&["two"][..], &end].concat()).await;
        all_say(&server, "a", "since=now", &end).await;
        all_say(&server, "a", "since=2", &end).await;
        all_say(
            &server,
            "a",
            "until=now",
            &["one", "two", "closed a", "live 2", "end 2 closed"],
        )
        .await;
        all_say(
            &server,
            "a",
            "limit=2",
            &["one", "two", "closed a", "live 2", "end 2 closed"],
        )
        .await;
        all_say(&server, "a", "limit=1", &["one", "end 1 limit"]).await;
        all_say(&server, "a", "since=99", &[&["gap 2"][..], &end].concat()).await;
        // Without text the close is an entry of its own. It is no message.
        assert_eq!(close(&server, "b", "").await["seq"], 3);
        let metrics = get(server.addr, "/metrics").await.text().await;
        assert!(metrics.contains("_messages_in_total 2\n"), "{metrics}");
        all_say(
            &server,
            "b",
            "since=0",
            &["closed b", "live 3", "end 3 closed"],
        )
        .await;
        all_say(
            &server,
            "a,b",
            "since=-1",
            &["two", "closed a", "closed b", "live 3", "end 3 closed"],
        )
        .await;
        all_say(
            &server,
            "b",
            "limit=1",
            &["closed b", "live 3", "end 3 closed"],
        )
        .await;
        // A pattern never ends, and neither does a channel that is open.
        all_say(
            &server,
            "a*",
            "",
            &["one", "two", "closed a", "live 3", "end 3 timeout"],
        )
        .await;
        all_say(
            &server,
            "a,c",
            "since=1",
            &["two", "closed a", "live 3", "end 3 timeout"],
        )
        .await;
        all_say(
            &server,
            "a,c",
            "since=now",
            &["closed a", "live 3", "end 3 timeout"],
        )
        .await;

        append(server.addr, "a", "three").await;
        all_say(
            &server,
            "a",
            "",
            &["one", "two", "three", "live 4", "end 4 timeout"],
        )
        .await;
        all_say(
            &server,
            "a,b",
            "since=2",
            &["closed b", "three", "live 4", "end 4 timeout"],
        )
        .await;
        server.stop().await;
    }
}

/// Whoever follows gets the last message and the end, and the response is whole.
#[tokio::test]
async fn close_ends_those_who_follow() {
    let (_directory, servers) = servers();
    for server in servers {
        let mut streams = Vec::new();
        for (wire, marks) in STREAMING {
            for path in ["a", "a,b", "a*"] {
                for _ in 0..20 {
                    let query = format!("since=now{marks}");
                    let stream = Stream::open(server.addr, wire, path, &query).await;
                    streams.push((wire, path, stream));
                }
            }
        }
        append(server.addr, "a", "one").await;
        for (_, _, stream) in &mut streams {
            stream.until(1).await;
        }
        close(&server, "a", "two").await;
        append(server.addr, "b", "other").await;
        close(&server, "b", "").await;
        let end = |seq| format!("end {seq} closed");
        for (wire, path, stream) in &mut streams {
            let expected = match *path {
                "a" => ["one", "two", "closed a", &end(2)].join(","),
                "a,b" => ["one", "two", "closed a", "other", "closed b", &end(4)].join(","),
                _ => "one,two,closed a".to_owned(),
            };
            let is_pattern = *path == "a*";
            while !words(stream).join(",").ends_with(&expected) && stream.read().await.unwrap() {}
            assert_eq!(
                words(stream).join(","),
                format!("live 0,{expected}"),
                "{wire} {path}"
            );
            assert!(is_pattern || !stream.read().await.unwrap(), "{wire} {path}");
        }
        append(server.addr, "a", "again").await;
        for (wire, path, stream) in &mut streams {
            if *path == "a*" {
                stream.until(3).await;
                assert_eq!(words(stream).last().unwrap(), "again", "{wire}");
            }
        }
        server.stop().await;
    }
}

/// A close that a transport does not say is not a write: the stream goes on, or begins with its dot.
#[tokio::test]
async fn close_that_is_not_said_writes_nothing() {
    let server = TestServer::start();
    for (wire, path) in [
        ("text", "a*"),
        ("html", "a*"),
        ("text", "a,b"),
        ("html", "a,b"),
    ] {
        close(&server, "a", "").await;
        let mut early = Stream::open(server.addr, wire, path, "since=now").await;
        early.read().await.unwrap();
        append(server.addr, "a", "one").await;
        close(&server, "a", "").await;
        let mut late = Stream::open(server.addr, wire, path, "since=now").await;
        late.read().await.unwrap();
        append(server.addr, "a", "two").await;
        early.until(2).await;
        late.until(1).await;
        assert_eq!(
            (early.texts(), late.texts()),
            (vec!["one", "two"], vec!["two"]),
            "{wire}"
        );
    }
    server.stop().await;
}

/// The last message and the end are one write: who has it has both, and nothing comes between.
#[tokio::test]
async fn close_and_end_come_together() {
    let server = TestServer::start();
    let mut stream = get(server.addr, "/c/a?as=ndjson&since=now").await;
    stream.until("\"live\"").await;
    close(&server, "a", "bye").await;
    let mut said = String::new();
    while !said.contains("bye") {
        said += &String::from_utf8(stream.chunk().await.unwrap().unwrap()).unwrap();
    }
    let types: Vec<_> = said
        .lines()
        .filter_map(|line| line.split('"').nth(3))
        .collect();
    assert_eq!(types, ["message", "closed", "end"], "{said}");
    assert!(
        said.contains("{\"type\":\"closed\",\"channel\":\"a\",\"cursor\":\""),
        "{said}"
    );
    assert!(said.contains("\"reason\":\"closed\""), "{said}");
    assert_eq!(stream.chunk().await.unwrap(), None);
    server.stop().await;
}

/// An `EventSource` that comes back after the close is told to stop; one that comes for the first time,
/// or before it, is not.
#[tokio::test]
async fn close_stops_event_sources() {
    let server = TestServer::start();
    let addr = server.addr;
    let before = append(addr, "a", "one").await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let at = close(&server, "a", "").await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let ask = async |path: &str, id: &str| {
        let headers = format!("GET {path}\r\nLast-Event-ID: {id}");
        let answer = send(addr, &headers, b"").await;
        (answer.status, answer.headers.get("content-type").cloned())
    };
    let stops = (204, None);
    assert_eq!(ask("/c/a?as=sse", &at).await, stops);
    assert_eq!(
        get(addr, &format!("/c/a?as=sse&lastEventId={at}"))
            .await
            .status,
        204
    );
    for (path, id) in [
        ("/c/a?as=sse", &*before),
        ("/c/a?as=sse", "else"),
        ("/c/a,b?as=sse", &at),
        ("/c/a*?as=sse", &at),
        ("/c/a?as=ndjson", &at),
    ] {
        assert_eq!(ask(path, id).await.0, 200, "{path} {id}");
    }
    assert_eq!(
        get(addr, &format!("/c/a?as=sse&since={at}")).await.status,
        200
    );
    append(addr, "a", "again").await;
    assert_eq!(ask("/c/a?as=sse", &at).await.0, 200);
    server.stop().await;
}

/// A long poll that reaches the end answers at once with the names; one that begins there waits.
#[tokio::test]
async fn close_answers_long_polls() {
    let server = TestServer::start();
    let addr = server.addr;
    let ask = async |path: &str, query: &str| {
        get(addr, &format!("/c/{path}?as=json&{query}"))
            .await
            .json()
            .await
    };
    append(addr, "a", "one").await;
    let waits = tokio::spawn(async move {
        get(addr, "/c/a,b?as=json&since=1&wait=20s")
            .await
            .json()
            .await
    });
    server.open_streams(1).await;
    let cursor = close(&server, "a", "").await["cursor"].clone();
    let answer = waits.await.unwrap();
    assert_eq!(answer["closed"], serde_json::json!(["a"]), "{answer}");
    assert_eq!(
        (
            &answer["cursor"],
            answer["messages"].as_array().unwrap().len()
        ),
        (&cursor, 0)
    );
    let all = ask("a", "since=0").await;
    assert_eq!(
        (
            all["closed"][0].as_str(),
            all["messages"][0]["data"].as_str()
        ),
        (Some("a"), Some("one"))
    );
    let at = cursor.as_str().unwrap();
    let quiet = ask("a", &format!("since={at}&wait=0s")).await;
    assert_eq!(quiet["closed"], serde_json::json!([]), "{quiet}");
    server.open_streams(0).await;
    let since = at.to_owned();
    let waits = tokio::spawn(async move {
        get(addr, &format!("/c/a?as=json&since={since}&wait=20s"))
            .await
            .json()
            .await
    });
    server.open_streams(1).await;
    append(addr, "a", "again").await;
    let answer = waits.await.unwrap();
    assert_eq!(answer["messages"][0]["data"], "again");
    server.stop().await;
}

/// The last entry that a sender names may be a close, and a refused message closes nothing.
#[tokio::test]
async fn close_is_an_entry_for_conditions() {
    let server = TestServer::start();
    let addr = server.addr;
    let cursor = append(addr, "a", "one").await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let post_if = async |query: &str, cursor: &str, text: &str| {
        let head = format!("POST /c/a{query}\r\nIf-Match: \"{cursor}\"");
        let mut answer = send(addr, &head, text.as_bytes()).await;
        (
            answer.status,
            answer.json().await["cursor"].as_str().unwrap().to_owned(),
        )
    };
    let (status, closed) = post_if("?close=1", &cursor, "").await;
    assert_eq!(status, 201);
    assert_eq!(
        post_if("?close=1", &cursor, "two").await,
        (412, closed.clone())
    );
    assert_eq!(post_if("", &closed, "two").await.0, 201);
    assert_eq!(post_if("?close=1", &cursor, "three").await.0, 412);
    let stream = Stream::open(addr, "ndjson", "a", "timeout=100ms")
        .await
        .whole()
        .await;
    assert_eq!(words(&stream), ["one", "two", "live 3", "end 3 timeout"]);
    server.stop().await;
}

/// A channel is as closed after a restart as before, also when its messages have expired.
#[tokio::test]
async fn close_outlives_the_server() {
    let directory = directory();
    let keep_one = |directory: &tempfile::TempDir| {
        let path = directory.path().join("log.db");
        TestServer::with(|config| {
            config.store = forever_frame::config::StoreKind::Sqlite(path);
            config.keep.messages = 1;
        })
    };
    let server = keep_one(&directory);
    append(server.addr, "a", "one").await;
    close(&server, "a", "two").await;
    close(&server, "b", "").await;
    server.stop().await;
    let server = keep_one(&directory);
    all_say(
        &server,
        "a",
        "since=0",
        &["gap 1", "two", "closed a", "live 2", "end 2 closed"],
    )
    .await;
    all_say(&server, "b", "", &["closed b", "live 3", "end 3 closed"]).await;
    append(server.addr, "c", "").await;
    all_say(
        &server,
        "a,b",
        "since=3",
        &["closed a", "closed b", "live 3", "end 3 closed"],
    )
    .await;
    server.stop().await;
}

/// Every transport names its closed channels in the same way as others, and a HEAD ends at its head.
#[tokio::test]
async fn close_has_no_effect_on_heads() {
    let server = TestServer::start();
    close(&server, "a", "bye").await;
    for wire in ALL {
        let head = send(server.addr, &format!("HEAD /c/a?as={wire}"), b"").await;
        assert_eq!(
            (head.status, seq(head.header("log-cursor"))),
            (200, "0"),
            "{wire}"
        );
    }
    server.stop().await;
}
