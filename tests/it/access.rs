//! Who may: each endpoint, asked with and without the rights that it needs, in each way to show a token.

use std::net::SocketAddr;

use crate::support::TestServer;
use crate::support::access::{AccessFile, bearer, secret};
use crate::support::client::{Response, append, get, send};
use crate::support::soon;

/// What an endpoint needs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Needs {
    Nothing,
    Demos,
    /// To read `main`.
    Read,
    /// To write to `main`.
    Write,
    Metrics,
}

/// Requests to each endpoint, with what they need. That none is left out is checked below.
const ENDPOINTS: &[(Needs, &str, &str)] = &[
    (Needs::Nothing, "GET /", ""),
    (Needs::Nothing, "GET /events", ""),
    (Needs::Nothing, "GET /frame", ""),
    (Needs::Nothing, "GET /wire", ""),
    (Needs::Nothing, "GET /example", ""),
    (Needs::Nothing, "GET /docs", ""),
    (Needs::Nothing, "GET /probe?lines=1&quiet=0s", ""),
    (Needs::Nothing, "POST /probe", "x"),
    (Needs::Nothing, "PUT /probe", "x"),
    (Needs::Nothing, "GET /docs/class", ""),
    (Needs::Nothing, "GET /files/REVISION/style.css", ""),
    (Needs::Nothing, "GET /c", ""),
    (Needs::Nothing, "GET /healthz", ""),
    (Needs::Nothing, "GET /healthz/live", ""),
    (Needs::Nothing, "GET /healthz/ready", ""),
    (Needs::Nothing, "GET /style.css", ""),
    (Needs::Nothing, "GET /forever-frame.js", ""),
    (Needs::Nothing, "GET /favicon.svg", ""),
    (Needs::Nothing, "GET /wire.js", ""),
    (Needs::Nothing, "OPTIONS /c/main", ""),
    (Needs::Nothing, "GET /login", ""),
    (Needs::Nothing, "POST /logout", ""),
    (Needs::Read, "GET /c/main?timeout=1ms", ""),
    (Needs::Read, "HEAD /c/main", ""),
    (Needs::Read, "GET /c/main?as=sse&timeout=1ms", ""),
    (Needs::Read, "GET /c/main?as=ndjson&timeout=1ms", ""),
    (Needs::Read, "GET /c/main?as=json&wait=0s", ""),
    (Needs::Read, "GET /c/main?as=html&timeout=1ms", ""),
    (Needs::Read, "GET /c/main?as=script&timeout=1ms", ""),
    (Needs::Read, "GET /c/%6Dain?timeout=1ms", ""),
    (Needs::Read, "GET /c/", ""),
    (Needs::Read, "POST /wire/tap", ""),
    (Needs::Read, "GET /stream?timeout=1ms", ""),
    (Needs::Read, "GET /receiver", ""),
    (Needs::Read, "POST /receiver", ""),
    (Needs::Read, "GET /receiver/live", ""),
    (Needs::Write, "POST /c/main", "x"),
    (Needs::Write, "PUT /c/main", "x"),
    (Needs::Write, "POST /send", "x"),
    (Needs::Write, "PUT /send", "x"),
    (Needs::Write, "GET /sender", ""),
    (Needs::Write, "POST /sender", "msg=x"),
    (Needs::Metrics, "GET /metrics", ""),
    (Needs::Nothing, "GET /openapi.json", ""),
    (Needs::Demos, "GET /mailbox", ""),
    (Needs::Demos, "POST /mailbox", "action=receive&me=b&wait=0s"),
    (Needs::Demos, "GET /clock?as=text&timeout=1ms", ""),
    (Needs::Demos, "GET /chat", ""),
    (Needs::Demos, "GET /chat/login", ""),
    (Needs::Demos, "POST /chat/login", "name=a&password=12345678"),
    (Needs::Demos, "GET /chat/register", ""),
    (Needs::Demos, "POST /chat/register", "name=a"),
    (Needs::Demos, "POST /chat/logout", ""),
    (Needs::Demos, "GET /chat/password", ""),
    (Needs::Demos, "POST /chat/password", "old=a&new=b"),
    (Needs::Demos, "GET /chat/friends", ""),
    (Needs::Demos, "POST /chat/friends", "action=ask&name=a"),
    (Needs::Demos, "GET /chat/with/a", ""),
    (Needs::Demos, "POST /chat/with/a", "msg=x"),
    (Needs::Demos, "POST /chat/read/a", "seq=1"),
    (Needs::Demos, "GET /chat/stream?timeout=1ms", ""),
    (Needs::Demos, "GET /chat/frame/a", ""),
    (Needs::Demos, "GET /chat/presence?timeout=1ms", ""),
];

