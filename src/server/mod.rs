//! Sockets: listening, accepting, serving, stopping.

mod accept;
mod answer_body;
mod catch_up_turn;
mod client_stream;
mod closing;
mod cluster;
mod conn;
mod crowd;
mod departure;
mod h2;
mod head_wait;
mod inherited;
mod lanes;
mod listeners;
mod monitored_io;
mod outgoing_connection;
mod probe_client;
mod reach;
mod ready_check;
mod rlimits;
mod shared_answer;
mod signal;
mod socket;
mod stall;
mod stream_conn;
mod systemd;
#[cfg_attr(not(feature = "secure"), path = "no_tls.rs")]
mod tls;
#[cfg(unix)]
mod unix_socket;
mod unsent;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::task::JoinSet;
use tokio::time::Instant;

pub use cluster::check_cluster;
pub use inherited::{InheritError, InheritedSockets};
pub use probe_client::{ProbeError, probe};
pub use ready_check::{NotReady, check_ready};
pub use signal::asked_to_stop;
pub use tls::TlsError;

use accept::Acceptor;
use lanes::Lanes;
use listeners::{Listeners, Scheme};
use tls::Tls;

use crate::access::{Access, AccessFileError, Restricted};
use crate::budget::Budget;
use crate::chat::Chat;
use crate::client_shares::ClientShares;
use crate::clock::Clock;
use crate::config::{AccessOption, Config, Listen, StoreKind};
use crate::drain::Drain;
use crate::http::{App, Cors, Hosts, TrustedProxies};
use crate::limits;
use crate::log::{ClusterError, Log, Memory, OpenError, SideTables, Sqlite, Store, StoreError};
use crate::mailbox::Mailboxes;
use crate::message::{self, Timestamp};
use crate::metrics::Metrics;
use crate::pages::Pages;
use crate::receiver_session::ReceiverSessions;
use crate::tap::Taps;

/// A server that is bound to its address and has its log open, but does not accept yet.
#[derive(Debug)]
pub struct Server {
    listeners: Listeners,
    acceptor: Acceptor,
}

