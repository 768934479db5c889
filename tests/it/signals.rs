//! Signals that stop the server, that hasten its stop, and that do nothing.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::support::binary::{self, Binary, PROGRAM, SHELL};
use crate::support::client::{append, get, post};
use crate::support::log_dir::{Lock, LogDir};
use crate::support::soon;
use crate::support::wires::Stream;

/// Signals that would end the process by default do nothing but say so, and streams go on.
#[tokio::test]
async fn other_signals_end_nothing() {
    let mut server = Binary::start(&[]).await;
    let mut stream = Stream::open(server.addr, "ndjson", "main", "since=now").await;
    for signal in ["-HUP", "-USR1", "-USR2", "-PIPE"] {
        server.signal(signal).await;
    }
    append(server.addr, "main", "after").await;
    while stream.texts().is_empty() {
        assert!(soon(stream.read()).await.unwrap(), "it ended");
    }
    assert!(server.is_running());
    let log = server.end("-TERM").await;
    for said in ["SIGHUP", "SIGUSR1", "SIGUSR2"] {
        assert!(log.contains(said), "{said}: {log}");
    }
}

/// A server that was started to outlive its terminal does.
#[tokio::test]
async fn ignored_hangup_stays_ignored() {
    let mut command = binary::command_by(SHELL, &[]);
    let script = format!("trap '' HUP; exec {PROGRAM} --listen 127.0.0.1:0 --store memory");
    command.args(["-c", &script]);
    let mut server = Binary::spawn(command).await;
    server.signal("-HUP").await;
    assert_eq!(get(server.addr, "/healthz").await.status, 200);
    assert!(server.is_running());
    server.signal("-INT").await;
    assert_eq!(soon(server.ended()).await.code(), Some(0));
}

/// A second signal ends the stop at once, during the drain and while another program holds the lock of
/// the log, for which an append and the server's threads wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_signal_hastens_the_stop() {
    for is_locked in [false, true] {
        let log_dir = LogDir::new();
        let server = log_dir.start(&["--drain", "60s"]).await;
        append(server.addr, "main", "before").await;
        let addr = server.addr;
        let mut stream = get(addr, "/c/main?as=sse").await;
        stream.until("before").await;
        let lock = if is_locked {
            Some(Lock::take(&log_dir, "IMMEDIATE").await)
        } else {
            None
        };
        let waiting = tokio::spawn(async move { post(addr, "/c/main", "waits").await.status });
        if is_locked {
            sleep(Duration::from_millis(200)).await;
            assert!(!waiting.is_finished());
        }
        server.signal("-TERM").await;
        // Until it has been noticed, a second signal could be taken for the first.
        sleep(Duration::from_millis(200)).await;
        let began = Instant::now();
        server.signal("-INT").await;
        assert_eq!(soon(server.ended()).await.code(), Some(0));
        // The lock would be waited for for ten seconds, and the drain takes sixty.
        let took = began.elapsed();
        assert!(took < Duration::from_secs(6), "{is_locked}: {took:?}");
        drop(lock);
        waiting.abort();
    }
}