const TOKENS: &[(&str, &str)] = &[
    ("reader", "read = [\"main\"]"),
    ("writer", "write = [\"main\"]"),
    ("watcher", "metrics = true"),
    ("none", ""),
    ("late", "read = [\"*\"]\nuntil = 2026-01-01T00:00:00Z"),
];

/// A forwarding header: otherwise everybody on this machine may read the metrics.
const FORWARDED: &str = "X-Forwarded-For: 192.0.2.1";

async fn ask(addr: SocketAddr, line: &str, header: &str, body: &str) -> Response {
    let form = "Content-Type: application/x-www-form-urlencoded";
    let request = format!("{line}\r\n{form}\r\n{FORWARDED}\r\n{header}");
    send(addr, request.trim_end(), body.as_bytes()).await
}

/// Each method of each route is asked: the list of routes is what a test holds it to be.
#[test]
fn access_table_has_each_endpoint() {
    let routes = include_str!("../../src/http/route.rs").lines();
    let mut seen = 0;
    for row in routes.filter_map(|line| line.strip_prefix("//! | `/")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let path = format!("/{}", cells[0].trim_end_matches('`'));
        let path = path.trim_end_matches(|c: char| c.is_ascii_uppercase());
        for method in cells[1].split(", ") {
            if [("POST", "/login"), ("GET", "/wire/tap/")].contains(&(method, path)) {
                continue; // see `login` and `tap`
            }
            let is_this = |(_, line, _): &&(Needs, &str, &str)| {
                let (asked, target) = line.split_once(' ').unwrap();
                let target = target.split('?').next().unwrap();
                let is_below = path.len() > 1 && path.ends_with('/') && target.starts_with(path);
                asked == method && (target == path || is_below)
            };
            assert!(ENDPOINTS.iter().any(|row| is_this(&row)), "{method} {path}");
            seen += 1;
        }
    }
    assert!(seen > 30, "the test looks at something: {seen}");
}

/// The ways to show a token in a header.
fn ways(secret: &str) -> [String; 4] {
    use base64ct::{Base64, Encoding};
    let basic = |user: &str| Base64::encode_string(format!("{user}:{secret}").as_bytes());
    [
        format!("Authorization: Bearer {secret}"),
        format!("Authorization: Basic {}", basic("ci")),
        format!("Authorization: Basic {}", basic("")),
        format!("Cookie: other=1; forever-frame-access={secret}"),
    ]
}

/// The secrets of a holder with this name: that of a token of the file, and a JSON Web Token that says the
/// same.
fn secrets(name: &str) -> Vec<String> {
    #[allow(unused_mut, reason = "of the small server these are all")]
    let mut secrets = vec![secret(name)];
    #[cfg(feature = "secure")]
    {
        use crate::support::issuer::{jwt, now};
        let scope = match name {
            "reader" => "read:main",
            "writer" => "write:main",
            _ => "",
        };
        let exp = if name == "late" { 1 } else { now() + 600 };
        let claims = serde_json::json!({ "scope": scope, "exp": exp });
        secrets.push(jwt("ec", &claims));
    }
    secrets
}

/// A file with the tokens, and with an issuer of others like them.
fn file_with_issuer() -> AccessFile {
    let file = AccessFile::with_tokens("", TOKENS);
    #[cfg(feature = "secure")]
    {
        use crate::support::issuer::{issuer, write_keys};
        let most = "read = [\"main\"]\nwrite = [\"main\"]\nin_url = true";
        let tokens = std::fs::read_to_string(file.path()).unwrap();
        file.write(&format!("{tokens}{}", issuer("app", "ec", most)));
        write_keys(&file);
    }
    file
}

/// Whoever has the right gets what the endpoint answers, in whichever way the token is shown, and everybody
/// else 401 or 403.
#[tokio::test]
async fn access_to_each_endpoint() {
    let file = file_with_issuer();
    let server = file.serve();
    append_as(server.addr, "writer", "main").await;
    for (needs, line, body) in ENDPOINTS {
        let holder = match needs {
            Needs::Read => "reader",
            Needs::Write => "writer",
            Needs::Metrics => "watcher",
            Needs::Nothing | Needs::Demos => "none",
        };
        for (name, _) in TOKENS {
            for (nth, secret) in secrets(name).into_iter().enumerate() {
                let is_jwt = nth == 1;
                let expected = match needs {
                    Needs::Nothing => None,
                    _ if *name == "late" => Some(401),
                    Needs::Demos => Some(404),
                    Needs::Metrics if is_jwt => Some(403),
                    _ if *name == holder => None,
                    _ => Some(403),
                };
                for header in ways(&secret) {
                    let answer = ask(server.addr, line, &header, body).await;
                    check(&answer, expected, &format!("{line} {name} {header}"));
                }
                if *needs == Needs::Read && line.starts_with("GET /c/") {
                    let mark = if line.contains('?') { '&' } else { '?' };
                    let line = format!("{line}{mark}key={secret}");
                    let answer = ask(server.addr, &line, "X-Nothing: 1", body).await;
                    // What may write does not belong into an address.
                    let is_bad = !is_jwt || *name == "writer";
                    let expected = if is_bad { Some(401) } else { expected };
                    check(&answer, expected, &line);
                }
            }
        }
        let expected = match needs {
            Needs::Nothing => None,
            Needs::Demos => Some(404),
            _ => Some(401),
        };
        let answer = ask(server.addr, line, "X-Nothing: 1", body).await;
        check(&answer, expected, &format!("{line} without a token"));
    }
    server.stop().await;
}

