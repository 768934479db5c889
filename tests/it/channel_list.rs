//! The list of channels, on both stores, in each of its formats.

use forever_frame::limits;
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::client::{append, get, send};
use crate::support::eventually;
use crate::support::wires::Stream;

/// What programs get of the list, without cursors and times.
async fn list(server: &TestServer, query: &str) -> Vec<(String, u64, u64)> {
    let path = format!("/c/?as=json&{query}");
    let answer = get(server.addr, &path).await.json().await;
    let channels = answer["channels"].as_array().unwrap().iter();
    let fields = |one: &Value| {
        let name = one["channel"].as_str().unwrap().to_owned();
        (
            name,
            one["messages"].as_u64().unwrap(),
            one["followers"].as_u64().unwrap(),
        )
    };
    channels.map(fields).collect()
}

/// Each channel is listed with its last message, how many it keeps, and who follows it now.
#[tokio::test]
async fn channels_are_listed() {
    let directory = crate::support::directory();
    for server in [TestServer::start(), TestServer::stored(&directory)] {
        let addr = server.addr;
        assert_eq!(list(&server, "").await, []);
        for (channel, text) in [("b.2", "x"), ("a", "y"), ("b.1", "z"), ("b.1", "last")] {
            append(addr, channel, text).await;
        }
        let cursor = append(addr, "c", "w").await;
        let answer = get(addr, "/c/?prefix=c&as=json").await.json().await;
        let (cursor, time) = (&cursor["cursor"], &cursor["time"]);
        let one = json!({"channel": "c", "cursor": cursor, "time": time, "messages": 1, "closed": false, "followers": 0});
        assert_eq!(answer, json!({"channels": [one], "next": null}));
        // By its name, by a pattern, and by a stream that is waited for elsewhere.
        let mut streams = Vec::new();
        for (wire, path) in [
            ("sse", "b.1"),
            ("ndjson", "b.*"),
            ("text", "*"),
            ("sse", "a,b.2"),
        ] {
            let mut stream = Stream::open(addr, wire, path, "since=now").await;
            stream.read().await.unwrap();
            streams.push(stream);
        }
        let expected = [("a", 1, 2), ("b.1", 2, 3), ("b.2", 1, 3), ("c", 1, 1)];
        let expected: Vec<_> = expected
            .map(|(name, kept, now)| (name.to_owned(), kept, now))
            .into();
        eventually("every follower counts", async || {
            list(&server, "").await == expected
        })
        .await;
        drop(streams);
        let nobody = async || list(&server, "").await.iter().all(|(_, _, now)| *now == 0);
        eventually("nobody counts who has left", nobody).await;
        server.stop().await;
    }
}

/// A long list comes in parts, each of which says where the next begins.
#[tokio::test]
async fn list_comes_in_parts() {
    let directory = crate::support::directory();
    for server in [TestServer::start(), TestServer::stored(&directory)] {
        let addr = server.addr;
        for n in 0..25 {
            append(addr, &format!("n{n:02}"), "x").await;
        }
        append(addr, "other", "x").await;
        let (mut path, mut names) = ("/c/?as=text&prefix=n&limit=10".to_owned(), Vec::new());
        loop {
            let request = format!("GET {path}\r\nAccept: application/json");
            let mut part = send(addr, &request, b"").await;
            let link = part.headers.get("link").cloned();
            names.extend(part.text().await.lines().map(str::to_owned));
            let Some(link) = link else { break };
            let next = link.strip_prefix('<').unwrap().split_once('>').unwrap();
            assert_eq!(next.1, "; rel=\"next\"");
            path = next.0.to_owned();
        }
        let expected: Vec<String> = (0..25).map(|n| format!("n{n:02}")).collect();
        assert_eq!(names, expected);
        assert_eq!(list(&server, "prefix=n1&after=n17").await.len(), 2);
        assert_eq!(list(&server, "prefix=n1&after=n2").await, []);
        assert_eq!(list(&server, "after=n23&limit=1").await[0].0, "n24");
        server.stop().await;
    }
}

/// The format is as the client asks; what cannot be used is refused.
#[tokio::test]
async fn list_has_formats() {
    let server = TestServer::start();
    let addr = server.addr;
    append(addr, "main", "<b>").await;
    for (accept, kind, body) in [
        (
            "text/html",
            "text/html; charset=utf-8",
            "<a href=\"/c/main\">main</a>",
        ),
        ("*/*", "text/plain; charset=utf-8", "main\n"),
        (
            "application/json",
            "application/json",
            "{\"channels\":[{\"channel\":\"main\"",
        ),
        (
            "application/x-ndjson",
            "application/x-ndjson",
            "{\"channel\":\"main\"",
        ),
    ] {
        let mut answer = send(addr, &format!("GET /c/\r\nAccept: {accept}"), b"").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, kind));
        let text = answer.text().await;
        assert!(text.contains(body), "{accept}: {text}");
    }
    let moved = get(addr, "/c").await;
    assert_eq!((moved.status, moved.header("location")), (308, "/c/"));
    let most = limits::LIST_CHANNELS_MAX;
    for query in [
        "limit=0",
        "limit=x",
        &format!("limit={}", most + 1),
        "as=sse",
        "prefix=~",
        "since=now",
    ] {
        assert_eq!(
            get(addr, &format!("/c/?{query}")).await.status,
            400,
            "{query}"
        );
    }
    assert_eq!(send(addr, "POST /c/", b"x").await.status, 405);
    assert_eq!(send(addr, "HEAD /c/", b"").await.status, 200);
    server.stop().await;
}
