//! The mailbox over HTTP: which receiver gets which letter, and what the answers say.

use std::time::Duration;

use forever_frame::config::StoreKind;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::client::{append, get, post, send};
use crate::support::mailbox::{Line, ask, id, letter, look, text, wait_for, waiting};
use crate::support::{TestServer, eventually, soon, until};

/// A server on each kind of store.
fn both() -> (TempDir, [TestServer; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let servers = [TestServer::start(), TestServer::stored(&directory)];
    (directory, servers)
}

/// A letter is delivered once, in the JSON of the original page.
#[tokio::test]
async fn mailbox_answer_format() {
    let (_directory, servers) = both();
    for server in servers {
        let sent = "action=send&me=%3Cb%3EAda&toUserName=%E4%BD%A0&msg=a%26b%0Ac+%F0%9F%91%8B";
        assert_eq!(ask(server.addr, sent).await, json!({ "Status": "ok" }));
        let mut raw = post(server.addr, "/mailbox", "action=receive&me=%E4%BD%A0").await;
        assert_eq!(raw.header("content-type"), "application/json");
        assert_eq!(raw.header("cache-control"), "no-store");
        let answer = raw.json().await;
        let id = id(&answer).to_owned();
        let expected = json!({ "FromUserName": "<b>Ada", "Msg": "a&b\nc 👋", "Id": id });
        assert_eq!(answer, expected);
        drop(raw);
        let empty = json!({ "Status": "empty" });
        assert_eq!(look(server.addr, "%E4%BD%A0").await, empty);
        server.stop().await;
    }
}

/// Letters come in order, and only to the name to which they were sent.
#[tokio::test]
async fn mailbox_order_per_name() {
    let (_directory, servers) = both();
    for server in servers {
        for n in 0..10 {
            letter(server.addr, "bob", &n.to_string()).await;
            append(server.addr, "main", "between").await;
            letter(server.addr, "Bob", "another").await;
        }
        let mut line = Line::open(server.addr).await;
        for n in 0..10 {
            let (answer, again) = line.ask("action=receive&me=bob").await;
            assert_eq!(text(&answer), n.to_string());
            line = again;
        }
        let (answer, _) = line.ask("action=receive&me=bob&wait=0s").await;
        assert_eq!(answer, json!({ "Status": "empty" }));
        server.stop().await;
    }
}

/// The fields may stand in the query or in the form, and the form's value counts.
#[tokio::test]
async fn mailbox_fields_in_query_or_form() {
    let server = TestServer::start();
    let sent = "/mailbox?action=send&me=ada&toUserName=bob&msg=query";
    assert_eq!(post(server.addr, sent, "msg=form").await.status, 200);
    assert_eq!(post(server.addr, sent, "").await.status, 200);
    let form = "action=receive&me=bob";
    assert_eq!(text(&ask(server.addr, form).await), "form");
    let query = format!("/mailbox?{form}");
    let answer = post(server.addr, &query, "").await.json().await;
    assert_eq!(text(&answer), "query");
    server.stop().await;
}

/// A letter wakes the request that waits for it.
#[tokio::test]
async fn mailbox_letter_wakes_waiting_request() {
    let (_directory, servers) = both();
    for server in servers {
        let line = waiting(&server, "action=receive&me=bob").await;
        letter(server.addr, "carol", "not for bob").await;
        letter(server.addr, "bob", "at last").await;
        assert_eq!(text(&line.hear().await.0), "at last");
        server.stop().await;
    }
}

/// A request that waits is answered as empty after the time of its `wait`.
#[tokio::test]
async fn mailbox_wait_ends_empty() {
    let server = TestServer::start();
    let began = tokio::time::Instant::now();
    let answer = ask(server.addr, "action=receive&me=bob&wait=300ms").await;
    assert_eq!(answer, json!({ "Status": "empty" }));
    assert!(began.elapsed() >= Duration::from_millis(300));
    server.stop().await;
}

/// Of two requests that wait under one name each gets one letter.
#[tokio::test]
async fn mailbox_two_receivers_share_letters() {
    let (_directory, servers) = both();
    for server in servers {
        let form = "action=receive&me=bob";
        let (one, two) = (waiting(&server, form).await, waiting(&server, form).await);
        letter(server.addr, "bob", "1").await;
        wait_for(&server, 1).await;
        letter(server.addr, "bob", "2").await;
        let (one, two) = (one.hear().await.0, two.hear().await.0);
        let mut texts = [text(&one), text(&two)];
        texts.sort_unstable();
        assert_eq!(texts, ["1", "2"]);
        assert_ne!(id(&one), id(&two));
        server.stop().await;
    }
}

/// A form that makes no sense is refused with a sentence that names the field.
#[tokio::test]
async fn mailbox_bad_form_refused() {
    let server = TestServer::with(|config| config.max_message = 100);
    let long = "x".repeat(101);
    let very_long = "x".repeat(100_000);
    for (form, status, sentence) in [
        ("me=bob", 400, "the form has no field \"action\""),
        (
            "action=delete",
            400,
            "action=\"delete\" is neither send nor receive",
        ),
        ("action=", 400, "action=\"\" is neither send nor receive"),
        ("action=receive", 400, "the form has no field \"me\""),
        ("action=receive&me=", 400, "me=\"\" is empty"),
        (
            "action=receive&me=a%0Ab",
            400,
            "me=\"a\\nb\" has the character '\\n'",
        ),
        (
            &format!("action=receive&me={long}"),
            400,
            "101 characters long; the limit is 100",
        ),
        ("action=receive&me=%FF", 400, "is not UTF-8"),
        (
            "action=receive&me=bob&wait=61s",
            400,
            "wait=\"61s\" is longer than 60s",
        ),
        (
            "action=receive&me=bob&wait=soon",
            400,
            "wait=\"soon\" is not a duration",
        ),
        (
            "action=receive&me=bob&ack=17",
            400,
            "ack=\"17\" is not a cursor",
        ),
        (
            "action=send&me=a&msg=x",
            400,
            "the form has no field \"toUserName\"",
        ),
        (
            "action=send&me=a&toUserName=b",
            400,
            "the form has no field \"msg\"",
        ),
        (
            "action=send&me=a&toUserName=b&msg=",
            400,
            "msg=\"\" is empty",
        ),
        (
            "action=send&toUserName=b&msg=x",
            400,
            "the form has no field \"me\"",
        ),
        (
            "action=send&me=a&toUserName=&msg=x",
            400,
            "toUserName=\"\" is empty",
        ),
        (
            &format!("action=send&me=a&toUserName=b&msg={long}"),
            413,
            "longer than the limit of 100 bytes",
        ),
        (&very_long, 413, "the form is longer than"),
    ] {
        let mut response = post(server.addr, "/mailbox", form).await;
        let error = response.json().await["error"].as_str().unwrap().to_owned();
        assert_eq!(response.status, status, "{form}: {error}");
        assert!(error.contains(sentence), "{form}: {error}");
    }
    let refused = send(server.addr, "PUT /mailbox", b"x").await;
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, "GET, HEAD, POST, OPTIONS")
    );
    server.stop().await;
}

