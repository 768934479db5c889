//! Browsers show a token by a cookie, which the login page sets without a script.

use std::net::SocketAddr;

use crate::support::access::{AccessFile, bearer, secret};
use crate::support::client::{Response, get, send};

const BROWSER: &str = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

const TOKENS: &[(&str, &str)] = &[
    ("reader", "read = [\"private\"]"),
    ("writer", "write = [\"private\"]"),
];

async fn log_in(addr: SocketAddr, path: &str, headers: &str, token: &str) -> Response {
    let line = format!("POST {path}\r\n{FORM}\r\n{BROWSER}{headers}");
    send(addr, &line, format!("token={token}").as_bytes()).await
}

/// The part of a `Set-Cookie` that the browser sends back.
fn cookie_of(answer: &Response) -> String {
    let cookie = answer.header("set-cookie").split(';').next().unwrap();
    format!("Cookie: other=1; {cookie}")
}

/// A browser that may not see a page gets the form in its place, which leads it there; it is let in by
/// the cookie, on each transport, and no more when it has logged out.
#[tokio::test]
async fn login_by_form() {
    let file = AccessFile::with_tokens("", TOKENS);
    let server = file.serve();
    let addr = server.addr;
    let line = format!("GET /c/private?as=html&timeout=1ms\r\n{BROWSER}");
    let mut answer = send(addr, &line, b"").await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").starts_with("Bearer "));
    let page = answer.text().await;
    assert!(page.contains("To read private you need a token."), "{page}");
    let action = "action=\"/login?next=%2Fc%2Fprivate%3Fas%3Dhtml%26timeout%3D1ms\"";
    assert!(page.contains(action), "{page}");
    assert!(!page.contains("<script"), "{page}");

    let path = "/login?next=%2Fc%2Fprivate%3Fas%3Dhtml%26timeout%3D1ms";
    let mut answer = log_in(addr, path, "", "ff_wrong").await;
    assert_eq!(answer.status, 401);
    let page = answer.text().await;
    assert!(
        page.contains("is not known here") && page.contains(action),
        "{page}"
    );
    assert!(!page.contains("ff_wrong"), "{page}");
    assert_eq!(answer.header("set-cookie"), "");

    let answer = log_in(addr, path, "", &secret("reader")).await;
    assert_eq!(answer.status, 303);
    assert_eq!(answer.header("location"), "/c/private?as=html&timeout=1ms");
    let set = answer.header("set-cookie");
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
    let cookie = cookie_of(&answer);
    for wire in ["text", "html", "script", "sse", "ndjson", "json&wait=0s"] {
        let line = format!("GET /c/private?timeout=1ms&as={wire}\r\n{cookie}");
        assert_eq!(send(addr, &line, b"").await.status, 200, "{wire}");
    }
    let page = send(addr, &format!("GET /login\r\n{cookie}"), b"")
        .await
        .text()
        .await;
    assert!(
        page.contains("“reader”") && page.contains("/logout"),
        "{page}"
    );
    // What a browser may not do in spite of its token is said on the form, too.
    let line = format!("POST /c/private\r\n{BROWSER}\r\n{cookie}");
    let mut answer = send(addr, &line, b"x").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().await.contains("no right to write to private"));

    let answer = send(addr, &format!("POST /logout\r\n{cookie}"), b"").await;
    assert_eq!((answer.status, answer.header("location")), (303, "/login"));
    assert!(
        answer
            .header("set-cookie")
            .contains("forever-frame-access=; Path=/; Max-Age=0")
    );
    server.stop().await;
}

/// With a proxy that speaks TLS the cookie is sent over TLS alone.
#[tokio::test]
async fn login_cookie_over_tls() {
    let file = AccessFile::with_tokens("", TOKENS);
    let server = file.serve();
    let answer = log_in(
        server.addr,
        "/login",
        "\r\nX-Forwarded-Proto: https",
        &secret("reader"),
    )
    .await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    let set = answer.header("set-cookie");
    assert!(set.starts_with("__Host-forever-frame-access=ff_"), "{set}");
    assert!(set.ends_with("; Secure"), "{set}");
    let line = |scheme: &str| {
        let cookie = cookie_of(&answer);
        format!("GET /c/private?timeout=1ms\r\n{cookie}\r\nX-Forwarded-Proto: {scheme}")
    };
    assert_eq!(send(server.addr, &line("https"), b"").await.status, 200);
    assert_eq!(send(server.addr, &line("http"), b"").await.status, 401);
    server.stop().await;
}