/// Why the server cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}; choose an address with {2}")]
    Listen(Listen, io::Error, &'static str),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The sockets of the service manager cannot be listened on.
    #[error("cannot listen on the sockets of LISTEN_FDS: {0}")]
    Inherit(io::Error),
    /// Other machines could do everything, and nobody has said that they may.
    #[error(
        "other machines reach {0}, so --access has to say who may read and write: a file (see \
         forever-frame token), or --access open if everybody may all"
    )]
    NoAccess(SocketAddr),
    /// The access file cannot be used.
    #[error(transparent)]
    Access(#[from] AccessFileError),
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The log cannot be shared with other servers.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The tables of the chat cannot be opened.
    #[error("cannot open the chat: {0}")]
    Chat(#[from] StoreError),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
}

impl Server {
    /// Binds the address, and opens the log.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the log cannot be opened.
    pub fn bind(config: Config) -> Result<Server, StartError> {
        Server::bind_or_inherit(config, InheritedSockets::default())
    }

    /// Listens on the inherited sockets, or, if there are none, binds the address, and opens the log.
    ///
    /// # Errors
    /// When the sockets or the address cannot be listened on, or the log cannot be opened.
    pub fn bind_or_inherit(
        config: Config,
        inherited: InheritedSockets,
    ) -> Result<Server, StartError> {
        let tls = config.certificate.as_ref();
        let tls = tls.map(|source| Tls::open(source, config.timeouts.handshake));
        let tls = tls.transpose()?.map(Arc::new);
        let listeners = listen(&config, inherited, tls.is_some())?;
        let is_loopback = |addr: &SocketAddr| addr.ip().to_canonical().is_loopback();
        let addrs = listeners.local_addrs()?.into_iter();
        let reached: Vec<SocketAddr> = addrs.filter(|addr| !is_loopback(addr)).collect();
        let is_local = reached.is_empty();
        let access = access(config.access.as_ref(), &reached)?;
        rlimits::survive_size_limit();
        let (mut store, side_tables) = open_store(&config)?;
        let max_files = rlimits::raise_limit();
        let max_connections = rlimits::connections(config.max_connections, max_files);
        let metrics = Arc::new(Metrics::default());
        store.set_keys_max(config.idempotency_keys_max);
        let clock = Arc::new(store.resume_clock(config.machine_clock.clone()));
        let cluster = cluster::connect(&config, &mut store, &clock)?;
        let mut log = Log::open_with(store, Arc::clone(&clock), Arc::clone(&metrics))?;
        if let Some(cluster) = cluster {
            log = log.shared_by(cluster);
        }
        let server_name = cluster::server_name(&log, &listeners.local_addrs()?);
        let wall = Arc::clone(&clock);
        access.expire_rights(move || wall.now().time);
        let app = App {
            chat: Chat::open(log.clone(), side_tables)?,
            mailboxes: Mailboxes::new(log.clone(), Arc::clone(&metrics)),
            log,
            access,
            demo_accounts: config.demo_accounts.into(),
            clock: Clock::new(clock)?,
            receiver_sessions: ReceiverSessions::new(limits::RECEIVER_SESSION_IDLE_TIMEOUT),
            pages: Pages::new(config.pages, config.base_path),
            metrics,
            drain: Drain::new(config.drain),
            demos: config.demos,
            hosts: if is_local {
                Hosts::Only(config.hosts)
            } else {
                Hosts::Any
            },
            own_address: if is_local {
                || None
            } else {
                reach::own_address
            },
            cors: Cors::new(config.cors_origins),
            trusted_proxies: TrustedProxies::new(config.trusted_proxies),
            heartbeat: config.heartbeat,
            rotate: config.rotate,
            max_message: config.max_message,
            body_timeout: config.timeouts.body,
            line_timeout: config.timeouts.line,
            bodies: Budget::new(config.memory.bodies),
            answers: Budget::new(config.memory.answers),
            operator_answers: Budget::new(limits::OPERATOR_UNSENT_BYTES),
            taps: Taps::default(),
            clients: ClientShares::new(config.clients, max_connections),
            handover: config.handover,
            max_files,
            server_name,
        };
        let lanes = Lanes::start(&app, config.timeouts.stall)?;
        Ok(Server {
            listeners,
            acceptor: Acceptor::new(Arc::new(app), lanes, tls, config.timeouts, max_connections),
        })
    }

    /// The addresses that the server listens on; a Unix socket has none.
    ///
    /// # Errors
    /// When the system does not report them.
    pub fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.local_addrs()
    }

    /// The addresses that the server listens on as URLs, without a path; a Unix socket as `unix:PATH`.
    ///
    /// # Errors
    /// When the system does not report them.
    pub fn urls(&self) -> io::Result<Vec<String>> {
        self.listeners.urls()
    }

    /// Has what the server reads at its start read again: the certificate, and the access file.
    /// Returns whether there is anything of that kind.
    pub fn reload(&self) -> impl Fn() -> bool + Send + 'static {
        // No more than is needed: this may outlive the server.
        let (tls, app) = (self.acceptor.tls.clone(), &self.acceptor.app);
        let (access, clock) = (app.access.clone(), Arc::clone(app.log.clock()));
        move || {
            let has_files = tls.as_ref().is_some_and(|tls| tls.reload());
            if let Some(restricted) = access.restricted() {
                reload_access(restricted, clock.now().time);
            }
            has_files || access.restricted().is_some()
        }
    }

    /// The counters of the server.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.acceptor.app.metrics)
    }

    /// Serves until `stop`, then ends all streams in-band over `--drain`, and returns when the last
    /// of them has ended and every request has been answered. A server whose copy of a shared log is of no
    /// use any more stops by itself, and returns why.
    ///
    /// Until then the listener stays open, and so do idle connections: a client whose stream has ended comes back at once, and is
    /// told when to come back instead of being refused by the kernel. The `EventSource` of Firefox
    /// takes such a refusal for final, and that of every browser takes so the 502 that a proxy makes
    /// of it.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Option<String> {
        let Server {
            listeners,
            acceptor,
        } = self;
        let app = &acceptor.app;
        if app.demo_accounts.load(Relaxed) {
            if let Err(error) = app.chat.create_demo_accounts().await {
                app.demo_accounts.store(false, Relaxed);
                log::error!("cannot create the demo accounts: {error}");
            }
        } else if let Err(error) = app.chat.delete_demo_accounts().await {
            log::error!("cannot delete the demo accounts of an earlier run: {error}");
        }
        for url in reach::urls(&listeners) {
            log::info!("other machines reach this server at {url}, a class at {url}?class=1");
        }
        let mut connections = JoinSet::new();
        systemd::tell_ready(&status(&listeners));
        let mut failure = None;
        let cluster = app.log.cluster().cloned();
        let stop = async {
            tokio::select! {
                () = stop => {}
                why = cluster::failed(cluster.as_deref()) => failure = Some(why),
            }
        };
        let serve = async {
            acceptor
                .accept_until(stop, &listeners, &mut connections)
                .await;
            stop_serving(&acceptor, listeners, connections).await;
        };
        tokio::select! {
            () = serve => {}
            () = systemd::feed_watchdog(&acceptor.lanes) => {}
            () = renew_certificate(acceptor.tls.as_deref()) => {}
        }
        if tokio::time::timeout(limits::DRAIN_GRACE, app.mailboxes.wait_idle())
            .await
            .is_err()
        {
            log::warn!(
                "the log did not take all acknowledgements of letters: those letters will be \
                 delivered again"
            );
        }
        acceptor.lanes.end().await;
        failure
    }
}

