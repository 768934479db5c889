//! Requests of all kinds, and the answer to each; limits on time, size and connections.

use std::time::{Duration, Instant};

use forever_frame::limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::{Response, get, post, send, send_raw};
use crate::support::unavailable::refuses_appends;
use crate::support::{TestServer, eventually, soon};

/// A request, and the answer that it must have.
struct Row {
    request: &'static [u8],
    status: u16,
    /// A part of the error's sentence, or of the body.
    says: &'static str,
    header: (&'static str, &'static str),
}

const fn row(request: &'static [u8], status: u16, says: &'static str) -> Row {
    Row {
        request,
        status,
        says,
        header: ("", ""),
    }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // Appending
    row(b"POST /c/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi", 201, "\"seq\":"),
    row(b"POST /send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nhi\n", 201, "\"channel\":\"main\""),
    row(b"POST /c/main?event=note HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n\n", 201, "\"cursor\":"),
    row(b"POST /c/main?event=end HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 400, "is one of the events of the server"),
    row(b"POST /c/main?event=a%20b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 400, "event=\"a b\" has the character ' '"),
    row(b"POST /c/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 400, "the message is empty"),
    row(b"POST /c/main HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "the message is empty"),
    row(b"POST /c/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na\xff!", 400, "not UTF-8: invalid byte at offset 1"),
    row(b"POST /c/a,b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 400, "goes to one channel"),
    Row { header: ("allow", "GET, HEAD, OPTIONS"), ..row(b"POST /c/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 405, "POST is not allowed") },
    row(b"POST /c/~own HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 400, "the server's own"),
    row(b"POST /c/a%2Fb HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 400, "has the character '/'"),
    row(b"POST /c/%C3%A4 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 400, "has the character"),
    row(b"POST /c/main HTTP/1.1\r\nHost: localhost\r\nContent-Length: 49154\r\n\r\n", 413, "49152 bytes"),
    // Following
    row(b"GET /c/~own HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "begins with ~"),
    row(b"GET /c/a,,b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "is empty"),
    row(b"GET /c/a?as=smoke HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "as=\"smoke\" is not a transport"),
    row(b"GET /c/a?since=yesterday HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "since=\"yesterday\" is none of"),
    row(b"GET /c/a?timeout=1ms HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: what\r\n\r\n", 200, "# gap reason=epoch"),
    row(b"GET /c/a?sicne=now HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "there is no parameter \"sicne\" here; there are as, since,"),
    row(b"GET /c/a?limit=0 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "limit=\"0\" is not a number"),
    row(b"GET /c/a?limit=x HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "limit=\"x\" is not a number"),
    row(b"GET /c/a?timeout=10 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "timeout=\"10\" is not a duration"),
    row(b"GET /c/a?timeout=0s HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "timeout=\"0s\""),
    row(b"GET /c/a?heartbeat=100ms HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "is not between 1s and 60s"),
    row(b"GET /c/a?since=%ff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "not UTF-8"),
    // Paths and methods
    row(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "there is nothing at \"/nothing\""),
    row(b"GET /nothing.html HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "there is nothing at"),
    row(b"GET /../Cargo.toml HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "there is nothing at"),
    row(b"GET /%2e%2e%2fCargo.toml HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "there is nothing at"),
    row(b"GET /chat.html HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "there is nothing at"),
    row(b"GET /%63hat%2Ehtml HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "there is nothing at"),
    row(b"GET /nav.html HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "there is nothing at"),
    row(b"GET /%ff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "not UTF-8"),
    Row { header: ("allow", "GET, HEAD, POST, PUT, OPTIONS"), ..row(b"DELETE /c/main HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "DELETE is not allowed") },
    Row { header: ("allow", "GET, HEAD, OPTIONS"), ..row(b"POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx", 405, "POST is not") },
    Row { header: ("allow", "POST, PUT, OPTIONS"), ..row(b"GET /send HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "GET is not") },
    Row { header: ("allow", "GET, HEAD, POST, PUT, OPTIONS"), ..row(b"OPTIONS /c/main HTTP/1.1\r\nHost: localhost\r\n\r\n", 204, "") },
    row(b"NONSENSE\r\n\r\n", 400, ""),
    // Errors, in the format that the client accepts
    Row { header: ("content-type", "application/json"), ..row(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "there is") },
    Row { header: ("content-type", "text/plain; charset=utf-8"), ..row(b"GET /x HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n", 404, "there is nothing at \"/x\"") },
    Row { header: ("content-type", "text/html; charset=utf-8"), ..row(b"GET /%3Cb%3E HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,*/*;q=0.8\r\n\r\n", 404, "/&lt;b&gt;") },
    // Pages
    Row { header: ("content-type", "text/html; charset=utf-8"), ..row(b"GET / HTTP/1.1\r\nHost: a.localhost:81\r\n\r\n", 200, "curl -d hello http://a.localhost:81/send") },
    Row { header: ("content-type", "text/css; charset=utf-8"), ..row(b"GET /style.css HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "color-scheme") },
    row(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "ok"),
    row(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "forever_frame_open_streams{transport=\"text\"} 0\n"),
    row(b"POST /sender HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nmsg=%", 303, ""),
    row(b"POST /sender HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\nmsg=%FF", 400, "not UTF-8"),
    row(b"POST /sender HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nmsg=", 400, "empty"),
    row(b"POST /sender HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nx=1", 400, "no field \"msg\""),
    // Prefetched pages would act though nobody looks at them
    row(b"GET /sender HTTP/1.1\r\nHost: localhost\r\nSec-Purpose: prefetch;prerender\r\n\r\n", 503, "not prefetched"),
    row(b"GET /receiver HTTP/1.1\r\nHost: localhost\r\nSec-Purpose: prefetch\r\n\r\n", 503, "not prefetched"),
    row(b"GET /c/main HTTP/1.1\r\nHost: localhost\r\nPurpose: prefetch\r\n\r\n", 503, "not prefetched"),
    row(b"GET /c/main?limit=1&since=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, "# end "),
];

/// Each request of the table has its answer.
#[tokio::test]
async fn request_table() {
    let server = TestServer::start();
    for Row {
        request,
        status,
        says,
        header: (name, value),
    } in TABLE
    {
        let shown = String::from_utf8_lossy(request);
        let mut response = soon(send_raw(server.addr, request)).await.unwrap();
        let body = if *status == 200 && says.starts_with("# end") {
            response.until(says).await
        } else {
            response.text().await
        };
        assert_eq!(response.status, *status, "{shown}\n{body}");
        let error = serde_json::from_str::<serde_json::Value>(&body)
            .ok()
            .and_then(|json| Some(json["error"].as_str()?.to_owned()));
        assert!(
            error.as_deref().unwrap_or(&body).contains(says),
            "{shown}\n{body}"
        );
        assert!(
            name.is_empty() || response.header(name) == *value,
            "{shown}\n{:?}",
            response.headers
        );
    }
    server.stop().await;
}

/// The newest seq of the log.
async fn last_seq(server: &TestServer) -> String {
    let metrics = get(server.addr, "/metrics").await.text().await;
    metrics
        .lines()
        .find_map(|line| line.strip_prefix("forever_frame_log_last_seq "))
        .unwrap()
        .to_owned()
}

/// Requests that are refused, or only read, append nothing.
#[tokio::test]
async fn request_refused_or_read_appends_nothing() {
    let server = TestServer::start();
    for Row {
        request, status, ..
    } in TABLE
    {
        let acts = matches!(status, 201 | 303);
        if !acts && !request.ends_with(b"since=-1 HTTP/1.1\r\nHost: localhost\r\n\r\n") {
            soon(send_raw(server.addr, request))
                .await
                .unwrap()
                .text()
                .await;
        }
    }
    send(server.addr, "HEAD /sender", b"").await;
    assert_eq!(last_seq(&server).await, "0");
    server.stop().await;
}

/// The answer to an append has the cursor, the channel and the time of the message.
#[tokio::test]
async fn append_answer_names_cursor_and_time() {
    let server = TestServer::start();
    let mut response = post(server.addr, "/c/build", "tests pass").await;
    assert_eq!(response.status, 201);
    let text = response.text().await;
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cursor = answer["cursor"].as_str().unwrap();
    assert!(cursor.ends_with("-1"), "{cursor}");
    assert_eq!(
        (&answer["seq"], &answer["channel"]),
        (&1.into(), &"build".into())
    );
    let time: jiff::Timestamp = answer["time"].as_str().unwrap().parse().unwrap();
    assert!(
        jiff::Timestamp::now().duration_since(time).abs().as_secs() < 10,
        "{time}"
    );
    assert!(
        text.starts_with("{\"cursor\":") && text.ends_with("}\n"),
        "{text}"
    );
    server.stop().await;
}

/// The longest allowed message is taken, and a longer one is refused.
#[tokio::test]
async fn message_length_limit() {
    let server = TestServer::with(|config| config.max_message = 10);
    assert_eq!(post(server.addr, "/c/a", "0123456789").await.status, 201);
    assert_eq!(post(server.addr, "/c/a", "0123456789\n").await.status, 201);
    assert_eq!(post(server.addr, "/c/a", "01234567890").await.status, 413);
    assert_eq!(
        post(server.addr, "/c/a", "0123456789\n\n").await.status,
        413
    );
    // Without a length in advance the server notices it while reading.
    let chunked = b"POST /c/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n";
    assert_eq!(send_raw(server.addr, chunked).await.unwrap().status, 413);
    let form = format!("msg={}", "%E4%BD%A0".repeat(3));
    assert_eq!(post(server.addr, "/sender", form).await.status, 303);
    assert_eq!(last_seq(&server).await, "3");
    server.stop().await;
}

/// A client that sends far too much still gets its answer, though it reads only at its end.
#[tokio::test]
async fn request_far_too_long_still_answered() {
    let server = TestServer::start();
    // The client does not look at the answer before it has sent everything.
    let mut socket = TcpStream::connect(server.addr).await.unwrap();
    let length = 8 << 20;
    socket
        .write_all(
            format!("POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
                .as_bytes(),
        )
        .await
        .unwrap();
    soon(socket.write_all(&vec![b'x'; length])).await.unwrap();
    let mut answer = String::new();
    soon(socket.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    drop(socket);
    server.stop().await;
}

/// An HTTP/1.0 client gets a body that ends with the connection.
#[tokio::test]
async fn http_1_0_body_ends_with_connection() {
    let server = TestServer::start();
    post(server.addr, "/c/a", "one").await;
    let mut response = send_raw(server.addr, b"GET /c/a?limit=1 HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(
        (response.version.as_str(), response.status),
        ("HTTP/1.0", 200)
    );
    assert_eq!(response.header("transfer-encoding"), "");
    let body = response.text().await;
    assert!(body.starts_with("one\n# end "), "{body}");
    server.stop().await;
}

/// The headers that every stream has.
const STREAM_HEADERS: &[(&str, &str)] = &[
    ("cache-control", "no-store, no-transform"),
    ("x-accel-buffering", "no"),
    ("x-content-type-options", "nosniff"),
    ("incremental", "?1"),
];

/// `HEAD` has the headers of `GET`, and follows nothing.
#[tokio::test]
async fn head_has_headers_of_get() {
    let server = TestServer::start();
    let cursor = post(server.addr, "/c/a", "one").await.json().await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    for (path, kind) in [
        ("/c/a?since=now", "text/plain; charset=utf-8"),
        ("/c/a?since=now&as=html", "text/html; charset=utf-8"),
        ("/c/a?since=now&as=script", "text/html; charset=utf-8"),
        ("/c/a?since=now&as=sse", "text/event-stream"),
        ("/c/a?since=now&as=ndjson", "application/x-ndjson"),
        ("/stream?since=now", "text/plain; charset=utf-8"),
    ] {
        let head = send(server.addr, &format!("HEAD {path}"), b"").await;
        let mut got = get(server.addr, path).await;
        for response in [&head, &got] {
            assert_eq!(response.status, 200, "{path}");
            assert_eq!(response.header("content-type"), kind);
            assert_eq!(response.header("log-cursor"), cursor);
            assert_eq!(response.header("content-length"), "");
            for (name, value) in STREAM_HEADERS {
                assert_eq!(response.header(name), *value, "{path} {name}");
            }
        }
        assert!(got.chunk().await.unwrap().is_some());
        server.open_streams(1).await;
        drop(got);
        server.open_streams(0).await;
    }
    server.stop().await;
}

/// Only a browser that shows a stream as a page gets its beginning padded.
#[tokio::test]
async fn html_padding_for_browsers_only() {
    let server = TestServer::with(|config| config.pages = Some(short_pages()));
    let first = async |header: &str| {
        let mut response = send(server.addr, &format!("GET /c/a?as=html{header}"), b"").await;
        soon(response.chunk()).await.unwrap().unwrap().len()
    };
    assert!(first("").await < 100);
    assert!(first("\r\nSec-Fetch-Dest: empty").await < 100);
    assert!(first("\r\nSec-Fetch-Dest: document").await >= 1024);
    assert!(first("\r\nSec-Fetch-Dest: iframe").await >= 1024);
    server.stop().await;
}

/// A directory whose page for streams is too short to be painted.
fn short_pages() -> std::path::PathBuf {
    let dir = std::env::temp_dir().join(format!("forever-frame-pages-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("stream.html"), "<p>short</p>{{stream}}").unwrap();
    dir
}

/// With `--pages` the files are read afresh for each request, and no other file can be reached.
#[tokio::test]
async fn pages_directory_read_afresh() {
    let dir = std::env::temp_dir().join(format!("forever-frame-edited-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let server = TestServer::with(|config| config.pages = Some(dir.clone()));
    let page = async |path| get(server.addr, path).await.text().await;
    assert!(
        page("/receiver").await.contains("Do on Request!"),
        "a page that the directory lacks is built in"
    );
    for text in ["one", "two"] {
        std::fs::write(dir.join("receiver.html"), text).unwrap();
        std::fs::write(dir.join("my.html"), text).unwrap();
        assert_eq!(page("/receiver").await, text);
        assert_eq!(page("/my.html").await, text);
    }
    assert_eq!(get(server.addr, "/..%2fpasswd.txt").await.status, 404);
    std::fs::write(dir.join(".hidden.txt"), "x").unwrap();
    std::fs::create_dir(dir.join("dir.txt")).unwrap();
    for path in [
        "/.hidden.txt",
        "/receiver.html",
        "/Receiver.HTML",
        "/dir.txt",
    ] {
        assert_eq!(get(server.addr, path).await.status, 404, "{path}");
    }
    #[cfg(unix)]
    {
        let link = |to: &str, name| std::os::unix::fs::symlink(to, dir.join(name)).unwrap();
        link("my.html", "inside.html");
        link("/etc/hostname", "outside.txt");
        assert_eq!(get(server.addr, "/inside.html").await.status, 200);
        assert_eq!(get(server.addr, "/outside.txt").await.status, 404);
    }
    std::fs::remove_dir_all(&dir).unwrap();
    server.stop().await;
}

/// Without the demonstrations the channels stay.
#[tokio::test]
async fn no_demos_keeps_channels() {
    let server = TestServer::with(|config| config.demos = false);
    for path in ["/", "/receiver", "/sender", "/stream", "/my.html"] {
        assert_eq!(get(server.addr, path).await.status, 404, "{path}");
    }
    assert_eq!(post(server.addr, "/send", "x").await.status, 404);
    assert_eq!(post(server.addr, "/c/a", "x").await.status, 201);
    let mut page = get(server.addr, "/c/a?as=html&limit=1").await;
    let page = page.text().await;
    let links: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("<a ")?.split("href=\"").nth(1))
        .filter_map(|rest| rest.split('"').next())
        .filter(|link| link.starts_with('/'))
        .collect();
    assert!(links.contains(&"/c/"), "{links:?}");
    for link in links {
        assert_eq!(get(server.addr, link).await.status, 200, "{link}");
    }
    assert_eq!(get(server.addr, "/style.css").await.status, 200);
    server.stop().await;
}

/// A connection on which no request comes is closed.
#[tokio::test]
async fn connection_without_request_closed() {
    let server = TestServer::with(|config| {
        config.timeouts.head = Duration::from_millis(200);
        config.timeouts.keep_alive = Duration::from_millis(200);
    });
    for said in [
        "",
        "GET /",
        "GET / HTTP/1.1\r\nHost: localhost\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let began = Instant::now();
        let mut socket = TcpStream::connect(server.addr).await.unwrap();
        socket.write_all(said.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        // Whether the connection is closed or reset, it has ended.
        let _ = soon(socket.read_to_end(&mut rest)).await;
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{said:?} {:?}",
            began.elapsed()
        );
    }
    server.stop().await;
}

/// A body that does not come is not waited for.
#[tokio::test]
async fn request_body_timeout() {
    let server = TestServer::with(|config| config.timeouts.body = Duration::from_millis(200));
    let mut socket = TcpStream::connect(server.addr).await.unwrap();
    socket
        .write_all(b"POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf")
        .await
        .unwrap();
    let mut answer = String::new();
    soon(socket.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    server.stop().await;
}

/// A connection above the limit is answered with 503 and a time to try again.
#[tokio::test]
async fn connection_limit_answers_503() {
    let server = TestServer::with(|config| config.max_connections = Some(2));
    let first = get(server.addr, "/stream").await;
    let _second: Response = get(server.addr, "/stream").await;
    let mut refused = get(server.addr, "/stream").await;
    assert_eq!(refused.status, 503);
    let seconds: u32 = refused.header("retry-after").parse().unwrap();
    assert!((2..=8).contains(&seconds));
    assert!(refused.text().await.contains("at its connection limit"));
    // Operators are answered, also while others hold all that there is beyond the limit.
    let mut silent = Vec::new();
    for _ in 0..2 * limits::REFUSALS_MAX {
        silent.push(TcpStream::connect(server.addr).await.unwrap());
    }
    for path in ["/healthz", "/healthz/live", "/healthz/ready", "/metrics"] {
        assert_eq!(get(server.addr, path).await.status, 200, "{path}");
    }
    assert_eq!(get(server.addr, "/").await.status, 503);
    drop(silent);
    refuses_appends(server.addr).await;
    drop(first);
    server.open_streams(1).await;
    // The connection's slot is free a moment after the stream has ended.
    let served = async || get(server.addr, "/style.css").await.status == 200;
    eventually("there is room", served).await;
    server.stop().await;
}