/// A header counts, and not the cookie; a cookie of no use is taken back, so that the browser sees again
/// what is open to all.
#[tokio::test]
async fn login_cookie_and_header() {
    let file = AccessFile::with_tokens("anyone.read = [\"open\"]", TOKENS);
    let server = file.serve();
    let cookie = |token: &str| format!("Cookie: forever-frame-access={token}");
    for (headers, status) in [
        (cookie(&secret("reader")), 200),
        (cookie(&secret("writer")), 403),
        (
            format!("{}\r\n{}", cookie(&secret("reader")), bearer("writer")),
            403,
        ),
        (
            format!("{}\r\n{}", cookie(&secret("writer")), bearer("reader")),
            200,
        ),
        (
            format!("{}\r\n{}", cookie("ff_wrong"), bearer("reader")),
            200,
        ),
        (cookie("ff_wrong"), 401),
        (cookie(""), 401),
        ("Cookie: xforever-frame-access=ff_wrong".to_owned(), 401),
    ] {
        let line = format!("GET /c/private?timeout=1ms\r\n{headers}");
        assert_eq!(
            send(server.addr, &line, b"").await.status,
            status,
            "{headers}"
        );
    }
    let line = format!("GET /c/open?timeout=1ms\r\n{}", cookie("ff_wrong"));
    let answer = send(server.addr, &line, b"").await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(get(server.addr, "/c/open?timeout=1ms").await.status, 200);
    server.stop().await;
}

/// A page of another origin can neither log a browser in nor out, nor write with its cookie.
#[tokio::test]
async fn login_from_another_origin() {
    let file = AccessFile::with_tokens("", TOKENS);
    let server = file.serve();
    let cookie = format!("Cookie: forever-frame-access={}", secret("writer"));
    for foreign in [
        "Origin: https://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document",
    ] {
        for line in ["POST /login", "POST /logout", "POST /c/private"] {
            let line = format!("{line}\r\n{FORM}\r\n{foreign}\r\n{cookie}");
            let body = format!("token={}", secret("reader"));
            let answer = send(server.addr, &line, body.as_bytes()).await;
            assert_eq!(answer.status, 403, "{line}");
            assert_eq!(answer.header("set-cookie"), "", "{line}");
        }
    }
    server.stop().await;
}

/// Wrong tokens are slowed by address, whichever way they are shown; a right one is not.
#[tokio::test]
async fn login_tries_are_counted() {
    let file = AccessFile::with_tokens("", TOKENS);
    let server = file.serve();
    let from = |address: &str| format!("\r\nX-Forwarded-For: {address}");
    let mut statuses = Vec::new();
    for n in 0..60 {
        let wrong = format!("ff_wrong{n}");
        let answer = match n % 3 {
            0 => log_in(server.addr, "/login", &from("192.0.2.1"), &wrong).await,
            1 => {
                let line = format!(
                    "GET /c/private\r\nAuthorization: Bearer {wrong}{}",
                    from("192.0.2.1")
                );
                send(server.addr, &line, b"").await
            }
            _ => {
                let cookie = format!("Cookie: forever-frame-access={wrong}");
                let line = format!("GET /c/private\r\n{cookie}{}", from("192.0.2.1"));
                send(server.addr, &line, b"").await
            }
        };
        if answer.status == 429 {
            let wait: u64 = answer.header("retry-after").parse().unwrap();
            assert!((1..=3).contains(&wait), "{wait}");
        }
        statuses.push(answer.status);
    }
    let tried = statuses.iter().filter(|status| **status == 401).count();
    // One comes back each 3 s.
    assert!((30..50).contains(&tried), "{statuses:?}");
    assert!(
        statuses[..30].iter().all(|status| *status == 401),
        "{statuses:?}"
    );
    assert!(statuses.contains(&429), "{statuses:?}");
    let line = format!(
        "GET /c/private?timeout=1ms\r\n{}{}",
        bearer("reader"),
        from("192.0.2.1")
    );
    assert_eq!(send(server.addr, &line, b"").await.status, 200);
    let answer = log_in(server.addr, "/login", &from("192.0.2.1"), &secret("reader")).await;
    assert_eq!(answer.status, 303);
    let answer = log_in(server.addr, "/login", &from("192.0.2.2"), "ff_wrong").await;
    assert_eq!(answer.status, 401);
    server.stop().await;
}
