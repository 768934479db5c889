//! How the server goes away: streams end in-band while messages come, clients that come meanwhile
//! are answered, and slow clients are waited for.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};

use crate::support::binary::Binary;
use crate::support::client::{append, finish, get, post, send};
use crate::support::unavailable::refuses_appends;
use crate::support::{TestServer, at_last, eventually, soon};

/// Follows `main` until the stream ends, and gives what came. A body that is cut is an error.
async fn follow_to_the_end(addr: SocketAddr, wire: &'static str) -> (&'static str, String) {
    let mut response = get(addr, &format!("/c/main?as={wire}&since=now")).await;
    let mut all = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        all.extend(chunk);
    }
    (wire, String::from_utf8(all).unwrap())
}

/// Appends messages until the server refuses one.
async fn publish(addr: SocketAddr) {
    while post(addr, "/c/main", "hello").await.status == 201 {}
}

/// Streams that get a message in the moment in which they learn of the stop end in-band within the
/// drain all the same, on each transport.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_ends_busy_streams_in_band() {
    const FOLLOWERS: usize = 400;
    let server = Binary::start(&["--drain", "1s"]).await;
    let addr = server.addr;
    let wires = ["text", "html", "script", "sse", "ndjson"];
    let followers: Vec<_> = (0..FOLLOWERS)
        .map(|n| tokio::spawn(follow_to_the_end(addr, wires[n % wires.len()])))
        .collect();
    eventually("all streams", async || {
        open_streams(addr).await == FOLLOWERS
    })
    .await;
    // As fast as they are answered, so that most streams have a message to write when the stop comes.
    let publishers: Vec<_> = (0..4).map(|_| tokio::spawn(publish(addr))).collect();
    sleep(Duration::from_secs(1)).await;
    server.signal("-TERM").await;
    for follower in followers {
        let (wire, body) = at_last(follower).await.unwrap();
        assert!(body.contains("hello"), "{wire}: {body}");
        let end = match wire {
            "text" => " reason=stop\n",
            "html" => "data-reason=\"stop\"",
            _ => "\"reason\":\"stop\"",
        };
        let tail = &body[body.len().saturating_sub(300)..];
        assert!(tail.contains(end), "{wire}: {tail}");
    }
    for publisher in publishers {
        // It ended when it was refused.
        let _ = at_last(publisher).await;
    }
    assert_eq!(soon(server.ended()).await.code(), Some(0));
}

/// Streams end in-band also without a drain, whatever their heartbeat, and in the middle of a long
/// backlog that their client has not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_without_drain_ends_in_band() {
    let server = Binary::start(&["--drain", "0s"]).await;
    let text = "x".repeat(40_000);
    for _ in 0..100 {
        append(server.addr, "main", &text).await;
    }
    let mut streams = Vec::new();
    for wire in ["text", "html", "script", "sse", "ndjson"] {
        for heartbeat in ["1s", "60s"] {
            for since in ["all", "now"] {
                let query = format!("as={wire}&heartbeat={heartbeat}&since={since}");
                let response = get(server.addr, &format!("/c/main?{query}")).await;
                streams.push((query, response));
            }
        }
    }
    server.signal("-TERM").await;
    let reads = streams.into_iter().map(|(query, mut response)| {
        tokio::spawn(async move {
            let body = response.text().await;
            (query, body[body.len().saturating_sub(300)..].to_owned())
        })
    });
    for read in reads.collect::<Vec<_>>() {
        // A body that is cut is an error in itself.
        let (query, tail) = at_last(read).await.unwrap();
        let has_end = [
            "# end ",
            "class=\"end\"",
            "\"reason\":\"stop\"",
            "\"reason\":\"rotate\"",
        ];
        assert!(
            has_end.iter().any(|end| tail.contains(end)),
            "{query}: {tail}"
        );
    }
    assert_eq!(soon(server.ended()).await.code(), Some(0));
}

/// The number of streams that the server has open.
async fn open_streams(addr: SocketAddr) -> usize {
    let text = get(addr, "/metrics").await.text().await;
    let open = text
        .lines()
        .filter_map(|line| line.strip_prefix("forever_frame_open_streams{"));
    let count = open.map(|line| line.split_once(' ').unwrap().1.parse::<usize>().unwrap());
    count.sum()
}

/// The number after `name` in a text.
fn number(text: &str, name: &str) -> u64 {
    let rest = text.split_once(name).unwrap_or_else(|| panic!("{text}")).1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// While streams end, new connections are accepted: an `EventSource` is told when to come back with
/// a status that it survives, all other clients by 503.
#[tokio::test]
async fn stop_tells_newcomers_when_to_come_back() {
    let server = Binary::start(&["--drain", "3s"]).await;
    let addr = server.addr;
    // Which of them ends last is left to chance: of twenty, one is open for most of the drain.
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut stream = get(addr, "/c/main?as=sse&since=now").await;
        assert!(stream.until("\n\n").await.starts_with("retry: 3000\n"));
        open.push(stream);
    }
    server.signal("-TERM").await;
    let mut source = send(addr, "GET /c/main\r\nAccept: text/event-stream", b"").await;
    while source.status == 200 && source.headers.contains_key("log-cursor") {
        // The signal is on its way.
        source = send(addr, "GET /c/main\r\nAccept: text/event-stream", b"").await;
    }
    assert_eq!(source.status, 200);
    let retry = number(&source.text().await, "retry: ");
    assert!((2000..=11_000).contains(&retry), "{retry}");
    for path in ["/c/main?as=ndjson", "/", "/mailbox"] {
        let refused = get(addr, path).await;
        assert_eq!(refused.status, 503, "{path}");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((2..=11).contains(&wait), "{wait}");
    }
    // The status that an EventSource survives is for a GET alone: nothing is appended.
    refuses_appends(addr).await;
    // A body that is not read does not take the answer with it.
    let large = vec![b'x'; 40_000];
    for _ in 0..5 {
        assert_eq!(post(addr, "/c/main", &large).await.status, 503);
    }
    assert_eq!(get(addr, "/metrics").await.status, 200);
    for mut stream in open {
        let end = stream.text().await;
        assert!(end.contains("\"reason\":\"stop\""), "{end}");
        let retry = number(&end, "\nretry: ");
        assert!((2000..=11_000).contains(&retry), "{retry}");
    }
    assert_eq!(soon(server.ended()).await.code(), Some(0));
    TcpStream::connect(addr).await.unwrap_err();
}

