//! HTTP/2, in clear text and over TLS: what many requests on one connection share, and what they do not.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::support::client::{append, get, post};
use crate::support::mailbox::{letter, look, wait_for};
use crate::support::{TestServer, at_last, soon, until};

type Body = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;

/// A client whose requests share a connection.
struct Client {
    sender: SendRequest<Body>,
    connection: JoinHandle<hyper::Result<()>>,
}

impl Client {
    /// Connects by prior knowledge, with this window for the body of each answer.
    async fn connect(addr: SocketAddr, window: u32) -> Client {
        Client::on(TcpStream::connect(addr).await.unwrap(), window).await
    }

    async fn on(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, window: u32) -> Client {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(window)
            .initial_connection_window_size(16 * 1024 * 1024)
            .handshake(TokioIo::new(io))
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        Client { sender, connection }
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> Response<Incoming> {
        let body = if body.is_empty() {
            Empty::new().boxed()
        } else {
            Full::from(body.to_owned()).boxed()
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("http://localhost{path}"))
            .body(body)
            .unwrap();
        soon(self.sender.send_request(request)).await.unwrap()
    }

    async fn get(&mut self, path: &str) -> Response<Incoming> {
        self.send("GET", path, "").await
    }
}

/// Reads an answer until it contains a text.
async fn read_until(answer: &mut Response<Incoming>, text: &str) -> String {
    let mut all = String::new();
    while !all.contains(text) {
        let frame = soon(answer.frame()).await;
        let frame = frame.unwrap_or_else(|| panic!("ended before {text:?}: {all:?}"));
        all += std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap();
    }
    all
}

async fn text(answer: Response<Incoming>) -> String {
    let bytes = soon(answer.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

const WINDOW: u32 = 64 * 1024;

/// Streams and requests share one connection, and each counts as one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_share_a_connection() {
    let server = TestServer::start();
    let mut client = Client::connect(server.addr, WINDOW).await;
    let mut streams = Vec::new();
    for number in 0..20 {
        streams.push(client.get(&format!("/c/c{number},main?as=sse")).await);
    }
    server.open_streams(20).await;
    let answer = client.send("POST", "/c/main", "hello").await;
    assert_eq!(answer.status(), 201);
    for stream in &mut streams {
        read_until(stream, "data: hello").await;
        assert!(stream.headers().get("connection").is_none());
    }
    // A stream that its client has done with ends alone.
    streams.pop();
    server.open_streams(19).await;
    client.send("POST", "/c/main", "again").await;
    for stream in &mut streams {
        read_until(stream, "data: again").await;
    }
    drop(client);
    drop(streams);
    server.open_streams(0).await;
    server.stop().await;
}

/// Requests beyond the limit of connections are refused, whichever connection they come on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_count_streams() {
    let server = TestServer::with(|config| config.max_connections = Some(4));
    let mut client = Client::connect(server.addr, WINDOW).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let stream = client.get("/c/main?as=ndjson").await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    assert_eq!(client.get("/c/main?as=ndjson").await.status(), 503);
    assert_eq!(client.get("/healthz").await.status(), 200);
    assert_eq!(get(server.addr, "/c/main").await.status, 503);
    streams.pop();
    server.open_streams(2).await;
    until("room", || server.metrics.open_streams() == 2).await;
    assert_eq!(client.get("/c/main?as=ndjson").await.status(), 200);
    drop(streams);
    server.stop().await;
}

/// A stream whose client reads others, but not this one, is given up alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_stream_is_given_up_alone() {
    let server = TestServer::with(|config| config.timeouts.stall = Duration::from_secs(2));
    let mut client = Client::connect(server.addr, WINDOW).await;
    let unread = client.get("/c/main?as=ndjson").await;
    let mut read = client.get("/c/main,other?as=ndjson").await;
    server.open_streams(2).await;
    let large = "x".repeat(48_000);
    for _ in 0..20 {
        append(server.addr, "main", &large).await;
        read_until(&mut read, "\n").await;
    }
    server.open_streams(1).await;
    append(server.addr, "other", "still here").await;
    read_until(&mut read, "still here").await;
    let metrics = get(server.addr, "/metrics").await.text().await;
    let stalled = metrics.lines().find(|line| line.contains("\"stalled\""));
    assert!(
        stalled.is_some_and(|line| line.ends_with(" 1")),
        "{stalled:?}"
    );
    drop(unread);
    server.stop().await;
}

