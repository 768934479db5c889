//! `?tap=`: what is written to the sockets of a page's own streams, told to that page and to nobody else.

use std::net::SocketAddr;

use base64ct::{Base64, Encoding};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::access::{AccessFile, bearer, secret};
use crate::support::client::{Response, append, get, post, send};
use crate::support::{TestServer, eventually, is_over_h2, soon};

const STREAMING: [&str; 5] = ["text", "html", "script", "sse", "ndjson"];

/// Opens a tap.
async fn open(addr: SocketAddr) -> String {
    let answer = post(addr, "/wire/tap", "").await;
    assert_eq!(answer.status, 201);
    id_in(answer).await
}

/// What the tap has been told and not fetched.
async fn fetch(addr: SocketAddr, id: &str) -> Value {
    get(addr, &format!("/wire/tap/{id}")).await.json().await
}

/// What a tap was told of one stream.
#[derive(Debug, Default)]
struct Told {
    head: Vec<String>,
    writes: Vec<Vec<u8>>,
    times: Vec<u64>,
    over: Option<bool>,
}

impl Told {
    /// Takes the records of a report that are of this stream.
    fn take(&mut self, report: &Value, stream: u64) {
        assert_eq!(report["lost"], 0);
        for record in report["records"].as_array().unwrap() {
            if record["stream"] != stream {
                continue;
            }
            self.times.push(record["us"].as_u64().unwrap());
            match record["type"].as_str().unwrap() {
                "request" => {
                    self.head = serde_json::from_value(record["head"].clone()).unwrap();
                }
                "write" => {
                    let bytes = record["bytes"].as_str().unwrap();
                    self.writes.push(Base64::decode_vec(bytes).unwrap());
                }
                "end" => self.over = record["over"].as_bool(),
                other => panic!("{other}"),
            }
        }
    }

    /// Fetches until the stream is over.
    async fn until_over(addr: SocketAddr, id: &str, stream: u64) -> Told {
        let mut told = Told::default();
        eventually("the tap is told of the end", async || {
            told.take(&fetch(addr, id).await, stream);
            told.over.is_some()
        })
        .await;
        told
    }
}

