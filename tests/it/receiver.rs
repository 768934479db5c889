//! `/receiver` and `/sender` without a browser: sessions, and messages that are shown once.

use forever_frame::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::{Response, get, post, send, send_raw};
use crate::support::{TestServer, at_last, has_handover, is_over_tls};

/// Visits `/receiver` as a browser does, and gives the cookie of its session.
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

/// Sends the long request.
async fn receive(server: &TestServer, cookie: &str) -> Response {
    send(server.addr, &format!("POST /receiver{}", with(cookie)), b"").await
}

/// The long request shows the messages that its session has not seen, and a new visit all of them.
#[tokio::test]
async fn receiver_shows_what_session_has_not_seen() {
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
    // A dot after the line shows that the client has taken it.
    page.until(".").await;
    // The page is reloaded.
    drop(page);
    if !has_handover() {
        // hyper may write to a client that has left before it notices that, and then asks for the next
        // piece at once, so that the line would count as seen.
        server.open_streams(0).await;
    }
    post(server.addr, "/send", "three").await;
    let mut page = receive(&server, &cookie).await;
    let shown = page.until("three</p>").await;
    assert!(
        !shown.contains("one</p>") && !shown.contains("two</p>"),
        "{shown}"
    );
    drop(page);
    // A new visit begins anew.
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

/// A browser is led to a page that Back and Reload survive: it shows the last messages again, a rule, and then
/// what is new.
#[tokio::test]
async fn receiver_survives_reload() {
    let server = TestServer::start();
    for n in 0..limits::RECEIVER_MESSAGES_AGAIN + 3 {
        post(server.addr, "/send", format!("line {n}")).await;
    }
    let cookie = visit(&server, "").await;
    let head = format!(
        "POST /receiver{}\r\nSec-Fetch-Mode: navigate",
        with(&cookie)
    );
    let answer = send(server.addr, &head, b"").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (303, "/receiver/live")
    );
    let again = answer.header("set-cookie").split(';').next().unwrap();
    assert_eq!(again, cookie);
    let go_on = format!("GET /receiver/live{}", with(&cookie));
    let mut page = send(server.addr, &go_on, b"").await;
    let shown = page.until("line 22</p>").await;
    assert!(
        shown.contains("line 0</p>") && !shown.contains("loaded again"),
        "{shown}"
    );
    page.until(".").await;
    drop(page);
    server.open_streams(0).await;
    post(server.addr, "/send", "new").await;
    let mut page = send(server.addr, &go_on, b"").await;
    let shown = page.until("new</p>").await;
    let (before, after) = shown.split_once("loaded again").unwrap();
    assert!(
        before.contains("line 22</p>") && before.contains("line 3</p>"),
        "{before}"
    );
    assert!(
        !before.contains("line 2</p>") && !after.contains("line "),
        "{shown}"
    );
    server.stop().await;
}

/// On the machine itself the sender's address is another name of it, for which a browser has connections of
/// its own.
#[tokio::test]
async fn receiver_leads_to_sender_under_another_name() {
    let server = TestServer::start();
    let port = server.addr.port();
    for (host, expected) in [
        (
            format!("127.0.0.1:{port}"),
            format!("http://localhost:{port}/sender"),
        ),
        (
            format!("localhost:{port}"),
            format!("http://127.0.0.1:{port}/sender"),
        ),
        (format!("10.0.0.1:{port}"), "/sender".to_owned()),
    ] {
        let head = format!("GET /receiver HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut answer = send_raw(server.addr, head.as_bytes()).await.unwrap();
        let page = answer.text().await;
        // A certificate is for one name.
        let expected = if is_over_tls() { "/sender" } else { &*expected };
        assert!(
            page.contains(&format!("href=\"{expected}\"")),
            "{host}: {page}"
        );
    }
    server.stop().await;
}

/// A reload while the old page is still open loses no message.
#[tokio::test]
async fn receiver_reload_with_old_page_open() {
    let server = TestServer::start();
    let cookie = visit(&server, "").await;
    let mut left = receive(&server, &cookie).await;
    left.until(".").await;
    let mut page = receive(&server, &cookie).await;
    page.until(".").await;
    drop(page);
    server.open_streams(1).await;
    // Only the page that was left has this line.
    post(server.addr, "/send", "line").await;
    left.until("line</p>").await;
    left.until(".").await;
    let mut page = receive(&server, &cookie).await;
    page.until("line</p>").await;
    server.stop().await;
}

/// The long request works without a session, and makes one.
#[tokio::test]
async fn receiver_without_session() {
    let server = TestServer::start();
    post(server.addr, "/send", "one").await;
    for cookie in ["", "forever-frame=made-up", "forever-frame="] {
        let mut page = receive(&server, cookie).await;
        assert!(page.header("set-cookie").contains("forever-frame="));
        page.until("one</p>").await;
    }
    server.stop().await;
}

/// Each load of `/sender` appends the date, and shows the log.
#[tokio::test]
async fn sender_load_appends_date() {
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

/// A reload after the form of `/sender` does not send the message again.
#[tokio::test]
async fn sender_reload_does_not_resend() {
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

/// Visitors without cookies push out no session whose browser has shown its cookie.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiver_session_survives_visitors() {
    let server = TestServer::start();
    post(server.addr, "/send", "one").await;
    let cookie = visit(&server, "").await;
    let mut page = receive(&server, &cookie).await;
    page.until("one</p>").await;
    page.until(".").await;
    drop(page);
    server.open_streams(0).await;
    // As many visits as there are places, all on one connection.
    let mut socket = TcpStream::connect(server.addr).await.unwrap();
    let visits = "GET /receiver HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let visits = visits.repeat(limits::RECEIVER_SESSIONS_MAX + 1)
        + "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let (mut reading, mut writing) = socket.split();
    let read = async {
        let mut answers = Vec::new();
        reading.read_to_end(&mut answers).await.unwrap();
    };
    let write = async { writing.write_all(visits.as_bytes()).await.unwrap() };
    at_last(async { tokio::join!(read, write) }).await;
    post(server.addr, "/send", "two").await;
    let mut page = receive(&server, &cookie).await;
    let shown = page.until("two</p>").await;
    assert!(!shown.contains("one</p>"), "{shown}");
    drop(page);
    server.open_streams(0).await;
    server.stop().await;
}
