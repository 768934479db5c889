//! The real binary: its command line, its end, stalled followers, and a lack of file descriptors.

use std::time::{Duration, Instant};

use tokio::process::Command;
use tokio::sync::Mutex;

use crate::support::binary::{self, Binary, PROGRAM, SHELL};
use crate::support::client::{Response, get, post, try_send};
use crate::support::sender::{Answer, Sender};
use crate::support::wires::Stream;
use crate::support::{STEP_TIMEOUT, eventually, soon};

/// The tests that fill the machine run one at a time.
static HEAVY: Mutex<()> = Mutex::const_new(());

/// Runs the binary to its end, and gives its exit code, standard output and standard error.
async fn output(args: &[&str]) -> (Option<i32>, String, String) {
    let output = soon(binary::command(args).output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Bad usage ends with exit code 2 and a sentence, and `--help` lists the options.
#[tokio::test]
async fn usage_error_exits_2() {
    for (args, says) in [
        (&["--listen", "nowhere"][..], "write it like 127.0.0.1:8080"),
        (&["--drain", "5"], "write it like 500ms"),
        (&["--max-message", "0"], "from 1 to 1048576"),
        (&["--store", "floppy"], "memory"),
        (&["--frobnicate"], "--frobnicate"),
    ] {
        let (code, out, err) = output(args).await;
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}");
        assert!(err.contains(says), "{args:?}: {err}");
    }
    let help = output(&["--help"]).await;
    assert_eq!(help.0, Some(0));
    for option in [
        "--listen",
        "--store",
        "--keep",
        "--keep-for",
        "--max-message",
        "--max-connections",
        "--drain",
        "--keep-alive",
        "--host",
        "--pages",
        "--no-demos",
    ] {
        assert!(help.1.contains(option), "{option}");
    }
}

/// An address in use ends with exit code 1 and one line.
#[tokio::test]
async fn address_in_use_exits_1() {
    let server = Binary::start(&[]).await;
    let (code, out, err) = output(&["--listen", &server.addr.to_string()]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.contains(&format!("cannot listen on {}", server.addr)) && err.lines().count() == 1,
        "{err}"
    );
}

/// Options can stand in the environment.
#[tokio::test]
async fn options_from_environment() {
    let mut command = binary::command(&["--listen", "127.0.0.1:0"]);
    command.env("FOREVER_FRAME_MAX_MESSAGE", "3");
    let server = Binary::spawn(command).await;
    assert_eq!(post(server.addr, "/c/a", "four").await.status, 413);
}

/// Without a drain, a stop ends a thousand streams at once, each with its end mark.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_ends_thousand_streams_cleanly() {
    let _alone = HEAVY.lock().await;
    let server = Binary::start(&["--drain", "0s"]).await;
    let mut streams = Vec::new();
    for n in 0..1000 {
        let path = if n % 2 == 0 {
            "/stream?heartbeat=60s"
        } else {
            "/c/a,b?as=html&heartbeat=60s"
        };
        let mut response: Response = get(server.addr, path).await;
        assert!(soon(response.chunk()).await.unwrap().is_some());
        streams.push(tokio::spawn(async move {
            let mut all = Vec::new();
            while let Some(chunk) = response.chunk().await.expect("a clean end") {
                all.extend(chunk);
            }
            String::from_utf8(all).unwrap()
        }));
    }
    let began = Instant::now();
    server.signal("-TERM").await;
    let status = server.ended().await;
    let took = began.elapsed();
    println!("ended after {took:?}");
    assert_eq!(status.code(), Some(0));
    // It takes a fraction of a second. A stream that ended with its next heartbeat, with a timeout or
    // only after another one would take far longer than this, which a busy machine can hold.
    assert!(took < Duration::from_secs(10), "{took:?}");
    for (n, stream) in streams.into_iter().enumerate() {
        let text = soon(stream).await.unwrap();
        let mark = if n % 2 == 0 {
            " reason=stop\n"
        } else {
            " data-reason=\"stop\">"
        };
        assert!(text.contains(mark), "stream {n}: {text}");
    }
}

