//! Delivery of letters: a letter leaves the mailbox only when its receiver has it, or has
//! acknowledged it.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::client::{post, send};
use crate::support::mailbox::{Line, ask, id, letter, look, text, unread, wait_for, waiting};
use crate::support::{TestServer, soon, until};

const RECEIVE: &str = "action=receive&me=bob";
const ACKING: &str = "action=receive&me=bob&ack=";

fn empty() -> Value {
    json!({ "Status": "empty" })
}

/// A waiting client that leaves gets no letter; the next waiting request does.
#[tokio::test]
async fn mailbox_gone_client_skipped() {
    let server = TestServer::start();
    let gone = waiting(&server, RECEIVE).await;
    let stays = waiting(&server, RECEIVE).await;
    drop(gone);
    wait_for(&server, 1).await;
    letter(server.addr, "bob", "hello").await;
    assert_eq!(text(&stays.hear().await.0), "hello");
    server.stop().await;
}

/// An answer that its client never reads is redelivered as soon as the connection is reset.
#[tokio::test]
async fn mailbox_unread_answer_redelivered() {
    let server = TestServer::start();
    let dies = unread(&server, RECEIVE).await;
    assert_eq!(
        look(server.addr, "bob").await,
        empty(),
        "the letter is in flight"
    );
    let next = waiting(&server, RECEIVE).await;
    // To close a socket with bytes that were not read resets the connection.
    drop(dies);
    assert_eq!(text(&next.hear().await.0), "unread");
    assert_eq!(server.metrics.letters.counts().1, 1);
    server.stop().await;
}

/// A letter for a client that has left unnoticed is redelivered.
#[tokio::test]
async fn mailbox_answer_to_gone_client_redelivered() {
    let server = TestServer::start();
    let mut gone = waiting(&server, RECEIVE).await;
    // After the first byte of another request, the server no longer looks for the client's end.
    gone.0.write_all(b"P").await.unwrap();
    drop(gone);
    letter(server.addr, "bob", "hello").await;
    let next = ask(server.addr, RECEIVE).await;
    assert_eq!(text(&next), "hello");
    server.stop().await;
}

/// A request that was sent before the answer does not acknowledge that answer.
#[tokio::test]
async fn mailbox_pipelined_request_is_no_ack() {
    let server = TestServer::start();
    let mut line = Line::open(server.addr).await;
    line.say(RECEIVE).await;
    line.say(RECEIVE).await;
    wait_for(&server, 1).await;
    letter(server.addr, "bob", "hello").await;
    line.0.readable().await.unwrap();
    wait_for(&server, 1).await;
    drop(line);
    assert_eq!(text(&ask(server.addr, RECEIVE).await), "hello");
    server.stop().await;
}

/// A client that reads its answer and closes the connection has received the letter.
#[tokio::test]
async fn mailbox_read_and_close_is_ack() {
    let server = TestServer::start();
    for (n, head) in ["POST /mailbox", "POST /mailbox\r\nConnection: close"]
        .iter()
        .enumerate()
    {
        letter(server.addr, "bob", "hello").await;
        let mut response = send(server.addr, head, RECEIVE.as_bytes()).await;
        assert_eq!(text(&response.json().await), "hello");
        drop(response);
        until("it is received", || {
            server.metrics.letters.counts() == (n as u64 + 1, 0)
        })
        .await;
    }
    assert_eq!(look(server.addr, "bob").await, empty());
    server.stop().await;
}

/// A client that falls silent after its answer has received the letter when it closes the
/// connection in the end.
#[tokio::test]
async fn mailbox_silent_client_acks_by_close() {
    let server = TestServer::with(|config| {
        config.timeouts.keep_alive = std::time::Duration::from_millis(200);
    });
    letter(server.addr, "bob", "hello").await;
    let (answer, mut line) = Line::open(server.addr).await.ask(RECEIVE).await;
    assert_eq!(text(&answer), "hello");
    // The server closes the connection first.
    assert_eq!(soon(line.0.read(&mut [0; 1])).await.unwrap(), 0);
    assert_eq!(
        look(server.addr, "bob").await,
        empty(),
        "the letter may have arrived"
    );
    drop(line);
    until("it is received", || {
        server.metrics.letters.counts() == (1, 0)
    })
    .await;
    server.stop().await;
}