/// Without the demonstrations there is no mailbox.
#[tokio::test]
async fn mailbox_absent_without_demos() {
    let server = TestServer::with(|config| config.demos = false);
    assert_eq!(
        post(server.addr, "/mailbox", "action=receive&me=bob")
            .await
            .status,
        404
    );
    server.stop().await;
}

/// The channel of a mailbox cannot be followed under `/c/`.
#[tokio::test]
async fn mailbox_channel_not_public() {
    let server = TestServer::start();
    letter(server.addr, "Ada", "secret").await;
    let letters = "~mailbox.4522719c829031ba33df0718ce66bc8e";
    assert_eq!(get(server.addr, &format!("/c/{letters}")).await.status, 400);
    server.stop().await;
}

/// Letters survive a restart of the server, and received ones stay received.
#[tokio::test]
async fn mailbox_survives_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = TestServer::stored(&directory);
    for n in 1..=5 {
        letter(server.addr, "bob", &n.to_string()).await;
    }
    assert_eq!(text(&look(server.addr, "bob").await), "1");
    assert_eq!(text(&look(server.addr, "bob").await), "2");
    server.stop().await;
    let server = TestServer::stored(&directory);
    for n in 3..=5 {
        assert_eq!(text(&look(server.addr, "bob").await), n.to_string());
    }
    assert_eq!(look(server.addr, "bob").await, json!({ "Status": "empty" }));
    server.stop().await;
}

/// A request that waits when the server stops is told to come again.
#[tokio::test]
async fn mailbox_stop_answers_waiting_request() {
    let server = TestServer::start();
    let line = waiting(&server, "action=receive&me=bob").await;
    server.stop().await;
    let mut response = line.answer().await.unwrap();
    let sentence = json!({ "error": "the server is stopping" });
    assert_eq!((response.status, response.json().await), (503, sentence));
    let wait: u64 = response.header("retry-after").parse().unwrap();
    assert!((2..=8).contains(&wait), "{wait}");
}