/// Asks, and reads to the end of the connection: all that the client gets.
async fn all_bytes(addr: SocketAddr, request: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let request = format!(
        "{request}\r\nHost: localhost\r\nConnection: close\r\nCookie: a=secret\r\nX-Mine: Yes\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    soon(socket.read_to_end(&mut bytes)).await.unwrap();
    bytes
}

/// The bytes that a tap is told are those that a client of the socket gets, on every transport, by
/// HTTP/1.1 and 1.0, with streams that the server takes out of hyper's hands and without.
#[tokio::test]
async fn tap_has_the_bytes_of_the_socket() {
    if is_over_h2() {
        return;
    }
    let directory = crate::support::directory();
    for server in [
        TestServer::start(),
        TestServer::stored(&directory),
        TestServer::with(|config| config.handover = false),
    ] {
        let addr = server.addr;
        append(addr, "wire", "one\ntwo").await;
        append(addr, "wire", &"<&long>".repeat(2000)).await;
        let id = open(addr).await;
        let mut number = 0;
        for version in ["1.1", "1.0"] {
            for wire in STREAMING {
                // `timeout` ends a stream that has been quiet for a while, `limit` one at its messages.
                for end in ["limit=2", "timeout=300ms&heartbeat=1s"] {
                    let path = format!("/c/wire?as={wire}&{end}&tap={id}");
                    let got = all_bytes(addr, &format!("GET {path} HTTP/{version}")).await;
                    number += 1;
                    let told = Told::until_over(addr, &id, number).await;
                    let what = format!("{wire} {version} {end}");
                    assert_eq!(told.writes.concat(), got, "{what}");
                    assert_eq!(told.over, Some(true), "{what}");
                    assert!(told.times.is_sorted(), "{what}");
                    assert_eq!(told.head[0], format!("GET {path} HTTP/{version}"));
                    assert!(
                        told.head.contains(&"cookie: (not shown)".to_owned()),
                        "{what}"
                    );
                    assert!(told.head.contains(&"x-mine: Yes".to_owned()), "{what}");
                    let head = b"HTTP/1.";
                    assert!(told.writes[0].starts_with(head), "{what}");
                }
            }
        }
        server.stop().await;
    }
}

/// Each message is a write of its own when it comes, on a stream that a crowd would have had.
#[tokio::test]
async fn tap_has_a_write_for_each_message() {
    if is_over_h2() {
        return;
    }
    let server = TestServer::start();
    let addr = server.addr;
    let id = open(addr).await;
    let mut stream = get(addr, &format!("/c/wire?as=ndjson&tap={id}")).await;
    stream.until("\"live\"").await;
    let mut told = Told::default();
    // The tap hears of a write after the socket has taken it, so the client may be first.
    let mut until = async |text: &str| {
        eventually(text, async || {
            told.take(&fetch(addr, &id).await, 1);
            let all = String::from_utf8(told.writes.concat()).unwrap();
            all.contains(text)
        })
        .await;
        (told.writes.len(), told.writes.last().unwrap().clone())
    };
    let (before, _) = until("\"live\"").await;
    for n in 1..=5 {
        append(addr, "wire", &format!("message {n}")).await;
        let chunk = stream.until(&format!("message {n}")).await;
        let (count, last) = until(&format!("message {n}")).await;
        assert_eq!(count, before + n);
        let framed = format!("{:X}\r\n{chunk}\r\n", chunk.len());
        assert_eq!(String::from_utf8(last).unwrap(), framed);
    }
    drop(stream);
    let end = Told::until_over(addr, &id, 1).await;
    assert_eq!(end.over, Some(false), "the client has left");
    server.stop().await;
}

/// A tap that nobody fetches is forgotten, and its stream goes on without it, as one of the crowd.
#[tokio::test]
async fn tap_that_nobody_fetches_is_forgotten() {
    let server = TestServer::start();
    let addr = server.addr;
    let id = open(addr).await;
    let path = format!("/c/wire?as=ndjson&heartbeat=1s&tap={id}");
    let mut stream = get(addr, &path).await;
    append(addr, "wire", "before").await;
    stream.until("before").await;
    tokio::time::sleep(forever_frame::limits::TAP_IDLE_TIMEOUT).await;
    let mut heartbeats = stream.until("heartbeat").await.matches("heartbeat").count();
    assert_eq!(get(addr, &format!("/wire/tap/{id}")).await.status, 404);
    assert_eq!(get(addr, &path).await.status, 400);
    while heartbeats < 18 {
        heartbeats += stream.until("heartbeat").await.matches("heartbeat").count();
    }
    for n in 1..=3 {
        append(addr, "wire", &format!("after {n}")).await;
        let got = stream.until(&format!("after {n}")).await;
        assert_eq!(got.matches("\"message\",\"cursor\"").count(), 1, "{got}");
    }
    server.stop().await;
}

/// A long poll is a request and an answer each, and the connection's next request is nobody's business.
#[tokio::test]
async fn tap_of_a_long_poll_ends_with_its_answer() {
    if is_over_h2() {
        return;
    }
    let server = TestServer::start();
    let addr = server.addr;
    let mut last = append(addr, "wire", "one").await["cursor"].clone();
    let id = open(addr).await;
    let mut socket = TcpStream::connect(addr).await.unwrap();
    for n in 1..=3 {
        let path = format!("/c/wire?as=json&since={}&tap={id}", last.as_str().unwrap());
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut told = Told::default();
        eventually("the request is told", async || {
            told.take(&fetch(addr, &id).await, n);
            !told.head.is_empty()
        })
        .await;
        assert!(
            told.writes.is_empty() && told.over.is_none(),
            "it is held back"
        );
        last = append(addr, "wire", "news").await["cursor"].clone();
        let mut got = vec![0; 4096];
        let read = soon(socket.read(&mut got)).await.unwrap();
        let mut told = Told::until_over(addr, &id, n).await;
        got.truncate(read);
        while told.writes.concat().len() > got.len() {
            let mut more = vec![0; 4096];
            let read = soon(socket.read(&mut more)).await.unwrap();
            got.extend(&more[..read]);
        }
        assert_eq!(told.writes.concat(), got);
        assert_eq!(told.over.take(), Some(true));
        // Another request of the same connection.
        socket
            .write_all(b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let read = soon(socket.read(&mut [0; 4096])).await.unwrap();
        assert!(read > 0);
        assert_eq!(fetch(addr, &id).await["records"], serde_json::json!([]));
    }
    server.stop().await;
}

/// An ID that is none, or not for these channels, is an error that says what to do.
#[tokio::test]
async fn tap_of_somebody_else_is_none() {
    let access = AccessFile::with_tokens(
        "anyone.read = [\"open\"]",
        &[
            ("all", "read = [\"*\"]\nwrite = [\"*\"]"),
            ("some", "read = [\"wire\", \"open\"]"),
        ],
    );
    let server = access.serve();
    let addr = server.addr;
    let ask = async |who: &str, request: String| {
        send(addr, &format!("{request}\r\n{}", bearer(who)), b"").await
    };
    let mine = id_in(ask("some", "POST /wire/tap".into()).await).await;
    let ours = id_in(ask("all", "POST /wire/tap".into()).await).await;
    let follow = |channel: &str, id: &str| format!("GET /c/{channel}?until=now&as=text&tap={id}");
    assert_eq!(ask("some", follow("wire", &mine)).await.status, 200);
    // Its owner may not read `other`, whoever follows that.
    let mut refused = ask("all", follow("other", &mine)).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().await.contains("POST /wire/tap"));
    for pattern in ["*", "wire*"] {
        assert_eq!(ask("all", follow(pattern, &mine)).await.status, 400);
        assert_eq!(ask("all", follow(pattern, &ours)).await.status, 200);
    }
    let fetch = |id: &str| format!("GET /wire/tap/{id}");
    assert_eq!(ask("all", fetch(&ours)).await.status, 200);
    assert_eq!(ask("some", fetch(&ours)).await.status, 404);
    assert_eq!(get(addr, &format!("/wire/tap/{mine}")).await.status, 404);
    let report = ask("some", fetch(&mine)).await.text().await;
    assert!(report.contains("GET /c/wire"), "{report}");
    assert!(!report.contains(&secret("some")), "{report}");
    for bad in ["", "x", &"0".repeat(32)] {
        assert_eq!(ask("all", follow("wire", bad)).await.status, 400, "{bad}");
        assert_eq!(ask("all", fetch(bad)).await.status, 404, "{bad}");
    }
    server.stop().await;
}

/// The ID in the answer to who opens a tap.
async fn id_in(mut answer: Response) -> String {
    answer.json().await["id"].as_str().unwrap().to_owned()
}

/// A page of another site opens no tap, and a server without demonstrations has none.
#[tokio::test]
async fn tap_of_another_site_is_refused() {
    let server = TestServer::start();
    let request = "POST /wire/tap\r\nOrigin: http://evil.example";
    assert_eq!(send(server.addr, request, b"").await.status, 403);
    server.stop().await;
    let server = TestServer::with(|config| config.demos = false);
    assert_eq!(post(server.addr, "/wire/tap", "").await.status, 404);
    server.stop().await;
}

/// A tap has as many streams as it may, and an address as many taps.
#[tokio::test]
async fn taps_of_an_address_are_bounded() {
    if is_over_h2() {
        return;
    }
    let server = TestServer::start();
    let addr = server.addr;
    let id = open(addr).await;
    let path = format!("/c/wire?as=text&tap={id}");
    let mut streams = Vec::new();
    for _ in 0..forever_frame::limits::TAP_STREAMS_MAX {
        streams.push(get(addr, &path).await);
    }
    let mut refused = get(addr, &path).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().await.contains("as many streams as it may"));
    drop(streams.pop());
    eventually("there is room for another", async || {
        get(addr, &path).await.status == 200
    })
    .await;
    drop(streams);
    for _ in 1..forever_frame::limits::TAPS_PER_CLIENT_MAX {
        open(addr).await;
    }
    let mut full = post(addr, "/wire/tap", "").await;
    assert_eq!((full.status, full.header("retry-after")), (503, "15"));
    assert!(full.text().await.contains("close one"));
    server.stop().await;
}