/// An answer that closes its connection is redelivered when the client resets that connection.
#[tokio::test]
async fn mailbox_unread_closing_answer_redelivered() {
    let server = TestServer::start();
    letter(server.addr, "bob", "hello").await;
    let closing = "POST /mailbox\r\nConnection: close";
    let mut response = send(server.addr, closing, RECEIVE.as_bytes()).await;
    // A socket that is closed like this resets the connection, as a client does that dies.
    let socket = socket2::SockRef::from(&*response.socket());
    socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    assert_eq!(
        look(server.addr, "bob").await,
        empty(),
        "the letter is in flight"
    );
    drop(response);
    assert_eq!(text(&ask(server.addr, RECEIVE).await), "hello");
    server.stop().await;
}

/// With `ack` a letter is redelivered until it is acknowledged.
#[tokio::test]
async fn mailbox_ack_ends_redelivery() {
    let server = TestServer::start();
    for n in 1..=2 {
        letter(server.addr, "bob", &n.to_string()).await;
    }
    let line = Line::open(server.addr).await;
    let (first, line) = line.ask(ACKING).await;
    let (again, line) = line.ask(ACKING).await;
    assert_eq!((text(&first), &first), ("1", &again));
    let (second, line) = line.ask(&format!("{ACKING}{}", id(&again))).await;
    assert_eq!(text(&second), "2");
    // A second acknowledgement does no harm.
    let form = format!("{ACKING}{}&wait=0s", id(&first));
    let (again, line) = line.ask(&form).await;
    assert_eq!(again, second);
    let form = format!("{ACKING}{}&wait=0s", id(&second));
    assert_eq!(line.ask(&form).await.0, empty());
    assert_eq!(look(server.addr, "bob").await, empty());
    server.stop().await;
}

/// A letter that waits for its acknowledgement returns to the mailbox when its connection ends.
#[tokio::test]
async fn mailbox_ack_pending_returns_on_close() {
    let server = TestServer::start();
    letter(server.addr, "bob", "hello").await;
    let (answer, line) = Line::open(server.addr).await.ask(ACKING).await;
    // Another request of the client does not acknowledge the letter.
    let (sent, line) = line.ask("action=send&me=bob&toUserName=ada&msg=x").await;
    assert_eq!(sent, json!({ "Status": "ok" }));
    let next = waiting(&server, RECEIVE).await;
    drop(line);
    assert_eq!(next.hear().await.0, answer);
    server.stop().await;
}

/// An acknowledgement counts on any connection.
#[tokio::test]
async fn mailbox_ack_on_any_connection() {
    let server = TestServer::start();
    letter(server.addr, "bob", "1").await;
    letter(server.addr, "bob", "2").await;
    let (first, line) = Line::open(server.addr).await.ask(ACKING).await;
    let (second, other) = Line::open(server.addr).await.ask(ACKING).await;
    assert_eq!((text(&first), text(&second)), ("1", "2"));
    let form = format!("{ACKING}{}&wait=0s", id(&first));
    let (answer, other) = other.ask(&form).await;
    assert_eq!(answer, second, "the second was not acknowledged");
    drop(line);
    let form = format!("{ACKING}{}&wait=0s", id(&second));
    assert_eq!(other.ask(&form).await.0, empty());
    assert_eq!(look(server.addr, "bob").await, empty());
    server.stop().await;
}

