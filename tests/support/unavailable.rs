//! A server that takes no messages for now, and says so.

use std::net::SocketAddr;

use super::client::send;
use super::wires::ALL;

/// Checks that appends are refused with 503 and a time to try again, whatever form the client asks its
/// answers in: the status that an `EventSource` survives would look like success.
pub(crate) async fn refuses_appends(addr: SocketAddr) {
    let queries = ALL.map(|wire| format!("?as={wire}"));
    let accepted = [
        "*/*",
        "text/event-stream",
        "text/html",
        "text/plain, text/event-stream;q=0.5",
        "application/x-ndjson",
    ];
    for method in ["POST", "PUT"] {
        for path in ["/c/refused", "/send"] {
            for query in queries.iter().map(String::as_str).chain([""]) {
                for accept in accepted {
                    let request = format!("{method} {path}{query}\r\nAccept: {accept}");
                    let answer = send(addr, &request, b"text\n").await;
                    assert_eq!(answer.status, 503, "{request}");
                    let wait = answer.header("retry-after").parse::<u64>();
                    assert!(wait.is_ok(), "{request}: {:?}", answer.headers);
                }
            }
        }
    }
    let health = send(addr, "GET /healthz", b"").await;
    let wait = health.header("retry-after").parse::<u64>();
    assert!(health.status == 200 || wait.is_ok(), "{:?}", health.headers);
}
