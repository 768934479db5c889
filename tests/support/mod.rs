//! A server to test, and the clients that test it. `tests/it` and `tests/tools` share this; it
//! needs nothing but this package and the loopback.

pub(crate) mod access;
pub(crate) mod binary;
#[cfg(feature = "secure")]
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod crowd;
pub(crate) mod difficult;
pub(crate) mod follower;
pub(crate) mod html;
#[cfg(feature = "secure")]
pub(crate) mod issuer;
pub(crate) mod log_dir;
pub(crate) mod mailbox;
pub(crate) mod member;
pub(crate) mod person;
pub(crate) mod port;
pub(crate) mod raw_stream;
pub(crate) mod reference_log;
pub(crate) mod refusal;
pub(crate) mod sender;
pub(crate) mod text;
#[cfg(feature = "secure")]
pub(crate) mod tls;
pub(crate) mod translator;
pub(crate) mod unavailable;
pub(crate) mod upload;
pub(crate) mod wires;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use forever_frame::config::{ClusterChoice, Config, StoreKind};
use forever_frame::metrics::Metrics;
use forever_frame::server::Server;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use translator::Translator;

/// Longer than any single step of a test takes: a test that waits this long has failed.
pub(crate) const STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(STEP_TIMEOUT, what).await.expect("it did not come")
}

/// Waits for a long piece of work that must end, on a machine that may be busy with other work.
pub(crate) async fn at_last<T>(what: impl Future<Output = T>) -> T {
    timeout(STEP_TIMEOUT * 4, what)
        .await
        .expect("it did not come to its end")
}

/// The result of a look at something: what was looked for, or what was there instead.
pub(crate) trait Look {
    type Found;

    fn found(self) -> Result<Self::Found, String>;
}

impl Look for bool {
    type Found = ();

    fn found(self) -> Result<(), String> {
        self.then_some(()).ok_or_else(|| "not yet".to_owned())
    }
}

impl<T> Look for Result<T, String> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self
    }
}

/// Looks again and again until the look succeeds, for state that nothing announces. When patience
/// ends, the test fails and says what was there instead.
pub(crate) async fn eventually<L: Look>(what: &str, look: impl AsyncFnMut() -> L) -> L::Found {
    eventually_within(STEP_TIMEOUT, what, look).await
}