/// Acknowledgements survive a restart, and letters can be acknowledged after it.
#[tokio::test]
async fn mailbox_ack_survives_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = TestServer::stored(&directory);
    for n in 1..=4 {
        letter(server.addr, "bob", &n.to_string()).await;
    }
    let (first, line) = Line::open(server.addr).await.ask(ACKING).await;
    let (second, other) = Line::open(server.addr).await.ask(ACKING).await;
    let form = format!("{ACKING}{}", id(&first));
    let (third, line) = line.ask(&form).await;
    assert_eq!((text(&second), text(&third)), ("2", "3"));
    server.stop().await;
    drop((line, other));
    let server = TestServer::stored(&directory);
    // The third letter is acknowledged before the second has been delivered again.
    let form = format!("{ACKING}{}", id(&third));
    let (again, line) = Line::open(server.addr).await.ask(&form).await;
    assert_eq!(again, second);
    let form = format!("{ACKING}{}", id(&second));
    let (fourth, _line) = line.ask(&form).await;
    assert_eq!(text(&fourth), "4");
    server.stop().await;
    let server = TestServer::stored(&directory);
    assert_eq!(
        look(server.addr, "bob").await,
        fourth,
        "nobody acknowledged it"
    );
    assert_eq!(look(server.addr, "bob").await, empty());
    server.stop().await;
}

/// Only letters of the mailbox itself can be acknowledged.
#[tokio::test]
async fn mailbox_ack_of_other_letter_refused() {
    let server = TestServer::start();
    letter(server.addr, "bob", "1").await;
    letter(server.addr, "carol", "2").await;
    let (carols, line) = Line::open(server.addr)
        .await
        .ask("action=receive&me=carol&ack=")
        .await;
    let (epoch, seq) = id(&carols).rsplit_once('-').unwrap();
    let (own, owns) = Line::open(server.addr).await.ask(ACKING).await;
    assert_eq!(seq, "2");
    for seq in ["0", "2", "3", "18446744073709551615"] {
        let form = format!("{ACKING}{epoch}-{seq}&wait=0s");
        let mut response = post(server.addr, "/mailbox", &form).await;
        assert_eq!(response.status, 400);
        let sentence = format!("ack=\"{epoch}-{seq}\" is not a message of this mailbox");
        assert_eq!(response.json().await, json!({ "error": sentence }));
    }
    // An acknowledgement of another epoch changes nothing.
    let (answer, line) = line.ask(&format!("{ACKING}other-1&wait=0s")).await;
    assert_eq!(answer, empty());
    drop((line, owns));
    until("both came back", || server.metrics.letters.counts().1 == 2).await;
    assert_eq!(look(server.addr, "bob").await, own);
    assert_eq!(look(server.addr, "carol").await, carols);
    server.stop().await;
}

/// When the limit of letters in flight is reached, the next one waits until one is received.
#[tokio::test]
async fn mailbox_in_flight_limit_waits() {
    let server = TestServer::start();
    let most = forever_frame::limits::MAILBOX_IN_FLIGHT_MAX;
    for n in 0..most + 2 {
        letter(server.addr, "bob", &n.to_string()).await;
    }
    let mut out = Vec::new();
    for n in 0..most {
        let (answer, line) = Line::open(server.addr).await.ask(RECEIVE).await;
        assert_eq!(text(&answer), n.to_string());
        out.push(line);
    }
    assert_eq!(look(server.addr, "bob").await, empty());
    let one = waiting(&server, RECEIVE).await;
    let two = waiting(&server, RECEIVE).await;
    // Another request on their connections shows that the first two letters have arrived.
    let mut others = out.split_off(2);
    for line in out {
        let (_, line) = line.ask("action=receive&me=carol&wait=0s").await;
        others.push(line);
    }
    let (one, two) = (one.hear().await.0, two.hear().await.0);
    let mut texts = [text(&one), text(&two)];
    texts.sort_unstable();
    assert_eq!(texts, [most.to_string(), (most + 1).to_string()]);
    drop(others);
    server.stop().await;
}
