//! `--keep-bytes`: all channels together, the oldest go first.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::binary::Binary;
use crate::support::client::{append, get, post};
use crate::support::eventually;
use crate::support::log_dir::LogDir;
use crate::support::upload::Upload;
use crate::support::wires::Stream;

const KIB: usize = 1024;

/// The first and the last seq of the log, as metrics tell them.
async fn edges(addr: SocketAddr) -> (usize, usize) {
    let metrics = get(addr, "/metrics").await.text().await;
    let value = |name: &str| {
        let value = metrics.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap().trim().parse().unwrap()
    };
    (
        value("forever_frame_log_first_seq "),
        value("forever_frame_log_last_seq "),
    )
}

/// Appends messages of 10 KiB, each to a channel of its own.
async fn fill(addr: SocketAddr, count: usize) {
    for n in 0..count {
        append(addr, &format!("c{n}"), &"x".repeat(10 * KIB)).await;
    }
}

/// Channels without number keep no more than this in all, in memory as on the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keep_bytes_bounds_all_channels() {
    let log_dir = LogDir::new();
    let store = log_dir.store("log.db");
    for store in ["memory", &store] {
        let server = Binary::start(&["--store", store, "--keep-bytes", "1MiB"]).await;
        fill(server.addr, 300).await;
        let (first, last) = edges(server.addr).await;
        assert_eq!(last, 300);
        let fits = 1024 * KIB / (10 * KIB + 512);
        assert_eq!(last + 1 - first, fits, "{store}");
        let gone = Stream::open(server.addr, "ndjson", "c0", "since=0&timeout=1s").await;
        assert_eq!(gone.whole().await.gaps().len(), 1, "{store}: it is said");
        server.end("-TERM").await;
    }
    let file = log_dir.file().metadata().unwrap().len();
    // The file may have some free pages.
    assert!(file < 7 * 1024 * KIB as u64, "{file}");
}

/// A bound that is smaller than a message keeps the newest one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keep_bytes_smaller_than_a_message_keeps_the_newest() {
    let log_dir = LogDir::new();
    let store = log_dir.store("log.db");
    for store in ["memory", &store] {
        let server = Binary::start(&["--store", store, "--keep-bytes", "1kB"]).await;
        fill(server.addr, 3).await;
        assert_eq!(edges(server.addr).await, (3, 3), "{store}");
        assert_eq!(get(server.addr, "/healthz").await.status, 200);
        let log = server.end("-TERM").await;
        assert!(
            log.contains("--keep-bytes is less than four messages"),
            "{log}"
        );
    }
}

/// A file that is larger than the bound when the server starts becomes smaller in steps, between which
/// appends go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keep_bytes_lowered_does_not_block_appends() {
    let log_dir = LogDir::new();
    let server = log_dir.start(&["--max-message", "1048576"]).await;
    let mut upload = Upload::start(server.addr, "/c/small").await;
    for _ in 0..40 {
        upload.send("y\n".repeat(500).as_bytes()).await;
    }
    assert_eq!(upload.end().await.status, 201);
    for n in 0..60 {
        let text = "x".repeat(1024 * KIB);
        assert_eq!(
            post(server.addr, &format!("/c/large{n}"), text)
                .await
                .status,
            201
        );
    }
    server.end("-TERM").await;
    let before = log_dir.file().metadata().unwrap().len();
    let server = log_dir.start(&["--keep-bytes", "200KiB"]).await;
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    let mut appended = 0;
    loop {
        let asked = Instant::now();
        append(server.addr, "now", "meanwhile").await;
        slowest = slowest.max(asked.elapsed());
        appended += 1;
        let (first, last) = edges(server.addr).await;
        if (last + 1 - first) * 512 <= 200 * KIB {
            break;
        }
    }
    println!(
        "{appended} appends in {:?}, the slowest {slowest:?}",
        began.elapsed()
    );
    assert!(appended > 5, "appends wait for the trimming: {appended}");
    eventually("the file becomes smaller", async || {
        log_dir.file().metadata().unwrap().len() < before / 4
    })
    .await;
}
