//! Rights that end while something goes on: by their time, and when the access file is read again.

use std::time::Duration;

use forever_frame::config::AccessOption;
use forever_frame::machine_clock::{MachineClock, ManualClock};
use forever_frame::message::Timestamp;

use crate::support::access::{AccessFile, bearer, token};
use crate::support::binary::Binary;
use crate::support::client::{Response, get, send};
use crate::support::{TestServer, eventually, soon};

/// The transports whose streams go on until somebody ends them, with how each says its end.
const STREAMING: [(&str, &str); 5] = [
    ("text", " reason="),
    ("html", "data-reason=\""),
    ("script", "\"reason\":\""),
    ("sse", "\"reason\":\""),
    ("ndjson", "\"reason\":\""),
];

async fn open(server: &TestServer, target: &str, name: &str) -> Response {
    let header = match name {
        "" => "X-Nothing: 1".to_owned(),
        name => bearer(name),
    };
    let answer = send(server.addr, &format!("GET {target}\r\n{header}"), b"").await;
    assert_eq!(answer.status, 200, "{target} {name}");
    answer
}

async fn append(server: &TestServer, channel: &str, text: &str) -> u16 {
    let line = format!("POST /c/{channel}\r\n{}", bearer("writer"));
    send(server.addr, &line, text.as_bytes()).await.status
}

fn file(reader: &str) -> String {
    let writer = token("writer", "write = [\"*\"]");
    format!("anyone.read = [\"open\"]\n{writer}{reader}")
}

/// A stream whose right is taken back ends in-band on each transport, and is told nothing that comes
/// later; the others go on. Half of the streams have been written all there is and are in the crowd.
#[tokio::test]
async fn access_revoked_on_each_transport() {
    let access = AccessFile::new(&file(&token("reader", "read = [\"a\", \"b\"]")));
    let server = access.serve();
    let mut ending = Vec::new();
    let mut going_on = Vec::new();
    for (wire, says) in STREAMING {
        for target in ["/c/a?since=now", "/c/a,b?since=now", "/c/a,open?since=now"] {
            let stream = open(&server, &format!("{target}&as={wire}"), "reader").await;
            ending.push((stream, format!("{says}revoked"), format!("{wire} {target}")));
        }
        let target = format!("/c/b?since=now&as={wire}");
        going_on.push((open(&server, &target, "reader").await, format!("{wire} b")));
        let target = format!("/c/open?since=now&as={wire}");
        going_on.push((open(&server, &target, "").await, format!("{wire} open")));
        going_on.push((
            open(&server, &target, "reader").await,
            format!("{wire} open too"),
        ));
    }
    for channel in ["a", "b", "open"] {
        assert_eq!(append(&server, channel, "before").await, 201);
    }
    for (stream, ..) in &mut ending {
        stream.until("before").await;
    }
    for (stream, _) in &mut going_on {
        stream.until("before").await;
    }
    // A file that is wrong changes nothing.
    access.write("anyone.read = 1");
    server.reload();
    access.write(&file(&token("reader", "read = [\"b\"]")));
    assert_eq!(append(&server, "a", "meanwhile").await, 201);
    for (stream, ..) in &mut ending {
        stream.until("meanwhile").await;
    }
    server.reload();
    for channel in ["a", "b", "open"] {
        assert_eq!(append(&server, channel, "later").await, 201);
    }
    for (stream, says, what) in &mut ending {
        let rest = stream.text().await;
        assert!(rest.contains(&*says), "{what}: {rest}");
        assert!(!rest.contains("later"), "{what}: {rest}");
    }
    for (stream, _) in &mut going_on {
        stream.until("later").await;
    }
    let line = format!("GET /c/a\r\n{}", bearer("reader"));
    assert_eq!(send(server.addr, &line, b"").await.status, 403);
    // A token that is in the file no more is none.
    access.write(&file(""));
    server.reload();
    for (mut stream, what) in going_on {
        if !what.ends_with("open") {
            assert!(stream.text().await.contains("revoked"), "{what}");
        }
    }
    assert_eq!(send(server.addr, &line, b"").await.status, 401);
    server.stop().await;
}

/// Of many followers that share what they are written, none is told what was said after its right had
/// ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_revoked_in_a_crowd() {
    let access = AccessFile::new(&file(&token("reader", "read = [\"*\"]")));
    let server = access.serve();
    let mut streams = Vec::new();
    // No more than one connection of HTTP/2 takes, by which the test may run, too.
    for n in 0..90 {
        let name = if n % 2 == 0 { "reader" } else { "" };
        streams.push((
            open(&server, "/c/open?since=now&as=ndjson", name).await,
            name,
        ));
    }
    assert_eq!(append(&server, "open", "before").await, 201);
    for (stream, _) in &mut streams {
        stream.until("before").await;
    }
    access.write(&file(""));
    server.reload();
    for text in ["later", "last"] {
        assert_eq!(append(&server, "open", text).await, 201);
    }
    for (stream, name) in &mut streams {
        if name.is_empty() {
            stream.until("last").await;
        } else {
            let rest = stream.text().await;
            assert!(
                rest.contains("\"revoked\"") && !rest.contains("later"),
                "{rest}"
            );
        }
    }
    server.stop().await;
}

