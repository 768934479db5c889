//! The mailbox of a server that is restarted, as a process with its log on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::support::client::{get, post};
use crate::support::mailbox::{Line, letter, look, text};
use crate::support::place::Place;
use crate::support::port::Port;
use crate::support::sender::{Answer, Sender};
use crate::support::{at_last, eventually, until};

const LETTERS: usize = 1000;
/// So many are there before anybody asks.
const BEFORE: usize = 400;
const LAST: &str = "that was all";

/// What clients do when nobody is there, or nothing is said.
async fn pause() {
    sleep(Duration::from_millis(20)).await;
}

/// Sends letters until so many are known to be sent, and gives the texts of those. What became of
/// one on a line that broke is not known, so it is not sent again.
async fn write(addr: SocketAddr, from: usize, count: usize) -> BTreeSet<String> {
    let (mut sender, mut sure) = (Sender::new(addr), BTreeSet::new());
    for n in from.. {
        if sure.len() == count {
            break;
        }
        let text = format!("letter {n}");
        let form = format!("action=send&me=ada&toUserName=bob&msg={text}");
        match sender.post("/mailbox", &form).await {
            Answer::Said(200, _) => drop(sure.insert(text)),
            _ => pause().await,
        }
    }
    sure
}

/// How somebody asks.
#[derive(Clone, Copy)]
struct Asks {
    acks: bool,
    path: &'static str,
}

/// Asks again and again, until the last letter comes; gives all that came, by name.
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
            Answer::Said(200, answer) => {
                let said = |name: &str| answer[name].as_str().unwrap().to_owned();
                letters.push((said("Id"), said("Msg")));
                came.fetch_add(1, Relaxed);
                if letters.last().is_some_and(|(_, text)| text == LAST) {
                    return letters;
                }
            }
            Answer::Said(status, error) => {
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

/// Lets letters be sent and received while the server is ended three times; gives what was sent
/// and what each of those who ask received.
async fn restarted(signal: &str, who: &[Asks]) -> (BTreeSet<String>, Vec<Vec<(String, String)>>) {
    let (place, port) = (Place::new(), Port::reserve());
    let args = ["--drain", "0s"];
    let mut server = place.start_at(&port.listen(), &args).await;
    let mut sent = at_last(write(port.addr, 0, BEFORE)).await;
    let came = Arc::new(AtomicUsize::new(0));
    let ask = |asks: &Asks| tokio::spawn(receive(port.addr, *asks, Arc::clone(&came)));
    let asking: Vec<_> = who.iter().map(ask).collect();
    let writing = tokio::spawn(write(port.addr, BEFORE, LETTERS - BEFORE));
    // Once while letters are waiting, and twice while those who ask are.
    for part in [BEFORE / 2, LETTERS * 6 / 10, LETTERS * 8 / 10] {
        until(&format!("{part} letters came"), || {
            came.load(Relaxed) >= part
        })
        .await;
        server.end(signal).await;
        server = place.start_at(&port.listen(), &args).await;
    }
    sent.extend(at_last(writing).await.unwrap());
    // Whoever gets the last one ends.
    for _ in who {
        let form = format!("action=send&me=ada&toUserName=bob&msg={LAST}");
        let answer = Sender::new(port.addr).post("/mailbox", &form).await;
        assert!(matches!(answer, Answer::Said(200, _)), "{answer:?}");
    }
    let mut received = Vec::new();
    for asking in asking {
        received.push(at_last(asking).await.unwrap());
    }
    server.end("-TERM").await;
    (sent, received)
}

/// How often each letter came, by its name; a name is always the same letter.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_original_page_gets_each_letter_exactly_once_over_three_restarts() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_ask_on_a_connection_each_time_get_each_letter_exactly_once_between_them() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_acknowledges_gets_each_letter_at_least_once_however_often_the_server_is_killed() {
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
        "a double has the name of the first"
    );
    let lost: Vec<_> = sent.difference(&texts).collect();
    assert_eq!((sent.len(), lost.len()), (LETTERS, 0), "{lost:?}");
    let doubles = counts.values().filter(|(_, count)| *count > 1).count();
    println!("{doubles} letters came twice or more");
}

#[tokio::test]
async fn what_was_received_while_the_disk_was_full_is_noted_when_there_is_space() {
    let place = Place::new();
    let server = place.start(&[]).await;
    letter(server.addr, "bob", "1").await;
    letter(server.addr, "bob", "2").await;
    let (answer, line) = Line::open(server.addr)
        .await
        .ask("action=receive&me=bob")
        .await;
    assert_eq!(text(&answer), "1");
    server.limit_files("4096").await;
    // That there is another request says that the letter came. No other is handed out meanwhile.
    let (refused, _line) = line.ask("action=send&me=a&toUserName=b&msg=x").await;
    let refused = refused["error"].as_str().unwrap();
    assert!(refused.contains("the store is not available"), "{refused}");
    let mut answer = post(server.addr, "/mailbox", "action=receive&me=bob").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    let refused = answer.json().await["error"].as_str().unwrap().to_owned();
    assert!(refused.contains("the store is not available"), "{refused}");
    server.limit_files("unlimited").await;
    eventually("the letter's note is in the log", async || {
        let metrics = get(server.addr, "/metrics").await.text().await;
        metrics.contains("forever_frame_log_last_seq 3\n")
    })
    .await;
    server.end("-KILL").await;
    let server = place.start(&[]).await;
    assert_eq!(text(&look(server.addr, "bob").await), "2");
    server.end("-TERM").await;
}
