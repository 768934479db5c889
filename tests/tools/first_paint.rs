//! How soon pages are painted over a slow network.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::helpers::browser::Browser;
use crate::support::{TestServer, eventually};

/// How long everything takes on its way, in each direction.
const WAY: Duration = Duration::from_millis(600);

/// A network in front of a server on which everything takes its time.
async fn slow_network(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(server).await.unwrap();
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(delay(from_client, to_server));
            tokio::spawn(delay(from_server, to_client));
        }
    });
    addr
}

/// Passes bytes on, each after its way.
async fn delay(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (send, mut receive) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((at, bytes)) = receive.recv().await {
            sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let _ = send.send((Instant::now() + WAY, buffer[..n].to_vec()));
    }
}

/// A browser that was here before has all but the page itself: it paints the page when the answer to one request has
/// come. (Opening the connection is not counted: the next page uses it again.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_painted_after_one_round_trip() {
    const PAINTED: &str = "
        const paint = performance.getEntriesByName('first-contentful-paint')[0];
        return paint ? paint.startTime - performance.getEntriesByType('navigation')[0].requestStart : null";
    let server = TestServer::start();
    let network = slow_network(server.addr).await;
    let browser = Browser::start().await;
    let painted = async |path: &str| {
        browser.open(network, path).await;
        let after = eventually(&format!("{path} is painted"), async || {
            let after = browser.execute(PAINTED).await;
            after.as_f64().ok_or(after.to_string())
        })
        .await;
        Duration::from_secs_f64(after / 1000.0)
    };
    for path in [
        "/",
        "/receiver",
        "/events",
        "/clock",
        "/mailbox",
        "/frame",
        "/c/",
        "/c/main",
        "/chat/login",
    ] {
        let cold = painted(path).await;
        // What it loads is there when the page is.
        browser.settles(path).await;
        let warm = painted(path).await;
        assert!(warm >= 2 * WAY, "{path}: the network is slow, {warm:?}");
        assert!(warm < 4 * WAY, "{path}: {warm:?}, and {cold:?} at first");
    }
    browser.close().await;
    server.stop().await;
}
