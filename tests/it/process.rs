//! The real binary: its command line, its end, and what it survives.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::support::binary::{self, Binary};
use crate::support::client::{Response, get, post, try_send};
use crate::support::text::{Reader, Said};
use crate::support::{PATIENCE, soon};

/// Those that fill the machine go one at a time.
static HEAVY: Mutex<()> = Mutex::const_new(());

async fn output(args: &[&str]) -> (Option<i32>, String, String) {
    let output = soon(binary::command(args).output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn bad_usage_ends_with_2_and_a_sentence() {
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
        "--pages",
        "--no-demos",
    ] {
        assert!(help.1.contains(option), "{option}");
    }
}

#[tokio::test]
async fn an_address_in_use_ends_with_1_and_one_line() {
    let server = Binary::start(&[]).await;
    let (code, out, err) = output(&["--listen", &server.addr.to_string()]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.contains(&format!("cannot listen on {}", server.addr)) && err.lines().count() == 1,
        "{err}"
    );
}

#[tokio::test]
async fn options_can_stand_in_the_environment() {
    let mut command = binary::command(&["--listen", "127.0.0.1:0"]);
    command.env("FOREVER_FRAME_MAX_MESSAGE", "3");
    let server = Binary::spawn(command).await;
    assert_eq!(post(server.addr, "/c/a", "four").await.status, 413);
}

#[tokio::test]
async fn curl_sees_a_clean_end_when_the_server_stops_and_a_cut_when_it_is_killed() {
    for (signal, code) in [("-TERM", 0), ("-INT", 0), ("-KILL", 18)] {
        let server = Binary::start(&["--drain", "0s"]).await;
        let url = format!("http://{}/stream", server.addr);
        let mut curl = Command::new("curl")
            .args(["-sN", &url])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        post(server.addr, "/send", "hello").await;
        let mut out = curl.stdout.take().unwrap();
        let mut shown = String::new();
        while !shown.contains("hello\n") {
            let mut bytes = [0; 100];
            let n = soon(out.read(&mut bytes)).await.unwrap();
            shown += std::str::from_utf8(&bytes[..n]).unwrap();
        }
        server.signal(signal).await;
        soon(out.read_to_string(&mut shown)).await.unwrap();
        assert_eq!(
            soon(curl.wait()).await.unwrap().code(),
            Some(code),
            "{signal}"
        );
        assert_eq!(shown.contains("\n# end "), code == 0, "{signal}: {shown}");
        let ended = server.ended().await;
        assert_eq!(ended.code(), (signal != "-KILL").then_some(0), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_end_cleanly_in_under_a_second() {
    let _alone = HEAVY.lock().await;
    let server = Binary::start(&["--drain", "0s"]).await;
    let mut streams = Vec::new();
    for n in 0..1000 {
        let path = if n % 2 == 0 {
            "/stream"
        } else {
            "/c/a,b?as=html"
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
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(1), "{took:?}");
    for (n, stream) in streams.into_iter().enumerate() {
        let text = soon(stream).await.unwrap();
        let mark = if n % 2 == 0 {
            "# end "
        } else {
            "<p class=\"end\""
        };
        assert!(text.contains(mark), "stream {n}: {text}");
    }
}

#[tokio::test]
async fn ends_are_spread_over_the_drain() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_that_never_read_cost_little_and_hold_up_nobody() {
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
    let soon_enough = Instant::now() + PATIENCE;
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
    // The log itself, the tail and its encodings; then what the stalled ones hold.
    let log = 20 * 1024 + 3 * 8 * 1024;
    println!(
        "grown by {grown} KiB, {} KiB a stalled follower",
        grown.saturating_sub(log) / STALLED
    );
    assert!(grown < log + STALLED * 128, "{grown} KiB");
    for reader in readers {
        for (n, arrived) in soon(reader).await.unwrap().into_iter().enumerate() {
            let late = arrived.saturating_duration_since(answered[n]);
            assert!(
                late < Duration::from_secs(1),
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
    // The one that asks.
    becomes(&server, "open_connections", 1, deadline).await;
    drop(stalled);
}

/// Follows until so many messages have come, and says when each did.
async fn read_on(addr: std::net::SocketAddr, count: usize) -> Vec<Instant> {
    let mut response = get(addr, "/stream?since=now").await;
    let (mut reader, mut arrived) = (Reader::default(), Vec::new());
    while arrived.len() < count {
        let chunk = soon(response.chunk()).await.unwrap().unwrap();
        for said in reader.read(&chunk) {
            let Said::Message(text) = said else {
                panic!("{said:?}")
            };
            assert!(text.starts_with(&format!("{} ", arrived.len())));
            arrived.push(Instant::now());
        }
    }
    arrived
}

#[tokio::test]
async fn running_out_of_files_is_survived() {
    let _alone = HEAVY.lock().await;
    // Fewer files than connections are let in, so that `accept` fails.
    let mut limited = Command::new("sh");
    let bin = env!("CARGO_BIN_EXE_forever-frame");
    let script = format!(
        "ulimit -n 64; exec {bin} --listen 127.0.0.1:0 --store memory --max-connections 1000"
    );
    limited.args(["-c", &script]);
    let mut server = Binary::spawn(limited).await;
    let addr = server.addr;
    let mut held = Vec::new();
    for _ in 0..150 {
        held.push(tokio::net::TcpStream::connect(addr).await.unwrap());
    }
    // None of them says anything; the one that does has to wait for a file.
    let asked = tokio::spawn(async move { try_send(addr, "GET /healthz", b"").await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!asked.is_finished(), "there was a file left");
    drop(held);
    assert_eq!(soon(asked).await.unwrap().unwrap().status, 200);
    assert!(server.is_running());
}
