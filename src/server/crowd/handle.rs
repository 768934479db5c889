//! What is asked of a crowd.

use std::sync::Arc;
use std::task::Wake;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

use super::super::conn::ConnPermit;
use super::super::stream_conn::IdleStream;

/// A handle on a lane's crowd.
#[derive(Clone, Debug)]
pub(in crate::server) struct CrowdHandle {
    pub(super) requests: UnboundedSender<Request>,
    /// The turns of the lane's streams that lag.
    pub(in crate::server) turns: Arc<Semaphore>,
}

/// What is asked of a crowd. There is at most one request for each connection and each of its rights.
#[derive(Debug)]
pub(super) enum Request {
    /// Serve a stream for which nothing is to be done now.
    Enter(Box<IdleStream>, ConnPermit),
    /// Look at a follower: one of its rights has ended.
    Look(u32),
}

impl CrowdHandle {
    /// Whether the crowd is served. It is not after its task has panicked; then each stream has a task
    /// of its own.
    pub(in crate::server) fn is_served(&self) -> bool {
        !self.requests.is_closed()
    }

    /// Hands an idle stream to the crowd. It is dropped, with its connection, if the lane has ended.
    pub(in crate::server) fn enter(&self, stream: IdleStream, permit: ConnPermit) {
        let _ = self.requests.send(Request::Enter(Box::new(stream), permit));
    }
}

/// Tells the crowd to look at a follower.
pub(super) struct Nudge {
    pub(super) handle: CrowdHandle,
    pub(super) key: u32,
}

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        // A crowd that has ended has no followers.
        let _ = self.handle.requests.send(Request::Look(self.key));
    }
}
