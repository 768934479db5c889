//! Proxies: whose word on the client is believed.

use crate::support::TestServer;
use crate::support::binary::{self, Binary};
use crate::support::client::send;
use crate::support::person::{PASSWORD, Person};

/// Tries wrong passwords from many addresses, as a proxy on this machine tells them, and gives how
/// many were checked.
async fn tries(addr: std::net::SocketAddr) -> usize {
    let mut checked = 0;
    for n in 0..12 {
        let mut guesser = Person::nobody(addr).at(&format!("192.0.2.{n}"));
        let answer = guesser.enter("login", "Zoë", "a wrong password").await;
        checked += usize::from(answer.status == 401);
    }
    checked
}

/// A proxy that is not named is not believed: all its clients are one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unnamed_proxy_is_not_believed() {
    let mut command = binary::command(&["--listen", "127.0.0.1:0"]);
    command.env("FOREVER_FRAME_TRUSTED_PROXY", "10.0.0.0/8,192.0.2.0/24");
    let server = Binary::spawn(command).await;
    assert!(tries(server.addr).await < 12);
    let server = Binary::start(&["--trusted-proxy", "::1", "--trusted-proxy", "127.0.0.0/8"]).await;
    assert_eq!(tries(server.addr).await, 12);
}

/// Whether the cookie of a registration is for TLS only, where a proxy says that its client spoke it.
async fn is_cookie_secure(server: &TestServer) -> bool {
    let form = format!("name=zoe&password={}", PASSWORD.replace(' ', "+"));
    let request = "POST /chat/register\r\nX-Forwarded-Proto: https";
    let answer = send(server.addr, request, form.as_bytes()).await;
    assert_eq!(answer.status, 201);
    answer.header("set-cookie").contains("Secure")
}

/// A client that speaks TLS with a proxy that is believed gets a cookie for TLS only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_is_believed_as_the_address_is() {
    let server = TestServer::start();
    assert!(is_cookie_secure(&server).await);
    server.stop().await;
    let other = vec!["192.0.2.7/32".parse().unwrap()];
    let server = TestServer::with(|config| config.trusted_proxies = other);
    assert!(!is_cookie_secure(&server).await);
    server.stop().await;
}