/// Does so with a patience of its own, for work of others that takes long on a machine that is busy.
pub(crate) async fn eventually_within<L: Look>(
    patience: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> L,
) -> L::Found {
    let deadline = Instant::now() + patience;
    loop {
        let looked = match timeout(STEP_TIMEOUT, look()).await {
            Ok(look) => look.found(),
            Err(_) => Err("there is no answer".to_owned()),
        };
        match looked {
            Ok(found) => return found,
            Err(instead) => assert!(
                Instant::now() < deadline,
                "it never came to this: {what}; at last: {instead}"
            ),
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the condition holds, for state that can be read without waiting.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, async || holds()).await;
}

/// A new directory, which is deleted with the value.
pub(crate) fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Whether the servers here take streams over from hyper, as they do by default.
pub(crate) fn has_handover() -> bool {
    std::env::var_os("WITHOUT_HANDOVER").is_none() && !is_over_h2()
}

/// Whether the servers here are asked by HTTP/2.
pub(crate) fn is_over_h2() -> bool {
    std::env::var_os("OVER_H2").is_some()
}

/// Whether the servers here are asked over TLS.
pub(crate) fn is_over_tls() -> bool {
    cfg!(feature = "secure") && std::env::var_os("OVER_TLS").is_some()
}

/// Where the log of a server here is shared, in a stream of its own, if `scripts/nats/over` runs the tests.
fn shared_log(store: &StoreKind) -> Option<ClusterChoice> {
    static STREAMS: AtomicU32 = AtomicU32::new(0);
    let url = std::env::var("OVER_NATS").ok()?;
    let stream = match store {
        StoreKind::Memory => {
            let number = STREAMS.fetch_add(1, Relaxed);
            format!("memory-{}-{number}", std::process::id())
        }
        // A server that is started again has its log again.
        StoreKind::Sqlite(path) => {
            let path = path.to_string_lossy();
            let name = path.rsplit_once(".tmp").map_or(&*path, |(_, name)| name);
            name.replace(['/', '.'], "-")
        }
    };
    Some(ClusterChoice {
        urls: vec![url],
        stream,
        creds: None,
        replicas: 1,
    })
}

/// How the servers here are asked by clients of HTTP/1.1 without TLS.
#[expect(dead_code, reason = "held until it is dropped")]
enum Way {
    Direct,
    H2(Translator),
    #[cfg(feature = "secure")]
    Tls(tls::Tunnel, Box<certificates::Certificates>),
}

/// A server in this process.
pub(crate) struct TestServer {
    /// Where it is asked.
    pub(crate) addr: SocketAddr,
    /// Where it is asked without TLS besides, if it is.
    #[cfg(feature = "secure")]
    pub(crate) plain: Option<SocketAddr>,
    pub(crate) metrics: Arc<Metrics>,
    way: Way,
    reload: Box<dyn Fn() -> bool + Send + Sync>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl TestServer {
    /// Starts a server with the defaults, whose streams end at once when it stops.
    pub(crate) fn start() -> TestServer {
        TestServer::with(|_| {})
    }

    /// Starts a server whose log is a file in this directory.
    pub(crate) fn stored(directory: &TempDir) -> TestServer {
        let path = directory.path().join("log.db");
        TestServer::with(|config| config.store = StoreKind::Sqlite(path))
    }

    /// Starts a server whose configuration differs from the defaults by `change`.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> TestServer {
        let mut config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            store: StoreKind::Memory,
            drain: Duration::ZERO,
            // scripts/test runs the tests of streams once more without handover.
            handover: std::env::var_os("WITHOUT_HANDOVER").is_none(),
            ..Config::default()
        };
        change(&mut config);
        config.cluster = config.cluster.or_else(|| shared_log(&config.store));
        // And once more over TLS.
        #[cfg(feature = "secure")]
        let certificates = (is_over_tls() && config.certificate.is_none()).then(|| {
            let certificates = certificates::Certificates::new();
            config.certificate = Some(certificates.files());
            certificates
        });
        let server = Server::bind(config).unwrap();
        let (addrs, metrics) = (server.local_addrs().unwrap(), server.metrics());
        // And once more by HTTP/2.
        let (mut addr, mut way) = (addrs[0], Way::Direct);
        if is_over_h2() {
            let translator = Translator::to(addr);
            (addr, way) = (translator.addr, Way::H2(translator));
        }
        #[cfg(feature = "secure")]
        if let Some(certificates) = certificates {
            let connector = tls::connector(&certificates, tls::VERSIONS[1], &["http/1.1"]);
            let tunnel = tls::Tunnel::to(addr, connector);
            (addr, way) = (tunnel.addr, Way::Tls(tunnel, Box::new(certificates)));
        }
        let reload = Box::new(server.reload());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(async { drop(server.run(async { drop(stopped.await) }).await) });
        TestServer {
            addr,
            #[cfg(feature = "secure")]
            plain: addrs.get(1).copied(),
            metrics,
            way,
            reload,
            stop,
            running,
        }
    }

    /// Has the server read its files again, as it does at SIGHUP.
    pub(crate) fn reload(&self) {
        (self.reload)();
    }

    /// Stops the server, and checks that no stream is counted as open then.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        soon(self.running).await.unwrap();
        assert_eq!(
            self.metrics.open_streams(),
            0,
            "open streams after the server has stopped"
        );
        drop(self.way);
    }

    /// Waits until this many streams are open.
    pub(crate) async fn open_streams(&self, count: i64) {
        until(&format!("{count} open streams"), || {
            self.metrics.open_streams() == count
        })
        .await;
    }
}
