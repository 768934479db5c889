//! One behaviour on six transports: each gives the same answer to the same query in its own format.
//! The readers know the descriptions of the formats only (`support/wires.rs`).

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::binary::Binary;
use crate::support::client::{append, get, try_send};
use crate::support::difficult::shown;
use crate::support::wires::{ALL, Message, Stream, StreamEvent};
use crate::support::{TestServer, eventually, soon};

/// The transports whose streams go on until the client or the server ends them.
const STREAMING: [&str; 5] = ["text", "html", "script", "sse", "ndjson"];

/// Appends messages, and gives the epoch of their log.
async fn append_all(addr: SocketAddr, channel: &str, texts: &[&str]) -> String {
    let mut epoch = String::new();
    for text in texts {
        let answer = append(addr, channel, text).await;
        let cursor = answer["cursor"].as_str().unwrap();
        cursor.rsplit_once('-').unwrap().0.clone_into(&mut epoch);
    }
    epoch
}

/// The message as a follower receives it on a transport.
pub(crate) fn said_of(wire: &str, cursor: &str, channel: &str, event: &str, data: &str) -> Message {
    let says = |word: &str, silent: &[&str]| {
        let word = if silent.contains(&wire) { "" } else { word };
        word.to_owned()
    };
    Message {
        cursor: says(cursor, &["text"]),
        channel: says(channel, &["text", "sse"]),
        event: says(event, &["text"]),
        data: data.to_owned(),
    }
}

