//! Sockets: listening, accepting, serving, stopping.

mod accept;
mod conn;
mod lanes;
mod monitored_io;
mod rlimits;
mod signal;
mod socket;
mod stream_conn;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use signal::stop;

use accept::Acceptor;
use lanes::Lanes;

use crate::chat::{Chat, Database};
use crate::clock::Clock;
use crate::config::{Config, StoreKind};
use crate::drain::Drain;
use crate::http::{App, Cors};
use crate::limits;
use crate::log::{Log, Memory, OpenError, SideTables, Sqlite, Store, StoreError};
use crate::mailbox::Mailboxes;
use crate::metrics::Metrics;
use crate::pages::Pages;
use crate::receiver_session::ReceiverSessions;

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    door: Acceptor,
}

/// Why the server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum CannotStart {
    /// It cannot listen.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// It cannot have its log.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// It cannot have its chat.
    #[error("cannot open the chat: {0}")]
    Chat(#[from] StoreError),
    /// It cannot have its threads.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

impl Server {
    /// Listens, and opens the log.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the log cannot be opened.
    pub fn bind(config: Config) -> Result<Server, CannotStart> {
        let addr = config.listen;
        let listener = socket::listen(addr).map_err(|error| CannotStart::Listen(addr, error))?;
        rlimits::survive_size_limit();
        let (store, beside) = open_store(&config)?;
        let max_files = rlimits::raise_limit();
        let max_connections = rlimits::connections(config.max_connections, max_files);
        let metrics = Arc::new(Metrics::default());
        let log = Log::open(store, Arc::clone(&metrics))?;
        let app = App {
            chat: Chat::new(log.clone(), Database::open(beside)?)?,
            mailboxes: Mailboxes::new(log.clone(), Arc::clone(&metrics)),
            log,
            demo_accounts: config.demo_accounts.into(),
            clock: Clock::new()?,
            sessions: ReceiverSessions::new(limits::RECEIVER_SESSION_IDLE),
            pages: Pages::new(config.pages),
            metrics,
            drain: Drain::new(config.drain),
            demos: config.demos,
            cors: Cors::new(config.cors_origins),
            heartbeat: config.heartbeat,
            max_message: config.max_message,
            body_timeout: config.timeouts.body,
            bodies: Arc::new(Semaphore::new(limits::BODIES_BYTES)),
            handover: config.handover,
            max_files,
        };
        let (app, lanes) = (Arc::new(app), Lanes::start()?);
        Ok(Server {
            listener,
            door: Acceptor::new(app, lanes, config.timeouts, max_connections),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.door.app.metrics)
    }

    /// Serves until `stop`, then ends all streams in-band over `--drain` and returns when the
    /// last connection is closed.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Server { listener, door } = self;
        let app = &door.app;
        let drain = app.drain.clone();
        if app.demo_accounts.load(Relaxed) {
            if let Err(error) = app.chat.demo_accounts().await {
                app.demo_accounts.store(false, Relaxed);
                log::error!("there are no demo accounts: {error}");
            }
        } else if let Err(error) = app.chat.no_demo_accounts().await {
            log::error!("there may be demo accounts of an earlier start: {error}");
        }
        let mut connections = door.open_until(stop, &listener).await;
        // Whoever takes over may listen now.
        drop(listener);
        log::info!("stopping; {} streams are open", app.metrics.open_streams());
        let began = Instant::now();
        drain.begin(began);
        // In the end the window is over for everybody.
        let last = drain.end(1.0).unwrap_or(began) + limits::DRAIN_GRACE;
        let all_closed = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout_at(last, all_closed).await.is_err() {
            log::warn!("{} connections were cut", connections.len());
            connections.shutdown().await;
        }
        if tokio::time::timeout(limits::DRAIN_GRACE, app.mailboxes.unused())
            .await
            .is_err()
        {
            log::warn!(
                "the log did not take all that was received from mailboxes: it will come again"
            );
        }
        door.lanes.end().await;
    }
}

/// The log's store, and a place beside it.
fn open_store(config: &Config) -> Result<(Store, SideTables), CannotStart> {
    match &config.store {
        StoreKind::Memory => {
            log::info!("the log is in memory: it is gone with the process");
            let memory = Memory::new(config.keep, limits::MEMORY_LOG_BYTES);
            Ok((Store::Memory(memory), SideTables::in_memory()?))
        }
        StoreKind::Sqlite(path) => {
            let sqlite = Sqlite::open(path, config.keep, limits::STORED_LOG_BYTES)?;
            log::info!("the log is in {}", path.display());
            let beside = sqlite.beside()?;
            Ok((Store::Sqlite(sqlite), beside))
        }
    }
}
