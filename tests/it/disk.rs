//! A disk that is full for a while, and a file that is not where it was.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::binary::Binary;
use crate::support::client::{Response, get, post, send};
use crate::support::ledger::Ledger;
use crate::support::place::Place;
use crate::support::upload::Upload;
use crate::support::wires::{ALL, Said, Stream};
use crate::support::{eventually, soon};

/// What the operator is told.
async fn health(addr: SocketAddr) -> (u16, String) {
    let mut response = get(addr, "/healthz").await;
    (response.status, response.text().await)
}

/// 503, with a sentence, and when to try again.
async fn refused(mut answer: Response) -> String {
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").parse::<u64>().is_ok());
    let answer = answer.json().await;
    let sentence = answer["error"].as_str().unwrap();
    assert!(sentence.contains("store is not available: "), "{answer}");
    sentence.to_owned()
}

fn long(n: usize) -> String {
    format!("{n} {}", "x".repeat(10_000))
}

/// Appends until nothing more is taken; gives how many were.
async fn fill(addr: SocketAddr, told: &mut Ledger) -> usize {
    let (mut taken, mut refusals) = (0, 0);
    while refusals < 10 {
        assert!(taken < 1000, "it is never full");
        let text = long(told.entries.len());
        let mut answer = post(addr, "/c/a", &text).await;
        if answer.status == 201 {
            told.enter(&answer.json().await, &text);
            (taken, refusals) = (taken + 1, 0);
        } else {
            refused(answer).await;
            refusals += 1;
        }
    }
    taken
}

