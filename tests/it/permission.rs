//! Who may do what: each endpoint, asked by the server's own pages, by programs, by pages of other
//! origins, and under another name.

use std::net::SocketAddr;

use crate::support::TestServer;
use crate::support::client::{get, send_raw};

const NAMED: &str = "https://app.example";

/// What an endpoint answers to a page of another origin.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// It explains, and answers anybody.
    Open,
    /// It acts or streams, and is open to origins that the operator names.
    Named,
    /// It is the chat's, and is open to no other origin.
    Chat,
}

/// Requests to each endpoint. With `Named` and `Chat`, 403 is the answer to a foreign page alone.
const ENDPOINTS: &[(Kind, &str, &str)] = &[
    (Kind::Open, "GET /", ""),
    (Kind::Open, "GET /mailbox", ""),
    (Kind::Open, "GET /events", ""),
    (Kind::Open, "GET /frame", ""),
    (Kind::Open, "GET /wire", ""),
    (Kind::Open, "GET /metrics", ""),
    (Kind::Open, "GET /healthz", ""),
    (Kind::Open, "GET /healthz/live", ""),
    (Kind::Open, "GET /healthz/ready", ""),
    (Kind::Open, "GET /style.css", ""),
    (Kind::Open, "GET /forever-frame.js", ""),
    (Kind::Open, "OPTIONS /c/a", ""),
    (Kind::Named, "GET /c/a?timeout=1ms", ""),
    (Kind::Named, "GET /c/a?timeout=1ms&as=sse", ""),
    (Kind::Named, "GET /c/a?wait=0s&as=json", ""),
    (Kind::Named, "HEAD /c/a", ""),
    (Kind::Named, "POST /c/a", "x"),
    (Kind::Named, "PUT /c/a", "x"),
    (Kind::Named, "POST /send", "x"),
    (Kind::Named, "PUT /send", "x"),
    (Kind::Named, "GET /stream?timeout=1ms", ""),
    (Kind::Named, "GET /sender", ""),
    (Kind::Named, "POST /sender", "msg=x"),
    (Kind::Named, "GET /receiver", ""),
    (Kind::Named, "GET /clock?as=text&timeout=1ms", ""),
    (
        Kind::Named,
        "POST /mailbox",
        "action=send&me=a&toUserName=b&msg=c",
    ),
    (Kind::Named, "POST /mailbox?action=receive&me=b&wait=0s", ""),
    (Kind::Chat, "GET /chat", ""),
    (Kind::Chat, "GET /chat/login", ""),
    (Kind::Chat, "POST /chat/login", "name=a&password=12345678"),
    (Kind::Chat, "GET /chat/register", ""),
    (Kind::Chat, "POST /chat/register", "name=a"),
    (Kind::Chat, "POST /chat/logout", ""),
    (Kind::Chat, "GET /chat/password", ""),
    (Kind::Chat, "POST /chat/password", "old=a&new=b"),
    (Kind::Chat, "GET /chat/friends", ""),
    (Kind::Chat, "POST /chat/friends", "action=ask&name=a"),
    (Kind::Chat, "GET /chat/with/a", ""),
    (Kind::Chat, "POST /chat/with/a", "msg=x"),
    (Kind::Chat, "POST /chat/read/a", "seq=1"),
    (Kind::Chat, "GET /chat/stream?timeout=1ms", ""),
    (Kind::Chat, "GET /chat/frame/a", ""),
    (Kind::Chat, "GET /chat/presence?timeout=1ms", ""),
];

/// The status of a request with these headers and this body.
async fn status(addr: SocketAddr, line: &str, headers: &str, body: &str) -> u16 {
    let form = "Content-Type: application/x-www-form-urlencoded";
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nConnection: close\r\n{form}\r\n{headers}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    send_raw(addr, request.as_bytes()).await.unwrap().status
}

async fn last_seq(addr: SocketAddr) -> String {
    let metrics = get(addr, "/metrics").await.text().await;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("forever_frame_log_last_seq "));
    line.unwrap().to_owned()
}