/// The value of a metric in `/metrics`.
async fn metric(server: &TestServer, name: &str) -> u64 {
    let metrics = get(server.addr, "/metrics").await.text().await;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap().trim().parse().unwrap()
}

/// The number of letters that were trimmed before they were received is told.
#[tokio::test]
async fn mailbox_missed_after_trimming() {
    let (directory, _) = both();
    let file = directory.path().join("keep.db");
    for store in [StoreKind::Memory, StoreKind::Sqlite(file)] {
        let server = TestServer::with(|config| {
            config.keep.messages = 2;
            config.store = store;
        });
        let say = async |texts: std::ops::RangeInclusive<u32>| {
            for n in texts {
                letter(server.addr, "bob", &n.to_string()).await;
                append(server.addr, "main", "between").await;
            }
        };
        let expect = async |msg: &str, missed: Value| {
            let answer = look(server.addr, "bob").await;
            assert_eq!(
                (text(&answer), &answer["Missed"]),
                (msg, &missed),
                "{answer}"
            );
        };
        say(1..=5).await;
        expect("4", json!(3)).await;
        expect("5", Value::Null).await;
        say(6..=9).await;
        expect("8", json!(2)).await;
        say(10..=11).await;
        // Letter 9 was not received.
        expect("10", json!(1)).await;
        expect("11", Value::Null).await;
        assert_eq!(look(server.addr, "bob").await, json!({ "Status": "empty" }));
        server.stop().await;
    }
}

/// When all letters have expired, the number of those that were never received is still told.
#[tokio::test]
async fn mailbox_missed_after_expiry() {
    let (directory, _) = both();
    let file = directory.path().join("age.db");
    tokio::join!(
        expired_letters_are_told(StoreKind::Memory),
        expired_letters_are_told(StoreKind::Sqlite(file)),
    );
}

async fn expired_letters_are_told(store: StoreKind) {
    let server = TestServer::with(|config| {
        // Long enough for nine requests, also on a busy machine.
        config.keep.age = Duration::from_secs(6);
        config.store = store;
    });
    for to in ["bob", "bob", "carol", "carol", "carol", "dave"] {
        letter(server.addr, to, "x").await;
    }
    for me in ["bob", "bob", "carol"] {
        assert_eq!(text(&look(server.addr, me).await), "x");
    }
    eventually("all has expired", async || {
        metric(&server, "forever_frame_log_first_seq").await == 0
    })
    .await;
    let empty = json!({ "Status": "empty" });
    let missed = |count: u64| json!({ "Status": "empty", "Missed": count });
    assert_eq!(look(server.addr, "bob").await, empty);
    assert_eq!(look(server.addr, "carol").await, missed(2));
    assert_eq!(look(server.addr, "dave").await, missed(1));
    for me in ["carol", "dave"] {
        assert_eq!(look(server.addr, me).await, empty, "it is told once");
    }
    server.stop().await;
}

/// Each received letter has its record in the log, also when many are received at once.
#[tokio::test]
async fn mailbox_ack_record_for_each_letter() {
    const LETTERS: u64 = 40;
    let directory = tempfile::tempdir().unwrap();
    let server = TestServer::stored(&directory);
    let mut lines = Vec::new();
    for n in 0..LETTERS {
        letter(server.addr, "bob", &n.to_string()).await;
        let line = Line::open(server.addr).await;
        lines.push(line.ask("action=receive&me=bob").await.1);
    }
    drop(lines);
    until("all are received", || {
        server.metrics.letters.counts() == (LETTERS, 0)
    })
    .await;
    server.stop().await;
    let server = TestServer::stored(&directory);
    let last = metric(&server, "forever_frame_log_last_seq").await;
    assert_eq!(last, 2 * LETTERS);
    server.stop().await;
}

/// The metrics count waiting requests, and received and returned letters.
#[tokio::test]
async fn mailbox_metrics() {
    let server = TestServer::start();
    let line = waiting(&server, "action=receive&me=bob").await;
    assert_eq!(metric(&server, "forever_frame_mailbox_waiting").await, 1);
    letter(server.addr, "bob", "x").await;
    let (_, line) = line.hear().await;
    assert_eq!(metric(&server, "forever_frame_mailbox_waiting").await, 0);
    assert_eq!(
        metric(&server, "forever_frame_mailbox_received_total").await,
        0
    );
    let (_, line) = line.ask("action=receive&me=bob&wait=0s").await;
    assert_eq!(
        metric(&server, "forever_frame_mailbox_received_total").await,
        1
    );
    assert_eq!(
        metric(&server, "forever_frame_mailbox_returned_total").await,
        0
    );
    drop(line);
    soon(server.stop()).await;
}
