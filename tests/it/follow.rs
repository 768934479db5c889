//! Following: what is seen from where, and what is said when something is missing.

use std::time::{Duration, Instant};

use forever_frame::log::Keep;

use crate::support::client::{Response, get, post, send};
use crate::support::text::{Reader, Said};
use crate::support::{TestServer, soon};

/// Appends messages and gives their cursors.
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

/// All that a stream says before it ends.
async fn said(server: &TestServer, path: &str) -> Vec<Said> {
    let text = get(server.addr, path).await.text().await;
    Reader::default().read(text.as_bytes())
}

/// The messages that a stream with this query has after a short time.
async fn messages(server: &TestServer, query: &str) -> Vec<String> {
    let said = said(server, &format!("{query}&timeout=50ms")).await;
    said.into_iter()
        .filter_map(|said| {
            if let Said::Message(text) = said {
                Some(text)
            } else {
                None
            }
        })
        .collect()
}

#[tokio::test]
async fn since_says_where_to_begin() {
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
            messages(&server, &format!("/c/a?x=1{query}")).await,
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
        messages(&server, &format!("/c/b,a?since={}", cursors[0])).await,
        ["two", "other", "three"]
    );
    assert_eq!(
        messages(&server, "/c/a,b?since=-2").await,
        ["other", "three"]
    );
    server.stop().await;
}

#[tokio::test]
async fn what_the_browser_remembers_wins() {
    let server = TestServer::start();
    let cursors = append(&server, "a", &["one", "two"]).await;
    let request = format!(
        "GET /c/a?since=all&limit=1\r\nLast-Event-ID: {}",
        cursors[0]
    );
    let mut response = send(server.addr, &request, b"").await;
    assert_eq!(response.header("stream-cursor"), cursors[0]);
    assert_eq!(
        response.text().await,
        format!("two\n# end {}\n", cursors[1])
    );
    server.stop().await;
}

