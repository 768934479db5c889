//! What a server does that shares its log: the options of the cluster, and its part of the start and the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;

use crate::config::{ClusterChoice, Config, StoreKind};
use crate::limits;
use crate::log::{Cluster, ClusterError, ClusterOptions, Keep, Log, LogClock, Store, StreamWishes};

/// Connects to the cluster, if there is one, and makes the store a copy of its log.
pub(super) fn connect(
    config: &Config,
    store: &mut Store,
    clock: &LogClock,
) -> Result<Option<Arc<Cluster>>, ClusterError> {
    let Some(choice) = &config.cluster else {
        return Ok(None);
    };
    let cluster = Cluster::connect(options(config, choice))?;
    cluster.prepare(store, &clock.now())?;
    log::info!(
        "the log is shared: the store is this server's copy, and the mailbox and the chat are left out"
    );
    Ok(Some(Arc::new(cluster)))
}

/// Says what a cluster is like, a line for each thing.
///
/// # Errors
/// When a server with this configuration could not share its log.
pub fn check_cluster(config: &Config) -> Result<String, String> {
    let Some(choice) = &config.cluster else {
        return Err("--cluster names no NATS server".to_owned());
    };
    let found = Cluster::connect(options(config, choice)).and_then(|cluster| cluster.check());
    let lines = found.map_err(|error| error.to_string())?;
    Ok(lines.join("\n") + "\n")
}

fn options(config: &Config, choice: &ClusterChoice) -> ClusterOptions {
    let of_kind = match config.store {
        StoreKind::Memory => limits::MEMORY_LOG_BYTES_DEFAULT as u64,
        StoreKind::Sqlite(_) => limits::STORED_LOG_BYTES_DEFAULT,
    };
    ClusterOptions {
        urls: choice.urls.clone(),
        creds: choice.creds.clone(),
        wishes: StreamWishes {
            name: choice.stream.clone(),
            replicas: choice.replicas,
            keep: config.keep,
            keep_bytes: config.keep_bytes.unwrap_or(of_kind),
            max_message: config.max_message,
        },
    }
}

/// Which of the servers this is that share a log, if several do: the machine's name, and the port if there
/// is one.
pub(super) fn server_name(log: &Log, addrs: &[SocketAddr]) -> Option<HeaderValue> {
    log.cluster()?;
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let machine = machine.map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned());
    let name = match addrs.first() {
        Some(addr) => format!("{machine}:{}", addr.port()),
        None => machine,
    };
    HeaderValue::from_str(&name).ok()
}

/// What the store keeps. How long a copy keeps messages the cluster says.
pub(super) fn keep_of_store(config: &Config) -> Keep {
    match config.cluster {
        Some(_) => Keep {
            age: Duration::MAX,
            ..config.keep
        },
        None => config.keep,
    }
}

/// Waits until the server has to end because of its cluster, and returns why.
pub(super) async fn failed(cluster: Option<&Cluster>) -> String {
    match cluster {
        Some(cluster) => cluster.failed().await,
        None => std::future::pending().await,
    }
}
