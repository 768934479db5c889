//! When the streams of a crowd speak and end, while everything else goes on: never early, and soon.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use crate::support::binary::Binary;
use crate::support::client::{append, get};
use crate::support::raw_stream::{RawStream, seq};
use crate::support::sender::{Answer, Sender};
use crate::support::wires::StreamEvent;
use crate::support::{TestServer, at_last, eventually, soon};

/// What everything may take longer on a machine that is busy with other work.
const LATE: Duration = Duration::from_secs(3);

/// The followers whose heartbeats are due at once: each is an open file of this process, and one of the
/// server.
fn followers() -> usize {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    files.saturating_sub(400).min(3000)
}

/// Follows `main` as NDJSON, and gives the moments of the first message and of the heartbeat after it.
async fn first_heartbeat(addr: SocketAddr, heartbeat: Duration) -> (Instant, Instant) {
    let mut socket = soon(TcpStream::connect(addr)).await.unwrap();
    let seconds = heartbeat.as_secs();
    let path = format!("/c/main?as=ndjson&since=now&heartbeat={seconds}s");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let (mut text, mut message) = (String::new(), None);
    loop {
        let mut piece = [0; 2048];
        let read = soon(socket.read(&mut piece)).await.unwrap();
        assert!(read > 0, "cut: {text}");
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        if message.is_none() && text.contains(r#""type":"message""#) {
            message = Some(Instant::now());
        }
        if let Some((_, after)) = text.split_once(r#""type":"message""#)
            && after.contains(r#""type":"heartbeat""#)
        {
            return (message.unwrap(), Instant::now());
        }
    }
}

/// Thousands of heartbeats that are due in the same moment come in time, and a publisher has its answer
/// meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_heartbeats_fall_due_at_once() {
    const HEARTBEAT: Duration = Duration::from_secs(5);
    let server = Binary::start(&[]).await;
    let (addr, count) = (server.addr, followers());
    let followers: Vec<_> = (0..count)
        .map(|_| tokio::spawn(first_heartbeat(addr, HEARTBEAT)))
        .collect();
    let open = format!("open_streams{{transport=\"ndjson\"}} {count}");
    eventually("all follow", async || {
        let metrics = get(addr, "/metrics").await.text().await;
        metrics.contains(&open)
    })
    .await;
    let sent = Instant::now();
    append(addr, "main", "now").await;
    // All are due at this moment, or some milliseconds later.
    sleep_until(sent + HEARTBEAT - Duration::from_millis(50)).await;
    let mut slowest = Duration::ZERO;
    while sent.elapsed() < HEARTBEAT + Duration::from_millis(500) {
        let asked = Instant::now();
        append(addr, "other", "meanwhile").await;
        slowest = slowest.max(asked.elapsed());
    }
    let mut latest = Duration::ZERO;
    for follower in followers {
        let (told, beat) = at_last(follower).await.unwrap();
        assert!(
            beat >= sent + HEARTBEAT,
            "{:?} early",
            sent + HEARTBEAT - beat
        );
        latest = latest.max(beat.saturating_duration_since(told + HEARTBEAT));
    }
    println!("{count} heartbeats, at most {latest:?} late; an append took {slowest:?} at most");
    assert!(latest < LATE, "{latest:?}");
    assert!(slowest < LATE, "{slowest:?}");
    server.end("-TERM").await;
}

/// A heartbeat comes when nothing has been written for its interval, and not a moment earlier.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeat_is_never_early() {
    const HEARTBEAT: Duration = Duration::from_secs(1);
    let server = TestServer::start();
    let addr = server.addr;
    let mut followers = JoinSet::new();
    for n in 0..60 {
        followers.spawn(async move {
            let (wire, path) = (["html", "sse", "ndjson"][n % 3], format!("own{n}"));
            let query = "since=now&heartbeat=1s";
            let stream = RawStream::ask(addr, wire, &path, query, None).await;
            let mut stream = stream.unwrap();
            stream.begin().await.unwrap();
            // Not all at the same part of a tick.
            sleep(Duration::from_micros(n as u64 * 3700)).await;
            let sent = Instant::now();
            append(addr, &path, "now").await;
            let mut has_message = false;
            loop {
                for said in stream.read(4096).await.unwrap() {
                    has_message |= matches!(said, StreamEvent::Message(_));
                    // What came before the message does not count; dots are read with what follows them.
                    if said == StreamEvent::Heartbeat && has_message {
                        return sent.elapsed();
                    }
                }
            }
        });
    }
    for took in at_last(followers.join_all()).await {
        assert!((HEARTBEAT..HEARTBEAT + LATE).contains(&took), "{took:?}");
    }
    server.stop().await;
}

/// Messages on `a` as fast as they are answered.
struct Flow {
    is_over: Arc<AtomicBool>,
    publishers: Vec<JoinHandle<()>>,
}