/// A foreign page gets 403 from each endpoint that acts or streams, and nothing is appended; all
/// others get what the endpoint answers.
#[tokio::test]
async fn permission_of_each_endpoint() {
    let server = TestServer::with(|config| config.cors_origins = vec![NAMED.into()]);
    let host = format!("Host: {}", server.addr);
    let foreign = [
        "Origin: https://evil.example",
        "Origin: https://app.example.evil.example",
        "Origin: null",
        "Origin:",
        "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors",
        "Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image",
        "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe",
    ];
    for (kind, line, body) in ENDPOINTS {
        for headers in foreign {
            let headers = format!("{host}\r\n{headers}");
            let status = status(server.addr, line, &headers, body).await;
            assert_eq!(
                status == 403,
                *kind != Kind::Open,
                "{line} {headers}: {status}"
            );
            let cookie = format!("{headers}\r\nCookie: forever-frame=1; forever-frame-chat=2");
            let with_cookie = self::status(server.addr, line, &cookie, body).await;
            assert_eq!(with_cookie == 403, *kind != Kind::Open, "{line} {cookie}");
        }
    }
    assert_eq!(last_seq(server.addr).await, "0");
    for (kind, line, body) in ENDPOINTS {
        let own = format!("Origin: http://{}", server.addr);
        for headers in [
            "X-Nothing: 1",
            &own,
            "Sec-Fetch-Site: same-origin",
            "Sec-Fetch-Site: none",
        ] {
            let headers = format!("{host}\r\n{headers}");
            let status = status(server.addr, line, &headers, body).await;
            assert_ne!(status, 403, "{line} {headers}");
        }
        let headers = format!("{host}\r\nOrigin: {NAMED}\r\nSec-Fetch-Site: cross-site");
        let status = status(server.addr, line, &headers, body).await;
        assert_eq!(
            status == 403,
            *kind == Kind::Chat,
            "{line} {headers}: {status}"
        );
        let rebound = self::status(server.addr, line, "Host: evil.example:8080", body).await;
        let expected = if line.contains("/healthz") { 200 } else { 421 };
        assert_eq!(rebound, expected, "{line}");
    }
    server.stop().await;
}

/// A link from another site leads to a page, and does not do what a visit otherwise does.
#[tokio::test]
async fn link_from_elsewhere_does_nothing() {
    let server = TestServer::start();
    let port = server.addr.port();
    let link = "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site";
    let visit = async |host: &str, headers: &str| {
        let request = format!("GET /sender HTTP/1.1\r\nHost: {host}:{port}\r\n{headers}\r\n\r\n");
        let mut answer = send_raw(server.addr, request.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200, "{headers}");
        answer.text().await.contains("Appended")
    };
    for headers in [
        format!("{link}: cross-site"),
        format!("{link}: same-site"),
        format!("{link}: cross-site\r\nReferer: https://evil.example/"),
        format!("{link}: cross-site\r\nReferer: http://localhost:1/"),
        format!("{link}: cross-site\r\nReferer: http://127.0.0.1.evil.example:{port}/"),
    ] {
        assert!(!visit("127.0.0.1", &headers).await, "{headers}");
    }
    assert_eq!(last_seq(server.addr).await, "0");
    for (host, headers) in [
        ("127.0.0.1", format!("{link}: none")),
        ("127.0.0.1", format!("{link}: same-origin")),
        (
            "127.0.0.1",
            format!("{link}: cross-site\r\nReferer: http://localhost:{port}/wire"),
        ),
        (
            "localhost",
            format!("{link}: cross-site\r\nReferer: http://[::1]:{port}/"),
        ),
        (
            "[::1]",
            format!("{link}: cross-site\r\nReferer: http://127.0.0.1:{port}/"),
        ),
        ("127.0.0.1", "X-Program: curl".to_owned()),
    ] {
        assert!(visit(host, &headers).await, "{host} {headers}");
    }
    // A stream may be opened by a link: it shows its reader what the log has.
    let stream = format!(
        "GET /c/main?as=html&limit=1 HTTP/1.1\r\nHost: localhost\r\n{link}: cross-site\r\n\r\n"
    );
    assert_eq!(
        send_raw(server.addr, stream.as_bytes())
            .await
            .unwrap()
            .status,
        200
    );
    server.stop().await;
}

/// The hidden frame of an allowed page names that page by its `Referer` alone.
#[tokio::test]
async fn frame_of_an_allowed_page_streams() {
    let server = TestServer::with(|config| config.cors_origins = vec![NAMED.into()]);
    let frame = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe";
    let line = format!("GET /c/a?as=script&timeout=1ms&origin={NAMED}");
    for (referer, expected) in [
        (format!("Referer: {NAMED}/\r\n"), 200),
        ("Referer: https://evil.example/\r\n".to_owned(), 403),
        (String::new(), 403),
    ] {
        let headers = format!("Host: localhost\r\n{referer}{frame}");
        let status = status(server.addr, &line, &headers, "").await;
        assert_eq!(status, expected, "{headers}");
    }
    server.stop().await;
}

/// A page that is loaded in advance, or only asked about, appends nothing and clears nothing.
#[tokio::test]
async fn prefetch_and_head_do_nothing() {
    let server = TestServer::start();
    for request in [
        "HEAD /sender HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /sender HTTP/1.1\r\nHost: localhost\r\nSec-Purpose: prefetch\r\n\r\n",
        "GET /sender HTTP/1.1\r\nHost: localhost\r\nSec-Purpose: other, Prefetch;prerender\r\n\r\n",
        "GET /sender HTTP/1.1\r\nHost: localhost\r\nPurpose: x\r\nPurpose: prefetch\r\n\r\n",
        "GET /sender HTTP/1.1\r\nHost: localhost\r\nX-Moz: prefetch\r\n\r\n",
    ] {
        send_raw(server.addr, request.as_bytes()).await.unwrap();
    }
    assert_eq!(last_seq(server.addr).await, "0");
    server.stop().await;
}
