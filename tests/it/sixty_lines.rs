//! The example that `/wire` shows: it serves what its first lines say.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::support::client::{get, post, send};
use crate::support::soon;

#[path = "../../scripts/examples/sixty_lines.rs"]
#[allow(unreachable_pub, reason = "it is written to be a crate of its own")]
mod example;

async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(example::serve(listener));
    addr
}

/// What is posted is followed live, and a follower goes on after the last id that it has.
#[tokio::test]
async fn sixty_lines_follow_and_go_on() {
    let addr = start().await;
    let mut live = get(addr, "/").await;
    assert_eq!(live.header("content-type"), "text/event-stream");
    assert_eq!(post(addr, "/", "one").await.status, 200);
    assert_eq!(live.until("one").await, "id: 1\ndata: one\n\n");
    post(addr, "/", "two\r\nid: 9").await;
    post(addr, "/", "three").await;
    let rest = live.until("three").await;
    assert_eq!(rest, "id: 2\ndata: two  id: 9\n\nid: 3\ndata: three\n\n");
    drop(live);
    let mut again = send(addr, "GET /\r\nLast-Event-ID: 2", b"").await;
    assert_eq!(again.until("three").await, "id: 3\ndata: three\n\n");
    post(addr, "/", "four").await;
    assert_eq!(soon(again.until("four")).await, "id: 4\ndata: four\n\n");
}

/// The page has the file as it is.
#[tokio::test]
async fn sixty_lines_on_the_page() {
    let server = crate::support::TestServer::start();
    let mut page = get(server.addr, "/wire").await;
    let page = page.text().await;
    let file = include_str!("../../scripts/examples/sixty_lines.rs");
    let escaped = file
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;");
    assert!(page.contains(&escaped), "{page}");
    server.stop().await;
}
