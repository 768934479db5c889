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

/// Who is let in, and where to.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) app: Arc<App>,
    pub(super) lanes: Lanes,
    pub(super) timeouts: Timeouts,
    room: Arc<Semaphore>,
    /// For those who are told that there is none.
    porch: Arc<Semaphore>,
}

impl Acceptor {
    /// Behind which there is room for so many.
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
            room: Arc::new(Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS))),
            porch: Arc::new(Semaphore::new(limits::REFUSALS_MAX)),
        }
    }

    /// Accepts and serves until `stop`; what is still being served then is handed back.
    pub(super) async fn open_until(
        &self,
        stop: impl Future<Output = ()>,
        listener: &TcpListener,
    ) -> JoinSet<()> {
        let mut connections = JoinSet::new();
        let mut failures = Failures::default();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return connections,
                Some(ended) = connections.join_next() => log_panic(ended),
                accepted = listener.accept() => {
                    // It is its lane's from here on.
                    let accepted = accepted.and_then(|(socket, peer)| Ok((socket.into_std()?, peer)));
                    match accepted {
                        Ok((socket, peer)) => self.admit(socket, peer, &mut connections),
                        Err(error) => failures.wait(&error).await,
                    }
                }
            }
        }
    }

    /// Serves a connection if there is room, says that there is none if there is time for that, and
    /// otherwise closes it.
    fn admit(&self, socket: TcpStream, peer: SocketAddr, connections: &mut JoinSet<()>) {
        let place = |of: &Arc<Semaphore>| Arc::clone(of).try_acquire_owned().ok();
        let (place, welcome): (OwnedSemaphorePermit, Admission) =
            if let Some(place) = place(&self.room) {
                (place, Admission::Serve)
            } else {
                self.app.metrics.refused();
                let Some(place) = place(&self.porch) else {
                    return;
                };
                (place, Admission::Refuse)
            };
        let visitor = Accepted {
            socket,
            peer,
            app: Arc::clone(&self.app),
            timeouts: self.timeouts,
            welcome,
            place,
        };
        // Boxed, so that what only its beginning needs is not a part of the task.
        connections.spawn_on(conn::serve(Box::new(visitor)), &self.lanes.least_busy());
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        log::error!("a connection's task panicked, which is a defect: {error}");
    }
}

/// What to do when `accept` fails.
#[derive(Debug, Default)]
struct Failures {
    said: Option<Instant>,
}

impl Failures {
    /// The connection was gone before it was accepted: go on. Anything else (no files, no memory)
    /// passes with time: wait a little, and say so once a second.
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
            .said
            .is_none_or(|said| now - said >= Duration::from_secs(1))
        {
            log::warn!("cannot accept connections for now: {error}");
            self.said = Some(now);
        }
        tokio::time::sleep(limits::ACCEPT_PAUSE).await;
    }
}
