//! Appending: uploads of lines, and bodies that do not end.

use std::net::SocketAddr;

use forever_frame::config::StoreKind;
use forever_frame::limits;

use crate::support::client::{get, post, send};
use crate::support::upload::Upload;
use crate::support::wires::Stream;
use crate::support::{TestServer, at_last, eventually, soon};

/// The texts of all messages in a channel.
async fn texts(addr: SocketAddr, channel: &str) -> Vec<String> {
    let mut response = get(addr, &format!("/c/{channel}?as=json&wait=0s")).await;
    let answer = response.json().await;
    let messages = answer["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|message| message["data"].as_str().unwrap().to_owned())
        .collect()
}

/// Lines are appended, and seen by followers, while their upload still runs.
#[tokio::test]
async fn upload_appends_lines_as_they_come() {
    let server = TestServer::start();
    let mut watcher = get(server.addr, "/c/build").await;
    let mut upload = Upload::start(server.addr, "/c/build").await;
    upload.send(b"compiling\nlin").await;
    watcher.until("compiling\n").await;
    upload.send(b"king\n\ndone").await;
    watcher.until("linking\n\n").await;
    let mut answer = upload.end().await;
    assert_eq!(answer.status, 201);
    watcher.until("done\n").await;
    let answer = answer.json().await;
    let (first, last) = (
        answer["first"].as_str().unwrap(),
        answer["last"].as_str().unwrap(),
    );
    assert!(first.ends_with("-1") && last.ends_with("-4"), "{answer}");
    assert_eq!((&answer["count"], answer.get("error")), (&4.into(), None));
    server.stop().await;
}

/// An upload may give an event name to its lines, and may have no line at all.
#[tokio::test]
async fn upload_takes_event_name_and_may_be_empty() {
    let server = TestServer::start();
    let mut upload = Upload::start(server.addr, "/send?event=line").await;
    upload.send(b"a\nb\n").await;
    assert_eq!(upload.end().await.status, 201);
    let poll = get(server.addr, "/c/main?as=json").await.json().await;
    assert_eq!(poll["messages"][1]["event"], "line");
    let mut answer = Upload::start(server.addr, "/c/main").await.end().await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        answer.text().await,
        "{\"first\":null,\"last\":null,\"count\":0}\n"
    );
    server.stop().await;
}

/// A bad line ends its upload with an error; the lines before it are appended and counted.
#[tokio::test]
async fn upload_bad_line_keeps_lines_before() {
    let server = TestServer::with(|config| config.max_message = 10);
    for (channel, bad, status, says) in [
        (
            "long",
            &b"one\ntwo\n0123456789x\nthree\n"[..],
            413,
            "longer than the limit of 10 bytes",
        ),
        (
            "long2",
            b"one\ntwo\n0123456789xxxx",
            413,
            "longer than the limit of 10 bytes",
        ),
        (
            "utf8",
            b"one\ntwo\nab\xffc\nthree\n",
            400,
            "not UTF-8: invalid byte at offset 2",
        ),
    ] {
        let mut upload = Upload::start(server.addr, &format!("/c/{channel}")).await;
        upload.send(bad).await;
        // The answer comes though the upload has not ended.
        let mut answer = upload.answer().await;
        assert_eq!(answer.status, status, "{channel}");
        let answer = answer.json().await;
        assert!(answer["error"].as_str().unwrap().contains(says), "{answer}");
        assert_eq!(answer["count"], 2);
        assert_eq!(texts(server.addr, channel).await, ["one", "two"]);
    }
    server.stop().await;
}

/// Where an upload breaks off in the middle of a line, that line is not appended.
#[tokio::test]
async fn upload_cut_drops_partial_line() {
    let server = TestServer::start();
    let mut watcher = get(server.addr, "/c/a").await;
    let mut upload = Upload::start(server.addr, "/c/a").await;
    upload.send(b"whole\nhal").await;
    watcher.until("whole\n").await;
    drop(upload);
    post(server.addr, "/c/a", "after").await;
    watcher.until("after\n").await;
    assert_eq!(texts(server.addr, "a").await, ["whole", "after"]);
    server.stop().await;
}

