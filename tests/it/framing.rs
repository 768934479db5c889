//! Requests that ask of the connection what the server cannot do, and heads that are too long or too
//! slow.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::{get, send, send_raw};
use crate::support::{TestServer, soon};

/// Sends these bytes, and reads until the connection is closed.
async fn exchange(server: &TestServer, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(server.addr).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = String::new();
    soon(socket.read_to_string(&mut answer)).await.unwrap();
    answer
}

async fn last_seq(server: &TestServer) -> String {
    let metrics = get(server.addr, "/metrics").await.text().await;
    let mut lines = metrics.lines();
    let seq = lines.find_map(|line| line.strip_prefix("forever_frame_log_last_seq "));
    seq.unwrap().to_owned()
}

/// Bodies in codings that are not known are refused, and so are expectations; nothing is appended.
#[tokio::test]
async fn unknown_codings_are_refused() {
    let server = TestServer::start();
    for (headers, status, says) in [
        ("Transfer-Encoding: gzip, chunked", 501, "\"gzip, chunked\""),
        (
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            501,
            "gzip",
        ),
        (
            "Transfer-Encoding: chunked, chunked",
            501,
            "chunked, chunked",
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Encoding: gzip",
            415,
            "gzip",
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Encoding: identity, br",
            415,
            "br",
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Encoding: identity\r\nContent-Encoding: zstd",
            415,
            "zstd",
        ),
        (
            "Transfer-Encoding: chunked\r\nExpect: 200-ok",
            417,
            "200-ok",
        ),
        (
            "Transfer-Encoding: chunked\r\nExpect: 100-continue, other",
            417,
            "other",
        ),
    ] {
        for line in ["POST /c/a", "PUT /c/a", "POST /sender", "POST /mailbox"] {
            let request = format!(
                "{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n5\r\nmsg=x\r\n0\r\n\r\n"
            );
            let mut answer = send_raw(server.addr, request.as_bytes()).await.unwrap();
            let text = answer.text().await;
            assert_eq!(answer.status, status, "{line} {headers}: {text}");
            assert!(text.contains(&says.replace('"', "\\\"")), "{text}");
            if status == 415 {
                assert_eq!(answer.header("accept-encoding"), "identity");
            }
            if status == 501 {
                assert_eq!(answer.header("connection"), "close");
            }
        }
    }
    // A last coding that is not chunked, and codings in HTTP/1.0, leave the length unknown.
    for request in [
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        "POST /c/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: +1\r\n\r\nx",
    ] {
        let answer = exchange(&server, request.as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.0 400 "),
            "{request:?}: {answer}"
        );
    }
    assert_eq!(last_seq(&server).await, "0");
    let known = "POST /c/a\r\nContent-Encoding: Identity\r\nExpect: 100-Continue";
    assert_eq!(
        send_raw(
            server.addr,
            format!(
                "{} HTTP/1.0\r\nExpect: other\r\nContent-Length: 1\r\n\r\nx",
                "POST /c/a"
            )
            .as_bytes()
        )
        .await
        .unwrap()
        .status,
        201
    );
    let answer = send(server.addr, known, b"x").await;
    assert!([100, 201].contains(&answer.status), "{}", answer.status);
    server.stop().await;
}

