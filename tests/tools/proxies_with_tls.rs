//! The server behind proxies that speak TLS and HTTP/2 with their clients.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::helpers::programs::{MISSING, command, output};
use crate::helpers::proxy::{Kind, Proxy};
use crate::helpers::proxy_tls::TlsFiles;
use crate::support::certificates::Certificates;
use crate::support::client::{append, get};
use crate::support::{TestServer, soon};

/// curl with HTTP/2, which trusts this authority.
fn curl(root: &str, args: &[&str]) -> Command {
    let own = ["-sSN", "--http2", "--noproxy", "*", "--cacert", root];
    let mut curl = command("curl", &[&own[..], args].concat());
    curl.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    curl
}

/// Lines pass at once in both directions, the server learns that TLS is spoken, and that a client has left.
async fn tls_in_front_holds_nothing_back(kind: Kind) {
    let certificates = Certificates::new();
    let files = TlsFiles {
        cert: certificates.name("cert.pem"),
        key: certificates.name("key.pem"),
        root: certificates.name("root.pem"),
    };
    let root = &*files.root;
    let server = TestServer::start();
    let proxy = Proxy::with_tls(kind, server.addr, &files).await;
    let origin = format!("https://localhost:{}", proxy.addr.port());

    let args = ["-o", "/dev/null", "-w", "%{http_version}", &origin];
    assert_eq!(output(curl(root, &args)).await, "2", "{kind:?}");
    let head = output(curl(root, &["-D", "-", &format!("{origin}/receiver")])).await;
    assert!(head.contains("__Host-forever-frame="), "{kind:?}: {head}");

    // Apache notices that a client has left when it has something to write.
    let heartbeat = if kind == Kind::Apache { "1s" } else { "60s" };
    let url = format!("{origin}/c/a?as=ndjson&heartbeat={heartbeat}");
    let mut follow = curl(root, &[&url]).spawn().expect(MISSING);
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut until = async |text: &str| {
        while let Some(line) = soon(lines.next_line()).await.unwrap() {
            if line.contains(text) {
                return;
            }
        }
        panic!("{kind:?}: the stream ended before {text}");
    };
    until("live").await;
    for n in 0..20 {
        let text = format!("line {n}.");
        append(server.addr, "a", &text).await;
        until(&text).await;
    }
    server.open_streams(1).await;
    soon(follow.kill()).await.unwrap();
    server.open_streams(0).await;

    let mut watcher = get(server.addr, "/c/up?as=ndjson").await;
    let url = format!("{origin}/c/up");
    let mut upload = curl(root, &["-T", "-", &url]).spawn().expect(MISSING);
    let mut input = upload.stdin.take().unwrap();
    for n in 0..5 {
        let line = format!("line {n}.\n");
        input.write_all(line.as_bytes()).await.unwrap();
        watcher.until(line.trim_end()).await;
    }
    drop(input);
    let answer = soon(upload.wait_with_output()).await.unwrap().stdout;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("\"count\":5"), "{kind:?}: {answer}");
    drop(watcher);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_proxy_nginx() {
    tls_in_front_holds_nothing_back(Kind::Nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_proxy_caddy() {
    tls_in_front_holds_nothing_back(Kind::Caddy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_proxy_haproxy() {
    tls_in_front_holds_nothing_back(Kind::HaProxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_proxy_apache() {
    tls_in_front_holds_nothing_back(Kind::Apache).await;
}
