//! What operators see: why requests are refused, and the access log.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::support::TestServer;
use crate::support::binary::{self, Binary};
use crate::support::client::{get, post, send, send_raw};
use crate::support::person::Person;

/// How many requests were refused for this reason.
async fn refused(addr: SocketAddr, reason: &str) -> u64 {
    let metrics = get(addr, "/metrics").await.text().await;
    let name = format!("forever_frame_refused_total{{reason=\"{reason}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("{reason}: {metrics}"))
        .parse()
        .unwrap()
}

/// Each refusal is counted under its reason, also that of a head that is no request.
#[tokio::test]
async fn refusals_are_counted_by_reason() {
    let server = TestServer::start();
    let (addr, port) = (server.addr, server.addr.port());
    let long = format!(
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "x".repeat(20_000)
    );
    let foreign = "POST /c/a HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n\r\n";
    let unknown = format!("GET / HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n");
    let early = "GET /sender HTTP/1.1\r\nHost: localhost\r\nSec-Purpose: prefetch\r\n\r\n";
    let conditional = "POST /c/a HTTP/1.1\r\nHost: localhost\r\nIf-Match: \"aaaaaaaaaa-1\"\r\nContent-Length: 1\r\n\r\nx";
    let nobody = "GET /chat/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (reason, request, status) in [
        (
            "request",
            "GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        ("request", "nonsense\r\n\r\n", 400),
        ("request", &long, 414),
        ("origin", foreign, 403),
        ("host", &unknown, 421),
        ("prefetch", early, 503),
        ("conflict", conditional, 412),
        ("login", nobody, 401),
    ] {
        let before = refused(addr, reason).await;
        let answer = send_raw(addr, request.as_bytes()).await.unwrap();
        assert_eq!(answer.status, status, "{request}");
        assert_eq!(refused(addr, reason).await, before + 1, "{request}");
    }
    // A client that says nothing, and one that is answered, are no refusals.
    let before = refused(addr, "request").await;
    drop(TcpStream::connect(addr).await.unwrap());
    assert_eq!(post(addr, "/c/a", "x").await.status, 201);
    assert_eq!(refused(addr, "request").await, before);
    server.stop().await;
}

/// Tries of many passwords are refused for their rate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_for_the_rate_are_counted() {
    let server = TestServer::start();
    let mut guesser = Person::nobody(server.addr);
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(
            guesser
                .enter("login", "Zoë", "a wrong password")
                .await
                .status,
        );
    }
    let limited = statuses.iter().filter(|status| **status == 429).count() as u64;
    assert!(limited > 0, "{statuses:?}");
    assert_eq!(refused(server.addr, "rate").await, limited);
    assert_eq!(refused(server.addr, "login").await, 12 - limited);
    server.stop().await;
}

/// The log of a server with this `RUST_LOG`, to which `requests` are made.
async fn log_of(filter: Option<&str>, requests: impl AsyncFnOnce(SocketAddr)) -> String {
    let mut command = binary::command(&["--listen", "127.0.0.1:0", "--drain", "0s"]);
    command.envs(filter.map(|filter| ("RUST_LOG", filter)));
    let server = Binary::spawn(command).await;
    requests(server.addr).await;
    server.end("-TERM").await
}

const ACCESS: &str = "forever_frame::access=info";

/// Each answer has a line in the access log, a stream when it begins; a request beyond all reason, too.
#[tokio::test]
async fn access_log_has_each_answer() {
    let log = log_of(Some(ACCESS), async |addr| {
        for _ in 0..50 {
            assert_eq!(post(addr, "/c/a", "x").await.status, 201);
        }
        let stream = get(addr, "/c/a?as=sse").await;
        assert_eq!(stream.status, 200);
        let nope = "GET /nope%0aclient=\r\nUser-Agent: a\"b\r\nX-Forwarded-For: 192.0.2.7";
        assert_eq!(send(addr, nope, b"").await.status, 404);
        assert_eq!(get(addr, "/healthz/live").await.status, 200);
    })
    .await;
    let lines: Vec<&str> = log
        .lines()
        .filter_map(|line| {
            line.split_once("forever_frame::access] ")
                .map(|(_, rest)| rest)
        })
        .collect();
    assert_eq!(lines.len(), 53, "{log}");
    let has = |begin: &str, end: &str| {
        let found = lines
            .iter()
            .filter(|line| line.starts_with(begin) && line.ends_with(end));
        assert!(found.count() >= 1, "{begin} … {end}: {log}");
    };
    has(
        "client=127.0.0.1 status=201 bytes=",
        " method=POST path=/c/a agent=\"-\"",
    );
    has(
        "client=127.0.0.1 status=200 bytes=- seconds=0.",
        " method=GET path=/c/a agent=\"-\"",
    );
    has(
        "client=192.0.2.7 status=404 bytes=",
        " path=/nope%0aclient= agent=\"a\\\"b\"",
    );
    has(
        "client=127.0.0.1 status=200 bytes=2 ",
        " path=/healthz/live agent=\"-\"",
    );
    assert!(!log.contains("the log is in memory"), "{log}");
}

/// Nobody who does not ask for the access log has it.
#[tokio::test]
async fn access_log_is_off_unless_named() {
    for (filter, says_others) in [
        (None, true),
        (Some("info"), true),
        (Some("debug"), true),
        (Some(""), false),
    ] {
        let log = log_of(filter, async |addr| {
            assert_eq!(post(addr, "/c/a", "x").await.status, 201);
        })
        .await;
        assert!(!log.contains("access"), "{filter:?}: {log}");
        assert_eq!(
            log.contains("the log is in memory"),
            says_others,
            "{filter:?}"
        );
    }
    let both = format!("info,{ACCESS}");
    let log = log_of(Some(&both), async |addr| {
        assert_eq!(post(addr, "/c/a", "x").await.status, 201);
    })
    .await;
    assert!(
        log.contains("access] ") && log.contains("the log is in memory"),
        "{log}"
    );
}

/// Whatever a request carries as a secret is in no line, however it is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_log_has_no_secrets() {
    const SECRET: &str = "s3cr3tW0rd";
    let filter = format!("trace,{ACCESS}");
    let log = log_of(Some(&filter), async |addr| {
        let (mut answers, form) = (
            Vec::new(),
            "Content-Type: application/x-www-form-urlencoded",
        );
        for (request, body) in [
            (format!("GET /c/a?timeout=1ms&key={SECRET}"), String::new()),
            (
                format!("GET /c/a?timeout=1ms\r\nAuthorization: Bearer {SECRET}"),
                String::new(),
            ),
            (
                format!("GET /c/a?timeout=1ms\r\nAuthorization: Basic {SECRET}"),
                String::new(),
            ),
            (
                format!("GET /chat\r\nCookie: forever-frame-chat={SECRET}"),
                String::new(),
            ),
            (
                format!("POST /chat/login\r\n{form}"),
                format!("name=a&password={SECRET}"),
            ),
            (
                format!("POST /chat/register\r\n{form}"),
                format!("name=abc&password={SECRET}"),
            ),
        ] {
            answers.push(send(addr, &request, body.as_bytes()).await.status);
        }
        println!("{answers:?}");
    })
    .await;
    assert!(log.contains("forever_frame::access] client="), "{log}");
    assert!(!log.contains(SECRET), "{log}");
}