/// Waits until it says by itself that all is well; that takes it some seconds.
async fn recovers(addr: SocketAddr) {
    let began = Instant::now();
    eventually("healthz is ok", async || {
        health(addr).await == (200, "ok".to_owned())
    })
    .await;
    let took = began.elapsed();
    println!("well again after {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

async fn same(server: &Binary, told: &Ledger) {
    let whole = Ledger::read(server.addr, "a,b", told.last()).await;
    assert_eq!(whole.epoch, told.epoch);
    assert_eq!(whole.entries, told.entries);
    assert!(whole.is_contiguous());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_nothing_is_half_appended_and_when_there_is_space_all_goes_on() {
    let (place, mut told) = (Place::new(), Ledger::default());
    let server = place.start(&[]).await;
    for n in 0..100 {
        told.append(server.addr, "a", &long(n)).await;
    }
    // Started again, it has the past on the disk alone.
    server.end("-TERM").await;
    let server = place.start(&["--heartbeat", "1s"]).await;
    let addr = server.addr;
    let mut watcher = Stream::open(addr, "ndjson", "a,b", "since=now").await;
    let mut upload = Upload::start(addr, "/c/b").await;
    upload.send(b"one\ntwo\nthree\n").await;
    watcher.until(3).await;
    let lines = Ledger::read(addr, "b", told.last() + 3).await;
    told.entries.extend(lines.entries);

    // So long may each of its files become.
    server.limit_files(&place.bytes().to_string()).await;
    let taken = fill(addr, &mut told).await;
    println!("full after {taken} more");
    assert!(taken > 0, "some still fit");
    watcher.until(3 + taken).await;
    // Not even into what there is of the files.
    server.limit_files("4096").await;
    println!("{}", refused(post(addr, "/c/a", "x").await).await);
    let keyed = "POST /c/a\r\nIdempotency-Key: k";
    refused(send(addr, keyed, b"with a key").await).await;
    upload.send(b"four\n").await;
    let mut answer = upload.answer().await;
    assert_eq!(answer.status, 503);
    let answer = answer.json().await;
    assert!(
        answer["error"].as_str().unwrap().contains("store"),
        "{answer}"
    );
    assert_eq!(answer["count"], 3);
    for (place, seq) in [("first", 101), ("last", 103)] {
        assert_eq!(answer[place], format!("{}-{seq}", told.epoch));
    }
    let (status, reason) = health(addr).await;
    println!("{reason}");
    assert_eq!(status, 503);
    let beats = watcher.heartbeats();
    while watcher.heartbeats() < beats + 2 {
        assert!(watcher.read().await.unwrap());
    }
    assert_eq!(health(addr).await.0, 503, "it is as full as it was");
    let all: Vec<&str> = told.entries.values().map(|entry| &*entry.text).collect();
    for wire in ALL {
        let query = format!("since=0&limit={}", all.len());
        let stream = Stream::open(addr, wire, "a,b", &query).await;
        let stream = stream.whole().await;
        let seen = stream.texts();
        // A long poll has what fits one answer, and a script frame ends after a MiB.
        let in_part = ["json", "script"].contains(&wire);
        let count = if in_part { seen.len() } else { all.len() };
        assert!(!seen.is_empty() && seen == all[..count], "{wire}");
    }

    server.limit_files("unlimited").await;
    recovers(addr).await;
    let mut answer = send(addr, keyed, b"with a key").await;
    assert_eq!(answer.status, 201, "it was not taken before");
    told.enter(&answer.json().await, "with a key");
    told.append(addr, "b", "after").await;
    watcher.until(3 + taken + 2).await;
    assert_eq!(watcher.gaps().len(), 0);
    same(&server, &told).await;
    server.end("-KILL").await;
    let server = place.start(&[]).await;
    same(&server, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_appended_to_a_file_that_is_not_where_it_was() {
    let (place, mut told) = (Place::new(), Ledger::default());
    let server = place.start(&[]).await;
    let addr = server.addr;
    told.append(addr, "a", "before").await;
    let (file, wal, away) = (place.file(), place.at("log.db-wal"), place.at("away"));
    for (what, path, instead) in [
        ("gone", &file, false),
        ("another file", &file, true),
        ("without its write-ahead log", &wal, false),
    ] {
        std::fs::rename(path, &away).unwrap();
        if instead {
            std::fs::copy(&away, path).unwrap();
        }
        for n in 0..3 {
            let why = refused(post(addr, "/c/a", format!("{what} {n}")).await).await;
            println!("{what}: {why}");
        }
        let (status, reason) = health(addr).await;
        println!("{what}: {reason}");
        assert_eq!(status, 503);
        assert!(reason.contains("put it back"), "{reason}");
        std::fs::rename(&away, path).unwrap();
        recovers(addr).await;
        told.append(addr, "a", &format!("it was {what}")).await;
    }
    same(&server, &told).await;
    server.end("-KILL").await;
    let server = place.start(&[]).await;
    same(&server, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_moved_away_is_noticed_though_nobody_appends() {
    let place = Place::new();
    let server = place.start(&[]).await;
    let away = place.at("away");
    std::fs::rename(place.file(), &away).unwrap();
    eventually("it is noticed", async || health(server.addr).await.0 == 503).await;
    std::fs::rename(&away, place.file()).unwrap();
    recovers(server.addr).await;
}

/// Without it another server could write to the same file, and this one would not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_appended_when_what_keeps_other_servers_away_is_gone() {
    let (place, mut told) = (Place::new(), Ledger::default());
    let server = place.start(&[]).await;
    told.append(server.addr, "a", "before").await;
    let (lock, away) = (place.at("log.db-lock"), place.at("away"));
    std::fs::rename(&lock, &away).unwrap();
    refused(post(server.addr, "/c/a", "x").await).await;
    std::fs::rename(&away, &lock).unwrap();
    recovers(server.addr).await;
    told.append(server.addr, "a", "after").await;
    same(&server, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_deleted_takes_no_more_and_a_new_one_is_another_life() {
    let (place, mut told) = (Place::new(), Ledger::default());
    let server = place.start(&[]).await;
    told.append(server.addr, "a", "before").await;
    std::fs::remove_file(place.file()).unwrap();
    refused(post(server.addr, "/c/a", "after").await).await;
    let (status, reason) = health(server.addr).await;
    assert_eq!(status, 503);
    assert!(reason.contains("restart"), "{reason}");
    assert!(!place.file().exists(), "nothing is made in its place");
    server.end("-TERM").await;
    let server = place.start(&[]).await;
    let cursor = format!("since={}-1", told.epoch);
    let mut stream = Stream::open(server.addr, "ndjson", "a", &cursor).await;
    while stream.gaps().is_empty() {
        assert!(soon(stream.read()).await.unwrap());
    }
    let Said::Gap(reason, ..) = stream.gaps()[0] else {
        panic!()
    };
    assert_eq!(reason, "epoch");
}
