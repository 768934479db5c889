//! Connections of clients with addresses of their own, in a network namespace.

use std::process::Output;

use tokio::process::Child;

use crate::helpers::isolated::Isolated;
use crate::support::{eventually, soon};

/// Asks the server from an address.
async fn ask(net: &Isolated, address: &str, path: &str) -> String {
    let url = format!("http://{}{path}", net.server.addr);
    let args = [
        "curl",
        "-sS",
        "-w",
        "%{http_code}",
        "--interface",
        address,
        &url,
    ];
    let Output {
        status,
        stdout,
        stderr,
    } = soon(net.command(&args).output()).await.unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Follows from an address.
fn follow(net: &Isolated, address: &str) -> Child {
    let url = format!("http://{}/c/a", net.server.addr);
    let args = [
        "curl",
        "-sSN",
        "-o",
        "/dev/null",
        "--interface",
        address,
        &url,
    ];
    net.command(&args).spawn().unwrap()
}

/// An address has no more connections than it may, and others find room. Operators are answered always.
#[tokio::test]
async fn connections_of_an_address_have_a_bound() {
    let net = Isolated::start("--connections-per-address 2").await;
    for address in ["192.0.2.1/32", "192.0.2.2/32"] {
        let mut add = net.command(&["ip", "address", "add", address, "dev", "lo"]);
        assert!(soon(add.status()).await.unwrap().success());
    }
    let (first, second) = (follow(&net, "192.0.2.1"), follow(&net, "192.0.2.1"));
    // A question that comes earlier takes the place of one of them, which does not come again.
    eventually("two connections", async || {
        let metrics = ask(&net, "127.0.0.1", "/metrics").await;
        metrics.contains("forever_frame_open_streams{transport=\"text\"} 2\n")
    })
    .await;
    let refused = ask(&net, "192.0.2.1", "/style.css").await;
    assert!(
        refused.contains("your address has as many connections") && refused.ends_with("429"),
        "{refused}"
    );
    assert_eq!(ask(&net, "192.0.2.1", "/healthz").await, "ok200");
    let metrics = ask(&net, "192.0.2.1", "/metrics").await;
    let counted = "forever_frame_refused_total{reason=\"client_connections\"} ";
    assert!(
        metrics.contains(counted) && !metrics.contains(&format!("{counted}0\n")),
        "{metrics}"
    );
    for address in ["192.0.2.2", "127.0.0.1"] {
        let answer = ask(&net, address, "/style.css").await;
        assert!(answer.ends_with("200"), "{address}: {answer}");
    }
    let _many: Vec<Child> = (0..5).map(|_| follow(&net, "127.0.0.1")).collect();
    drop(first);
    eventually("room again", async || {
        ask(&net, "192.0.2.1", "/style.css").await.ends_with("200")
    })
    .await;
    drop(second);
}