fn check(answer: &Response, expected: Option<u16>, what: &str) {
    match expected {
        None => assert!(answer.status < 400, "{what}: {}", answer.status),
        Some(status) => assert_eq!(answer.status, status, "{what}"),
    }
    let challenge = answer.header("www-authenticate");
    let is_challenged = matches!(answer.status, 401 | 403);
    assert_eq!(challenge.starts_with("Bearer "), is_challenged, "{what}");
}

/// Appends a message with the token of this name.
async fn append_as(addr: SocketAddr, name: &str, channel: &str) {
    let line = format!("POST /c/{channel}\r\n{}", bearer(name));
    assert_eq!(send(addr, &line, b"x").await.status, 201, "{channel}");
}

/// A wrong token is of no use anywhere, also where nobody needs one; and it is refused before a body is
/// read.
#[tokio::test]
async fn access_with_wrong_tokens() {
    let file = AccessFile::with_tokens("anyone.read = [\"*\"]\nanyone.write = [\"*\"]", TOKENS);
    let server = file.serve();
    let long = format!("Authorization: Bearer {}", "x".repeat(10_000));
    for (header, status) in [
        ("X-Nothing: 1", 201),
        ("Authorization: Bearer ff_wrong", 401),
        ("Authorization: bearer ff_wrong", 401),
        ("Authorization: Bearer", 401),
        ("Authorization: Bearer ", 401),
        ("Authorization: Basic", 401),
        ("Authorization: Basic !!!!", 401),
        ("Authorization: Basic Y2k=", 401),
        ("Authorization: Basic Y2k6", 401),
        ("Authorization: Digest username=x", 401),
        ("Authorization: \u{e9}", 401),
        (&long, 401),
        (
            &format!("{}\r\n{}", bearer("writer"), bearer("reader")),
            400,
        ),
        (&bearer("none"), 201),
    ] {
        let mut answer = ask(server.addr, "POST /c/a", header, "x").await;
        let text = answer.text().await;
        assert_eq!(answer.status, status, "{header}: {text}");
        assert!(!text.contains("ff_") && !answer.header("www-authenticate").contains("ff_"));
    }
    // The body is never sent.
    let head = "POST /c/a\r\nContent-Length: 40000\r\nAuthorization: Bearer ff_wrong";
    assert_eq!(soon(send(server.addr, head, b"")).await.status, 401);
    server.stop().await;
}

/// Of several channels each needs a right, and a pattern one that covers it. The answer names what is
/// missing, and what would be needed.
#[tokio::test]
async fn access_names_what_is_missing() {
    let tokens = [("one", "read = [\"a.*\", \"b\"]\nwrite = [\"a.1\"]")];
    let file = AccessFile::with_tokens("anyone.read = [\"open.*\"]", &tokens);
    let server = file.serve();
    for (channels, missing) in [
        ("a.1", None),
        ("a.1,b,open.1", None),
        ("a.*,open.*", None),
        ("a.x*", None),
        ("a.1,c,open", Some("c, open")),
        ("a*", Some("a*")),
        ("*", Some("*")),
        ("b*,a.1", Some("b*")),
    ] {
        let line = format!("GET /c/{channels}?timeout=1ms\r\n{}", bearer("one"));
        let mut answer = send(server.addr, &line, b"").await;
        let Some(missing) = missing else {
            assert_eq!(answer.status, 200, "{channels}");
            continue;
        };
        assert_eq!(answer.status, 403, "{channels}");
        let error = answer.json().await["error"].as_str().unwrap().to_owned();
        assert!(error.ends_with(&format!("read {missing}")), "{error}");
        let words: Vec<_> = missing
            .split(", ")
            .map(|name| format!("read:{name}"))
            .collect();
        let scope = format!(
            "error=\"insufficient_scope\", error_description=\"{error}\", scope=\"{}\"",
            words.join(" ")
        );
        assert!(
            answer.header("www-authenticate").ends_with(&scope),
            "{scope}"
        );
    }
    let mut answer = get(server.addr, "/c/a.1,open.1").await;
    assert_eq!(answer.status, 401);
    let challenge = "Bearer realm=\"forever-frame\", scope=\"read:a.1\"";
    assert_eq!(answer.header("www-authenticate"), challenge);
    assert!(answer.text().await.contains("read a.1 "));
    // A bad name is a bad name, whoever asks.
    assert_eq!(get(server.addr, "/c/a,,b").await.status, 400);
    assert_eq!(get(server.addr, "/c/~chat").await.status, 400);
    server.stop().await;
}

