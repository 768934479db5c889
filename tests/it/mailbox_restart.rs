//! The mailbox of a server that is restarted again and again, with its log on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::support::client::{get, post};
use crate::support::log_dir::LogDir;
use crate::support::mailbox::{Line, letter, look, text};
use crate::support::port::Port;
use crate::support::sender::{Answer, Sender};
use crate::support::{at_last, eventually, until};

const LETTERS: usize = 1000;
/// The number of letters that are sent before the first receiver asks.
const BEFORE: usize = 400;
const LAST: &str = "that was all";

/// The pause of a client that found no server, or got no answer.
async fn pause() {
    sleep(Duration::from_millis(20)).await;
}

/// Sends letters until the server has taken `count` of them, and gives the texts of those. The outcome
/// of a letter whose connection broke is not known, so that letter is not sent again.
async fn write(addr: SocketAddr, from: usize, count: usize) -> BTreeSet<String> {
    let (mut sender, mut sure) = (Sender::new(addr), BTreeSet::new());
    for n in from.. {
        if sure.len() == count {
            break;
        }
        let text = format!("letter {n}");
        let form = format!("action=send&me=ada&toUserName=bob&msg={text}");
        match sender.post("/mailbox", &form).await {
            Answer::Reply(200, _) => drop(sure.insert(text)),
            _ => pause().await,
        }
    }
    sure
}

/// The way in which a receiver asks.
#[derive(Clone, Copy)]
struct Asks {
    acks: bool,
    path: &'static str,
}

/// Asks again and again until the last letter comes, and gives the id and the text of each letter.
async fn receive(addr: SocketAddr, asks: Asks, came: Arc<AtomicUsize>) -> Vec<(String, String)> {
    let (mut client, mut letters) = (Sender::new(addr), Vec::<(String, String)>::new());
    loop {
        let got = letters.last().map_or("", |(id, _)| id);
        let ack = if asks.acks {
            format!("&ack={got}")
        } else {
            String::new()
        };
        let form = format!("action=receive&me=bob{ack}");
        match client.post(asks.path, &form).await {
            Answer::Reply(200, answer) => {
                let said = |name: &str| answer[name].as_str().unwrap().to_owned();
                letters.push((said("Id"), said("Msg")));
                came.fetch_add(1, Relaxed);
                if letters.last().is_some_and(|(_, text)| text == LAST) {
                    return letters;
                }
            }
            Answer::Reply(status, error) => {
                assert_eq!((status, error), (503, stopping()));
                pause().await;
            }
            Answer::Unsent | Answer::Unknown => pause().await,
        }
    }
}

fn stopping() -> Value {
    serde_json::json!({ "error": "the server is stopping" })
}

/// Lets letters be sent and received while the server is ended three times. Gives the letters that
/// were sent, and those that each receiver got.
async fn restarted(signal: &str, who: &[Asks]) -> (BTreeSet<String>, Vec<Vec<(String, String)>>) {
    let (log_dir, port) = (LogDir::new(), Port::reserve());
    let args = ["--drain", "0s"];
    let mut server = log_dir.start_at(&port.listen(), &args).await;
    let mut sent = at_last(write(port.addr, 0, BEFORE)).await;
    let came = Arc::new(AtomicUsize::new(0));
    let ask = |asks: &Asks| tokio::spawn(receive(port.addr, *asks, Arc::clone(&came)));
    let asking: Vec<_> = who.iter().map(ask).collect();
    let writing = tokio::spawn(write(port.addr, BEFORE, LETTERS - BEFORE));
    // The first end comes while letters wait, and the other two while receivers wait.
    for part in [BEFORE / 2, LETTERS * 6 / 10, LETTERS * 8 / 10] {
        until(&format!("{part} letters came"), || {
            came.load(Relaxed) >= part
        })
        .await;
        server.end(signal).await;
        server = log_dir.start_at(&port.listen(), &args).await;
    }
    sent.extend(at_last(writing).await.unwrap());
    // A receiver ends when it gets a last letter.
    for _ in who {
        let form = format!("action=send&me=ada&toUserName=bob&msg={LAST}");
        let answer = Sender::new(port.addr).post("/mailbox", &form).await;
        assert!(matches!(answer, Answer::Reply(200, _)), "{answer:?}");
    }
    let mut received = Vec::new();
    for asking in asking {
        received.push(at_last(asking).await.unwrap());
    }
    server.end("-TERM").await;
    (sent, received)
}

