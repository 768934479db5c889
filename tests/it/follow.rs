//! Following a channel: where it begins, what is told when messages are missing, and when it ends.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use forever_frame::log::Keep;

use crate::support::client::{get, post, send};
use crate::support::wires::{Message, Stream, StreamEvent, StreamReader};
use crate::support::{STEP_TIMEOUT, TestServer, soon};

/// Appends messages, and gives their cursors.
async fn append(server: &TestServer, channel: &str, texts: &[&str]) -> Vec<String> {
    let mut cursors = Vec::new();
    for text in texts {
        let answer = post(server.addr, &format!("/c/{channel}"), text)
            .await
            .json()
            .await;
        cursors.push(answer["cursor"].as_str().unwrap().to_owned());
    }
    cursors
}

/// All events of a stream up to its end, but for heartbeats.
async fn said(server: &TestServer, path: &str) -> Vec<StreamEvent> {
    let text = get(server.addr, path).await.text().await;
    let mut said = StreamReader::new("text").read(text.as_bytes());
    said.retain(|said| *said != StreamEvent::Heartbeat);
    said
}

fn message(text: &str) -> StreamEvent {
    StreamEvent::Message(Message {
        data: text.to_owned(),
        ..Message::default()
    })
}

fn end(cursor: &str) -> StreamEvent {
    end_for(cursor, "limit")
}

fn end_for(cursor: &str, reason: &str) -> StreamEvent {
    StreamEvent::End(cursor.to_owned(), reason.to_owned())
}

fn gap(reason: &str, missed: Option<u64>, cursor: &str) -> StreamEvent {
    StreamEvent::Gap(reason.to_owned(), missed, cursor.to_owned())
}

/// The texts of the messages that a stream with this query has after a short time.
async fn messages(server: &TestServer, query: &str) -> Vec<String> {
    let said = said(server, &format!("{query}&timeout=50ms")).await;
    said.into_iter()
        .filter_map(|said| {
            if let StreamEvent::Message(message) = said {
                Some(message.data)
            } else {
                None
            }
        })
        .collect()
}

/// `since` says where a stream begins.
#[tokio::test]
async fn since_chooses_start() {
    let server = TestServer::start();
    let cursors = append(&server, "a", &["one", "two"]).await;
    append(&server, "b", &["other"]).await;
    append(&server, "a", &["three"]).await;
    let table = [
        ("", vec!["one", "two", "three"]),
        ("&since=all", vec!["one", "two", "three"]),
        ("&since=now", vec![]),
        ("&since=0", vec!["one", "two", "three"]),
        ("&since=1", vec!["two", "three"]),
        ("&since=3", vec!["three"]),
        ("&since=-1", vec!["three"]),
        ("&since=-2", vec!["two", "three"]),
        ("&since=-0", vec![]),
        ("&since=-99", vec!["one", "two", "three"]),
        ("&since=1h", vec!["one", "two", "three"]),
        ("&since=0s", vec![]),
        ("&since=all&limit=2", vec!["one", "two"]),
    ];
    for (query, expected) in table {
        assert_eq!(
            messages(&server, &format!("/c/a?_=1{query}")).await,
            expected,
            "{query}"
        );
    }
    assert_eq!(
        messages(&server, &format!("/c/a?since={}", cursors[0])).await,
        ["two", "three"]
    );
    // A cursor means the same for every set of channels.
    assert_eq!(
        messages(&server, &format!("/c/b,a?names=0&since={}", cursors[0])).await,
        ["two", "other", "three"]
    );
    assert_eq!(
        messages(&server, "/c/a,b?names=0&since=-2").await,
        ["other", "three"]
    );
    server.stop().await;
}

/// `Last-Event-ID`, which a browser sends when it resumes, wins over `since` in the address.
#[tokio::test]
async fn last_event_id_wins_over_since() {
    let server = TestServer::start();
    let cursors = append(&server, "a", &["one", "two"]).await;
    let request = format!(
        "GET /c/a?since=all&limit=1\r\nLast-Event-ID: {}",
        cursors[0]
    );
    let mut response = send(server.addr, &request, b"").await;
    assert_eq!(response.header("log-cursor"), cursors[0]);
    assert_eq!(
        response.text().await,
        format!("two\n# end {} reason=limit\n", cursors[1])
    );
    server.stop().await;
}

