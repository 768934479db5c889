//! A letter leaves the mailbox only when its receiver has it: connections that hold, that break,
//! and clients that say what they got.

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

#[tokio::test]
async fn a_client_that_leaves_makes_room_for_who_comes_next() {
    let server = TestServer::start();
    let gone = waiting(&server, RECEIVE).await;
    let stays = waiting(&server, RECEIVE).await;
    drop(gone);
    wait_for(&server, 1).await;
    letter(server.addr, "bob", "hello").await;
    assert_eq!(text(&stays.hear().await.0), "hello");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_its_client_never_reads_goes_to_the_next_at_once() {
    let server = TestServer::start();
    let dies = unread(&server, RECEIVE).await;
    assert_eq!(look(server.addr, "bob").await, empty(), "it is on its way");
    let next = waiting(&server, RECEIVE).await;
    // To close a socket with bytes that were not read resets the connection.
    drop(dies);
    assert_eq!(text(&next.hear().await.0), "unread");
    assert_eq!(server.metrics.letters.counts().1, 1);
    server.stop().await;
}

#[tokio::test]
async fn an_answer_to_a_client_that_has_gone_meanwhile_goes_to_the_next() {
    let server = TestServer::start();
    let mut gone = waiting(&server, RECEIVE).await;
    // With the beginning of another request, nothing looks for the client's end.
    gone.0.write_all(b"P").await.unwrap();
    drop(gone);
    letter(server.addr, "bob", "hello").await;
    let next = ask(server.addr, RECEIVE).await;
    assert_eq!(text(&next), "hello");
    server.stop().await;
}

#[tokio::test]
async fn a_request_that_was_sent_before_the_answer_does_not_say_that_it_came() {
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

#[tokio::test]
async fn a_client_that_reads_and_closes_has_it() {
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

#[tokio::test]
async fn a_client_that_falls_silent_on_its_connection_has_it_when_it_closes_in_the_end() {
    let server = TestServer::with(|config| {
        config.timeouts.head = std::time::Duration::from_millis(200);
    });
    letter(server.addr, "bob", "hello").await;
    let (answer, mut line) = Line::open(server.addr).await.ask(RECEIVE).await;
    assert_eq!(text(&answer), "hello");
    // The server closes first.
    assert_eq!(soon(line.0.read(&mut [0; 1])).await.unwrap(), 0);
    assert_eq!(look(server.addr, "bob").await, empty(), "it may have come");
    drop(line);
    until("it is received", || {
        server.metrics.letters.counts() == (1, 0)
    })
    .await;
    server.stop().await;
}

#[tokio::test]
async fn an_answer_that_closes_the_connection_and_is_not_read_goes_to_the_next() {
    let server = TestServer::start();
    letter(server.addr, "bob", "hello").await;
    let closing = "POST /mailbox\r\nConnection: close";
    let mut response = send(server.addr, closing, RECEIVE.as_bytes()).await;
    // Closed so, it resets the connection, as a client does that dies.
    let socket = socket2::SockRef::from(&*response.socket());
    socket.set_linger(Some(std::time::Duration::ZERO)).unwrap();
    assert_eq!(look(server.addr, "bob").await, empty(), "it is on its way");
    drop(response);
    assert_eq!(text(&ask(server.addr, RECEIVE).await), "hello");
    server.stop().await;
}

#[tokio::test]
async fn a_letter_comes_again_until_it_is_acknowledged() {
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
    // To say it twice does no harm.
    let form = format!("{ACKING}{}&wait=0s", id(&first));
    let (again, line) = line.ask(&form).await;
    assert_eq!(again, second);
    let form = format!("{ACKING}{}&wait=0s", id(&second));
    assert_eq!(line.ask(&form).await.0, empty());
    assert_eq!(look(server.addr, "bob").await, empty());
    server.stop().await;
}

#[tokio::test]
async fn a_letter_that_waits_for_its_acknowledgement_comes_back_with_the_end_of_its_connection() {
    let server = TestServer::start();
    letter(server.addr, "bob", "hello").await;
    let (answer, line) = Line::open(server.addr).await.ask(ACKING).await;
    // Another request of the client says nothing about it.
    let (sent, line) = line.ask("action=send&me=bob&toUserName=ada&msg=x").await;
    assert_eq!(sent, json!({ "Status": "ok" }));
    let next = waiting(&server, RECEIVE).await;
    drop(line);
    assert_eq!(next.hear().await.0, answer);
    server.stop().await;
}

#[tokio::test]
async fn an_acknowledgement_counts_on_any_connection() {
    let server = TestServer::start();
    letter(server.addr, "bob", "1").await;
    letter(server.addr, "bob", "2").await;
    let (first, line) = Line::open(server.addr).await.ask(ACKING).await;
    let (second, other) = Line::open(server.addr).await.ask(ACKING).await;
    assert_eq!((text(&first), text(&second)), ("1", "2"));
    let form = format!("{ACKING}{}&wait=0s", id(&first));
    let (answer, other) = other.ask(&form).await;
    assert_eq!(answer, second, "it was not acknowledged");
    drop(line);
    let form = format!("{ACKING}{}&wait=0s", id(&second));
    assert_eq!(other.ask(&form).await.0, empty());
    assert_eq!(look(server.addr, "bob").await, empty());
    server.stop().await;
}

#[tokio::test]
async fn acknowledgements_are_kept_over_a_restart_and_count_after_it() {
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
    // The third is acknowledged before the second has been handed out anew.
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

#[tokio::test]
async fn only_letters_of_the_mailbox_can_be_acknowledged() {
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
    // It says nothing that was said of another log.
    let (answer, line) = line.ask(&format!("{ACKING}other-1&wait=0s")).await;
    assert_eq!(answer, empty());
    drop((line, owns));
    until("both came back", || server.metrics.letters.counts().1 == 2).await;
    assert_eq!(look(server.addr, "bob").await, own);
    assert_eq!(look(server.addr, "carol").await, carols);
    server.stop().await;
}

#[tokio::test]
async fn when_many_letters_are_out_the_next_waits_for_one_to_be_received() {
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
    // To ask for something else says that the first two have come.
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
