//! A log's file that is replaced by an older copy, or cut short, while the server runs or stands.

use std::fs;
use std::net::SocketAddr;

use crate::support::binary::Binary;
use crate::support::client::{get, post};
use crate::support::eventually;
use crate::support::log_dir::LogDir;
use crate::support::reference_log::ReferenceLog;
use crate::support::refusal::{one_line, run};
use crate::support::wires::{Stream, StreamEvent};

/// Appends this many messages that are a page long.
async fn append(addr: SocketAddr, told: &mut ReferenceLog, count: usize) {
    for _ in 0..count {
        let text = format!("{} {}", told.entries.len(), "x".repeat(3_000));
        told.append(addr, "a", &text).await;
    }
}

/// A log with 20 messages, `old.db`, which is a copy of it, and 20 messages more.
async fn log_with_old_copy() -> (LogDir, ReferenceLog) {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    for _ in 0..2 {
        if log_dir.file().exists() {
            fs::copy(log_dir.file(), log_dir.at("old.db")).unwrap();
        }
        let server = log_dir.start(&[]).await;
        append(server.addr, &mut told, 20).await;
        server.end("-TERM").await;
    }
    (log_dir, told)
}

/// Checks that the log has a new epoch, and tells that to a follower who comes with a cursor.
async fn has_new_epoch(server: Binary, told: &ReferenceLog, what: &str) {
    let query = format!("since={}-{}&limit=1", told.epoch, told.last());
    assert_eq!(post(server.addr, "/c/a", "after").await.status, 201);
    let mut stream = Stream::open(server.addr, "ndjson", "a", &query).await;
    stream.until(1).await;
    let StreamEvent::Gap(reason, ..) = stream.gaps()[0] else {
        panic!("{what}")
    };
    assert_eq!(reason, "epoch", "{what}");
    let log = server.end("-TERM").await;
    assert!(log.contains("is an older copy"), "{what}: {log}");
}

/// Checks that a server does not start, and gives its line.
async fn is_refused(log_dir: &LogDir, what: &str) -> String {
    let output = run(log_dir.command("127.0.0.1:0")).await;
    one_line(&output, what, &log_dir.file())
}

fn delete_side_files(log_dir: &LogDir) {
    for name in ["log.db-wal", "log.db-shm"] {
        fs::remove_file(log_dir.at(name)).unwrap();
    }
}

/// An older copy in the place of the log begins a new epoch, whether it went on elsewhere or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_copy_begins_new_epoch() {
    let (log_dir, mut told) = log_with_old_copy().await;
    let server = log_dir.start(&[]).await;
    append(server.addr, &mut told, 1).await;
    server.end("-TERM").await;
    let server = log_dir.start(&[]).await;
    append(server.addr, &mut told, 1).await;
    assert!(!server.end("-KILL").await.contains("older copy"));
    let server = log_dir.start(&[]).await;
    append(server.addr, &mut told, 1).await;
    assert!(
        !server.end("-TERM").await.contains("older copy"),
        "it is the log itself"
    );

    fs::rename(log_dir.at("old.db"), log_dir.file()).unwrap();
    has_new_epoch(log_dir.start(&[]).await, &told, "an older copy").await;

    let (log_dir, told) = log_with_old_copy().await;
    let gone_on = LogDir::new();
    fs::copy(log_dir.at("old.db"), gone_on.file()).unwrap();
    let server = gone_on.start(&[]).await;
    for n in 0..60 {
        assert_eq!(
            post(server.addr, "/c/a", format!("other {n}")).await.status,
            201
        );
    }
    server.end("-TERM").await;
    fs::copy(gone_on.file(), log_dir.file()).unwrap();
    has_new_epoch(
        log_dir.start(&[]).await,
        &told,
        "a copy that went on elsewhere",
    )
    .await;
}

/// A write-ahead log that is deleted after a kill takes messages with it, so a new epoch begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_wal_begins_new_epoch() {
    let (log_dir, mut told) = log_with_old_copy().await;
    let server = log_dir.start(&[]).await;
    append(server.addr, &mut told, 3).await;
    server.end("-KILL").await;
    delete_side_files(&log_dir);
    has_new_epoch(
        log_dir.start(&[]).await,
        &told,
        "without the write-ahead log",
    )
    .await;
}

