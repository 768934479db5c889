//! What a connection and the requests on it tell each other.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::metrics::Closed;

/// One connection's notes.
#[derive(Debug)]
pub struct Link {
    peer: IpAddr,
    stalled: AtomicBool,
    unread: AtomicBool,
}

impl Link {
    /// A connection from there.
    #[must_use]
    pub fn new(peer: IpAddr) -> Link {
        Link {
            peer,
            stalled: AtomicBool::default(),
            unread: AtomicBool::default(),
        }
    }

    /// The address at the other end, which may be a proxy's.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The client has left its bytes unread for too long.
    pub fn stall(&self) {
        self.stalled.store(true, Relaxed);
    }

    /// Why a stream on this connection broke off, if it does now.
    #[must_use]
    pub fn closed(&self) -> Closed {
        if self.stalled.load(Relaxed) {
            Closed::Stalled
        } else {
            Closed::Client
        }
    }

    /// A request was answered before its body had been read.
    pub fn leave_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    /// May the client still be sending what nobody will read?
    #[must_use]
    pub fn has_unread(&self) -> bool {
        self.unread.load(Relaxed)
    }
}
