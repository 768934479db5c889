//! The server as a service: systemd's own program hands a socket over.

use crate::helpers::programs::{command, output};
use crate::support::binary::{self, PROGRAM};
use crate::support::client::{append, get};
use crate::support::eventually;
use crate::support::port::Port;

/// The first connection starts the server, which serves it.
#[tokio::test]
async fn systemd_hands_its_socket_over() {
    let port = Port::reserve();
    // It passes on little of its environment.
    let args = ["--listen", &port.listen(), PROGRAM, "--store", "memory"];
    let mut activate = binary::command_by("systemd-socket-activate", &args)
        .spawn()
        .unwrap();
    eventually("a socket that listens", async || {
        tokio::net::TcpStream::connect(port.addr).await.is_ok()
    })
    .await;
    assert_eq!(append(port.addr, "a", "x").await["seq"], 1);
    assert_eq!(get(port.addr, "/healthz/ready").await.status, 200);
    let url = port.listen();
    output(command(PROGRAM, &["check", &url])).await;
    activate.kill().await.unwrap();
}
