//! The accept loop: nothing that a connection does can end it.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use super::conn::{self, Accepted, Admission};
use super::lanes::Lanes;
use crate::config::Timeouts;
use crate::http::App;
use crate::limits;

/// Accepts connections, as many as the server takes, and gives each to a lane.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) app: Arc<App>,
    pub(super) lanes: Lanes,
    timeouts: Timeouts,
    /// A permit for each connection that is served.
    served: Arc<Semaphore>,
    /// A permit for each connection whose one request is answered with 503, because the server is at
    /// its limit.
    refused: Arc<Semaphore>,
}

impl Acceptor {
    /// An acceptor that serves at most `max_connections` at once.
    pub(super) fn new(
        app: Arc<App>,
        lanes: Lanes,
        timeouts: Timeouts,
        max_connections: usize,
    ) -> Acceptor {
        Acceptor {
            app,
            lanes,
            timeouts,
            served: Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS))),
            refused: Arc::new(Semaphore::new(limits::REFUSALS_MAX)),
        }
    }

    /// Accepts and serves until `stop`. The connections that are served are in `connections`.
    pub(super) async fn accept_until(
        &self,
        stop: impl Future<Output = ()>,
        listener: &TcpListener,
        connections: &mut JoinSet<()>,
    ) {
        let mut failures = AcceptFailures::default();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return,
                Some(ended) = connections.join_next() => log_panic(ended),
                accepted = listener.accept() => {
                    // From here on the socket belongs to its lane.
                    let accepted = accepted.and_then(|(socket, peer)| Ok((socket.into_std()?, peer)));
                    match accepted {
                        Ok((socket, peer)) => self.admit(socket, peer, connections),
                        Err(error) => failures.wait(&error).await,
                    }
                }
            }
        }
    }

    /// Accepts what is waiting to be accepted, and then listens no more.
    pub(super) fn accept_last(&self, listener: TcpListener, connections: &mut JoinSet<()>) {
        // Not by the runtime, which may not have heard yet of those that came last.
        let Ok(listener) = listener.into_std() else {
            return;
        };
        while let Ok((socket, peer)) = listener.accept() {
            if socket.set_nonblocking(true).is_ok() {
                self.admit(socket, peer, connections);
            }
        }
    }

    /// Serves a connection if the server is not at its limit. Beyond that it answers some with 503,
    /// and closes the others.
    fn admit(&self, socket: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        let permit = |of: &Arc<Semaphore>| Arc::clone(of).try_acquire_owned().ok();
        let (permit, admission): (OwnedSemaphorePermit, Admission) =
            if let Some(permit) = permit(&self.served) {
                (permit, Admission::Serve)
            } else {
                self.app.metrics.refused();
                let Some(permit) = permit(&self.refused) else {
                    return;
                };
                (permit, Admission::Refuse)
            };
        let accepted = Accepted {
            socket,
            peer,
            app: Arc::clone(&self.app),
            timeouts: self.timeouts,
            admission,
            permit,
        };
        // Boxed, so that what only the beginning of a connection needs is not a part of its task.
        connections.spawn_on(conn::serve(Box::new(accepted)), &self.lanes.least_busy());
    }
}

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
