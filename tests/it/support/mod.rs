//! A server to test, clients to test it with.

pub(crate) mod binary;
pub(crate) mod browser;
pub(crate) mod chatter;
pub(crate) mod client;
pub(crate) mod difficult;
pub(crate) mod follower;
pub(crate) mod ledger;
pub(crate) mod mailbox;
pub(crate) mod person;
pub(crate) mod place;
pub(crate) mod port;
pub(crate) mod sender;
pub(crate) mod text;
pub(crate) mod upload;
pub(crate) mod wires;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use forever_frame::config::{Config, StoreKind};
use forever_frame::metrics::Metrics;
use forever_frame::server::Server;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything here takes: a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it did not come")
}

/// Waits for much that must come, on a machine that may have much else to do.
pub(crate) async fn at_last<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE * 4, what)
        .await
        .expect("it did not come to its end")
}

/// Asks again until it holds. For what happens elsewhere and tells nobody.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "it never came to this: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The same for what has to be asked for.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !soon(holds()).await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "it never came to this: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A server in this process.
pub(crate) struct TestServer {
    pub(crate) addr: SocketAddr,
    pub(crate) metrics: Arc<Metrics>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl TestServer {
    /// With the defaults, and streams that end at once.
    pub(crate) fn start() -> TestServer {
        TestServer::with(|_| {})
    }

    /// With its log in a file.
    pub(crate) fn stored(directory: &TempDir) -> TestServer {
        let path = directory.path().join("log.db");
        TestServer::with(|config| config.store = StoreKind::Sqlite(path))
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> TestServer {
        let mut config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            store: StoreKind::Memory,
            drain: Duration::ZERO,
            // scripts/test runs those that follow streams once more without.
            handover: std::env::var_os("WITHOUT_HANDOVER").is_none(),
            ..Config::default()
        };
        change(&mut config);
        let server = Server::bind(config).unwrap();
        let (addr, metrics) = (server.local_addr().unwrap(), server.metrics());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async { drop(stopped.await) }));
        TestServer {
            addr,
            metrics,
            stop,
            running,
        }
    }

    /// Stops it, and holds it to its word: the gauge of open streams tells the truth.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        soon(self.running).await.unwrap();
        assert_eq!(
            self.metrics.open_streams(),
            0,
            "open streams after the server has stopped"
        );
    }

    /// Waits until as many streams are open as there are followers.
    pub(crate) async fn open_streams(&self, count: i64) {
        until(&format!("{count} open streams"), || {
            self.metrics.open_streams() == count
        })
        .await;
    }
}
