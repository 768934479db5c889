//! `/?class=1`: the home page on the wall of a class.

use std::time::Duration;

use crate::support::binary::{self, Binary};
use crate::support::client::{append, get, send};
use crate::support::{TestServer, eventually};

/// The page as a browser gets it that asks for it under this name.
async fn page(server: &TestServer, host: &str, query: &str) -> String {
    let head = format!(
        "GET /?class=1{query} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    );
    let mut answer = crate::support::client::send_raw(server.addr, head.as_bytes())
        .await
        .unwrap();
    answer.text().await
}

/// The page shows the address under which it was asked for, as text and as a QR code, unless that is known to this
/// machine alone: then it says how to let others in.
#[tokio::test]
async fn class_shows_the_address() {
    let server = TestServer::start();
    let shown = page(&server, "192.168.43.7:8080", "").await;
    assert!(
        shown.contains("<a href=\"http://192.168.43.7:8080\">"),
        "{shown}"
    );
    assert!(shown.contains("<svg viewBox=\"0 0 33 33\""), "{shown}");
    assert!(!shown.contains("Only this machine"), "{shown}");
    let here = page(&server, "localhost:8080", "").await;
    assert!(
        here.contains("Only this machine") && here.contains("--listen 0.0.0.0:8080"),
        "{here}"
    );
    // Any other home page is the usual one.
    let head = "GET /?class=2\r\nAccept: text/html";
    assert!(
        !send(server.addr, head, b"")
            .await
            .text()
            .await
            .contains("class.css")
    );
    server.stop().await;
}

/// The page says how many watch.
#[tokio::test]
async fn class_counts_who_watches() {
    let server = TestServer::start();
    append(server.addr, "main", "hello").await;
    let watches = async |expected: &str| {
        eventually(expected, async || {
            let shown = page(&server, "192.168.43.7:8080", "").await;
            shown
                .contains(&format!(">{expected}<"))
                .then_some(())
                .ok_or(shown)
        })
        .await;
    };
    watches("Nobody is watching yet").await;
    let first = get(server.addr, "/c/main").await;
    watches("1 is watching").await;
    let second = get(server.addr, "/c/m*").await;
    watches("2 are watching").await;
    drop((first, second));
    server.stop().await;
}

/// Clear leads to a page that begins here, also when it is loaded again.
#[tokio::test]
async fn class_is_cleared() {
    let server = TestServer::start();
    let cursor = append(server.addr, "main", "old").await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    let cleared = get(server.addr, "/?class=1&since=now").await;
    let location = format!("/?class=1&since={cursor}");
    assert_eq!(
        (cleared.status, cleared.header("location")),
        (303, &*location)
    );
    let shown = page(&server, "localhost", &format!("&since={cursor}")).await;
    assert!(
        shown.contains(&format!("data-since=\"{cursor}\"")),
        "{shown}"
    );
    // What is no cursor is passed over, as on all pages.
    let other = page(&server, "localhost", "&since=%22%3E").await;
    assert!(other.contains("data-since=\"-20\""), "{other}");
    server.stop().await;
}

/// A server that others reach says where, for whoever starts it.
#[tokio::test]
async fn start_tells_the_address_of_the_class() {
    let command = binary::command(&["--listen", "0.0.0.0:0", "--access", "open"]);
    let server = Binary::spawn(command).await;
    let port = server.addr.port();
    let has_way = std::net::UdpSocket::bind("0.0.0.0:0")
        .and_then(|socket| socket.connect("192.0.2.1:9"))
        .is_ok();
    if has_way {
        eventually("the address is told", async || {
            let log = server.log();
            let ends = format!(":{port}/?class=1");
            log.contains(&ends).then_some(()).ok_or(log)
        })
        .await;
    }
    tokio::time::timeout(Duration::from_secs(30), server.end("-TERM"))
        .await
        .unwrap();
}
