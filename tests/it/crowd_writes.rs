//! What a crowd writes that does not fit: more than one frame at once, and more than a socket takes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::support::TestServer;
use crate::support::client::append;
use crate::support::difficult::shown;
use crate::support::raw_stream::{RawStream, SMALL_BUFFER};
use crate::support::upload::Upload;
use crate::support::wires::StreamEvent;

const KIB: usize = 1024;

/// Transports and queries, some of which share what is written, while others have something of their
/// own around each message.
const KINDS: [(&str, &str, &str); 9] = [
    ("text", "a", ""),
    ("text", "a,b", ""),
    ("html", "a", ""),
    ("html", "a,b", ""),
    ("sse", "a", ""),
    ("sse", "a", "envelope=1"),
    ("ndjson", "a", ""),
    ("ndjson", "a,b", ""),
    ("script", "a", ""),
];

/// Longer than a lane leaves anything undone, and shorter than the time after which it looks at each
/// follower in any case.
const SOON: Duration = Duration::from_secs(6);

/// A stream that has begun, and waits for what comes.
async fn begun(
    addr: SocketAddr,
    kind: (&'static str, &str, &str),
    buffer: Option<u32>,
) -> RawStream {
    let (wire, channels, query) = kind;
    let query = format!("since=now&heartbeat=60s&{query}");
    let stream = RawStream::ask(addr, wire, channels, &query, buffer).await;
    let mut stream = stream.unwrap();
    stream.begin().await.unwrap();
    assert_eq!(stream.status(), "200");
    stream
}

/// Reads messages until they are as many as expected, and compares them.
async fn reads(mut stream: RawStream, kind: (&str, &str, &str), expected: &[String]) {
    let (wire, _, query) = kind;
    let mut count = 0;
    while count < expected.len() {
        for said in stream.read(64 * KIB).await.unwrap() {
            let StreamEvent::Message(message) = said else {
                assert!(!matches!(said, StreamEvent::Gap(..)), "{said:?}");
                continue;
            };
            let text = &expected[count];
            if query == "envelope=1" {
                let object: serde_json::Value = serde_json::from_str(&message.data).unwrap();
                assert_eq!(object["data"], **text, "{kind:?}: {count}");
            } else {
                assert_eq!(message.data, shown(wire, text), "{kind:?}: {count}");
            }
            count += 1;
        }
    }
}

/// Followers that wait have all of a batch that is larger than a frame, although nothing follows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_of_many_frames_reaches_everybody() {
    let server = TestServer::start();
    let mut streams = Vec::new();
    for kind in KINDS.into_iter().cycle().take(5 * KINDS.len()) {
        streams.push((begun(server.addr, kind, None).await, kind));
    }
    for round in 0..5 {
        let lines: Vec<_> = (0..150)
            .map(|n| format!("{round} {n} {}", "x".repeat(KIB)))
            .collect();
        let mut upload = Upload::start(server.addr, "/c/a").await;
        upload.send((lines.join("\n") + "\n").as_bytes()).await;
        assert_eq!(upload.end().await.status, 201);
        let appended = Instant::now();
        for (stream, kind) in &mut streams {
            let mut next = lines.iter();
            while next.len() > 0 {
                for said in stream.read(64 * KIB).await.unwrap() {
                    if let StreamEvent::Message(message) = said {
                        assert!(message.data.contains(&**next.next().unwrap()), "{kind:?}");
                    }
                }
            }
        }
        assert!(appended.elapsed() < SOON, "{:?}", appended.elapsed());
    }
    server.stop().await;
}

/// A client that stops reading while long messages come, and reads on later, has every byte, whatever
/// the memory for what it has not read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rest_of_a_write_follows_it() {
    for answers in [None, Some(64 * KIB)] {
        let server = TestServer::with(|config| {
            config.memory.answers = answers.unwrap_or(config.memory.answers);
        });
        let mut streams = Vec::new();
        for kind in KINDS {
            let stream = begun(server.addr, kind, Some(SMALL_BUFFER)).await;
            streams.push((stream, kind));
        }
        server.open_streams(KINDS.len().try_into().unwrap()).await;
        let mut sent = Vec::new();
        // A hidden frame ends after a mebibyte.
        for n in 0..15 {
            let text = format!("{n} {}", "\u{1}<x".repeat(3 * KIB + 100 * n));
            append(server.addr, "a", &text).await;
            sent.push(text);
            // Each is a write of its own while the socket takes it.
            sleep(Duration::from_millis(5)).await;
        }
        let mut reading = tokio::task::JoinSet::new();
        for (stream, kind) in streams {
            let sent = sent.clone();
            reading.spawn(async move { reads(stream, kind, &sent).await });
        }
        crate::support::at_last(reading.join_all()).await;
        server.open_streams(0).await;
        server.stop().await;
    }
}
