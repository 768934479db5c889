//! What the probe says of proxies as Debian sets them up, and that what it says to write mends them.

use std::net::SocketAddr;

use crate::helpers::proxy::{Kind, Proxy};
use crate::support::binary;
use crate::support::{TestServer, at_last};

/// The verdict of the command, and whether it is that nothing is wrong.
async fn verdict(addr: SocketAddr, quiet: &str) -> (bool, String) {
    let url = format!("http://{addr}");
    let output = at_last(binary::command(&["probe", "--quiet", quiet, &url]).output()).await;
    let output = output.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{errors}");
    (output.status.success(), text)
}

/// The verdict on a proxy as Debian sets it up, with these lines more.
async fn verdict_on(kind: Kind, more: &str, quiet: &str) -> (bool, String) {
    let server = TestServer::start();
    let proxy = Proxy::by_default(kind, more, server.addr).await;
    let verdict = verdict(proxy.addr, quiet).await;
    drop(proxy);
    server.stop().await;
    verdict
}

/// The lines that a verdict says to write.
fn lines_to_write(verdict: &str) -> String {
    let lines = verdict.lines().filter_map(|line| line.strip_prefix("    "));
    let lines: Vec<&str> = lines.collect();
    lines.join("\n") + "\n"
}

/// The verdict says this of a proxy and what it does, and nothing is wrong any more with the lines that it says
/// to write.
async fn is_told_and_mended(kind: Kind, says: &[&str]) {
    let (is_fine, text) = verdict_on(kind, "", "1s").await;
    assert!(!is_fine, "{text}");
    for part in says {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let lines = lines_to_write(&text);
    let (is_fine, mended) = verdict_on(kind, &lines, "1s").await;
    assert!(is_fine, "{lines} {mended}");
}

/// The verdict names a proxy through which everything passes.
async fn is_fine(kind: Kind, says: &str) {
    let (is_fine, text) = verdict_on(kind, "", "1s").await;
    assert!(is_fine && text.contains(says), "{text}");
}

/// nginx takes uploads whole by default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_tells_of_nginx() {
    let says = [
        "nginx, which is in between, takes uploads only whole",
        "the server was asked by HTTP/1.0",
    ];
    is_told_and_mended(Kind::Nginx, &says).await;
}

/// `HAProxy` gives no name, and lets each line wait for 200 ms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_tells_of_haproxy() {
    let says = ["lets lines wait a moment", "If it is HAProxy"];
    is_told_and_mended(Kind::HaProxy, &says).await;
}

/// Apache takes uploads whole by default, and Debian's compresses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_tells_of_apache() {
    let says = [
        "Apache, which is in between, takes uploads only whole",
        "compressed (gzip)",
    ];
    is_told_and_mended(Kind::Apache, &says).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_tells_of_varnish() {
    is_fine(Kind::Varnish, "in between                Varnish").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_tells_of_squid() {
    is_fine(Kind::Squid, "in between                Squid").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_tells_of_caddy() {
    is_fine(Kind::Caddy, "in between                Caddy").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_tells_of_lighttpd() {
    is_told_and_mended(Kind::Lighttpd, &["lighttpd, which is in between,"]).await;
}

/// What is quiet for longer than a proxy waits is cut, and the probe says by whom.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_tells_of_a_cut() {
    let server = TestServer::start();
    let recipe = "location / { proxy_pass http://127.0.0.1:8080; }";
    // This one waits for 2 s.
    let nginx = Proxy::with(Kind::Nginx, recipe, server.addr).await;
    let (is_fine, text) = verdict(nginx.addr, "4s").await;
    assert!(!is_fine, "{text}");
    for part in [
        "cuts the connection",
        "8 of 9 lines had come",
        "proxy_read_timeout 1h;",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    server.stop().await;
}
