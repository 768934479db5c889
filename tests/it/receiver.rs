//! `/receiver` and `/sender` without a browser: sessions, and what is shown once.

use crate::support::TestServer;
use crate::support::client::{Response, get, post, send};

/// A browser's visit: `GET /receiver`, which gives it a session.
async fn visit(server: &TestServer, cookie: &str) -> String {
    let mut page = send(server.addr, &format!("GET /receiver{}", with(cookie)), b"").await;
    let cookie = page.header("set-cookie").to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    let text = page.text().await;
    assert!(
        text.contains("Do on Request!") && text.contains("method=\"post\""),
        "{text}"
    );
    cookie.split(';').next().unwrap().to_owned()
}

fn with(cookie: &str) -> String {
    if cookie.is_empty() {
        String::new()
    } else {
        format!("\r\nCookie: {cookie}")
    }
}

/// The long request.
async fn receive(server: &TestServer, cookie: &str) -> Response {
    send(server.addr, &format!("POST /receiver{}", with(cookie)), b"").await
}

#[tokio::test]
async fn the_long_request_shows_what_the_session_has_not_seen() {
    let server = TestServer::start();
    post(server.addr, "/send", "one").await;
    let cookie = visit(&server, "").await;
    assert_eq!(visit(&server, &cookie).await, cookie, "the session is kept");
    let mut page = receive(&server, &cookie).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let shown = page.until("one</p>").await;
    assert!(shown.starts_with("<!doctype html>"), "{shown}");
    // Other requests of the same session are answered meanwhile.
    let mut other = send(server.addr, &format!("GET /{}", with(&cookie)), b"").await;
    assert!(other.text().await.contains("forever"));
    post(server.addr, "/send", "two").await;
    page.until("two</p>").await;
    // A dot says that the line was taken.
    page.until(".").await;
    // Reload.
    drop(page);
    post(server.addr, "/send", "three").await;
    let mut page = receive(&server, &cookie).await;
    let shown = page.until("three</p>").await;
    assert!(
        !shown.contains("one</p>") && !shown.contains("two</p>"),
        "{shown}"
    );
    drop(page);
    // To come anew is to begin anew.
    visit(&server, &cookie).await;
    let mut page = receive(&server, &cookie).await;
    let shown = page.until("three</p>").await;
    assert!(
        shown.contains("one</p>") && shown.contains("two</p>"),
        "{shown}"
    );
    drop(page);
    server.open_streams(0).await;
    server.stop().await;
}

#[tokio::test]
async fn a_reload_while_the_old_page_is_still_open_loses_nothing() {
    let server = TestServer::start();
    let cookie = visit(&server, "").await;
    let mut left = receive(&server, &cookie).await;
    left.until(".").await;
    let mut page = receive(&server, &cookie).await;
    page.until(".").await;
    drop(page);
    server.open_streams(1).await;
    // Only the page that has been left takes this line.
    post(server.addr, "/send", "line").await;
    left.until("line</p>").await;
    left.until(".").await;
    let mut page = receive(&server, &cookie).await;
    page.until("line</p>").await;
    server.stop().await;
}

#[tokio::test]
async fn the_long_request_works_without_a_session() {
    let server = TestServer::start();
    post(server.addr, "/send", "one").await;
    for cookie in ["", "forever-frame=made-up", "forever-frame="] {
        let mut page = receive(&server, cookie).await;
        assert!(page.header("set-cookie").starts_with("forever-frame="));
        page.until("one</p>").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_load_of_the_sender_appends_the_date_and_shows_the_log() {
    let server = TestServer::start();
    post(server.addr, "/send", "<b>first</b>").await;
    let page = get(server.addr, "/sender").await.text().await;
    assert!(page.contains(">&lt;b&gt;first&lt;/b&gt;</p>"), "{page}");
    let date = page
        .split(">new date: ")
        .nth(1)
        .unwrap()
        .split("</p>")
        .next()
        .unwrap();
    jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", date).unwrap();
    assert!(
        page.trim_end().ends_with("</html>"),
        "the page is whole: {page}"
    );
    assert!(
        !page.contains("class=\"end\""),
        "a page that is whole has no end mark"
    );
    let page = get(server.addr, "/sender").await.text().await;
    assert_eq!(page.matches(">new date: ").count(), 2);
    server.stop().await;
}

#[tokio::test]
async fn a_sent_message_is_not_sent_again_by_a_reload() {
    let server = TestServer::start();
    let sent = post(server.addr, "/sender", "msg=%3Ci%3Ehello%3C%2Fi%3E+you").await;
    assert_eq!(sent.status, 303);
    let location = sent.header("location").to_owned();
    for _ in 0..2 {
        let page = get(server.addr, &location).await.text().await;
        assert_eq!(
            page.matches(">&lt;i&gt;hello&lt;/i&gt; you</p>").count(),
            1,
            "{page}"
        );
        assert!(
            page.contains("Appended your message; its seq is 1."),
            "{page}"
        );
        assert!(!page.contains(">new date:"), "{page}");
    }
    server.stop().await;
}