/// While streams end, connections that were open before are answered, too: one that is idle after a
/// request, one that never sent a request, and one that has sent half of one.
#[tokio::test]
async fn stop_answers_on_open_connections() {
    let server = Binary::start(&["--drain", "3s"]).await;
    let addr = server.addr;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(get(addr, "/c/main?as=ndjson&since=now").await);
    }
    let mut answer = get(addr, "/healthz").await;
    answer.text().await;
    let (idle, silent) = (
        answer.into_socket(),
        TcpStream::connect(addr).await.unwrap(),
    );
    let mut half = TcpStream::connect(addr).await.unwrap();
    half.write_all(b"GET /c/main HTTP/1.1\r\n").await.unwrap();
    server.signal("-TERM").await;
    for stream in &mut streams {
        // The first line; the stream that ends first has its end in it.
        stream.chunk().await.unwrap();
    }
    eventually("a stopping server", async || {
        get(addr, "/healthz").await.status == 503
    })
    .await;
    let request = "GET /c/main HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (mut socket, rest) in [
        (idle, request),
        (silent, request),
        (half, "Host: localhost\r\n\r\n"),
    ] {
        socket.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = finish(socket).await.unwrap();
        assert_eq!((answer.status, answer.header("connection")), (503, "close"));
        let wait: u64 = answer.header("retry-after").parse().unwrap();
        assert!((2..=11).contains(&wait), "{wait}");
        assert!(answer.text().await.contains("stopping"));
    }
    for mut stream in streams {
        stream.text().await;
    }
    assert_eq!(soon(server.ended()).await.code(), Some(0));
}

/// Idle connections, clients that never send anything and uploads hold up no stop: an upload is
/// answered with what it appended.
#[tokio::test]
async fn stop_does_not_wait_for_idle_connections() {
    let server = Binary::start(&["--drain", "1m"]).await;
    let addr = server.addr;
    let mut answer = get(addr, "/healthz").await;
    answer.text().await;
    let (_idle, _silent) = (
        answer.into_socket(),
        TcpStream::connect(addr).await.unwrap(),
    );
    let mut upload = TcpStream::connect(addr).await.unwrap();
    let head = "PUT /c/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n";
    let lines = format!("{head}one\ntwo\nthr");
    upload.write_all(lines.as_bytes()).await.unwrap();
    eventually("two messages", async || {
        let poll = get(addr, "/c/main?as=json&wait=1s").await.text().await;
        poll.contains("\"two\"")
    })
    .await;
    let began = Instant::now();
    server.signal("-TERM").await;
    let mut answer = soon(finish(upload)).await.unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").parse::<u64>().is_ok());
    assert_eq!(answer.json().await["count"], 2);
    assert_eq!(soon(server.ended()).await.code(), Some(0));
    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// A body that does not come to its end is refused when the drain is over, and not cut.
#[tokio::test]
async fn stop_refuses_bodies_that_do_not_come() {
    let server = Binary::start(&["--drain", "0s"]).await;
    let mut slow = TcpStream::connect(server.addr).await.unwrap();
    let head = "POST /c/main HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\
                Content-Length: 999\r\n\r\n";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    soon(slow.read_exact(&mut go_on)).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    slow.write_all(b"half").await.unwrap();
    server.signal("-TERM").await;
    assert_eq!(soon(finish(slow)).await.unwrap().status, 503);
    assert_eq!(soon(server.ended()).await.code(), Some(0));
}

/// A client that was refused and does not close holds up no stop. It would for two seconds; the
/// machine may be busy, so the best of five tries counts.
#[tokio::test]
async fn stop_does_not_wait_for_refused_clients() {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let server = Binary::start(&["--drain", "0s"]).await;
        let mut refused = TcpStream::connect(server.addr).await.unwrap();
        let head = "POST /c/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n";
        refused.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        soon(refused.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
        let began = Instant::now();
        server.signal("-TERM").await;
        assert_eq!(soon(server.ended()).await.code(), Some(0));
        best = best.min(began.elapsed());
        if best < Duration::from_secs(1) {
            break;
        }
    }
    assert!(best < Duration::from_millis(1500), "{best:?}");
}

/// A client that reads all the time, but so slowly that the socket is not ready within the deadline,
/// is not reset: any byte that its kernel takes counts.
#[tokio::test]
async fn slow_reader_is_not_reset() {
    let server = TestServer::with(|config| config.timeouts.stall = Duration::from_secs(1));
    let text = "x".repeat(40_000);
    for _ in 0..20 {
        append(server.addr, "main", &text).await;
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut socket = socket.connect(server.addr).await.unwrap();
    socket
        .write_all(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    // 20 KB a second: a third of the server's send buffer takes more than two deadlines.
    let (mut piece, mut read) = ([0; 1000], 0);
    for _ in 0..160 {
        read += soon(socket.read(&mut piece)).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    assert!(read >= 100_000, "{read}");
    let closed = get(server.addr, "/metrics").await.text().await;
    assert!(closed.contains("closed_streams_total{reason=\"stalled\"} 0"));
    drop(socket);
    server.stop().await;
}
