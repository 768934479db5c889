//! The server behind other people's proxies, each as the docs set it up.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use forever_frame::authority::HostName;
use forever_frame::config::StoreKind;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::sleep;

use crate::helpers::programs::{MISSING, command};
use crate::helpers::proxy::{Kind, Proxy};
use crate::support::client::{Response, append, get, post, send, send_raw, try_send};
use crate::support::port::Port;
use crate::support::{TestServer, eventually, soon};

/// Longer than what is quiet is given up, where a recipe does not say otherwise.
const PAUSE: Duration = Duration::from_secs(3);

/// Lines pass a proxy at once in both directions, what is quiet goes on, the server learns that a
/// client has left, and clients survive a restart of the server.
async fn proxy_holds_nothing_back(kind: Kind) {
    let directory = TempDir::new().unwrap();
    let port = Port::reserve();
    let start = || {
        TestServer::with(|config| {
            config.listen = port.addr.into();
            config.hosts = vec![HostName::Name("push.example".into())];
            config.store = StoreKind::Sqlite(directory.path().join("log.db"));
        })
    };
    let server = start();
    let proxy = Proxy::start(kind, server.addr).await;
    public_name_passes(&proxy).await;
    lines_pass_at_once(&proxy, &server).await;
    client_that_leaves_is_noticed(kind, &proxy, &server).await;
    tokio::join!(
        quiet_stream_goes_on(&proxy),
        upload_passes_line_by_line(&proxy, &server)
    );
    server.open_streams(0).await;
    clients_survive_a_restart(kind, &proxy, server, start)
        .await
        .stop()
        .await;
}

/// A page of the public name may append: the server learns the name by which the proxy was asked.
async fn public_name_passes(proxy: &Proxy) {
    let name = format!("push.example:{}", proxy.addr.port());
    let post = format!(
        "POST /c/named HTTP/1.1\r\nHost: {name}\r\nOrigin: http://{name}\r\n\
         Sec-Fetch-Site: same-origin\r\nContent-Length: 5\r\n\r\nhello"
    );
    let answer = soon(send_raw(proxy.addr, post.as_bytes())).await.unwrap();
    assert_eq!(answer.status, 201);
}

/// Each line arrives before the next one is sent, on each transport, also where the proxy compresses.
async fn lines_pass_at_once(proxy: &Proxy, server: &TestServer) {
    const LINES: usize = 40;
    // Patience ends before all of them have come if each takes 200 ms.
    let all = async {
        for wire in ["text", "html", "sse", "ndjson", "script"] {
            let request = format!(
                "GET /c/lines?as={wire}&since=now&heartbeat=60s\r\n\
                 Accept-Encoding: gzip\r\nUser-Agent: Mozilla/5.0"
            );
            let mut stream = send(proxy.addr, &request, b"").await;
            assert_eq!(stream.status, 200, "{wire}");
            for n in 0..LINES {
                // The bytes may be compressed.
                assert!(stream.chunk().await.unwrap().is_some(), "{wire}");
                append(server.addr, "lines", &format!("line {n}")).await;
            }
            assert!(stream.chunk().await.unwrap().is_some(), "{wire}");
        }
    };
    soon(all).await;
    all_have_left(server, "lines").await;
}

/// Waits until no stream is open, and writes to the followers of a channel meanwhile: a proxy that does
/// not look for it notices only then that its client has left.
async fn all_have_left(server: &TestServer, channel: &str) {
    eventually("no open streams", async || {
        append(server.addr, channel, "is anybody there?").await;
        sleep(Duration::from_millis(100)).await;
        server.metrics.open_streams() == 0
    })
    .await;
}

/// A proxy that looks for it tells the server at once that a client has left; others notice when they
/// write.
async fn client_that_leaves_is_noticed(kind: Kind, proxy: &Proxy, server: &TestServer) {
    let heartbeat = match kind {
        Kind::Apache | Kind::Lighttpd => "1s",
        _ => "60s",
    };
    let path = format!("/c/quiet?heartbeat={heartbeat}");
    let mut stream = get(proxy.addr, &path).await;
    stream.until(".").await;
    server.open_streams(1).await;
    drop(stream);
    server.open_streams(0).await;
}

/// A stream whose heartbeats are rarer than what proxies wait for by default goes on.
async fn quiet_stream_goes_on(proxy: &Proxy) {
    let path = format!("/c/quiet?heartbeat={}s&timeout=7s", PAUSE.as_secs());
    let mut stream = get(proxy.addr, &path).await;
    let all = stream.until("# end").await;
    assert!(all.starts_with("..."), "{all}");
}