/// The first bytes of a stream come at once, before any heartbeat could.
#[tokio::test]
async fn stream_first_bytes_before_heartbeat() {
    let server = TestServer::start();
    for (path, first) in [
        ("/stream?heartbeat=60s", "."),
        ("/c/quiet?heartbeat=60s", "."),
        ("/c/quiet?as=script&heartbeat=60s", "<!doctype html>"),
        ("/c/quiet?as=sse&heartbeat=60s", "retry: 3000\nid: "),
        ("/c/quiet?as=ndjson&heartbeat=60s", "{\"type\":\"open\""),
        ("/c/quiet?as=html&heartbeat=60s", "<!doctype html>"),
    ] {
        // Patience ends long before the first heartbeat, or the end of the long poll, could come.
        let mut response = soon(get(server.addr, path)).await;
        let chunk = String::from_utf8(soon(response.chunk()).await.unwrap().unwrap()).unwrap();
        assert!(chunk.starts_with(first), "{path}: {chunk}");
    }
    server.stop().await;
}

/// Dots come each second on one line, which ends before the next message.
#[tokio::test]
async fn heartbeat_dots_on_one_line() {
    let server = TestServer::start();
    append(&server, "a", &["before"]).await;
    let mut response = get(server.addr, "/c/a").await;
    let began = Instant::now();
    assert_eq!(response.until("..").await, "before\n..");
    let quiet = began.elapsed();
    assert!(
        (1900..3500).contains(&quiet.as_millis()),
        "two dots after {quiet:?}"
    );
    append(&server, "a", &["after"]).await;
    assert_eq!(response.until("after").await, "\nafter\n");
    server.stop().await;
}

/// A message arrives when it is appended, and not at the next heartbeat or tick.
#[tokio::test]
async fn message_arrives_when_appended() {
    let server = TestServer::start();
    let mut response = get(server.addr, "/c/a?heartbeat=60s").await;
    response.until(".").await;
    // Each message has to arrive before the next one is appended, and no heartbeat comes in that time:
    // with a tick that came as often as every 60 ms, patience would end.
    let all = async {
        for n in 0..500 {
            append(&server, "a", &["x"]).await;
            let lines = response.until("x\n").await;
            // The first message ends the line of the first dot.
            assert_eq!(lines, if n == 0 { "\nx\n" } else { "x\n" });
        }
    };
    soon(all).await;
    server.stop().await;
}

/// The end of a stream tells the cursor from which it can be resumed.
#[tokio::test]
async fn stream_end_has_cursor() {
    let server = TestServer::start();
    let cursors = append(&server, "a", &["one", "two", "three"]).await;
    assert_eq!(
        said(&server, "/c/a?limit=2").await,
        [message("one"), message("two"), end(&cursors[1])]
    );
    assert_eq!(
        said(&server, &format!("/c/a?since={}&timeout=1ms", cursors[2])).await,
        [end_for(&cursors[2], "timeout")]
    );
    let html = get(server.addr, "/c/a?as=html&limit=1").await.text().await;
    assert!(
        html.contains(&format!(
            "<p class=\"end\" data-cursor=\"{}\" data-reason=\"limit\">",
            cursors[0]
        )),
        "{html}"
    );
    assert!(
        html.trim_end().ends_with("</html>"),
        "the page is closed after it: {html}"
    );
    // The connection can be used again, the stream being over.
    // The timeout ends the stream, and not the heartbeat, which would come later than patience ends.
    let began = Instant::now();
    let quiet = soon(said(&server, "/c/quiet?timeout=300ms&heartbeat=60s")).await;
    let took = began.elapsed();
    assert_eq!(quiet.len(), 1);
    assert!(
        took >= Duration::from_millis(250) && took < STEP_TIMEOUT,
        "{took:?}"
    );
    server.stop().await;
}

