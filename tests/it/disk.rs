//! A disk that takes nothing for a while, and a log file that has been moved or deleted.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::binary::Binary;
use crate::support::client::{Response, get, post, send};
use crate::support::log_dir::LogDir;
use crate::support::reference_log::ReferenceLog;
use crate::support::unavailable::refuses_appends;
use crate::support::upload::Upload;
use crate::support::wires::{ALL, Stream, StreamEvent};
use crate::support::{eventually, soon};

/// The status and the text of `/healthz`, as the operator sees them.
async fn health(addr: SocketAddr) -> (u16, String) {
    let mut response = get(addr, "/healthz").await;
    (response.status, response.text().await)
}

/// Checks that the answer is 503 with a time to try again, and gives its sentence.
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

/// Waits until the server reports by itself that it is healthy, which takes some seconds.
async fn recovers(addr: SocketAddr) {
    let began = Instant::now();
    eventually("healthz is ok", async || {
        health(addr).await == (200, "ok".to_owned())
    })
    .await;
    let took = began.elapsed();
    println!("healthy again after {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// Checks that the server has exactly the messages of the reference.
async fn same(server: &Binary, told: &ReferenceLog) {
    let whole = ReferenceLog::read(server.addr, "a,b", told.last()).await;
    assert_eq!(whole.epoch, told.epoch);
    assert_eq!(whole.entries, told.entries);
    assert!(whole.is_contiguous());
}

#[cfg(target_os = "linux")] // the limit is set from outside of the process
/// While nothing can be written nothing is appended in part or deleted, reading goes on, and with
/// space appending does, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_that_takes_nothing_refuses_and_recovers() {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&[]).await;
    for n in 0..100 {
        told.append(server.addr, "a", &long(n)).await;
    }
    // A server that is started again has these messages on the disk only.
    server.end("-TERM").await;
    let server = log_dir.start(&["--heartbeat", "1s"]).await;
    let addr = server.addr;
    let mut watcher = Stream::open(addr, "ndjson", "a,b", "since=now").await;
    let mut upload = Upload::start(addr, "/c/b").await;
    upload.send(b"one\ntwo\nthree\n").await;
    watcher.until(3).await;
    let lines = ReferenceLog::read(addr, "b", told.last() + 3).await;
    told.entries.extend(lines.entries);

    // The files cannot even be written where they have room inside.
    server.limit_files(Some(4096));
    println!("{}", refused(post(addr, "/c/a", "x").await).await);
    refuses_appends(addr).await;
    let keyed = "POST /c/a\r\nIdempotency-Key: k";
    refused(send(addr, keyed, b"with a key").await).await;
    upload.send(b"four\n").await;
    let mut answer = upload.answer().await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    let answer = answer.json().await;
    assert!(
        answer["error"].as_str().unwrap().contains("store"),
        "{answer}"
    );
    assert_eq!(answer["count"], 3);
    for (end, seq) in [("first", 101), ("last", 103)] {
        assert_eq!(answer[end], format!("{}-{seq}", told.epoch));
    }
    let (status, reason) = health(addr).await;
    println!("{reason}");
    assert_eq!(status, 503);
    let beats = watcher.heartbeats();
    while watcher.heartbeats() < beats + 2 {
        assert!(watcher.read().await.unwrap());
    }
    assert_eq!(health(addr).await.0, 503, "the disk is as full as before");
    let all: Vec<&str> = told.entries.values().map(|entry| &*entry.text).collect();
    for wire in ALL {
        let query = format!("since=0&limit={}", all.len());
        let stream = Stream::open(addr, wire, "a,b", &query).await;
        let stream = stream.whole().await;
        let seen = stream.texts();
        // A long poll has what fits into one answer, and a script frame ends after a MiB.
        let in_part = ["json", "script"].contains(&wire);
        let count = if in_part { seen.len() } else { all.len() };
        assert!(!seen.is_empty() && seen == all[..count], "{wire}");
    }

    server.limit_files(None);
    recovers(addr).await;
    let mut answer = send(addr, keyed, b"with a key").await;
    assert_eq!(answer.status, 201, "it was not taken before");
    told.enter(&answer.json().await, "with a key");
    told.append(addr, "b", "after").await;
    watcher.until(3 + 2).await;
    assert_eq!(watcher.gaps().len(), 0);
    same(&server, &told).await;
    server.end("-KILL").await;
    let server = log_dir.start(&[]).await;
    same(&server, &told).await;
}

/// Nothing is appended while the log file or its write-ahead log is moved away or replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_moved_refuses_appends() {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&[]).await;
    let addr = server.addr;
    told.append(addr, "a", "before").await;
    let (file, wal, away) = (log_dir.file(), log_dir.at("log.db-wal"), log_dir.at("away"));
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
    let server = log_dir.start(&[]).await;
    same(&server, &told).await;
}

/// A file that is moved away is noticed though nobody appends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_moved_noticed_without_appends() {
    let log_dir = LogDir::new();
    let server = log_dir.start(&[]).await;
    let away = log_dir.at("away");
    std::fs::rename(log_dir.file(), &away).unwrap();
    eventually("it is noticed", async || health(server.addr).await.0 == 503).await;
    std::fs::rename(&away, log_dir.file()).unwrap();
    recovers(server.addr).await;
}

/// Nothing is appended while the lock file is missing: without it another server could write to
/// the same file, and this one would not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lock_file_missing_refuses_appends() {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&[]).await;
    told.append(server.addr, "a", "before").await;
    let (lock, away) = (log_dir.at("log.db-lock"), log_dir.at("away"));
    std::fs::rename(&lock, &away).unwrap();
    refused(post(server.addr, "/c/a", "x").await).await;
    std::fs::rename(&away, &lock).unwrap();
    recovers(server.addr).await;
    told.append(server.addr, "a", "after").await;
    same(&server, &told).await;
}

/// A deleted file takes no more messages; a new file after a restart is a new epoch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_deleted_starts_new_epoch() {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&[]).await;
    told.append(server.addr, "a", "before").await;
    std::fs::remove_file(log_dir.file()).unwrap();
    refused(post(server.addr, "/c/a", "after").await).await;
    let (status, reason) = health(server.addr).await;
    assert_eq!(status, 503);
    assert!(reason.contains("restart"), "{reason}");
    assert!(!log_dir.file().exists(), "nothing is made in its place");
    server.end("-TERM").await;
    let server = log_dir.start(&[]).await;
    let cursor = format!("since={}-1", told.epoch);
    let mut stream = Stream::open(server.addr, "ndjson", "a", &cursor).await;
    while stream.gaps().is_empty() {
        assert!(soon(stream.read()).await.unwrap());
    }
    let StreamEvent::Gap(reason, ..) = stream.gaps()[0] else {
        panic!()
    };
    assert_eq!(reason, "epoch");
}
