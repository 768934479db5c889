//! The accept loop: nothing that a connection does can end it.

use std::collections::VecDeque;
use std::fs::File;
use std::future::Future;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Duration, Instant};

use super::conn::{self, Accepted, ServedPlace};
use super::lanes::Lanes;
use super::listeners::{Incoming, Listeners, Scheme};
use super::tls::Tls;
use crate::config::Timeouts;
use crate::http::{App, NoPlace};
use crate::limits;

/// Accepts connections, as many as the server takes, and gives each to a lane.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) app: Arc<App>,
    pub(super) lanes: Lanes,
    pub(super) tls: Option<Arc<Tls>>,
    timeouts: Timeouts,
    /// A permit for each connection that is served.
    served: Arc<Semaphore>,
    /// The connections beyond that: their one request is answered with 503, unless it is an operator's.
    refused: RefusedConnections,
    /// The connections of clients that have as many as each may: their one request is answered with 429.
    refused_clients: RefusedConnections,
}

/// Connections that are only answered that they are refused.
#[derive(Debug)]
struct RefusedConnections {
    /// The connections, the oldest first.
    connections: Mutex<VecDeque<AbortHandle>>,
    /// How many there may be.
    max: usize,
}

impl Acceptor {
    /// An acceptor that serves at most `max_connections` at once.
    pub(super) fn new(
        app: Arc<App>,
        lanes: Lanes,
        tls: Option<Arc<Tls>>,
        timeouts: Timeouts,
        max_connections: usize,
    ) -> Acceptor {
        Acceptor {
            app,
            lanes,
            tls,
            timeouts,
            served: Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS))),
            refused: RefusedConnections::new(limits::REFUSALS_MAX),
            refused_clients: RefusedConnections::new(limits::CLIENT_REFUSALS_MAX),
        }
    }

    /// Accepts and serves until `stop`. The connections that are served are in `connections`.
    pub(super) async fn accept_until(
        &self,
        stop: impl Future<Output = ()>,
        listeners: &Listeners,
        connections: &mut JoinSet<()>,
    ) {
        let mut failures = AcceptFailures::default();
        let mut spare = SpareFile::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return,
                Some(ended) = connections.join_next() => log_panic(ended),
                accepted = listeners.accept() => {
                    match accepted {
                        Ok(incoming) if spare.is_there() => self.admit(incoming, connections),
                        Ok(incoming) => self.refuse(incoming, NoPlace::ForAnybody, connections),
                        Err(error) if is_out_of_files(&error) => {
                            self.refused_clients.close_oldest();
                            self.refused.close_oldest();
                            spare.release();
                            failures.wait(&error).await;
                        }
                        Err(error) => failures.wait(&error).await,
                    }
                }
            }
        }
    }

    /// Accepts what is waiting to be accepted, and then listens no more.
    pub(super) fn accept_last(&self, listeners: Listeners, connections: &mut JoinSet<()>) {
        listeners.accept_last(|incoming| self.admit(incoming, connections));
    }

    /// Serves a connection if neither the server nor its client is at a limit.
    fn admit(&self, incoming: Incoming, connections: &mut JoinSet<()>) {
        match conn::place(&self.served, &self.app, incoming.peer.ip()) {
            Ok(place) => {
                self.spawn(incoming, Ok(place), connections);
            }
            Err(why) => self.refuse(incoming, why, connections),
        }
    }

    /// Answers a connection beyond a limit.
    fn refuse(&self, incoming: Incoming, why: NoPlace, connections: &mut JoinSet<()>) {
        self.app.metrics.refused();
        let others = match why {
            NoPlace::ForAnybody => &self.refused,
            NoPlace::ForClient => &self.refused_clients,
        };
        others.make_room();
        others.add(self.spawn(incoming, Err(why), connections));
    }

    /// Gives a connection to a lane: one that has a place is served, any other is refused.
    fn spawn(
        &self,
        incoming: Incoming,
        place: Result<ServedPlace, NoPlace>,
        connections: &mut JoinSet<()>,
    ) -> Option<AbortHandle> {
        let Incoming {
            socket,
            peer,
            scheme,
        } = incoming;
        let (runtime, crowd, load) = self.lanes.least_busy()?;
        let accepted = Accepted {
            socket,
            peer,
            app: Arc::clone(&self.app),
            tls: self.tls.clone().filter(|_| scheme == Scheme::Https),
            timeouts: self.timeouts,
            served: Arc::clone(&self.served),
            place,
            load,
        };
        // Boxed, so that what only the beginning of a connection needs is not a part of its task.
        let serve = conn::serve(Box::new(accepted), Some(crowd.clone()));
        Some(connections.spawn_on(serve, runtime))
    }
}

impl RefusedConnections {
    fn new(max: usize) -> RefusedConnections {
        RefusedConnections {
            connections: Mutex::default(),
            max,
        }
    }

    /// Closes the oldest if there is no room for one more: those who say nothing do not keep operators
    /// out.
    fn make_room(&self) {
        let mut connections = self.connections.lock();
        connections.retain(|connection| !connection.is_finished());
        while connections.len() >= self.max
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
    }

    fn add(&self, connection: Option<AbortHandle>) {
        self.connections.lock().extend(connection);
    }

    /// Closes the connection that has been open for longest, if there is one.
    fn close_oldest(&self) {
        let mut connections = self.connections.lock();
        connections.retain(|connection| !connection.is_finished());
        if let Some(oldest) = connections.pop_front() {
            oldest.abort();
        }
    }
}

/// Whether the process, or the system, may not open one more file.
fn is_out_of_files(error: &io::Error) -> bool {
    /// The numbers of `ENFILE` and `EMFILE`, the same on all Unix systems.
    const OUT_OF_FILES: [i32; 2] = [23, 24];
    cfg!(unix)
        && error
            .raw_os_error()
            .is_some_and(|code| OUT_OF_FILES.contains(&code))
}

/// A file that is open for nothing but to be closed when there are no files left, so that one more
/// connection can be accepted and answered.
#[derive(Debug)]
struct SpareFile(Option<File>);

impl SpareFile {
    fn new() -> SpareFile {
        SpareFile(File::open(SPARE_FILE).ok())
    }

    /// Whether the file is open, or can be opened again. If not, the connection that was accepted last
    /// has its place.
    fn is_there(&mut self) -> bool {
        if self.0.is_none() {
            self.0 = File::open(SPARE_FILE).ok();
        }
        cfg!(not(unix)) || self.0.is_some()
    }

    fn release(&mut self) {
        self.0 = None;
    }
}

/// A file that exists on all Unix systems.
const SPARE_FILE: &str = "/dev/null";

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        log::error!("a connection's task panicked, which is a defect: {error}");
    }
}

/// Handles failures of `accept`.
#[derive(Debug, Default)]
struct AcceptFailures {
    logged: Option<Instant>,
}

impl AcceptFailures {
    /// A connection that was gone before it was accepted costs nothing. Any other failure (no files,
    /// no memory) passes with time: this waits a little, and logs it once a second.
    async fn wait(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        if matches!(
            error.kind(),
            ConnectionAborted | ConnectionReset | Interrupted
        ) {
            return;
        }
        let now = Instant::now();
        if self
            .logged
            .is_none_or(|logged| now - logged >= Duration::from_secs(1))
        {
            log::warn!("cannot accept connections for now: {error}");
            self.logged = Some(now);
        }
        tokio::time::sleep(limits::ACCEPT_PAUSE).await;
    }
}
