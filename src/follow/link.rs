//! What a connection and the requests on it tell each other.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;

use super::Handover;
use crate::metrics::Closed;

/// Called when what an answer hands out has come to its client; dropped when that is not known,
/// and never will be.
pub type OnDelivered = Box<dyn FnOnce() + Send>;

/// What a connection holds for a request, until it ends or another request takes it back.
pub type Lease = Box<dyn Send>;

/// One connection's notes.
pub struct Link {
    peer: IpAddr,
    /// Is it to be noticed soon when the client is gone without a word?
    watched: AtomicBool,
    stalled: AtomicBool,
    unread: AtomicBool,
    broken: AtomicBool,
    /// Has the client said that it will send no more?
    ended: AtomicBool,
    /// Has the client sent anything since the last answer was made?
    heard: AtomicBool,
    /// What the answers have handed out that may not have come yet. Only requests that were sent
    /// before the answers they follow make it more than one, and those fit into a buffer.
    handed: Mutex<Vec<OnDelivered>>,
    /// The stream that is to have the connection for itself.
    pub handover: Handover,
    held: Mutex<Option<Lease>>,
}

impl Link {
    /// A connection from there.
    #[must_use]
    pub fn new(peer: IpAddr) -> Link {
        Link {
            peer,
            watched: AtomicBool::default(),
            stalled: AtomicBool::default(),
            unread: AtomicBool::default(),
            broken: AtomicBool::default(),
            ended: AtomicBool::default(),
            heard: AtomicBool::default(),
            handed: Mutex::default(),
            handover: Handover::default(),
            held: Mutex::default(),
        }
    }

    /// The address at the other end, which may be a proxy's.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// From here on it is to be noticed soon when the client is gone without a word.
    pub fn watch(&self) {
        self.watched.store(true, Relaxed);
    }

    /// Is it? Said once.
    #[must_use]
    pub fn takes_watch(&self) -> bool {
        self.watched.load(Relaxed) && self.watched.swap(false, Relaxed)
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

    /// The client has sent something.
    pub fn hear(&self) {
        self.heard.store(true, Relaxed);
    }

    /// The client has sent its last.
    pub fn end(&self) {
        self.ended.store(true, Relaxed);
    }

    /// Has it?
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// The connection is broken: what was handed out on it may not have come.
    pub fn break_off(&self) {
        self.broken.store(true, Relaxed);
        self.forget();
    }

    /// Is it?
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken.load(Relaxed)
    }

    /// The answer to this request hands out something.
    pub fn hand_out(&self, receipt: OnDelivered) {
        // A request that is here already was sent before this answer, and proves nothing.
        self.heard.store(false, Relaxed);
        self.handed.lock().push(receipt);
    }

    /// Holds something until the connection ends, in place of what it held before.
    pub fn hold(&self, held: Lease) {
        drop(self.held.lock().replace(held));
    }

    /// Lets go of what it holds.
    pub fn release(&self) {
        drop(self.held.lock().take());
    }

    /// May what was handed out still be on its way?
    #[must_use]
    pub fn awaits(&self) -> bool {
        !self.handed.lock().is_empty()
    }

    /// There is another request. If its client sent it after the last answer was made, it had that.
    pub fn go_on(&self) {
        if self.heard.load(Relaxed) {
            self.settle();
        }
    }

    /// All that was handed out has come.
    pub fn settle(&self) {
        let handed = std::mem::take(&mut *self.handed.lock());
        for receipt in handed {
            receipt();
        }
    }

    /// The connection is over, and nothing more will be known.
    pub fn forget(&self) {
        self.release();
        drop(std::mem::take(&mut *self.handed.lock()));
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("stalled", &self.stalled)
            .field("unread", &self.unread)
            .field("broken", &self.broken)
            .field("ended", &self.ended)
            .field("heard", &self.heard)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// Hands out something; afterwards 1 is added to the first count if it came.
    fn hand_out(link: &Link) -> Arc<Mutex<u32>> {
        let came = Arc::new(Mutex::new(0));
        let booked = Arc::clone(&came);
        link.hand_out(Box::new(move || *booked.lock() += 1));
        came
    }

    #[test]
    fn a_request_that_was_sent_after_an_answer_says_that_the_answer_came() {
        let link = Link::new(LOCALHOST);
        link.hear();
        link.go_on();
        let came = hand_out(&link);
        link.go_on();
        assert_eq!(*came.lock(), 0, "it was sent before the answer");
        assert!(link.awaits());
        link.hear();
        link.go_on();
        assert_eq!(*came.lock(), 1);
        assert!(!link.awaits());
    }

    #[test]
    fn what_was_handed_out_on_a_connection_that_breaks_has_not_come() {
        let link = Link::new(LOCALHOST);
        let came = hand_out(&link);
        let held = Arc::new(());
        link.hold(Box::new(Arc::clone(&held)));
        link.break_off();
        link.hear();
        link.go_on();
        assert_eq!(*came.lock(), 0);
        assert_eq!((Arc::strong_count(&came), Arc::strong_count(&held)), (1, 1));
    }
}
