//! Clients that close their sending side after the request, as `nc -N` and `socat` do, and wait for the
//! answer; and clients that have left, which look the same at first.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::append;
use crate::support::{TestServer, soon};

/// A connection on which this was sent, and nothing will be sent any more.
async fn half_closed(addr: SocketAddr, request: &str) -> TcpStream {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    socket
}

/// Reads until the text has `end`.
async fn read_until(socket: &mut TcpStream, text: &mut String, end: &str) {
    let mut piece = [0; 4096];
    while !text.contains(end) {
        let read = soon(socket.read(&mut piece)).await.unwrap();
        assert!(read > 0, "it ended: {text}");
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
}

async fn read_to_end(socket: &mut TcpStream) -> String {
    let mut text = String::new();
    soon(socket.read_to_string(&mut text)).await.unwrap();
    text
}

/// A finite answer comes, whether it is there at once, or has to be read, stored or waited for.
#[tokio::test]
async fn half_closed_client_is_answered() {
    let server = TestServer::start();
    append(server.addr, "a", "first").await;
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        for (request, body, status, says) in [
            ("GET /healthz", "", "200", "ok"),
            ("GET /", "", "200", "</html>"),
            ("POST /c/b", "hello", "201", "\"seq\":"),
            ("PUT /c/b", "one\ntwo\nthree", "201", "\"count\":3"),
            ("GET /c/a?limit=1", "", "200", "# end "),
            ("GET /c/a?as=json", "", "200", "first"),
            ("GET /c/a?as=sse&timeout=1ms", "", "200", "event: end"),
            (
                "POST /mailbox?action=receive&me=b&wait=0s",
                "",
                "200",
                "empty",
            ),
        ] {
            let length = body.len();
            let head =
                format!("{request} {version}\r\nHost: localhost\r\nContent-Length: {length}");
            let mut socket = half_closed(server.addr, &format!("{head}\r\n\r\n{body}")).await;
            let answer = read_to_end(&mut socket).await;
            assert_eq!(
                answer.get(9..12),
                Some(status),
                "{request} {version}: {answer}"
            );
            assert!(answer.contains(says), "{request} {version}: {answer}");
        }
        // What comes later comes, too.
        for (request, end) in [
            ("GET /c/late?as=json&since=now", "later"),
            ("GET /c/late?as=sse&limit=1&since=now", "event: end"),
            ("GET /c/late?limit=1&since=now", "# end "),
        ] {
            let head = format!("{request} {version}\r\nHost: localhost\r\n\r\n");
            let mut socket = half_closed(server.addr, &head).await;
            server.open_streams(1).await;
            append(server.addr, "late", "later").await;
            let answer = read_to_end(&mut socket).await;
            assert!(answer.contains("later"), "{request} {version}: {answer}");
            assert!(answer.contains(end), "{request} {version}: {answer}");
            server.open_streams(0).await;
        }
    }
    server.stop().await;
}

/// A request whose body is cut off by the end is refused, and not taken for whole.
#[tokio::test]
async fn half_closed_client_with_half_a_body() {
    let server = TestServer::start();
    for (request, body) in [
        (
            "POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9",
            "half",
        ),
        (
            "PUT /c/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked",
            "9\r\nhalf",
        ),
    ] {
        let mut socket = half_closed(server.addr, &format!("{request}\r\n\r\n{body}")).await;
        let answer = read_to_end(&mut socket).await;
        assert!(!answer.contains(" 201 "), "{request}: {answer}");
    }
    server.stop().await;
}

/// An endless stream goes on for a client that only sends no more, and ends for one that has left,
/// long before its next heartbeat.
#[tokio::test]
async fn endless_stream_tells_who_has_left() {
    let server = TestServer::start();
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        for wire in ["text", "html", "script", "sse", "ndjson"] {
            let request = format!(
                "GET /c/{wire}?as={wire}&heartbeat=60s {version}\r\nHost: localhost\r\n\r\n"
            );
            let mut socket = half_closed(server.addr, &request).await;
            server.open_streams(1).await;
            let mut text = String::new();
            read_until(&mut socket, &mut text, "\r\n\r\n").await;
            for n in 0..3 {
                let word = format!("{version} {n}");
                append(server.addr, wire, &word).await;
                read_until(&mut socket, &mut text, &word).await;
            }
            drop(socket);
            server.open_streams(0).await;
            // A client that leaves later, without a word.
            let mut leaves = TcpStream::connect(server.addr).await.unwrap();
            leaves.write_all(request.as_bytes()).await.unwrap();
            read_until(&mut leaves, &mut String::new(), " 2").await;
            server.open_streams(1).await;
            drop(leaves);
            server.open_streams(0).await;
        }
    }
    server.stop().await;
}

/// What is said after a client has left does not count as seen by its session.
#[tokio::test]
async fn session_of_a_client_that_left_sees_nothing() {
    let server = TestServer::start();
    append(server.addr, "main", "before").await;
    let request = |cookie: &str| {
        format!("POST /receiver HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{cookie}\r\n")
    };
    let mut socket = TcpStream::connect(server.addr).await.unwrap();
    socket.write_all(request("").as_bytes()).await.unwrap();
    let mut text = String::new();
    read_until(&mut socket, &mut text, "before").await;
    let cookie = text.split_once("set-cookie: ").unwrap().1;
    let cookie = cookie.split_once(';').unwrap().0;
    // The end of what the client sends comes, and then a message, before it is known to be gone.
    socket.shutdown().await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    append(server.addr, "main", "between").await;
    drop(socket);
    server.open_streams(0).await;
    let mut socket = TcpStream::connect(server.addr).await.unwrap();
    let again = request(&format!("Cookie: {cookie}\r\n"));
    socket.write_all(again.as_bytes()).await.unwrap();
    let mut text = String::new();
    read_until(&mut socket, &mut text, "between").await;
    assert!(!text.contains("before"), "{text}");
    server.stop().await;
}