/// A request with a length and a coding is read by the coding, and nothing after it is taken for a
/// request.
#[tokio::test]
async fn smuggled_request_is_not_served() {
    let server = TestServer::start();
    for lengths in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
    ] {
        let request = format!(
            "POST /c/a HTTP/1.1\r\nHost: localhost\r\n{lengths}\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        let answer = exchange(&server, request.as_bytes()).await;
        assert!(answer.contains("connection: close"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    server.stop().await;
}

/// Targets and heads that are too long have answers of their own that say the limit, on a new
/// connection and on a kept one.
#[tokio::test]
async fn long_heads_are_refused() {
    let server = TestServer::start();
    for (length, status) in [
        (16_000, 200),
        (17_000, 414),
        (40_000, 414),
        (1_000_000, 414),
    ] {
        let query = "x".repeat(length - "/healthz?".len());
        let request = format!(
            "GET /healthz?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        let answer = send_long(&server, &request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{length}: {answer}"
        );
        assert!(
            status == 200 || answer.contains("the limit of 16384 bytes"),
            "{answer}"
        );
        let mut kept = TcpStream::connect(server.addr).await.unwrap();
        let first = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        kept.write_all(first).await.unwrap();
        let mut answer = [0; 4096];
        assert!(soon(kept.read(&mut answer)).await.unwrap() > 0);
        let answer = send_on(kept, &request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{length}: {answer}"
        );
    }
    for length in [40_000, 1_000_000] {
        let value = "x".repeat(length);
        let request =
            format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: {value}\r\n\r\n");
        let answer = send_long(&server, &request).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{length}: {answer}");
        assert!(answer.contains("the limit of "), "{answer}");
    }
    let many = "X: y\r\n".repeat(200);
    let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{many}\r\n");
    assert_eq!(
        send_raw(server.addr, request.as_bytes())
            .await
            .unwrap()
            .status,
        431
    );
    server.stop().await;
}

/// Sends a request while reading: the server may answer before it has come.
async fn send_long(server: &TestServer, request: &str) -> String {
    send_on(TcpStream::connect(server.addr).await.unwrap(), request).await
}

async fn send_on(socket: TcpStream, request: &str) -> String {
    let (mut from, mut to) = socket.into_split();
    let request = request.to_owned();
    let sending = tokio::spawn(async move { to.write_all(request.as_bytes()).await });
    let mut answer = String::new();
    soon(from.read_to_string(&mut answer)).await.unwrap();
    sending.abort();
    answer
}

/// A head that does not come to its end has an answer.
#[tokio::test]
async fn slow_heads_are_told() {
    let server = TestServer::with(|config| config.timeouts.head = Duration::from_millis(200));
    for said in ["GET /", "GET / HTTP/1.1\r\nHost: localhost\r\n"] {
        let answer = exchange(&server, said.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    server.stop().await;
}

/// Methods that no path has, and the server as a whole.
#[tokio::test]
async fn methods_of_the_server() {
    let server = TestServer::start();
    let all = "GET, HEAD, POST, PUT, OPTIONS";
    for (request, status, allow) in [
        ("OPTIONS * HTTP/1.1\r\nHost: localhost", 204, all),
        (
            "OPTIONS http://localhost/c/a HTTP/1.1\r\nHost: localhost",
            204,
            all,
        ),
        (
            "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80",
            405,
            all,
        ),
        ("TRACE /c/a HTTP/1.1\r\nHost: localhost", 405, all),
        (
            "PATCH / HTTP/1.1\r\nHost: localhost",
            405,
            "GET, HEAD, OPTIONS",
        ),
        ("GET * HTTP/1.1\r\nHost: localhost", 404, ""),
    ] {
        let answer = send_raw(server.addr, format!("{request}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        assert_eq!(
            (answer.status, answer.header("allow")),
            (status, allow),
            "{request}"
        );
    }
    server.stop().await;
}

/// Before HTTP/1.1 a stream ends with its connection, whatever the client wished.
#[tokio::test]
async fn streams_of_http_1_0_close() {
    let server = TestServer::start();
    for wire in ["text", "html", "script", "sse", "ndjson", "json"] {
        let request =
            format!("GET /c/a?as={wire}&timeout=1ms HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let answer = exchange(&server, request.as_bytes()).await;
        assert!(
            answer.contains("\r\nconnection: close\r\n"),
            "{wire}: {answer}"
        );
        assert!(!answer.contains("keep-alive"), "{wire}: {answer}");
    }
    let kept = "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".repeat(2);
    let answer = exchange(
        &server,
        format!("{kept}GET /healthz HTTP/1.0\r\n\r\n").as_bytes(),
    )
    .await;
    assert_eq!(answer.matches(" 200 OK").count(), 3, "{answer}");
    server.stop().await;
}