/// A main file that does not belong to the write-ahead log that was left next to it is refused, and
/// the advice works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leftover_wal_of_another_file_is_refused() {
    let (log_dir, mut told) = log_with_old_copy().await;
    let server = log_dir.start(&[]).await;
    append(server.addr, &mut told, 3).await;
    server.end("-KILL").await;
    let sound = fs::read(log_dir.file()).unwrap();
    let old = fs::read(log_dir.at("old.db")).unwrap();
    let mut same_length = old.clone();
    same_length.resize(sound.len(), 0);
    for (what, bytes) in [
        ("an older copy", old.clone()),
        ("an older copy of the same length", same_length),
        ("cut short", sound[..sound.len() / 2].to_vec()),
        ("cut short by a page", sound[..sound.len() - 4096].to_vec()),
        ("empty", Vec::new()),
    ] {
        fs::write(log_dir.file(), bytes).unwrap();
        let line = is_refused(&log_dir, what).await;
        assert!(line.contains("-wal"), "{what}: {line}");
    }
    // What was there belongs to it.
    fs::write(log_dir.file(), &sound).unwrap();
    let server = log_dir.start(&[]).await;
    let whole = ReferenceLog::read(server.addr, "a", told.last()).await;
    assert_eq!((&whole.epoch, &whole.entries), (&told.epoch, &told.entries));
    append(server.addr, &mut told, 3).await;
    server.end("-KILL").await;
    fs::write(log_dir.file(), &old).unwrap();
    assert!(
        is_refused(&log_dir, "a copy")
            .await
            .contains("delete the -wal")
    );
    delete_side_files(&log_dir);
    has_new_epoch(log_dir.start(&[]).await, &told, "as advised").await;
}

/// A copy that was made together with its write-ahead log is one log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_copy_with_its_wal_begins_new_epoch() {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&[]).await;
    append(server.addr, &mut told, 5).await;
    server.end("-KILL").await;
    for name in ["log.db", "log.db-wal"] {
        fs::copy(log_dir.at(name), log_dir.at(&format!("old-{name}"))).unwrap();
    }
    let server = log_dir.start(&[]).await;
    append(server.addr, &mut told, 5).await;
    server.end("-KILL").await;
    fs::remove_file(log_dir.at("log.db-shm")).unwrap();
    for name in ["log.db", "log.db-wal"] {
        fs::copy(log_dir.at(&format!("old-{name}")), log_dir.at(name)).unwrap();
    }
    has_new_epoch(log_dir.start(&[]).await, &told, "both").await;
}

/// A file that is overwritten or cut short while the server has it open is noticed: nothing is
/// appended to it or read from it, and it stays as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_overwritten_while_open_is_noticed() {
    for what in ["an older copy", "half", "empty"] {
        let (log_dir, mut told) = log_with_old_copy().await;
        let server = log_dir.start(&["--drain", "0s"]).await;
        append(server.addr, &mut told, 3).await;
        let old = fs::read(log_dir.at("old.db")).unwrap();
        let now = match what {
            "half" => old[..old.len() / 2].to_vec(),
            "empty" => Vec::new(),
            _ => old,
        };
        fs::write(log_dir.file(), &now).unwrap();
        let mut answer = post(server.addr, "/c/a", "x").await;
        assert_eq!(answer.status, 503, "{what}");
        let answer = answer.json().await;
        let sentence = answer["error"].as_str().unwrap();
        assert!(sentence.contains("overwritten"), "{what}: {answer}");
        assert_eq!(get(server.addr, "/c/a?since=0").await.status, 503, "{what}");
        eventually("it is not healthy", async || {
            get(server.addr, "/healthz").await.status == 503
        })
        .await;
        server.end("-TERM").await;
        assert!(
            fs::read(log_dir.file()).unwrap() == now,
            "{what}: it stays as it is"
        );
        is_refused(&log_dir, what).await;
        if what == "an older copy" {
            delete_side_files(&log_dir);
            has_new_epoch(log_dir.start(&[]).await, &told, what).await;
        }
    }
}
