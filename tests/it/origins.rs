//! Pages of other origins, and the refusals that an `EventSource` survives.

use crate::support::TestServer;
use crate::support::client::{get, post, send};
use crate::support::wires::StreamReader;

const OURS: &str = "https://page.example";

/// Only pages of the allowed origins may use the channels.
#[tokio::test]
async fn cors_allows_listed_origins_only() {
    let server = TestServer::with(|config| {
        config.cors_origins = vec![OURS.into(), "http://localhost:3000".into()];
    });
    for (origin, allowed) in [
        (OURS, true),
        ("http://localhost:3000", true),
        ("https://other.example", false),
        ("https://page.example.evil", false),
        ("http://page.example", false),
        ("null", false),
    ] {
        for (request, status) in [
            ("GET /c/a?as=json&wait=0s", 200),
            ("POST /c/a", 201),
            ("PUT /c/a", 201),
            ("GET /stream?timeout=1ms", 200),
            ("GET /c/~own", 400),
            ("OPTIONS /c/a", 204),
        ] {
            let body: &[u8] = if request.starts_with('P') { b"x" } else { b"" };
            let answer = send(server.addr, &format!("{request}\r\nOrigin: {origin}"), body).await;
            let status = if allowed || request.starts_with("OPTIONS") {
                status
            } else {
                403
            };
            assert_eq!(answer.status, status, "{request} {origin}");
            let credentials = if allowed { "true" } else { "" };
            assert_eq!(
                answer.header("access-control-allow-credentials"),
                credentials,
                "{request} {origin}"
            );
            let expected = if allowed { origin } else { "" };
            assert_eq!(
                answer.header("access-control-allow-origin"),
                expected,
                "{request} {origin}"
            );
            assert!(
                answer.header("vary").contains("origin"),
                "{request}: {:?}",
                answer.headers
            );
            let exposed = if allowed { "log-cursor, etag" } else { "" };
            assert_eq!(answer.header("access-control-expose-headers"), exposed);
        }
        // The pages and the metrics stay this server's own.
        let page = send(
            server.addr,
            &format!("GET /metrics\r\nOrigin: {origin}"),
            b"",
        )
        .await;
        assert_eq!(page.header("access-control-allow-origin"), "");
    }
    server.stop().await;
}

/// A preflight is answered with the possible methods, and with the headers that it asks for.
#[tokio::test]
async fn cors_preflight_allows_what_is_asked() {
    let server = TestServer::with(|config| config.cors_origins = vec!["*".into(), OURS.into()]);
    let long = "x".repeat(1025);
    let usual =
        "cache-control, content-type, idempotency-key, if-match, if-none-match, last-event-id";
    for (asked, allowed) in [
        ("", usual),
        ("Access-Control-Request-Headers: X-Token", "X-Token"),
        (
            "Access-Control-Request-Headers: authorization,x-token\r\nAccess-Control-Request-Headers: if-match",
            "authorization, x-token, if-match",
        ),
        ("Access-Control-Request-Headers: ", usual),
        ("Access-Control-Request-Headers: a b", usual),
        ("Access-Control-Request-Headers: a, b\u{e4}", usual),
        (&format!("Access-Control-Request-Headers: {long}"), usual),
    ] {
        for (origin, named) in [("https://x.example", false), (OURS, true)] {
            let request = format!(
                "OPTIONS /c/a\r\nOrigin: {origin}\r\nSec-Fetch-Site: cross-site\r\nAccess-Control-Request-Method: PUT\r\n{asked}"
            );
            let answer = send(server.addr, request.trim_end(), b"").await;
            assert_eq!(answer.status, 204);
            let (expected, credentials) = if named { (OURS, "true") } else { ("*", "") };
            assert_eq!(answer.header("access-control-allow-origin"), expected);
            assert_eq!(
                answer.header("access-control-allow-credentials"),
                credentials
            );
            for method in ["GET", "POST", "PUT"] {
                let methods = answer.header("access-control-allow-methods");
                assert!(methods.contains(method), "{methods}");
            }
            assert_eq!(
                answer.header("access-control-allow-headers"),
                allowed,
                "{asked}"
            );
        }
    }
    server.stop().await;
}

