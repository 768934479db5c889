//! Who may do what: each endpoint, asked by the server's own pages, by programs, by pages of other
//! origins, and under another name.

use std::net::SocketAddr;

use crate::support::TestServer;
use crate::support::client::{get, send_raw};

const NAMED: &str = "https://app.example";

/// To which pages of other origins an endpoint is open.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// It explains, and answers all of them.
    Open,
    /// It is the channels', and is open to those whose origin is allowed, also by `*`.
    Channels,
    /// It is a demonstration, and is open to those whose origin is named.
    Demo,
    /// It is the chat's, and is open to none.
    Chat,
}

/// Requests to each method of each endpoint, but for HEAD, which goes with GET. 403 is the answer to a
/// foreign page alone.
const ENDPOINTS: &[(Kind, &str, &str)] = &[
    (Kind::Open, "GET /", ""),
    (Kind::Open, "GET /mailbox", ""),
    (Kind::Open, "GET /events", ""),
    (Kind::Open, "GET /frame", ""),
    (Kind::Open, "GET /wire", ""),
    (Kind::Open, "GET /example", ""),
    (Kind::Open, "GET /docs", ""),
    (Kind::Open, "GET /docs/class", ""),
    (Kind::Open, "GET /files/REVISION/style.css", ""),
    (Kind::Open, "GET /metrics", ""),
    (Kind::Open, "GET /openapi.json", ""),
    (Kind::Open, "GET /healthz", ""),
    (Kind::Open, "GET /healthz/live", ""),
    (Kind::Open, "GET /healthz/ready", ""),
    (Kind::Open, "GET /style.css", ""),
    (Kind::Open, "GET /forever-frame.js", ""),
    (Kind::Open, "GET /favicon.svg", ""),
    (Kind::Open, "GET /wire.js", ""),
    (Kind::Open, "OPTIONS /c/a", ""),
    (Kind::Open, "OPTIONS *", ""),
    (Kind::Open, "GET /login", ""),
    (Kind::Demo, "POST /login", "token=a"),
    (Kind::Demo, "POST /logout", ""),
    (Kind::Demo, "GET /probe?lines=1&quiet=0s", ""),
    (Kind::Demo, "POST /probe", "x"),
    (Kind::Demo, "PUT /probe", "x"),
    (Kind::Channels, "GET /c", ""),
    (Kind::Channels, "GET /c/", ""),
    (Kind::Channels, "GET /c/?as=ndjson", ""),
    (Kind::Channels, "GET /c/a?timeout=1ms", ""),
    (Kind::Channels, "GET /c/a?timeout=1ms&as=sse", ""),
    (Kind::Channels, "GET /c/*?timeout=1ms&as=html", ""),
    (Kind::Channels, "GET /c/a?wait=0s&as=json", ""),
    (Kind::Channels, "POST /c/a", "x"),
    (Kind::Channels, "PUT /c/a", "x"),
    (Kind::Channels, "POST /send", "x"),
    (Kind::Channels, "PUT /send", "x"),
    (Kind::Channels, "GET /stream?timeout=1ms", ""),
    (Kind::Demo, "POST /wire/tap", ""),
    (Kind::Demo, "GET /wire/tap/0", ""),
    (Kind::Demo, "GET /sender", ""),
    (Kind::Demo, "POST /sender", "msg=x"),
    (Kind::Demo, "GET /receiver", ""),
    (Kind::Demo, "POST /receiver?timeout=1ms", ""),
    (Kind::Demo, "GET /receiver/live", ""),
    (Kind::Demo, "GET /clock?as=text&timeout=1ms", ""),
    (
        Kind::Demo,
        "POST /mailbox",
        "action=send&me=a&toUserName=b&msg=c",
    ),
    (Kind::Demo, "POST /mailbox?action=receive&me=b&wait=0s", ""),
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

/// The endpoints, and HEAD where there is GET.
fn requests() -> impl Iterator<Item = (Kind, String, &'static str)> {
    let head = |line: &str| line.strip_prefix("GET ").map(|path| format!("HEAD {path}"));
    ENDPOINTS.iter().flat_map(move |(kind, line, body)| {
        let lines = std::iter::once((*line).to_owned()).chain(head(line));
        lines.map(|line| (*kind, line, *body))
    })
}

/// Each method of each route stands in the table above: what is new there is to be answered here.
#[test]
fn permission_table_has_each_endpoint() {
    let table = include_str!("../../src/http/route.rs");
    // A test of the program holds this list to its routes.
    let rows = table.lines().filter_map(|line| {
        let (path, rest) = line.strip_prefix("//! | `")?.split_once("` | ")?;
        Some((path, rest.split_once(" | ")?.0))
    });
    let files = ("/FILE", "GET");
    let (mut seen, mut missing) = (0, Vec::new());
    for (path, methods) in rows.chain([files]) {
        let fixed = path.trim_end_matches(|c: char| c.is_ascii_uppercase());
        let leads_there = |asked: &str| {
            let asked = asked.split('?').next().unwrap();
            match path {
                "/FILE" => asked == "/wire.js",
                _ if fixed == path => asked == path,
                _ => asked.len() > fixed.len() && asked.starts_with(fixed),
            }
        };
        for method in methods.split(", ") {
            seen += 1;
            let is_here = ENDPOINTS.iter().any(|(_, line, _)| {
                let asked = line
                    .strip_prefix(method)
                    .and_then(|rest| rest.strip_prefix(' '));
                asked.is_some_and(leads_there)
            });
            if !is_here {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    assert!(seen > 40, "the test looks at something: {seen}");
    assert!(missing.is_empty(), "without an answer: {missing:?}");
}

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

/// The headers of a page of somebody else, as browsers send them, and as nobody should.
const FOREIGN: [&str; 9] = [
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

/// A foreign page gets 403 from each endpoint that acts, streams or tells, with or without a cookie,
/// and nothing is appended.
#[tokio::test]
async fn foreign_pages_are_refused() {
    let server = TestServer::with(|config| config.cors_origins = vec![NAMED.into()]);
    for (kind, line, body) in requests() {
        for headers in FOREIGN {
            let headers = format!("Host: {}\r\n{headers}", server.addr);
            let cookie = format!("{headers}\r\nCookie: forever-frame=1; forever-frame-chat=2");
            for headers in [headers, cookie] {
                let status = status(server.addr, &line, &headers, body).await;
                let is_refused = kind != Kind::Open;
                assert_eq!(status == 403, is_refused, "{line} {headers}: {status}");
            }
        }
    }
    assert_eq!(last_seq(server.addr).await, "0");
    server.stop().await;
}

/// The server's own pages and programs may use each endpoint, whatever origins are allowed besides.
#[tokio::test]
async fn own_pages_and_programs_are_served() {
    for origins in [&[][..], &[NAMED], &["*"]] {
        let allowed = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let server = TestServer::with(|config| config.cors_origins = allowed);
        let own = format!("Origin: http://{}", server.addr);
        for (_, line, body) in requests() {
            for headers in [
                "X-Nothing: 1",
                &own,
                "Sec-Fetch-Site: same-origin",
                "Sec-Fetch-Site: none",
            ] {
                let headers = format!("Host: {}\r\n{headers}", server.addr);
                let status = status(server.addr, &line, &headers, body).await;
                assert_ne!(status, 403, "{line} {headers}");
            }
        }
        server.stop().await;
    }
}

/// A page of another origin that is allowed may use what is open to it, and no more.
#[tokio::test]
async fn allowed_pages_may_use_what_is_open() {
    for (origins, may) in [
        (&[NAMED][..], &[Kind::Open, Kind::Channels, Kind::Demo][..]),
        (&["*"], &[Kind::Open, Kind::Channels]),
        (&["*", NAMED], &[Kind::Open, Kind::Channels, Kind::Demo]),
    ] {
        let allowed = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let server = TestServer::with(|config| config.cors_origins = allowed);
        let page = format!("Origin: {NAMED}\r\nSec-Fetch-Site: cross-site");
        let headers = format!("Host: {}\r\n{page}", server.addr);
        for (kind, line, body) in requests() {
            let status = status(server.addr, &line, &headers, body).await;
            let expected = !may.contains(&kind);
            assert_eq!(status == 403, expected, "{origins:?} {line}: {status}");
        }
        server.stop().await;
    }
}

/// Under a name that anybody may have let lead here, a server on the loopback answers nothing but
/// whether it works, whatever else the request says.
#[tokio::test]
async fn forged_hosts_are_refused() {
    let server = TestServer::with(|config| config.cors_origins = vec!["*".into(), NAMED.into()]);
    for (_, line, body) in requests() {
        for headers in [
            "Host: evil.example:8080",
            "Host: localhost.evil.example",
            "Host: evil.example\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: same-origin",
            "Host: evil.example\r\nX-Forwarded-Host: localhost",
            &format!("Host: evil.example\r\nOrigin: {NAMED}"),
        ] {
            let status = status(server.addr, &line, headers, body).await;
            let expected = if line.contains("/healthz") { 200 } else { 421 };
            assert_eq!(status, expected, "{line} {headers}");
        }
    }
    assert_eq!(last_seq(server.addr).await, "0");
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