/// Streams end in-band when the server stops, and their client is told by GOAWAY that no more is served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_ends_in_band_and_goes_away() {
    let server = TestServer::with(|config| config.drain = Duration::from_millis(500));
    let mut client = Client::connect(server.addr, WINDOW).await;
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(client.get("/c/main?as=ndjson").await);
    }
    server.open_streams(10).await;
    let stopped = tokio::spawn(server.stop());
    for stream in streams {
        let said = text(stream).await;
        assert!(said.contains(r#""reason":"stop""#), "{said}");
    }
    at_last(stopped).await.unwrap();
    // An orderly end, and no error.
    soon(client.connection).await.unwrap().unwrap();
}

/// A connection without a request is closed after its time, and one with a stream is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connection_is_closed() {
    let server = TestServer::with(|config| {
        config.timeouts.keep_alive = Duration::from_secs(1);
        config.timeouts.head = Duration::from_secs(1);
    });
    let mut busy = Client::connect(server.addr, WINDOW).await;
    let mut stream = busy.get("/c/main?as=ndjson").await;
    let mut used = Client::connect(server.addr, WINDOW).await;
    assert_eq!(text(used.get("/healthz").await).await, "ok");
    let never = Client::connect(server.addr, WINDOW).await;
    soon(used.connection).await.unwrap().unwrap();
    soon(never.connection).await.unwrap().unwrap();
    append(server.addr, "main", "still here").await;
    read_until(&mut stream, "still here").await;
    drop(busy);
    server.stop().await;
}

/// A preface in pieces is one, and what only begins like it is a request.
#[tokio::test]
async fn preface_is_told_from_requests() {
    let server = TestServer::start();
    let mut socket = TcpStream::connect(server.addr).await.unwrap();
    socket.set_nodelay(true).unwrap();
    for piece in [&b"P"[..], b"R", b"I * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        socket.write_all(piece).await.unwrap();
        sleep(Duration::from_millis(20)).await;
    }
    socket
        .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
        .await
        .unwrap();
    let mut head = [0; 9];
    soon(socket.read_exact(&mut head)).await.unwrap();
    assert_eq!(head[3], 4, "settings");
    assert_eq!(post(server.addr, "/c/main", "text").await.status, 201);
    server.stop().await;
}

/// A letter that a client has taken is not delivered again; a request that its client has cancelled gets
/// none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_are_delivered_once() {
    const RECEIVE: &str = "action=receive&me=bob";
    let server = TestServer::start();
    let mut client = Client::connect(server.addr, WINDOW).await;
    {
        let cancelled = client.send("POST", "/mailbox", RECEIVE);
        let waited = tokio::time::timeout(Duration::from_millis(300), cancelled).await;
        assert!(waited.is_err());
    }
    wait_for(&server, 0).await;
    letter(server.addr, "bob", "one").await;
    let taken = text(client.send("POST", "/mailbox", RECEIVE).await).await;
    assert!(taken.contains("one"), "{taken}");
    // It is in flight until the connection ends in order.
    assert_eq!(look(server.addr, "bob").await["Status"], "empty");
    drop(client);
    until("the letter to be confirmed", || {
        server.metrics.letters.counts().0 == 1
    })
    .await;
    assert_eq!(look(server.addr, "bob").await["Status"], "empty");
    assert_eq!(server.metrics.letters.counts().1, 0);
    server.stop().await;
}

/// By ALPN over TLS, the same.
#[cfg(feature = "secure")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alpn_chooses_h2() {
    use crate::support::certificates::Certificates;
    use crate::support::tls::{connect, connector};
    use tokio_rustls::rustls::version::TLS13;

    let certificates = Certificates::new();
    let server = TestServer::with(|config| config.certificate = Some(certificates.files()));
    let connector = connector(&certificates, &TLS13, &["h2", "http/1.1"]);
    let stream = connect(&connector, server.addr).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let mut client = Client::on(stream, WINDOW).await;
    let mut stream = client.get("/c/main?as=ndjson").await;
    let answer = client.send("POST", "/c/main", "hello").await;
    let answer: serde_json::Value = serde_json::from_str(&text(answer).await).unwrap();
    assert_eq!(answer["seq"], 1);
    read_until(&mut stream, "hello").await;
    drop(stream);
    server.open_streams(0).await;
    drop(client);
    server.stop().await;
}