/// The text of each letter and how often it came, by its id. An id always has the same text.
fn counts<'a>(
    received: impl IntoIterator<Item = &'a (String, String)>,
) -> BTreeMap<&'a str, (&'a str, usize)> {
    let mut counts = BTreeMap::new();
    for (id, text) in received {
        let (known, count) = counts.entry(id.as_str()).or_insert((text.as_str(), 0));
        assert_eq!(known, text);
        *count += 1;
    }
    counts
}

const KEEPS: Asks = Asks {
    acks: false,
    path: "/mailbox",
};

/// Over three restarts the original page, which does not acknowledge, gets each letter exactly
/// once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailbox_restart_exactly_once() {
    let (sent, received) = restarted("-TERM", &[KEEPS]).await;
    let counts = counts(&received[0]);
    assert!(counts.values().all(|(_, count)| *count == 1), "{counts:?}");
    let texts: BTreeSet<_> = counts
        .values()
        .map(|(text, _)| (*text).to_owned())
        .collect();
    assert_eq!(texts.len(), counts.len());
    let lost: Vec<_> = sent.difference(&texts).collect();
    assert_eq!((sent.len(), lost.len()), (LETTERS, 0), "{lost:?}");
}

/// Over three restarts two receivers with a new connection for each request get each letter
/// exactly once between them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailbox_restart_two_closing_receivers() {
    let closes = Asks {
        path: "/mailbox\r\nConnection: close",
        ..KEEPS
    };
    let (sent, received) = restarted("-TERM", &[closes, closes]).await;
    let all = received.iter().flatten().filter(|(_, text)| text != LAST);
    let counts = counts(all);
    assert!(counts.values().all(|(_, count)| *count == 1), "{counts:?}");
    let texts: BTreeSet<_> = counts
        .values()
        .map(|(text, _)| (*text).to_owned())
        .collect();
    let lost: Vec<_> = sent.difference(&texts).collect();
    assert_eq!((sent.len(), lost.len()), (LETTERS, 0), "{lost:?}");
    assert!(received.iter().all(|each| each.len() > LETTERS / 10));
}

/// A receiver that acknowledges gets each letter at least once, however often the server is
/// killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mailbox_kill_with_acks_at_least_once() {
    let acks = Asks {
        acks: true,
        ..KEEPS
    };
    let (sent, received) = restarted("-KILL", &[acks]).await;
    let counts = counts(&received[0]);
    let texts: BTreeSet<_> = counts
        .values()
        .map(|(text, _)| (*text).to_owned())
        .collect();
    assert_eq!(
        texts.len(),
        counts.len(),
        "a redelivered letter has the same id"
    );
    let lost: Vec<_> = sent.difference(&texts).collect();
    assert_eq!((sent.len(), lost.len()), (LETTERS, 0), "{lost:?}");
    let doubles = counts.values().filter(|(_, count)| *count > 1).count();
    println!("{doubles} letters came twice or more");
}

#[cfg(target_os = "linux")] // the limit is set from outside of the process
/// That a letter was received while the disk was full is recorded when there is space again.
#[tokio::test]
async fn mailbox_receipt_recorded_after_full_disk() {
    const OLDER: usize = 100;
    let log_dir = LogDir::new();
    let server = log_dir.start(&[]).await;
    // These go while the disk is full, and not the letters: room for a batch is wanted then.
    for _ in 0..OLDER {
        let older = post(server.addr, "/c/older", "x".repeat(40_000)).await;
        assert_eq!(older.status, 201);
    }
    letter(server.addr, "bob", "1").await;
    letter(server.addr, "bob", "2").await;
    let (answer, line) = Line::open(server.addr)
        .await
        .ask("action=receive&me=bob")
        .await;
    assert_eq!(text(&answer), "1");
    server.limit_files(Some(4096));
    // Another request shows that the letter has arrived. No other letter is delivered meanwhile.
    let (refused, _line) = line.ask("action=send&me=a&toUserName=b&msg=x").await;
    let refused = refused["error"].as_str().unwrap();
    assert!(refused.contains("the store is not available"), "{refused}");
    let mut answer = post(server.addr, "/mailbox", "action=receive&me=bob").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    let refused = answer.json().await["error"].as_str().unwrap().to_owned();
    assert!(refused.contains("the store is not available"), "{refused}");
    server.limit_files(None);
    eventually("the letter's record is in the log", async || {
        let metrics = get(server.addr, "/metrics").await.text().await;
        let last = format!("forever_frame_log_last_seq {}\n", OLDER + 3);
        metrics.contains(&last)
    })
    .await;
    server.end("-KILL").await;
    let server = log_dir.start(&[]).await;
    assert_eq!(text(&look(server.addr, "bob").await), "2");
    server.end("-TERM").await;
}