/// A stream ends when the time of its token is over, and its token is of no use from then on.
#[tokio::test]
async fn access_expires() {
    let until = "2027-01-01T00:00:00Z";
    let begin: Timestamp = until.parse().unwrap();
    let clock = ManualClock::new(None, begin.earlier(Duration::from_mins(1)));
    let lines = format!("read = [\"a\"]\nwrite = [\"a\"]\nuntil = {until}");
    let access = AccessFile::new(&file(&token("reader", &lines)));
    let server = TestServer::with(|config| {
        config.access = Some(AccessOption::File(access.path()));
        config.machine_clock = MachineClock::Manual(clock.clone());
    });
    let mut streams = Vec::new();
    for (wire, says) in STREAMING {
        let target = format!("/c/a?since=now&as={wire}");
        streams.push((open(&server, &target, "reader").await, says));
    }
    let long_poll = format!("GET /c/a?as=json&since=now\r\n{}", bearer("reader"));
    let addr = server.addr;
    let line = long_poll.clone();
    let waiting = tokio::spawn(async move { send(addr, &line, b"").await.text().await });
    let mut forever = open(&server, "/c/open?since=now&as=ndjson", "").await;
    server.open_streams(7).await;
    clock.pass(Duration::from_secs(59));
    assert_eq!(append(&server, "a", "before").await, 201);
    for (stream, _) in &mut streams {
        stream.until("before").await;
    }
    assert!(soon(waiting).await.unwrap().contains("before"));
    let line = long_poll.clone();
    let waiting = tokio::spawn(async move { send(addr, &line, b"").await.text().await });
    server.open_streams(7).await;
    clock.pass(Duration::from_secs(1));
    for (stream, says) in &mut streams {
        let rest = stream.text().await;
        assert!(rest.contains(&format!("{says}expired")), "{rest}");
    }
    let poll: serde_json::Value = serde_json::from_str(&soon(waiting).await.unwrap()).unwrap();
    assert_eq!(poll["messages"], serde_json::json!([]));
    let mut answer = send(addr, &long_poll, b"").await;
    assert_eq!(answer.status, 401);
    assert!(answer.text().await.contains("the token's time is over"));
    assert_eq!(append(&server, "open", "later").await, 201);
    forever.until("later").await;
    server.stop().await;
}

/// An upload whose right ends breaks off, and says what was appended.
#[tokio::test]
async fn access_ends_uploads() {
    use tokio::io::AsyncWriteExt;
    let access = AccessFile::new(&file(&token("sender", "write = [\"a\"]")));
    let server = access.serve();
    let mut stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
    let head = format!(
        "PUT /c/a HTTP/1.1\r\nHost: {}\r\n{}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n",
        server.addr,
        bearer("sender")
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    eventually("the line is in the log", async || {
        get(server.addr, "/metrics")
            .await
            .text()
            .await
            .contains("log_last_seq 1\n")
    })
    .await;
    access.write(&file(""));
    server.reload();
    let mut answer = soon(crate::support::client::finish(stream)).await.unwrap();
    assert_eq!(answer.status, 401);
    let json = answer.json().await;
    assert_eq!(json["count"], 1, "{json}");
    assert!(
        json["error"].as_str().unwrap().contains("taken back"),
        "{json}"
    );
    server.stop().await;
}

/// SIGHUP has the file read again; the log says so, and what is wrong with it.
#[tokio::test]
async fn access_read_again_at_hangup() {
    let access = AccessFile::new(&file(&token("reader", "read = [\"a\"]")));
    let path = access.path();
    let server = Binary::start(&["--access", path.to_str().unwrap()]).await;
    let line = format!("GET /c/a?as=ndjson\r\n{}", bearer("reader"));
    let mut stream = send(server.addr, &line, b"").await;
    stream.until("\"open\"").await;
    access.write("\nanyone.read = [\"a b\"]");
    server.signal("-HUP").await;
    // Signals of a kind may become one, so this waits until the first has been heard.
    eventually("it says what is wrong", async || {
        server.log().contains("stays in force")
    })
    .await;
    assert_eq!(send(server.addr, &line, b"").await.status, 200);
    access.write(&file(""));
    server.signal("-HUP").await;
    assert!(stream.text().await.contains("\"revoked\""));
    assert_eq!(send(server.addr, &line, b"").await.status, 401);
    let log = server.end("-TERM").await;
    assert!(log.contains(", line 2: anyone.read = \"a b\" "), "{log}");
    assert!(log.contains("was read again; 1 of the rights"), "{log}");
}
