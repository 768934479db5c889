//! Connections that are kept between requests, and how they are closed: in order, so that no request is
//! lost to a reset.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::binary::Binary;
use crate::support::client::get;
use crate::support::{TestServer, soon};

const POST: &[u8] = b"POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx";

/// How a post ended.
#[derive(Debug, PartialEq)]
enum Ended {
    Stored,
    /// The connection had been closed in order, and nothing was stored.
    Closed,
}

/// Posts on a connection, and reads the whole answer; a reset fails the test.
async fn post(socket: &mut TcpStream) -> Ended {
    match socket.write_all(POST).await {
        Ok(()) => {}
        Err(error) => panic!("the request was not taken: {error}"),
    }
    let mut answer = [0; 1024];
    match soon(socket.read(&mut answer)).await {
        Ok(0) => Ended::Closed,
        Ok(read) => {
            let text = String::from_utf8_lossy(&answer[..read]);
            if text.starts_with("HTTP/1.1 503 ") {
                return Ended::Closed;
            }
            assert!(text.starts_with("HTTP/1.1 201 "), "{text}");
            Ended::Stored
        }
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::ConnectionReset, "lost");
            panic!("{error}");
        }
    }
}

async fn last_seq(addr: SocketAddr) -> u64 {
    let metrics = get(addr, "/metrics").await.text().await;
    let mut lines = metrics.lines();
    let seq = lines.find_map(|line| line.strip_prefix("forever_frame_log_last_seq "));
    seq.unwrap().parse().unwrap()
}

/// Clients that post just when their idle connection is closed are answered, or find it closed in
/// order; what they were told is what was stored.
#[tokio::test]
async fn post_at_the_idle_close_is_not_reset() {
    const IDLE: Duration = Duration::from_millis(500);
    let server = TestServer::with(|config| config.timeouts.keep_alive = IDLE);
    let mut clients = Vec::new();
    for n in 0..100_u64 {
        let addr = server.addr;
        clients.push(tokio::spawn(async move {
            let mut socket = TcpStream::connect(addr).await.unwrap();
            socket.set_nodelay(true).unwrap();
            assert_eq!(post(&mut socket).await, Ended::Stored);
            // From 10 ms before the close to 10 ms after it.
            sleep_until(
                Instant::now() + IDLE - Duration::from_millis(10) + Duration::from_micros(200 * n),
            )
            .await;
            post(&mut socket).await
        }));
    }
    let mut stored = 100;
    for client in clients {
        stored += u64::from(client.await.unwrap() == Ended::Stored);
    }
    assert_eq!(last_seq(server.addr).await, stored);
    server.stop().await;
}

/// An idle connection is kept for its time, after a request with a body and after one without.
#[tokio::test]
async fn idle_connection_is_kept_for_its_time() {
    let server = Binary::start(&["--keep-alive", "1500ms"]).await;
    for request in [
        &b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        POST,
    ] {
        let mut socket = TcpStream::connect(server.addr).await.unwrap();
        socket.write_all(request).await.unwrap();
        let mut answer = [0; 1024];
        soon(socket.read(&mut answer)).await.unwrap();
        let began = Instant::now();
        let end = soon(socket.read(&mut answer)).await.unwrap();
        assert_eq!(end, 0, "it is closed in order");
        assert!(
            began.elapsed() > Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
    }
}

/// Clients that post just when the server is told to stop are answered, or find their connection closed
/// in order.
#[tokio::test]
async fn post_at_the_stop_is_not_reset() {
    let server = Binary::start(&["--drain", "1s"]).await;
    // It keeps the server from ending at once.
    let mut stream = get(server.addr, "/c/a?as=sse").await;
    let mut clients = Vec::new();
    let began = Instant::now();
    for n in 0..60_u64 {
        let addr = server.addr;
        clients.push(tokio::spawn(async move {
            let mut socket = TcpStream::connect(addr).await.unwrap();
            socket.set_nodelay(true).unwrap();
            assert_eq!(post(&mut socket).await, Ended::Stored);
            sleep_until(began + Duration::from_millis(490) + Duration::from_micros(500 * n)).await;
            post(&mut socket).await
        }));
    }
    sleep_until(began + Duration::from_millis(500)).await;
    server.signal("-TERM").await;
    for client in clients {
        client.await.unwrap();
    }
    stream.text().await;
    assert_eq!(soon(server.ended()).await.code(), Some(0));
}

/// A long wait for an answer is no idleness.
#[tokio::test]
async fn waiting_for_an_answer_is_not_idle() {
    let server = TestServer::with(|config| {
        config.timeouts.keep_alive = Duration::from_millis(200);
        config.timeouts.head = Duration::from_millis(200);
    });
    let poll = tokio::spawn(get_text(server.addr, "/c/a?as=json&wait=2s"));
    sleep(Duration::from_secs(1)).await;
    crate::support::client::append(server.addr, "a", "late").await;
    assert!(soon(poll).await.unwrap().contains("late"));
    server.stop().await;
}

async fn get_text(addr: SocketAddr, path: &'static str) -> String {
    get(addr, path).await.text().await
}