/// With a drain, the ends of the streams are spread over its time.
#[tokio::test]
async fn drain_spreads_ends() {
    let server = Binary::start(&["--drain", "1s"]).await;
    let mut streams = Vec::new();
    for _ in 0..50 {
        let mut response = get(server.addr, "/stream?heartbeat=60s").await;
        response.chunk().await.unwrap();
        streams.push(tokio::spawn(async move {
            response.text().await;
            Instant::now()
        }));
    }
    let began = Instant::now();
    server.signal("-TERM").await;
    let mut ends = Vec::new();
    for stream in streams {
        ends.push(soon(stream).await.unwrap() - began);
    }
    ends.sort();
    assert!(ends[49] > ends[0] + Duration::from_millis(500), "{ends:?}");
    assert_eq!(server.ended().await.code(), Some(0));
}

async fn metric(server: &Binary, name: &str) -> u64 {
    let text = get(server.addr, "/metrics").await.text().await;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("forever_frame_{name} ")));
    line.unwrap_or_else(|| panic!("no {name}: {text}"))
        .parse()
        .unwrap()
}

/// Waits until a metric has a value.
async fn becomes(server: &Binary, name: &str, value: u64, deadline: Instant) {
    loop {
        let now = metric(server, name).await;
        if now == value {
            return;
        }
        assert!(Instant::now() < deadline, "{name} is {now}, not {value}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Followers that never read cost little memory, delay nobody, and are disconnected after a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_followers_cost_little() {
    const STALLED: u64 = 500;
    const MESSAGES: usize = 430;
    let _alone = HEAVY.lock().await;
    let server = Binary::start(&[]).await;
    let addr = server.addr;
    let mut stalled = Vec::new();
    for _ in 0..STALLED {
        let mut response = get(addr, "/stream?heartbeat=60s").await;
        response.chunk().await.unwrap();
        socket2::SockRef::from(&*response.socket())
            .set_recv_buffer_size(4096)
            .unwrap();
        stalled.push(response);
    }
    let readers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(read_on(addr, MESSAGES)))
        .collect();
    let soon_enough = Instant::now() + STEP_TIMEOUT;
    becomes(
        &server,
        "open_streams{transport=\"text\"}",
        STALLED + 4,
        soon_enough,
    )
    .await;
    let before = server.memory();
    // 20 MB.
    let text = "x".repeat(48 * 1024);
    let mut answered = Vec::new();
    for n in 0..MESSAGES {
        let body = format!("{n} {}", &text[8..]);
        assert_eq!(post(addr, "/send", body).await.status, 201);
        answered.push(Instant::now());
    }
    let grown = server.memory().saturating_sub(before);
    // The log itself, the tail and its encodings; on top comes what the stalled followers hold.
    let log = 20 * 1024 + 3 * 8 * 1024;
    println!(
        "grown by {grown} KiB, {} KiB a stalled follower",
        grown.saturating_sub(log) / STALLED
    );
    assert!(grown < log + STALLED * 128, "{grown} KiB");
    for reader in readers {
        for (n, arrived) in soon(reader).await.unwrap().into_iter().enumerate() {
            let late = arrived.saturating_duration_since(answered[n]);
            // A reader that had to wait for the stalled ones would wait for their deadline, 30 s.
            assert!(
                late < Duration::from_secs(10),
                "message {n} came {late:?} after its sender's answer"
            );
        }
    }
    // The deadline is a minute from the moment the socket took no more.
    let deadline = Instant::now() + Duration::from_secs(75);
    becomes(
        &server,
        "closed_streams_total{reason=\"stalled\"}",
        STALLED,
        deadline,
    )
    .await;
    becomes(&server, "open_streams{transport=\"text\"}", 0, deadline).await;
    // The connection that asks is the only one.
    becomes(&server, "open_connections", 1, deadline).await;
    drop(stalled);
}

/// Follows until this many messages have come, and gives the time of each arrival.
async fn read_on(addr: std::net::SocketAddr, count: usize) -> Vec<Instant> {
    let mut stream = Stream::open(addr, "text", "main", "since=now").await;
    let mut arrived = Vec::new();
    while arrived.len() < count {
        assert!(stream.read().await.unwrap(), "it ended");
        arrived.resize_with(stream.messages().count(), Instant::now);
    }
    for (n, text) in stream.texts().into_iter().enumerate() {
        assert!(text.starts_with(&format!("{n} ")));
    }
    assert!(stream.gaps().is_empty());
    arrived
}

/// A server of few file descriptors warns, answers operators while there are none left, and goes on when
/// there are some again.
#[tokio::test]
async fn file_descriptors_exhausted() {
    let _alone = HEAVY.lock().await;
    // There are fewer files than connections beyond the limit are answered, so that `accept` fails.
    let mut limited = Command::new(SHELL);
    let script = format!(
        "ulimit -n 64; exec {PROGRAM} --listen 127.0.0.1:0 --store memory --max-connections 1000"
    );
    limited.args(["-c", &script]);
    let mut server = Binary::spawn(limited).await;
    let addr = server.addr;
    let mut held = Vec::new();
    for _ in 0..150 {
        held.push(tokio::net::TcpStream::connect(addr).await.unwrap());
    }
    // None of them sends a request.
    for (path, status) in [("/healthz", 200), ("/metrics", 200), ("/", 503)] {
        let answered = async || {
            let answer = try_send(addr, &format!("GET {path}"), b"").await;
            answer.map_or(0, |answer| answer.status) == status
        };
        eventually(path, answered).await;
    }
    drop(held);
    let served = async || get(addr, "/").await.status == 200;
    eventually("there are files again", served).await;
    assert!(server.is_running());
    let log = server.end("-TERM").await;
    assert!(log.contains("--max-connections is 1000"), "{log}");
}

/// While there are no file descriptors left, streams that are open have their messages and their
/// heartbeats, and clients that leave are noticed; afterwards there are new streams.
#[tokio::test]
async fn streams_go_on_without_file_descriptors() {
    let _alone = HEAVY.lock().await;
    let server = Binary::start(&["--store", "memory"]).await;
    let addr = server.addr;
    let open = async |wire| Stream::open(addr, wire, "a", "heartbeat=1s&since=0").await;
    let mut streams = Vec::new();
    for wire in ["text", "html", "sse", "ndjson", "script"] {
        streams.extend([open(wire).await, open(wire).await]);
    }
    let mut sender = Sender::new(addr);
    let mut sent = Vec::new();
    let mut send = async || {
        let text = format!("message {}", sent.len());
        let answer = sender.post("/c/a", &text).await;
        assert!(matches!(answer, Answer::Reply(201, _)), "{answer:?}");
        sent.push(text);
        sent.clone()
    };
    send().await;
    // Hardly more than it has open.
    let pid = server.pid().to_string();
    let files = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count();
    let limit = format!("--nofile={}", files + 5);
    let mut limited = Command::new("prlimit");
    let limited = limited.args(["--pid", &pid, &limit]).status().await;
    assert!(limited.unwrap().success());
    let mut held = Vec::new();
    for _ in 0..60 {
        held.push(tokio::net::TcpStream::connect(addr).await.unwrap());
    }
    let refused = async || {
        let answer = try_send(addr, "GET /", b"").await;
        answer.map_or(0, |answer| answer.status) == 503
    };
    eventually("there are no files", refused).await;
    for round in 1..=3 {
        // Two lines of dots end with the messages after them.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let sent = send().await;
        for stream in &mut streams {
            stream.until(sent.len()).await;
            assert_eq!(stream.texts(), sent);
            assert!(stream.heartbeats() >= round, "{:?}", stream.said);
        }
    }
    streams.pop();
    let all_are_noticed = async || {
        let metrics = try_send(addr, "GET /metrics", b"").await;
        let open = match metrics {
            Ok(mut metrics) => metrics.text().await,
            Err(error) => error.to_string(),
        };
        open.contains("open_streams{transport=\"script\"} 1\n")
    };
    eventually("a client that has left is noticed", all_are_noticed).await;
    drop(held);
    let has_files = async || get(addr, "/").await.status == 200;
    eventually("there are files again", has_files).await;
    let sent = send().await;
    streams.push(open("sse").await);
    for stream in &mut streams {
        stream.until(sent.len()).await;
        assert_eq!(stream.texts(), sent);
    }
    drop(streams);
    let log = server.end("-TERM").await;
    assert!(log.contains("cannot accept connections for now"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// A limit of open files that leaves few connections is warned of.
#[tokio::test]
async fn few_file_descriptors_warned_of() {
    for (files, warns) in [(200, true), (256, false)] {
        let mut limited = Command::new(SHELL);
        let script =
            format!("ulimit -n {files}; exec {PROGRAM} --listen 127.0.0.1:0 --store memory");
        limited.args(["-c", &script]);
        let log = Binary::spawn(limited).await.end("-TERM").await;
        assert_eq!(
            log.contains("(ulimit -n) is 200, so only 72 connections"),
            warns,
            "{log}"
        );
    }
}