#[tokio::test]
async fn the_first_bytes_come_at_once() {
    let server = TestServer::start();
    for (path, first) in [
        ("/stream", "."),
        ("/c/quiet?heartbeat=60s", "."),
        ("/c/quiet?as=script", "<!doctype html>"),
        ("/c/quiet?as=sse", "retry: 3000\nid: "),
        ("/c/quiet?as=ndjson", "{\"type\":\"open\""),
        ("/c/quiet?as=json", "\n"),
        ("/c/quiet?as=html", "<!doctype html>"),
    ] {
        let began = Instant::now();
        let mut response = get(server.addr, path).await;
        let chunk = String::from_utf8(soon(response.chunk()).await.unwrap().unwrap()).unwrap();
        assert!(chunk.starts_with(first), "{path}: {chunk}");
        assert!(
            began.elapsed() < Duration::from_millis(50),
            "{path}: {:?}",
            began.elapsed()
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn dots_come_each_second_on_one_line_that_ends_before_the_next_message() {
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

#[tokio::test]
async fn a_line_arrives_when_it_is_appended_not_at_a_tick() {
    let server = TestServer::start();
    let mut response = get(server.addr, "/c/a?heartbeat=60s").await;
    response.until(".").await;
    let mut fastest = Duration::MAX;
    for _ in 0..10 {
        append(&server, "a", &["x"]).await;
        let began = Instant::now();
        response.until("x\n").await;
        fastest = fastest.min(began.elapsed());
    }
    assert!(fastest < Duration::from_millis(20), "{fastest:?}");
    server.stop().await;
}

#[tokio::test]
async fn the_end_is_said_and_can_be_gone_on_from() {
    let server = TestServer::start();
    let cursors = append(&server, "a", &["one", "two", "three"]).await;
    assert_eq!(
        said(&server, "/c/a?limit=2").await,
        [
            Said::Message("one".into()),
            Said::Message("two".into()),
            Said::End(cursors[1].clone())
        ]
    );
    assert_eq!(
        said(&server, &format!("/c/a?since={}&timeout=1ms", cursors[2])).await,
        [Said::End(cursors[2].clone())]
    );
    let html = get(server.addr, "/c/a?as=html&limit=1").await.text().await;
    assert!(
        html.contains(&format!("<p class=\"end\" data-cursor=\"{}\">", cursors[0])),
        "{html}"
    );
    assert!(
        html.trim_end().ends_with("</html>"),
        "the page is closed behind it: {html}"
    );
    // The connection can be used again, the stream being over.
    let began = Instant::now();
    assert_eq!(said(&server, "/c/quiet?timeout=300ms").await.len(), 1);
    assert!(
        (250..1500).contains(&began.elapsed().as_millis()),
        "{:?}",
        began.elapsed()
    );
    server.stop().await;
}

#[tokio::test]
async fn what_is_gone_is_said() {
    let server = TestServer::with(|config| {
        config.keep = Keep {
            messages: 3,
            ..config.keep
        }
    });
    let texts: Vec<String> = (1..=10).map(|n| n.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let cursors = append(&server, "a", &texts).await;
    let kept = || ["8", "9", "10"].map(|text| Said::Message(text.into()));
    let gap = |said: String| std::iter::once(Said::Gap(said)).chain(kept());
    let ended = |seen: Vec<Said>| seen[..seen.len() - 1].to_vec();

    let seen = ended(said(&server, &format!("/c/a?since={}&timeout=50ms", cursors[1])).await);
    let expected = gap(format!("reason=expired missed=5 cursor={}", cursors[6]));
    assert_eq!(seen, expected.collect::<Vec<_>>());
    // "All" is all that is there: nothing is missing from it.
    assert_eq!(ended(said(&server, "/c/a?timeout=50ms").await), kept());
    // Another life of the log.
    let seen = ended(said(&server, "/c/a?since=zzzzzzzzzz-9&timeout=50ms").await);
    let expected = gap(format!("reason=epoch missed=unknown cursor={}", cursors[6]));
    assert_eq!(seen, expected.collect::<Vec<_>>());
    // The future.
    let epoch = cursors[0].split('-').next().unwrap();
    for since in [format!("{epoch}-11"), "11".into()] {
        let seen = ended(said(&server, &format!("/c/a?since={since}&timeout=50ms")).await);
        assert_eq!(
            seen,
            [Said::Gap(format!(
                "reason=future missed=unknown cursor={}",
                cursors[9]
            ))]
        );
    }
    // In HTML it is an element.
    let html = get(server.addr, "/c/a?as=html&since=2&limit=1")
        .await
        .text()
        .await;
    let element = format!(
        "<p class=\"gap\" data-reason=\"expired\" data-missed=\"5\" data-cursor=\"{}\">5 messages are gone",
        cursors[6]
    );
    assert!(html.contains(&element), "{html}");
    server.stop().await;
}

#[tokio::test]
async fn messages_are_seen_as_their_characters() {
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
    let seen = messages(&server, "/c/a?x=1").await;
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

#[tokio::test]
async fn sixty_four_channels_fit_one_stream() {
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

#[tokio::test]
async fn a_long_history_is_read_to_its_end() {
    // More than the tail holds in memory, so that the store is read, page by page.
    let server = TestServer::start();
    let text = "x".repeat(40 * 1024);
    let count = 400;
    for n in 0..count {
        let response = post(server.addr, "/c/a", format!("{n} {text}")).await;
        assert_eq!(response.status, 201);
    }
    let mut response: Response = get(server.addr, &format!("/c/a?limit={count}")).await;
    let mut reader = Reader::default();
    let mut seen = Vec::new();
    while let Some(chunk) = soon(response.chunk()).await.unwrap() {
        seen.extend(reader.read(&chunk));
    }
    assert_eq!(seen.len(), count + 1);
    for (n, said) in seen.iter().take(count).enumerate() {
        let Said::Message(message) = said else {
            panic!("{said:?}")
        };
        assert_eq!(*message, format!("{n} {text}"));
    }
    server.stop().await;
}

#[tokio::test]
async fn the_clock_ends_at_once_when_the_server_stops() {
    let server = TestServer::start();
    let mut response = get(server.addr, "/clock?heartbeat=60s").await;
    // The first tick comes at once; behind the second, at a full second, it is quiet for the next.
    for _ in 0..2 {
        response.until("T").await;
    }
    let began = Instant::now();
    let stopped = tokio::spawn(server.stop());
    assert!(response.text().await.contains("# end "));
    assert!(
        began.elapsed() < Duration::from_millis(500),
        "{:?}",
        began.elapsed()
    );
    soon(stopped).await.unwrap();
}
