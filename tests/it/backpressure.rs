//! A store that is slower than its senders: they wait, and nothing accumulates in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::sleep;

use crate::support::client::get;
use crate::support::log_dir::{Lock, LogDir};
use crate::support::upload::Upload;
use crate::support::wires::Stream;
use crate::support::{at_last, eventually, until};

const LINES: usize = 10_000;
const LINE: usize = 4_000;

/// While the store is blocked an upload is not read, and when the store goes on it is read to its
/// end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_waits_for_blocked_store() {
    const MIB: usize = 1024 * 1024;
    let log_dir = LogDir::new();
    let server = log_dir.start(&["--keep", "1000000"]).await;
    let addr = server.addr;
    let mut watcher = Stream::open(addr, "ndjson", "a", "since=now").await;
    let sent = Arc::new(AtomicUsize::new(0));
    let uploading = tokio::spawn({
        let sent = Arc::clone(&sent);
        async move {
            let mut upload = Upload::start(addr, "/c/a").await;
            for n in 0..LINES {
                upload.send(format!("{n:0LINE$}\n").as_bytes()).await;
                sent.fetch_add(LINE + 1, Relaxed);
            }
            upload.end().await
        }
    });
    let watching = tokio::spawn(async move {
        watcher.until(LINES).await;
        watcher
    });
    until("it is on its way", || sent.load(Relaxed) > MIB).await;
    let lock = Lock::take(&log_dir, "IMMEDIATE").await;
    let (before, memory) = (sent.load(Relaxed), server.memory());
    // The sender has to stand still, and then to stay so for a while.
    let mut last = usize::MAX;
    eventually("the sender waits", async || {
        let before = last;
        last = sent.load(Relaxed);
        sleep(Duration::from_millis(500)).await;
        last == before
    })
    .await;
    sleep(Duration::from_secs(1)).await;
    let meanwhile = sent.load(Relaxed) - before;
    let grown = server.memory().saturating_sub(memory);
    println!(
        "{} KiB were sent meanwhile, grown by {grown} KiB",
        meanwhile / 1024
    );
    assert!(
        sent.load(Relaxed) < LINES * LINE,
        "the server took all of it"
    );
    // The kernel buffers for both ends by its own rules, up to 10 MiB.
    assert!(meanwhile < 16 * MIB, "{meanwhile}");
    assert!(grown < 8 * 1024, "{grown} KiB");
    assert_eq!(get(addr, "/healthz").await.status, 200);
    drop(lock);
    let mut answer = at_last(uploading).await.unwrap();
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json().await["count"], LINES);
    let watcher = at_last(watching).await.unwrap();
    for (n, text) in watcher.texts().into_iter().enumerate() {
        assert_eq!(text, format!("{n:0LINE$}"));
    }
}