/// When the server stops, a running upload is answered with the number of its lines so far.
#[tokio::test]
async fn upload_answered_when_server_stops() {
    let server = TestServer::start();
    let mut watcher = get(server.addr, "/c/a").await;
    let mut upload = Upload::start(server.addr, "/c/a").await;
    upload.send(b"one\n").await;
    watcher.until("one\n").await;
    let stopped = tokio::spawn(server.stop());
    let mut answer = upload.answer().await;
    assert_eq!(answer.status, 503);
    let answer = answer.json().await;
    assert_eq!(
        (&answer["count"], &answer["error"]),
        (&1.into(), &"the server is stopping".into())
    );
    soon(stopped).await.unwrap();
}

/// An upload whose path, event name or headers are wrong is refused before it runs.
#[tokio::test]
async fn upload_bad_request_refused() {
    let server = TestServer::start();
    for (request, says) in [
        ("PUT /c/a,b", "goes to one channel"),
        ("PUT /c/~own", "the server's own"),
        ("PUT /c/a?event=a%20b", "has the character"),
        (
            "PUT /c/a\r\nIdempotency-Key: \tk\u{e4}",
            "has the character",
        ),
    ] {
        let mut answer = send(server.addr, request, b"x\n").await;
        assert_eq!(answer.status, 400, "{request}");
        assert!(answer.text().await.contains(says), "{request}");
    }
    server.stop().await;
}

/// 100,000 lines of one upload arrive at a follower whole and in order, and with the defaults all of them
/// are kept, whichever the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_flood_arrives_whole() {
    const LINES: usize = 100_000;
    let directory = crate::support::directory();
    let path = directory.path().join("log.db");
    let lines: Vec<String> = (1..=LINES).map(|n| n.to_string()).collect();
    let text = lines.join("\n") + "\n";
    for store in [StoreKind::Memory, StoreKind::Sqlite(path)] {
        let server = TestServer::with(|config| config.store = store);
        let limit = format!("limit={LINES}");
        let watcher = Stream::open(server.addr, "ndjson", "a", &limit).await;
        let mut upload = Upload::start(server.addr, "/c/a").await;
        let text = text.clone();
        let sending = tokio::spawn(async move {
            for piece in text.as_bytes().chunks(7_777) {
                upload.send(piece).await;
            }
            upload.end().await.json().await
        });
        let watcher = at_last(watcher.whole()).await;
        let late = Stream::open(server.addr, "ndjson", "a", &limit).await;
        let late = at_last(late.whole()).await;
        for stream in [watcher, late] {
            assert!(stream.gaps().is_empty() && stream.end().is_some());
            assert!(stream.texts() == lines, "{} lines", stream.texts().len());
        }
        assert_eq!(soon(sending).await.unwrap()["count"], LINES);
        server.stop().await;
    }
}

/// Bodies that do not end are held in memory, so there is a bound for all of them together, and for
/// those of one address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn append_unfinished_bodies_bounded() {
    const MOST: usize = limits::MESSAGE_BYTES_MAX;
    let server = TestServer::with(|config| config.max_message = MOST);
    let addr = server.addr;
    let unfinished = vec![b'x'; MOST];
    let mut uploads = Vec::new();
    for _ in 0..limits::BODIES_BYTES / MOST {
        let mut upload = Upload::start(addr, "/c/a").await;
        upload.send(&unfinished[1..]).await;
        uploads.push(upload);
    }
    let share = limits::BODIES_BYTES / 2;
    eventually("its share is used up", async || {
        body_bytes(addr).await > share - 2 * MOST
    })
    .await;
    assert!(body_bytes(addr).await <= share);
    let refused = post(addr, "/c/b", &unfinished).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    // A small one still fits.
    assert_eq!(post(addr, "/c/b", "small").await.status, 201);
    drop(uploads);
    eventually("nothing is held", async || body_bytes(addr).await == 0).await;
    assert_eq!(post(addr, "/c/b", &unfinished).await.status, 201);
    server.stop().await;
}

async fn body_bytes(addr: SocketAddr) -> usize {
    let metrics = get(addr, "/metrics").await.text().await;
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix("forever_frame_body_bytes "));
    value.unwrap().parse().unwrap()
}
