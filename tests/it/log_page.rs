//! What a browser gets at `/c/NAME`, and how streams of HTML show that they live.

use forever_frame::limits;

use crate::support::client::{get, post, send};
use crate::support::{TestServer, eventually};

const BROWSER: &str = "Accept: text/html,*/*;q=0.8";

async fn log_page(server: &TestServer, path: &str) -> String {
    let head = format!("GET {path}\r\n{BROWSER}");
    send(server.addr, &head, b"").await.text().await
}

/// The page of a channel has its stream in it, a form, ways to have it otherwise, and who watches; the frame
/// that `as=html` asks for has none of that.
#[tokio::test]
async fn log_page_has_the_stream_in_it() {
    let server = TestServer::start();
    let addr = server.addr;
    post(addr, "/c/build", "one").await;
    let mut watching = get(addr, "/c/build").await;
    watching.until("one").await;
    // A follower is counted when it waits for what comes next.
    let page = eventually("the page counts who watches", async || {
        let page = log_page(&server, "/c/build?timeout=1ms").await;
        page.contains("2 watching")
            .then_some(page.clone())
            .ok_or(page)
    })
    .await;
    for part in [
        "<h1>build</h1>",
        ">one</p>",
        "<p class=\"live\"",
        "action=\"/c/build?form=1\"",
        "href=\"/c/build?as=ndjson\"",
        "download=\"build.log\"",
        &format!("curl -N 'http://{addr}/c/build'"),
        "<a href=\"?since=",
        "beat-1",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let frame = get(addr, "/c/build?as=html&timeout=1ms").await.text().await;
    for part in ["<form", "class=\"live\" data", "watching", "<script"] {
        assert!(!frame.contains(part), "{part}: {frame}");
    }
    assert!(frame.contains("<a href=\"?as=html&amp;since="), "{frame}");
    // Several channels are followed, and not written to.
    let page = log_page(&server, "/c/build,x*?timeout=1ms").await;
    assert!(
        page.contains("<h1>build, x*</h1>") && page.contains("log many"),
        "{page}"
    );
    assert!(!page.contains("<form"), "{page}");
    // A closed channel says what to do next.
    post(addr, "/c/build?close=1", "").await;
    let page = log_page(&server, "/c/build").await;
    assert!(
        page.contains("data-reason=\"closed\"") && page.contains("log-after"),
        "{page}"
    );
    drop(watching);
    server.stop().await;
}

/// A browser that asks for no part of a log is not flooded with all of it.
#[tokio::test]
async fn log_page_begins_with_the_last_messages() {
    let server = TestServer::start();
    let most = usize::try_from(limits::LOG_PAGE_MESSAGES).unwrap();
    let lines = "x\n".repeat(most + 5);
    let put = send(server.addr, "PUT /c/long", lines.as_bytes()).await;
    assert_eq!(put.status, 201);
    let page = log_page(&server, "/c/long?until=now").await;
    assert_eq!(page.matches("class=\"message\"").count(), most);
    let page = log_page(&server, "/c/long?until=now&since=all").await;
    assert_eq!(page.matches("class=\"message\"").count(), most + 5);
    server.stop().await;
}

/// A page tells its style sheet how often something comes, so that it can say when nothing does.
#[tokio::test]
async fn html_stream_has_a_beat() {
    let server = TestServer::start();
    for (query, expected) in [
        ("", "beat-1 "),
        ("&heartbeat=3s", "beat-5 "),
        ("&heartbeat=10s", "beat-15 "),
        ("&heartbeat=60s", "beat-60 "),
        ("&pace=20s", "beat-60 "),
    ] {
        let path = format!("/c/a?as=html&timeout=1ms{query}");
        let page = get(server.addr, &path).await.text().await;
        assert!(page.contains(expected), "{path}: {page}");
    }
    let mut page = get(server.addr, "/c/a?as=html").await;
    page.until("<i></i>....<i></i>.").await;
    server.stop().await;
}

/// Each load of the sender's page sends what was said last, and not the whole log.
#[tokio::test]
async fn sender_shows_the_last_messages() {
    let server = TestServer::start();
    let lines: Vec<String> = (0..200).map(|n| format!("line {n}")).collect();
    send(server.addr, "PUT /send", lines.join("\n").as_bytes()).await;
    let page = get(server.addr, "/sender").await.text().await;
    let most = usize::try_from(limits::SENDER_MESSAGES).unwrap();
    assert_eq!(page.matches("class=\"message\"").count(), most);
    assert!(
        page.contains("line 199</p>") && page.contains("new date: "),
        "{page}"
    );
    server.stop().await;
}