/// Waits for tasks that run at the same time; when one of them panics, the test does.
async fn all(mut tasks: JoinSet<()>) {
    while let Some(done) = soon(tasks.join_next()).await {
        if let Err(error) = done {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// A query to a log that keeps the last three of ten messages, and what a follower sees of it.
struct Start {
    /// The value of `since`; `E` stands for the log's epoch.
    since: &'static str,
    /// The position in `Log-Cursor`.
    at: u64,
    /// The gap: its reason, how many messages are missing, and the position from which it goes on.
    gap: Option<(&'static str, Option<u64>, u64)>,
    /// The first message that the follower sees; it sees all after it, too.
    first: u64,
}

const fn start(since: &'static str, at: u64, first: u64) -> Start {
    let gap = None;
    Start {
        since,
        at,
        gap,
        first,
    }
}

#[rustfmt::skip]
const STARTS: [Start; 19] = [
    start("E-8", 8, 9),
    start("E-7", 7, 8),
    start("E-10", 10, 11),
    start("8", 8, 9),
    start("now", 10, 11),
    start("all", 7, 8),
    start("-2", 8, 9),
    start("-3", 7, 8),
    start("-0", 10, 11),
    start("-99", 7, 8),
    start("1h", 7, 8),
    start("0s", 10, 11),
    Start { gap: Some(("expired", Some(5), 7)), ..start("E-2", 2, 8) },
    Start { gap: Some(("expired", Some(7), 7)), ..start("E-0", 0, 8) },
    Start { gap: Some(("expired", Some(5), 7)), ..start("2", 2, 8) },
    Start { gap: Some(("epoch", None, 7)), ..start("zzzzzzzzzz-9", 7, 8) },
    Start { gap: Some(("epoch", None, 7)), ..start("zzzzzzzzzz-99", 7, 8) },
    Start { gap: Some(("future", None, 10)), ..start("E-11", 10, 11) },
    Start { gap: Some(("future", None, 10)), ..start("11", 10, 11) },
];

const GARBAGE: [&str; 8] = [
    "yesterday",
    "-",
    "--1",
    "1.5",
    "E-",
    "-E",
    "E-99999999999999999999",
    "a%20b",
];

/// Each transport begins at the position that `since` names, and tells which messages are missing.
#[tokio::test]
async fn since_on_each_transport() {
    let server = TestServer::with(|config| config.keep.messages = 3);
    let addr = server.addr;
    let texts = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
    let epoch = append_all(addr, "a", &texts).await;
    let mut tasks = JoinSet::new();
    for wire in ALL {
        for start in &STARTS {
            let epoch = epoch.clone();
            tasks.spawn(async move { begins(addr, wire, start, &epoch).await });
        }
        for garbage in GARBAGE {
            let path = format!("/c/a?as={wire}&since={}", garbage.replace('E', &epoch));
            tasks.spawn(async move {
                let mut refused = get(addr, &path).await;
                assert_eq!(refused.header("log-cursor"), "", "{path}");
                // An EventSource gets 400, too: any status but 200 keeps it from asking again and again.
                assert_eq!(refused.status, 400, "{path}");
                assert!(refused.text().await.contains("since="), "{path}");
            });
        }
    }
    all(tasks).await;
    server.stop().await;
}

async fn begins(addr: SocketAddr, wire: &'static str, start: &Start, epoch: &str) {
    let since = start.since.replace('E', epoch);
    let what = format!("{wire} since {since}");
    let stream = Stream::open(addr, wire, "a", &format!("since={since}&timeout=100ms")).await;
    let starts = stream.response.header("log-cursor").to_owned();
    assert_eq!(starts, format!("{epoch}-{}", start.at), "{what}");
    let stream = stream.whole().await;
    let expected = (start.first..=10).map(|seq| {
        let cursor = format!("{epoch}-{seq}");
        said_of(wire, &cursor, "a", "message", &seq.to_string())
    });
    let (expected, seen): (Vec<_>, Vec<_>) = (expected.collect(), stream.messages().collect());
    assert_eq!(seen, expected.iter().collect::<Vec<_>>(), "{what}");
    let gap = start.gap.map(|(reason, missed, seq)| {
        StreamEvent::Gap(reason.to_owned(), missed, format!("{epoch}-{seq}"))
    });
    assert_eq!(stream.gaps(), gap.iter().collect::<Vec<_>>(), "{what}");
    // The gap is told before the messages.
    let of_log =
        |said: &&StreamEvent| matches!(said, StreamEvent::Gap(..) | StreamEvent::Message(_));
    let first = stream.said.iter().find(of_log);
    assert!(gap.is_none() || first == gap.as_ref(), "{what}: {first:?}");
    if let Some(StreamEvent::Open(cursor)) = stream.said.first() {
        assert_eq!(*cursor, starts, "{what}");
    }
    let end = stream.end().map(|(cursor, _)| cursor);
    assert_eq!(end, Some(&*format!("{epoch}-10")), "{what}");
}

/// On each transport a duration as `since` begins at the messages of that time.
#[tokio::test]
async fn since_duration_on_each_transport() {
    let server = TestServer::start();
    let addr = server.addr;
    append(addr, "a", "old").await;
    // This pause is needed: the query is about it. A busy machine may take a second on each side of
    // the answer.
    sleep(Duration::from_secs(2)).await;
    append(addr, "a", "new").await;
    let new = Instant::now();
    let mut tasks = JoinSet::new();
    for wire in ALL {
        tasks.spawn(async move {
            let back = (new.elapsed() + Duration::from_secs(1)).as_millis();
            let query = format!("since={back}ms&timeout=50ms");
            let stream = Stream::open(addr, wire, "a", &query).await.whole().await;
            assert_eq!(stream.texts(), ["new"], "{wire}: {query}");
            assert_eq!(stream.gaps(), [&StreamEvent::Heartbeat; 0], "{wire}");
        });
    }
    all(tasks).await;
    server.stop().await;
}

/// Several channels are one stream in the order of the log, with one cursor.
#[tokio::test]
async fn channels_merge_in_log_order() {
    let server = TestServer::start();
    let addr = server.addr;
    let channels = ["a", "b", "not.asked-for", "c~_"];
    let mut sent = Vec::new();
    for n in 0..24 {
        let channel = channels[n * 7 % 4];
        let answer = append(addr, &format!("{channel}?event=e{n}"), &n.to_string()).await;
        sent.push((answer["cursor"].as_str().unwrap().to_owned(), channel, n));
    }
    for wire in ALL {
        for begin in [0, 11] {
            // Each channel counts once, however often and in whatever order it is named.
            let query = format!("since={}&timeout=100ms", begin + 1);
            let stream = Stream::open(addr, wire, "c~_,b,a,b", &query).await;
            let stream = stream.whole().await;
            let expected = sent[begin + 1..]
                .iter()
                .filter(|sent| sent.1 != channels[2]);
            let expected: Vec<_> = expected
                .map(|(cursor, channel, n)| {
                    let said = said_of(wire, cursor, channel, &format!("e{n}"), &n.to_string());
                    // A line of text has the name of its channel where there are several.
                    let is_text = wire == "text";
                    let channel = if is_text { channel } else { &*said.channel };
                    Message {
                        channel: channel.to_owned(),
                        ..said
                    }
                })
                .collect();
            let seen: Vec<_> = stream.messages().cloned().collect();
            assert_eq!(seen, expected, "{wire} since {begin}");
            // The end of the stream has the cursor of the whole log, whatever channel its last message
            // is in.
            let end = stream.end().map(|(cursor, _)| cursor);
            assert_eq!(end, Some(&*sent[23].0), "{wire}");
        }
    }
    server.stop().await;
}

/// The number of seconds that have begun since then.
fn seconds(since: Instant) -> usize {
    1 + usize::try_from(since.elapsed().as_secs()).unwrap()
}

/// Heartbeats come while the stream is quiet, and never inside a message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_only_between_messages() {
    let server = TestServer::start();
    let addr = server.addr;
    let text = |n: usize| format!("{n}\n{}", "line\r\n.\n".repeat(n * 800));
    let mut watchers = JoinSet::new();
    for wire in STREAMING {
        watchers.spawn(async move {
            let began = Instant::now();
            let mut stream = Stream::open(addr, wire, "a", "since=now&heartbeat=1s").await;
            stream.until(6).await;
            // The first heartbeat comes at the beginning and shows that the stream is there.
            let most = seconds(began);
            assert!(stream.heartbeats() <= most, "{wire}: {:?}", stream.said);
            let busy = stream.heartbeats();
            stream.until(7).await;
            let (beats, most) = (stream.heartbeats(), seconds(began));
            assert!(
                beats >= busy + 2 && beats <= most,
                "{wire}: {busy}, {beats}"
            );
            for (n, seen) in stream.texts().into_iter().enumerate() {
                let sent = shown(wire, &text(n));
                assert_eq!(seen, sent, "{wire}");
            }
        });
    }
    server.open_streams(5).await;
    // The stream is busy with messages of 0 to 32 KB, then quiet for two heartbeats.
    for n in 0..6 {
        sleep(Duration::from_millis(250)).await;
        append(addr, "a", &text(n)).await;
    }
    sleep(Duration::from_millis(2_600)).await;
    append(addr, "a", &text(6)).await;
    all(watchers).await;
    server.stop().await;
}

/// `limit` and `timeout` end each transport with its end mark.
#[tokio::test]
async fn limit_and_timeout_end_with_mark() {
    let server = TestServer::start();
    let addr = server.addr;
    let epoch = append_all(addr, "a", &["one", "two", "three"]).await;
    for wire in ALL {
        for (query, texts, at, why) in [
            ("limit=2", &["one", "two"][..], 2, "limit"),
            ("limit=1&since=1", &["two"], 2, "limit"),
            ("limit=2&timeout=20s", &["one", "two"], 2, "limit"),
            ("since=now&timeout=100ms", &[], 3, "timeout"),
            ("since=-1&limit=9&timeout=100ms", &["three"], 3, "timeout"),
        ] {
            let what = format!("{wire} {query}");
            let stream = Stream::open(addr, wire, "a", query).await.whole().await;
            assert_eq!(stream.texts(), texts, "{what}");
            // A long poll does not tell the reason.
            let (cursor, why) = (
                format!("{epoch}-{at}"),
                if wire == "json" { "" } else { why },
            );
            assert_eq!(stream.end(), Some((&*cursor, why)), "{what}");
        }
    }
    server.open_streams(0).await;
    server.stop().await;
}

/// The cursor of a stream resumes it on each other transport.
#[tokio::test]
async fn resume_on_another_transport() {
    let server = TestServer::start();
    let addr = server.addr;
    append_all(addr, "a", &["1", "2", "3", "4", "5", "6"]).await;
    for from in ALL {
        for to in ALL {
            let first = Stream::open(addr, from, "a", "since=1&limit=2").await;
            let first = first.whole().await;
            assert_eq!(first.texts(), ["2", "3"], "{from}");
            let (cursor, _) = first.end().unwrap();
            for query in [
                format!("limit=2&since={cursor}"),
                // A browser sends the header, while the address of its page says something else.
                format!("limit=2&since=all\r\nLast-Event-ID: {cursor}"),
            ] {
                let second = Stream::open(addr, to, "a", &query).await;
                assert_eq!(second.response.header("log-cursor"), cursor);
                let second = second.whole().await;
                assert_eq!(second.texts(), ["4", "5"], "{from} to {to}: {query}");
                assert_eq!(second.gaps().len(), 0, "{from} to {to}");
            }
        }
    }
    server.stop().await;
}

/// A killed server breaks each transport off; SIGTERM ends it with its end mark.
#[tokio::test]
async fn kill_cuts_and_sigterm_ends_with_mark() {
    for signal in ["-KILL", "-TERM"] {
        let server = Binary::start(&["--drain", "0s"]).await;
        let addr = server.addr;
        let epoch = append_all(addr, "a", &["before"]).await;
        let mut streams = Vec::new();
        for wire in STREAMING {
            let mut stream = Stream::open(addr, wire, "a", "").await;
            stream.until(1).await;
            assert_eq!(stream.end(), None, "{wire}");
            streams.push((wire, stream));
        }
        // A long poll that waits has no head yet.
        let poll = async move { try_send(addr, "GET /c/a?as=json&since=now", b"").await };
        let poll = tokio::spawn(poll);
        eventually("the poll waits", async || {
            let metrics = get(addr, "/metrics").await.text().await;
            metrics.contains("open_streams{transport=\"json\"} 1\n")
        })
        .await;
        server.end(signal).await;
        match soon(poll).await.unwrap() {
            Ok(mut answer) => {
                assert_eq!((signal, answer.status), ("-TERM", 200));
                assert_eq!(answer.header("etag"), format!("\"{epoch}-1\""));
                assert_eq!(answer.json().await["cursor"], format!("{epoch}-1"));
            }
            Err(_) => assert_eq!(signal, "-KILL"),
        }
        for (wire, mut stream) in streams {
            let over = loop {
                match stream.read().await {
                    Ok(true) => {}
                    over => break over,
                }
            };
            let said = stream.end();
            if signal == "-KILL" {
                assert!(over.is_err(), "{wire}: its body ended as if it were whole");
                assert_eq!(said, None, "{wire}");
            } else {
                assert!(over.is_ok(), "{wire}: {over:?}");
                let (cursor, why) = said.unwrap_or_else(|| panic!("no end mark on {wire}"));
                assert_eq!(cursor, format!("{epoch}-1"), "{wire}");
                assert_eq!(why, "stop", "{wire}");
            }
        }
    }
}

/// A script frame that has grown long ends, and is resumed by the next one.
#[tokio::test]
async fn script_frame_rotates_when_long() {
    let server = TestServer::start();
    let addr = server.addr;
    for n in 0..40 {
        append(addr, "a", &format!("{n} {}", "x".repeat(48_000))).await;
    }
    let (mut at, mut seen, mut frames) = ("0".to_owned(), 0, 0);
    while seen < 40 {
        let query = format!("since={at}&limit={}", 40 - seen);
        let stream = Stream::open(addr, "script", "a", &query)
            .await
            .whole()
            .await;
        for text in stream.texts() {
            assert!(text.starts_with(&format!("{seen} x")), "frame {frames}");
            seen += 1;
        }
        let (cursor, why) = stream.end().unwrap();
        assert_eq!(why, if seen < 40 { "rotate" } else { "limit" });
        cursor.clone_into(&mut at);
        frames += 1;
    }
    // A frame has some MiB at most, because a browser keeps all of a page that is still loading.
    assert_eq!(frames, 2, "of 1.9 MB");
    server.stop().await;
}