/// A follower is told when messages after its cursor have expired, or its cursor is of another
/// epoch or of the future.
#[tokio::test]
async fn gap_told_for_missing_messages() {
    let server = TestServer::with(|config| {
        config.keep = Keep {
            messages: 3,
            ..config.keep
        }
    });
    let texts: Vec<String> = (1..=10).map(|n| n.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let cursors = append(&server, "a", &texts).await;
    let kept = || ["8", "9", "10"].map(message);
    let then_kept = |gap| std::iter::once(gap).chain(kept());
    let ended = |seen: Vec<StreamEvent>| seen[..seen.len() - 1].to_vec();

    let seen = ended(said(&server, &format!("/c/a?since={}&timeout=50ms", cursors[1])).await);
    let expected = then_kept(gap("expired", Some(5), &cursors[6]));
    assert_eq!(seen, expected.collect::<Vec<_>>());
    // `since=all` means all that there is: nothing is missing from it.
    assert_eq!(ended(said(&server, "/c/a?timeout=50ms").await), kept());
    // A cursor of another epoch.
    let seen = ended(said(&server, "/c/a?since=zzzzzzzzzz-9&timeout=50ms").await);
    let expected = then_kept(gap("epoch", None, &cursors[6]));
    assert_eq!(seen, expected.collect::<Vec<_>>());
    // Cursors of the future.
    let epoch = cursors[0].split('-').next().unwrap();
    for since in [format!("{epoch}-11"), "11".into()] {
        let seen = ended(said(&server, &format!("/c/a?since={since}&timeout=50ms")).await);
        assert_eq!(seen, [gap("future", None, &cursors[9])]);
    }
    // In HTML the gap is an element.
    let html = get(server.addr, "/c/a?as=html&since=2&limit=1")
        .await
        .text()
        .await;
    let element = format!(
        "<p class=\"gap\" data-reason=\"expired\" data-missed=\"5\" data-cursor=\"{}\">5 messages have expired",
        cursors[6]
    );
    assert!(html.contains(&element), "{html}");
    server.stop().await;
}

/// A message is shown as its characters, in text and in HTML, whatever they mean to a terminal or
/// a browser.
#[tokio::test]
async fn message_special_characters_shown() {
    let server = TestServer::start();
    let text = "<script>alert(1)</script> \x1b[31mred\x07 & \"你好 👋\"\tend";
    append(
        &server,
        "a",
        &[text, "....", "# end x-1", "two\r\nlines", r"C:\new\\"],
    )
    .await;
    let mut raw = get(server.addr, "/c/a?limit=5").await;
    let raw = raw.text().await;
    assert!(
        !raw.chars()
            .any(|c| c.is_control() && c != '\n' && c != '\t'),
        "a terminal would obey: {raw:?}"
    );
    let seen = messages(&server, "/c/a?_=1").await;
    assert_eq!(
        seen,
        [text, "....", "# end x-1", "two\r\nlines", r"C:\new\\"]
    );
    let html = get(server.addr, "/c/a?as=html&limit=1").await.text().await;
    assert!(
        html.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !html.contains("<script"),
        "{html}"
    );
    server.stop().await;
}

/// A stream can follow 64 channels, and not 65.
#[tokio::test]
async fn channels_limit_of_stream() {
    let server = TestServer::start();
    let names = |count: usize| {
        (0..count)
            .map(|n| format!("ch{n}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let mut response = get(server.addr, &format!("/c/{}", names(64))).await;
    for n in [0, 63, 31, 0] {
        append(&server, &format!("ch{n}"), &[&format!("to {n}")]).await;
        response.until(&format!("to {n}\n")).await;
    }
    drop(response);
    let refused = get(server.addr, &format!("/c/{}", names(65))).await;
    assert_eq!(refused.status, 400);
    server.stop().await;
}

/// A history that is longer than the tail is read to its end.
#[tokio::test]
async fn history_longer_than_tail() {
    // This is more than the tail holds in memory, so that the store is read, page by page.
    let server = TestServer::start();
    let text = "x".repeat(40 * 1024);
    let count = 400;
    for n in 0..count {
        let response = post(server.addr, "/c/a", format!("{n} {text}")).await;
        assert_eq!(response.status, 201);
    }
    let stream = Stream::open(server.addr, "text", "a", &format!("limit={count}")).await;
    let stream = stream.whole().await;
    assert!(stream.gaps().is_empty() && stream.end().is_some());
    assert_eq!(stream.texts().len(), count);
    for (n, said) in stream.texts().into_iter().enumerate() {
        assert_eq!(said, format!("{n} {text}"));
    }
    server.stop().await;
}

/// When the server stops, the stream of the clock ends at once, and not at the next tick.
#[tokio::test]
async fn clock_stream_ends_before_next_tick() {
    // On a busy machine the next tick may come first, but it does not come first again and again.
    const TRIES: usize = 5;
    for _ in 0..TRIES {
        if stopped_clock_ends_before_tick().await {
            return;
        }
    }
    panic!("the end came with the next tick {TRIES} times");
}

/// Stops a server just after a tick of its clock, and returns whether the clock's stream has ended
/// before the next tick, which comes at the next full second.
async fn stopped_clock_ends_before_tick() -> bool {
    let second = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    let server = TestServer::start();
    let mut response = get(server.addr, "/clock?heartbeat=60s").await;
    // The first tick comes at once, and the second one at a full second.
    for _ in 0..2 {
        response.until("T").await;
    }
    let stopped_in = second();
    let stopped = tokio::spawn(server.stop());
    assert!(response.text().await.contains("# end "));
    let ended_in = second();
    soon(stopped).await.unwrap();
    ended_in == stopped_in
}