/// Where the server listens, for the service manager's users.
fn status(listeners: &Listeners) -> String {
    format!(
        "listening on {}",
        listeners.urls().unwrap_or_default().join(", ")
    )
}

/// Listens on the inherited sockets, or, if there are none, where `--listen` says; and where
/// `--listen-plain` says.
fn listen(
    config: &Config,
    inherited: InheritedSockets,
    has_tls: bool,
) -> Result<Listeners, StartError> {
    let scheme = if has_tls { Scheme::Https } else { Scheme::Http };
    let bind = |listen: &Listen, scheme, option| {
        let bound = Listeners::bind(listen, scheme);
        bound.map_err(|error| StartError::Listen(listen.clone(), error, option))
    };
    let listeners = if inherited.is_empty() {
        bind(&config.listen, scheme, "--listen")?
    } else {
        log::info!("listening on the sockets of the service manager, and not on --listen");
        Listeners::inherit(inherited, scheme).map_err(StartError::Inherit)?
    };
    Ok(match &config.listen_plain {
        Some(plain) => listeners.and(bind(plain, Scheme::Http, "--listen-plain")?),
        None => listeners,
    })
}

/// Has a certificate of today, if there is to be one.
async fn renew_certificate(tls: Option<&Tls>) {
    match tls {
        Some(tls) => tls.renew().await,
        None => std::future::pending().await,
    }
}

/// Reads the access file again, and says what came of it.
fn reload_access(restricted: &Restricted, now: Timestamp) {
    match restricted.reload(now) {
        Ok(ended) => log::info!(
            "the access file {} was read again; {ended} of the rights in use have ended",
            restricted.path().display()
        ),
        Err(error) => log::error!("{error}; what was in force stays in force"),
    }
}

/// Who may read and write a server that other machines reach at these addresses.
fn access(option: Option<&AccessOption>, reached: &[SocketAddr]) -> Result<Access, StartError> {
    match (option, reached.first()) {
        (Some(AccessOption::File(path)), _) => Ok(Access::load(path)?),
        (None, Some(addr)) => Err(StartError::NoAccess(*addr)),
        (Some(AccessOption::Open), _) | (None, None) => Ok(Access::Open),
    }
}