impl Flow {
    fn start(addr: SocketAddr) -> Flow {
        let is_over = Arc::new(AtomicBool::new(false));
        let publish = |_| {
            let is_over = Arc::clone(&is_over);
            tokio::spawn(async move {
                let mut sender = Sender::new(addr);
                while !is_over.load(SeqCst) {
                    // One that is refused comes while the server stops.
                    let answer = sender.post("/c/a", "on and on\n").await;
                    if !matches!(answer, Answer::Reply(201, _)) {
                        return;
                    }
                    sleep(Duration::from_millis(1)).await;
                }
            })
        };
        let publishers = (0..2).map(publish).collect();
        Flow {
            is_over,
            publishers,
        }
    }

    async fn end(self) {
        self.is_over.store(true, SeqCst);
        for publisher in self.publishers {
            soon(publisher).await.unwrap();
        }
    }
}

/// Follows `a` to the end of the stream, and gives its reason, how long the stream took, and when it
/// ended. Each message must come, and the end must say how far that was.
async fn to_the_end(
    addr: SocketAddr,
    wire: &'static str,
    query: String,
) -> (String, Duration, Instant) {
    let began = Instant::now();
    let query = format!("since=now&{query}");
    let mut stream = RawStream::ask(addr, wire, "a", &query, None).await.unwrap();
    let mut said = stream.begin().await.unwrap();
    let (_, mut at) = stream.cursor();
    let mut end = None;
    loop {
        for said in said.drain(..) {
            assert_eq!(end, None, "{said:?} after the end");
            match said {
                StreamEvent::Message(message) => {
                    at += 1;
                    // All messages are of this channel.
                    assert!(
                        message.cursor.is_empty() || seq(&message.cursor) == at,
                        "{at}"
                    );
                }
                StreamEvent::Gap(..) => panic!("{said:?}"),
                StreamEvent::End(cursor, reason) => {
                    assert_eq!(seq(&cursor), at, "{wire} has all up to its end");
                    end = Some(reason);
                }
                _ => {}
            }
        }
        if stream.is_complete {
            return (
                end.expect("an end in-band"),
                began.elapsed(),
                Instant::now(),
            );
        }
        said = stream.read(64 * 1024).await.unwrap();
    }
}

/// Many streams of the transports whose messages are shared, and one of each other.
fn streams(
    addr: SocketAddr,
    query: impl Fn(usize) -> String,
) -> JoinSet<(String, Duration, Instant)> {
    let mut streams = JoinSet::new();
    for n in 0..100 {
        let wire = ["text", "html", "sse", "ndjson", "script"][n % 5];
        streams.spawn(to_the_end(addr, wire, query(n)));
    }
    streams
}

/// A stream ends when its time is over, and no earlier, while messages come all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeouts_end_busy_streams_in_time() {
    let server = TestServer::start();
    let flow = Flow::start(server.addr);
    for time in [700, 1500] {
        let time = Duration::from_millis(time);
        let query = |n: usize| format!("timeout={}ms&heartbeat={}s", time.as_millis(), 1 + n % 3);
        for (reason, took, _) in at_last(streams(server.addr, query).join_all()).await {
            assert_eq!(reason, "timeout");
            assert!((time..time + LATE).contains(&took), "{took:?} of {time:?}");
        }
    }
    flow.end().await;
    server.stop().await;
}

/// A stream ends when its longest life is over, and no earlier, while messages come all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotate_ends_busy_streams_in_time() {
    const ROTATE: Duration = Duration::from_secs(2);
    let server = TestServer::with(|config| config.rotate = Some(ROTATE));
    let flow = Flow::start(server.addr);
    let ended = at_last(streams(server.addr, |_| String::new()).join_all()).await;
    for (reason, took, _) in ended {
        assert_eq!(reason, "rotate");
        // It lasts for four fifths of the time at least.
        let expected = ROTATE * 4 / 5..ROTATE + LATE;
        assert!(expected.contains(&took), "{took:?}");
    }
    flow.end().await;
    server.stop().await;
}

/// The streams of a server that stops end within its drain, in-band, and spread over it, each with all
/// messages up to its end, while messages come all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drain_ends_busy_streams_in_time() {
    const DRAIN: Duration = Duration::from_secs(2);
    let server = TestServer::with(|config| config.drain = DRAIN);
    let flow = Flow::start(server.addr);
    let streams = streams(server.addr, |_| String::new());
    server.open_streams(100).await;
    sleep(Duration::from_millis(500)).await;
    let asked = Instant::now();
    let stopped = tokio::spawn(server.stop());
    let mut ends = Vec::new();
    for (reason, _, ended) in at_last(streams.join_all()).await {
        assert_eq!(reason, "stop");
        assert!(ended < asked + DRAIN + LATE, "{:?}", ended - asked);
        ends.push(ended - asked);
    }
    at_last(stopped).await.unwrap();
    flow.end().await;
    ends.sort();
    assert!(
        ends[75] > ends[25] + DRAIN / 10,
        "they are spread: {ends:?}"
    );
}