/// Lines of an upload arrive while it goes on, after a pause too, and it may be long.
async fn upload_passes_line_by_line(proxy: &Proxy, server: &TestServer) {
    const LONG_LINES: usize = 40;
    let mut watcher = get(server.addr, "/c/upload?since=now&as=ndjson").await;
    let url = format!("http://{}/c/upload", proxy.addr);
    let mut upload: Command = command("curl", &["-s", "--noproxy", "*", "-T", "-", &url]);
    upload
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut upload = upload.spawn().expect(MISSING);
    let mut input = upload.stdin.take().unwrap();
    for line in ["first", "after a pause"] {
        input
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
        watcher.until(line).await;
        sleep(PAUSE).await;
    }
    // More than the mebibyte that some proxies allow.
    let long = "x".repeat(40_000) + "\n";
    for _ in 0..LONG_LINES {
        soon(input.write_all(long.as_bytes())).await.unwrap();
    }
    drop(input);
    let answer = soon(upload.wait_with_output()).await.unwrap().stdout;
    let answer = String::from_utf8(answer).unwrap();
    let count = format!("\"count\":{}", LONG_LINES + 2);
    assert!(answer.contains(&count), "{answer}");
}

/// A stream ends in-band when the server stops, a request in the meantime spoils nothing, and the client
/// that comes back with its cursor has each message once.
async fn clients_survive_a_restart(
    kind: Kind,
    proxy: &Proxy,
    server: TestServer,
    start: impl Fn() -> TestServer,
) -> TestServer {
    let before = append(server.addr, "news", "before").await;
    let cursor = before["cursor"].as_str().unwrap().to_owned();
    let mut stream = resume(proxy.addr, "all").await.unwrap();
    stream.until("before").await;
    server.stop().await;
    let end = stream.text().await;
    assert!(
        end.contains("\"reason\":\"stop\"") && end.contains("retry: "),
        "{end}"
    );
    let addr = proxy.addr;
    let asked = cursor.clone();
    let meanwhile = tokio::spawn(async move { resume(addr, &asked).await });
    match kind {
        // They keep the request until the server is back. That it is on its way, nothing shows.
        Kind::Caddy | Kind::HaProxy => sleep(PAUSE / 3).await,
        Kind::Nginx => {
            let mut away = soon(meanwhile).await.unwrap().unwrap();
            assert_eq!(
                (away.status, away.text().await.as_str()),
                (200, "retry: 3000\n")
            );
            return back(proxy, &cursor, start()).await;
        }
        Kind::Apache | Kind::Varnish | Kind::Lighttpd | Kind::Squid => {
            let refused = soon(meanwhile).await.unwrap();
            assert!(refused.map_or(true, |answer| answer.status >= 500));
            return back(proxy, &cursor, start()).await;
        }
    }
    let server = start();
    let mut stream = soon(meanwhile).await.unwrap().unwrap();
    assert_eq!(stream.status, 200);
    append(server.addr, "news", "at once").await;
    stream.until("at once").await;
    drop(stream);
    back(proxy, &cursor, server).await
}

/// Comes back with a cursor, to a server that has been restarted.
async fn back(proxy: &Proxy, cursor: &str, server: TestServer) -> TestServer {
    append(server.addr, "news", "after").await;
    let mut stream = eventually("the server is back", async || {
        let stream = resume(proxy.addr, cursor)
            .await
            .map_err(|error| error.to_string())?;
        (stream.status == 200)
            .then_some(stream)
            .ok_or("not 200".to_owned())
    })
    .await;
    let all = stream.until("after").await;
    assert!(!all.contains("before"), "{all}");
    drop(stream);
    all_have_left(&server, "news").await;
    server
}

/// Asks for `news` after a cursor, as an `EventSource` does.
async fn resume(addr: SocketAddr, cursor: &str) -> std::io::Result<Response> {
    let request = format!(
        "GET /c/news?since={cursor}&heartbeat=1s\r\nAccept: text/event-stream\r\nConnection: close"
    );
    soon(try_send(addr, &request, b"")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_nginx() {
    proxy_holds_nothing_back(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_caddy() {
    proxy_holds_nothing_back(Kind::Caddy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_haproxy() {
    proxy_holds_nothing_back(Kind::HaProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_apache() {
    proxy_holds_nothing_back(Kind::Apache).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_varnish() {
    proxy_holds_nothing_back(Kind::Varnish).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proxy_lighttpd() {
    proxy_holds_nothing_back(Kind::Lighttpd).await;
}

/// nginx passes a line at once with its defaults, where only the address of the server is configured,
/// though it buffers responses by default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_by_default_passes_lines_at_once() {
    let server = TestServer::start();
    let recipe = "location / { proxy_pass http://127.0.0.1:8080; }";
    let nginx = Proxy::with(Kind::Nginx, recipe, server.addr).await;
    lines_pass_at_once(&nginx, &server).await;
    server.stop().await;
}

/// While the server is away, nginx as the docs set it up answers 503 to all but an `EventSource`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_refuses_all_but_event_sources_while_away() {
    let server = TestServer::start();
    let nginx = Proxy::start(Kind::Nginx, server.addr).await;
    server.stop().await;
    let source = "GET /c/main\r\nAccept: text/event-stream";
    let away = send(nginx.addr, source, b"").await;
    assert_eq!(
        (away.status, away.header("content-type")),
        (200, "text/event-stream")
    );
    let append = "POST /c/main\r\nAccept: text/event-stream";
    assert_eq!(send(nginx.addr, append, b"hello").await.status, 503);
    assert_eq!(post(nginx.addr, "/c/main", "hello").await.status, 503);
    assert_eq!(get(nginx.addr, "/c/main").await.status, 503);
}