/// Ends the drain's streams, answers whoever comes meanwhile, and then closes everything.
async fn stop_serving(acceptor: &Acceptor, listeners: Listeners, mut connections: JoinSet<()>) {
    let drain = &acceptor.app.drain;
    let open = acceptor.app.metrics.open_streams();
    log::info!("stopping; {open} streams are open");
    systemd::tell_stopping(drain.window() + limits::DRAIN_GRACE_MAX + limits::STOP_GRACE);
    let began = Instant::now();
    let all_ended = async {
        drain.begin(began);
        wait_for_ends(drain, began).await;
    };
    acceptor
        .accept_until(all_ended, &listeners, &mut connections)
        .await;
    if !connections.is_empty() {
        // Connections that are idle, and new ones: a request may be on its way.
        let late = tokio::time::sleep(limits::LATE_GRACE);
        acceptor
            .accept_until(late, &listeners, &mut connections)
            .await;
    }
    acceptor.accept_last(listeners, &mut connections);
    drain.close();
    let all_written = async {
        tokio::time::sleep(limits::LATE_GRACE).await;
        wait_for_ends(drain, began).await;
    };
    let all_closed = async {
        while connections.join_next().await.is_some() {}
        drain.all_idle().await;
    };
    tokio::select! {
        () = all_closed => {}
        () = all_written => {}
    }
    let cut = drain.busy_count();
    if cut > 0 {
        log::warn!("{cut} connections were cut");
    }
    connections.shutdown().await;
}

/// Waits until nothing is busy: over the window of the drain, and after that for as long as streams go
/// on ending, within bounds. What is still busy then is to be cut.
async fn wait_for_ends(drain: &Drain, began: Instant) {
    let end = began + drain.window();
    let (mut deadline, mut busy) = (end + limits::DRAIN_GRACE, usize::MAX);
    while tokio::time::timeout_at(deadline, drain.all_idle())
        .await
        .is_err()
    {
        let left = drain.busy_count();
        if left >= busy || deadline >= end + limits::DRAIN_GRACE_MAX {
            return;
        }
        (deadline, busy) = (deadline + limits::DRAIN_GRACE / 2, left);
    }
}

/// Opens the store of the log, and the tables of other parts of the program next to it.
fn open_store(config: &Config) -> Result<(Store, SideTables), StartError> {
    let keep = cluster::keep_of_store(config);
    let longest = message::cost(config.max_message) as u64;
    if config.keep_bytes.is_some_and(|bytes| bytes < 4 * longest) {
        log::warn!(
            "--keep-bytes is less than four messages of --max-message: only the newest are kept"
        );
    }
    match &config.store {
        StoreKind::Memory => {
            log::info!("the log is in memory: it is gone with the process");
            let bytes = config.keep_bytes.map(usize::try_from);
            let bytes = bytes.map_or(limits::MEMORY_LOG_BYTES_DEFAULT, |bytes| {
                bytes.unwrap_or(usize::MAX)
            });
            let memory = Memory::new(keep, bytes);
            Ok((Store::Memory(memory), SideTables::in_memory()?))
        }
        StoreKind::Sqlite(path) => {
            let bytes = config.keep_bytes;
            let bytes = match &config.cluster {
                // The cluster says what is kept.
                Some(_) => u64::MAX,
                None => bytes.unwrap_or(limits::STORED_LOG_BYTES_DEFAULT),
            };
            let sqlite = Sqlite::open(path, keep, bytes)?;
            sqlite.set_longest_message(config.max_message);
            log::info!("the log is in {}", path.display());
            let side_tables = sqlite.side_tables()?;
            Ok((Store::Sqlite(sqlite), side_tables))
        }
    }
}