/// The list has those channels alone that may be read; `prefix`, `after` and `limit` as ever.
#[tokio::test]
async fn access_to_the_list() {
    let tokens = [
        ("all", "read = [\"*\"]\nwrite = [\"*\"]"),
        ("some", "read = [\"b.*\", \"d\", \"b\", \"none\"]"),
    ];
    let file = AccessFile::with_tokens("anyone.read = [\"c\"]", &tokens);
    let server = file.serve();
    for channel in ["a", "b", "b.1", "b.2", "bb", "c", "d", "dd"] {
        append_as(server.addr, "all", channel).await;
    }
    for (name, query, listed) in [
        ("all", "", "a b b.1 b.2 bb c d dd"),
        ("some", "", "b b.1 b.2 c d"),
        ("some", "prefix=b", "b b.1 b.2"),
        ("some", "prefix=b.1", "b.1"),
        ("some", "prefix=d", "d"),
        ("some", "after=b.1", "b.2 c d"),
        ("some", "after=b.1&limit=2", "b.2 c"),
        ("some", "limit=1", "b"),
        ("some", "after=d", ""),
        ("", "", "c"),
    ] {
        let header = if name.is_empty() {
            "X-Nothing: 1".into()
        } else {
            bearer(name)
        };
        let line = format!("GET /c/?as=text&{query}\r\n{header}");
        let mut answer = send(server.addr, &line, b"").await;
        let text = answer.text().await;
        let names: Vec<&str> = text.lines().collect();
        assert_eq!(names.join(" "), listed, "{name} {query}");
        let has_next = answer.header("link").contains("rel=\"next\"");
        assert_eq!(has_next, query.contains("limit"), "{name} {query}");
    }
    server.stop().await;
}

/// The demonstrations that need no right are open where the file says so.
#[tokio::test]
async fn access_to_demonstrations() {
    let file = AccessFile::with_tokens("demos = true", TOKENS);
    let server = file.serve();
    for (needs, line, body) in ENDPOINTS {
        if *needs == Needs::Demos {
            let status = ask(server.addr, line, "X-Nothing: 1", body).await.status;
            assert_ne!(status, 404, "{line}");
            let status = ask(server.addr, line, "Authorization: Bearer ff_wrong", body)
                .await
                .status;
            assert!(matches!(status, 401 | 429), "{line}: {status}");
        }
    }
    server.stop().await;
}

/// Whoever may only write is not shown what others have written.
#[tokio::test]
async fn access_to_the_sender_page() {
    let tokens = [
        ("writer", "write = [\"main\"]"),
        ("both", "write = [\"main\"]\nread = [\"main\"]"),
    ];
    let file = AccessFile::with_tokens("", &tokens);
    let server = file.serve();
    let line = format!("POST /c/main\r\n{}", bearer("both"));
    assert_eq!(send(server.addr, &line, b"private").await.status, 201);
    for (name, sees) in [("both", true), ("writer", false)] {
        let line = format!("GET /sender\r\n{}", bearer(name));
        let text = send(server.addr, &line, b"").await.text().await;
        assert!(text.contains("new date: "), "{text}");
        assert_eq!(text.contains("private"), sees, "{name}: {text}");
    }
    server.stop().await;
}

/// The metrics are open to the machine itself, but not to others by a proxy on it.
#[tokio::test]
async fn access_to_metrics() {
    let file = AccessFile::with_tokens("", TOKENS);
    let server = file.serve();
    assert_eq!(get(server.addr, "/metrics").await.status, 200);
    for header in [
        "X-Forwarded-For: 127.0.0.1",
        "Forwarded: for=x",
        "Via: 1.1 x",
        "X-Real-IP: ::1",
    ] {
        let answer = send(server.addr, &format!("GET /metrics\r\n{header}"), b"").await;
        assert_eq!(answer.status, 401, "{header}");
    }
    server.stop().await;
}

/// Without restrictions a token that somebody sends all the same does no harm: a proxy may pass on the
/// one that was for itself.
#[tokio::test]
async fn access_open_to_all() {
    let server = TestServer::start();
    append(server.addr, "main", "x").await;
    for (_, line, body) in ENDPOINTS {
        let status = ask(server.addr, line, "Authorization: Bearer ff_wrong", body)
            .await
            .status;
        let expected = match *line {
            "GET /login" | "POST /logout" => status == 404,
            _ => status < 400 || (line.contains("/chat") && status != 404),
        };
        assert!(expected, "{line}: {status}");
    }
    server.stop().await;
}
