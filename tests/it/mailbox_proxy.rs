//! Letters to receivers behind a proxy, which shares its connections among its clients.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::TestServer;
use crate::support::mailbox::{Line, ask, letter, look, text};

/// Sends what a client at this address asks for through the proxy's connection.
async fn forward(mut line: Line, client: &str, form: &str) -> (Value, Line) {
    let request = format!(
        "POST /mailbox HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    line.0.write_all(request.as_bytes()).await.unwrap();
    line.hear().await
}

const BOB: &str = "action=receive&me=bob";

/// The next request of another client on the proxy's connection does not confirm a letter: it goes
/// back to its mailbox at once.
#[tokio::test]
async fn proxy_other_client_confirms_nothing() {
    let server = TestServer::start();
    letter(server.addr, "bob", "hello").await;
    let (answer, line) = forward(Line::open(server.addr).await, "192.0.2.1", BOB).await;
    assert_eq!(text(&answer), "hello");
    let other = "action=receive&me=carol&wait=0s";
    let (empty, line) = forward(line, "192.0.2.2", other).await;
    assert_eq!(empty, json!({ "Status": "empty" }));
    assert_eq!(ask(server.addr, BOB).await, answer, "nobody had it");
    assert_eq!(server.metrics.letters.counts().1, 1);
    drop(line);
    server.stop().await;
}

/// Neither does a request of the same address for another mailbox, such as that of a second person
/// in the same house.
#[tokio::test]
async fn proxy_other_mailbox_confirms_nothing() {
    let server = TestServer::start();
    letter(server.addr, "bob", "hello").await;
    let (answer, line) = forward(Line::open(server.addr).await, "192.0.2.1", BOB).await;
    let other = "action=receive&me=carol&wait=0s";
    let (_, line) = forward(line, "192.0.2.1", other).await;
    assert_eq!(ask(server.addr, BOB).await, answer);
    drop(line);
    server.stop().await;
}

/// A client that asks its mailbox again through the proxy has what it got before.
#[tokio::test]
async fn proxy_same_client_confirms() {
    let server = TestServer::start();
    for n in ["1", "2"] {
        letter(server.addr, "bob", n).await;
    }
    let (first, line) = forward(Line::open(server.addr).await, "192.0.2.1", BOB).await;
    let (second, line) = forward(line, "192.0.2.1", BOB).await;
    assert_eq!((text(&first), text(&second)), ("1", "2"));
    assert_eq!(server.metrics.letters.counts(), (1, 0));
    let (_, line) = forward(line, "192.0.2.1", &format!("{BOB}&wait=0s")).await;
    assert_eq!(look(server.addr, "bob").await, json!({ "Status": "empty" }));
    drop(line);
    server.stop().await;
}

/// A client whose requests are always followed by another client's on the proxy's connection gets
/// every letter all the same: a letter comes twice at most.
#[tokio::test]
async fn proxy_returns_a_letter_once() {
    let server = TestServer::start();
    for n in ["1", "2"] {
        letter(server.addr, "bob", n).await;
    }
    let mut line = Line::open(server.addr).await;
    for expected in ["1", "1", "2", "2"] {
        let (answer, after) = forward(line, "192.0.2.1", BOB).await;
        assert_eq!(text(&answer), expected);
        (_, line) = forward(after, "192.0.2.2", "action=receive&me=carol&wait=0s").await;
    }
    assert_eq!(server.metrics.letters.counts(), (2, 2));
    assert_eq!(look(server.addr, "bob").await, json!({ "Status": "empty" }));
    drop(line);
    server.stop().await;
}