/// An allowed page gets answers to what it may send with such headers.
#[tokio::test]
async fn cors_requests_follow_their_preflight() {
    let server = TestServer::with(|config| config.cors_origins = vec![OURS.into()]);
    for (request, body, status) in [
        ("POST /c/a", "x", 201),
        ("PUT /c/a", "x", 201),
        ("GET /c/a?as=sse&limit=1", "", 200),
    ] {
        let headers = "Sec-Fetch-Site: cross-site\r\nX-Token: 1\r\nCookie: a=b";
        let request = format!("{request}\r\nOrigin: {OURS}\r\n{headers}");
        let answer = send(server.addr, &request, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(answer.header("access-control-allow-origin"), OURS);
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
    }
    server.stop().await;
}

/// Without the option no other origin is allowed.
#[tokio::test]
async fn cors_off_by_default() {
    let server = TestServer::start();
    let answer = send(
        server.addr,
        "OPTIONS /c/a\r\nOrigin: https://x.example",
        b"",
    )
    .await;
    assert!(
        answer
            .headers
            .keys()
            .all(|name| !name.starts_with("access-control")),
        "{:?}",
        answer.headers
    );
    server.stop().await;
}

/// A script frame talks to its own origin, or to one that is allowed.
#[tokio::test]
async fn script_frame_origin_restricted() {
    let server = TestServer::with(|config| config.cors_origins = vec![OURS.into()]);
    let mut own = get(server.addr, "/c/a?as=script&limit=1").await;
    let policy = own.header("content-security-policy").to_owned();
    assert!(policy.contains("frame-ancestors 'self'"), "{policy}");
    post(server.addr, "/c/a", "x").await;
    let own = own.text().await;
    assert!(own.contains("const origin = location.origin;"), "{own}");
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    let scripts = own.matches("<script").count();
    assert_eq!(
        own.matches(&format!("<script nonce=\"{nonce}\">")).count(),
        scripts,
        "{own}"
    );
    let mut theirs = get(
        server.addr,
        &format!("/c/a?as=script&limit=1&origin={OURS}"),
    )
    .await;
    assert!(
        theirs
            .header("content-security-policy")
            .contains(&format!("frame-ancestors {OURS}"))
    );
    let theirs = theirs.text().await;
    assert!(
        theirs.contains(&format!("const origin = \"{OURS}\";")),
        "{theirs}"
    );
    assert!(!theirs.contains(nonce), "each frame has a nonce of its own");
    for origin in [
        "https://other.example",
        "*",
        "https://page.example;script-src",
    ] {
        assert_eq!(
            get(server.addr, &format!("/c/a?as=script&origin={origin}"))
                .await
                .status,
            400,
            "{origin}"
        );
    }
    server.stop().await;
}

/// An `EventSource` for which there is no room is told to come back: any answer but 200 would end
/// it for good.
#[tokio::test]
async fn event_source_without_room_told_to_retry() {
    let server = TestServer::with(|config| config.max_connections = Some(1));
    let _held = get(server.addr, "/stream").await;
    let mut retries = Vec::new();
    for request in ["GET /c/a\r\nAccept: text/event-stream", "GET /c/a?as=sse"].repeat(4) {
        let mut refused = send(server.addr, request, b"").await;
        assert_eq!(
            (refused.status, refused.header("content-type")),
            (200, "text/event-stream")
        );
        assert_eq!(refused.header("connection"), "close");
        let text = refused.text().await;
        let mut reader = StreamReader::new("sse");
        reader.read(text.as_bytes());
        let retry = reader.retry().unwrap();
        assert!((5_000..31_000).contains(&retry), "{retry}");
        assert!(
            !text.contains("\n\n") && !text.contains("data"),
            "no client sees an event: {text}"
        );
        retries.push(retry);
    }
    retries.dedup();
    assert!(
        retries.len() > 1,
        "they do not all come back together: {retries:?}"
    );
    assert_eq!(
        send(server.addr, "GET /c/a\r\nAccept: application/x-ndjson", b"")
            .await
            .status,
        503
    );
    server.stop().await;
}
