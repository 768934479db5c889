//! What one connection knows: its phase, the deliveries on it that are not confirmed, and the
//! stream that it is to take over from hyper.
//!
//! It also has a [`Lease`] for a client, a request for liveness (a client that vanishes is to be
//! noticed soon), and how far the current request has been read. These three are no events, and
//! are in no table below: each is set by a handler and taken or dropped by the connection.
//!
//! The socket's wrapper, the requests and the end of the connection report events here; handlers
//! add deliveries. Nothing else decides whether a delivery has arrived. A delivery ends in one of
//! two ways: it is *confirmed*, or it is *returned* to where it came from, such as its mailbox.
//!
//! # Events
//!
//! Each row is an event, each column the phase in which it comes. "→" is the next phase.
//!
//! | event | `Open` | `HalfClosed` | `Stalled`, `Broken` |
//! |---|---|---|---|
//! | [`on_read`](Connection::on_read): bytes came from the client | the next request may prove what was delivered before it | the same effect | nothing |
//! | [`on_eof`](Connection::on_eof): the client has closed its sending side | → `HalfClosed` | nothing | nothing |
//! | [`on_stalled`](Connection::on_stalled): the client did not read for too long | → `Stalled`, all are returned | → `Stalled`, all are returned | nothing |
//! | [`on_broken`](Connection::on_broken): a read or write failed | → `Broken`, all are returned | → `Broken`, all are returned | nothing |
//! | [`add_delivery`](Connection::add_delivery): an answer delivers something | it is unconfirmed | it is unconfirmed | it is returned |
//! | [`on_request`](Connection::on_request): the head of a request | see below | see below | nothing is left |
//! | [`on_end`](Connection::on_end)`(true)`: the kernel reports that all has arrived | all are confirmed | all are confirmed | nothing is left |
//! | [`on_end`](Connection::on_end)`(false)`: that is not known | all are returned | all are returned | nothing is left |
//!
//! # What a request proves
//!
//! A request proves what was delivered before it only if some of its bytes came after the answer
//! was made: a client may send requests before it has the answers to earlier ones.
//!
//! | delivered to | request of | effect |
//! |---|---|---|
//! | a direct client | any client | confirmed: the connection is the client's own |
//! | a client behind a proxy | another client | returned: the proxy shares its connections among its clients |
//! | a client behind a proxy | the same client, for the same mailbox | confirmed ([`on_receive`](Connection::on_receive)) |
//! | a client behind a proxy | the same client, for another mailbox | returned |
//! | a client behind a proxy | the same client, not for a mailbox | unconfirmed still |
//!
//! A client is behind a proxy if its request says so (`X-Forwarded-For` and the like). A letter that
//! returned before counts as delivered to a direct client: otherwise it could return for ever. Even
//! the same client's request is no certain proof, since the proxy may have taken an answer that
//! never reached its client. A client that has to be certain acknowledges what it got, which needs
//! no connection at all: what the connection holds meanwhile is a [`Lease`]. A lease ends with the
//! connection, or with the next receive of any client on it.

#[cfg(test)]
mod event_tests;
mod handover;
mod head_fault;
mod phase;
mod unconfirmed;

use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Instant;

use parking_lot::Mutex;

pub use handover::Handover;
pub use head_fault::HeadFault;
pub use phase::{Phase, PhaseCell};
pub use unconfirmed::OnDelivered;

use unconfirmed::UnconfirmedDeliveries;

use crate::drain::Busy;
use crate::tap::TappedStream;

/// A value that a connection holds for a client, dropped when the connection ends, or at the next
/// receive of any client on the connection.
pub type Lease = Box<dyn Send>;

/// The client of a delivery, as far as requests tell one client of a connection from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// The connection is the client's own.
    Direct,
    /// A proxy forwards requests of several clients on the connection.
    Forwarded {
        /// Stands for what the proxy says of the client: a hash of those headers.
        sender: u64,
        /// Stands for the mailbox that the client asked for: a hash of its name.
        mailbox: u64,
    },
}

/// The state of one connection, which may hand it over to a stream `S`. See the module for the
/// events and their effects.
pub struct Connection<S> {
    /// The whole connection, if this is one of many streams on it.
    whole: Option<Arc<Connection<S>>>,
    peer: IpAddr,
    is_tls: bool,
    phase: Arc<PhaseCell>,
    deliveries: Mutex<UnconfirmedDeliveries>,
    /// Whether the client has sent anything since the last delivery was added.
    has_read_since_delivery: AtomicBool,
    /// Whether the head of the current request came after all deliveries.
    request_is_proof: AtomicBool,
    lease: Mutex<Option<Lease>>,
    liveness_requested: AtomicBool,
    /// Held from the head of a request until its answer has been written.
    answering: Mutex<Option<Busy>>,
    /// Whether all of the answer is in hyper's hands.
    answer_is_complete: AtomicBool,
    /// How many heads of requests have been read.
    heads: AtomicU32,
    /// Whether the body of the current request is still being read.
    in_body: AtomicBool,
    handover: Handover<S>,
    /// Who is told what is written, where somebody is.
    tapped: Mutex<Option<TappedStream>>,
    is_tapped: AtomicBool,
}

impl<S> Connection<S> {
    /// An open connection to the address `peer`, which may be a proxy's.
    #[must_use]
    pub fn new(peer: IpAddr) -> Connection<S> {
        Connection {
            whole: None,
            peer,
            is_tls: false,
            phase: Arc::default(),
            deliveries: Mutex::default(),
            has_read_since_delivery: AtomicBool::default(),
            request_is_proof: AtomicBool::default(),
            lease: Mutex::default(),
            liveness_requested: AtomicBool::default(),
            answering: Mutex::default(),
            answer_is_complete: AtomicBool::default(),
            heads: AtomicU32::default(),
            in_body: AtomicBool::default(),
            handover: Handover::default(),
            tapped: Mutex::default(),
            is_tapped: AtomicBool::default(),
        }
    }

    /// The address at the other end, which may be a proxy's.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// One of many streams on a connection: a request and its answer. It has deliveries of its own until
    /// all of its answer has been sent; from then on they are the connection's
    /// ([`Connection::on_stream_complete`]). A lease and a request for liveness are the connection's at
    /// once.
    #[must_use]
    pub fn stream_of(connection: &Arc<Connection<S>>) -> Connection<S> {
        Connection {
            whole: Some(Arc::clone(connection)),
            phase: Arc::new(PhaseCell::of_stream(&connection.phase)),
            ..Connection::new(connection.peer).with_tls(connection.is_tls)
        }
    }

    /// What all requests on the connection share.
    fn shared(&self) -> &Connection<S> {
        self.whole.as_deref().unwrap_or(self)
    }

    /// The connection, on which TLS is spoken or not.
    #[must_use]
    pub fn with_tls(self, is_tls: bool) -> Connection<S> {
        Connection { is_tls, ..self }
    }

    /// Whether TLS is spoken with the peer.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The phase, for a stream, which outlives its request.
    #[must_use]
    pub fn phase(&self) -> &Arc<PhaseCell> {
        &self.phase
    }

    /// The stream that is to have the connection for itself.
    #[must_use]
    pub fn handover(&self) -> &Handover<S> {
        &self.handover
    }

    /// Bytes came from the client.
    pub fn on_read(&self) {
        self.has_read_since_delivery.store(true, Relaxed);
    }

    /// The client has closed its sending side.
    pub fn on_eof(&self) {
        self.phase.advance(Phase::HalfClosed);
    }

    /// Waits until the client has closed its sending side. The task of the connection, which has to be
    /// the one that waits, is woken when that is noticed.
    pub async fn half_closed(&self) {
        let is_half_closed = |_: &mut Context<'_>| match self.phase.get() {
            Phase::Open => Poll::Pending,
            _ => Poll::Ready(()),
        };
        poll_fn(is_half_closed).await;
    }

    /// The client has left its bytes unread for too long, and is given up.
    pub fn on_stalled(&self) {
        self.phase.advance(Phase::Stalled);
        self.on_end(false);
    }

    /// A read or a write failed: what was sent last may not have arrived.
    pub fn on_broken(&self) {
        self.phase.advance(Phase::Broken);
        self.on_end(false);
    }

    /// The answer to the current request delivers something to `client`.
    pub fn add_delivery(&self, client: Client, on_delivered: OnDelivered) {
        // A request that is here already was sent before this answer, and proves nothing.
        self.has_read_since_delivery.store(false, Relaxed);
        let mut deliveries = self.deliveries.lock();
        if self.phase.get().can_deliver() {
            deliveries.add(client, on_delivered);
        }
        // Otherwise it is dropped here, which returns it.
    }

    /// The head of a request was parsed; its body follows if `has_body`.
    pub fn on_head(&self, has_body: bool) {
        self.in_body.store(has_body, Relaxed);
        self.heads.fetch_add(1, Relaxed);
    }

    /// The body of the current request has been read, or will not be: what comes next is the head of
    /// a request.
    pub fn on_body_over(&self) {
        self.in_body.store(false, Relaxed);
    }

    /// How many heads of requests have been read.
    #[must_use]
    pub fn heads(&self) -> u32 {
        self.heads.load(Relaxed)
    }

    /// Whether what comes next is the head of a request.
    #[must_use]
    pub fn awaits_head(&self) -> bool {
        !self.in_body.load(Relaxed)
    }

    /// The head of a request was read. `sender` stands for the client that a proxy names; it is
    /// `None` where the request names none.
    pub fn on_request(&self, sender: Option<u64>) {
        let shared = self.shared();
        let is_proof = shared.has_read_since_delivery.load(Relaxed);
        self.request_is_proof.store(is_proof, Relaxed);
        if !is_proof {
            return;
        }
        shared.confirm(|client| *client == Client::Direct);
        let is_other = |client: &Client| match client {
            Client::Direct => false,
            Client::Forwarded { sender: other, .. } => Some(*other) != sender,
        };
        drop(shared.take(is_other));
    }

    /// The current request, whose head was reported by [`Connection::on_request`], asks for letters
    /// as `client`.
    pub fn on_receive(&self, client: Client) {
        if self.request_is_proof.load(Relaxed) {
            self.shared().confirm(|receiver| *receiver == client);
            drop(self.shared().take(|receiver| *receiver != client));
        }
    }

    /// Bytes came after this side had sent its last. They are of a request that the client sent
    /// before it knew, so it has the answer to its request before that.
    pub fn on_late_read(&self) {
        self.confirm(|client| *client == Client::Direct);
    }

    /// The connection is over. `all_arrived` is whether the other side is known to have taken all
    /// that was sent to it.
    pub fn on_end(&self, all_arrived: bool) {
        if self.whole.is_none() {
            self.release_lease();
        }
        if all_arrived {
            self.confirm(|_| true);
        } else {
            drop(self.take(|_| true));
        }
    }

    /// Whether something was delivered that is not known to have arrived.
    #[must_use]
    pub fn has_unconfirmed(&self) -> bool {
        !self.deliveries.lock().is_empty()
    }

    /// Holds a value until the connection ends or the lease is released, in the place of the one
    /// held before.
    pub fn hold_lease(&self, lease: Lease) {
        drop(self.shared().lease.lock().replace(lease));
    }

    /// Drops the value that is held, if there is one.
    pub fn release_lease(&self) {
        drop(self.shared().lease.lock().take());
    }

    /// Asks that a client that vanishes without closing is noticed within
    /// [`PRESENCE_TIMEOUT`](crate::limits::PRESENCE_TIMEOUT).
    pub fn request_liveness(&self) {
        self.shared().liveness_requested.store(true, Relaxed);
    }

    /// Returns true once after each [`Connection::request_liveness`].
    #[must_use]
    pub fn take_liveness_request(&self) -> bool {
        self.liveness_requested.load(Relaxed) && self.liveness_requested.swap(false, Relaxed)
    }

    /// A request is to be answered.
    pub fn on_answer_begin(&self, busy: Busy) {
        self.answer_is_complete.store(false, Relaxed);
        *self.answering.lock() = Some(busy);
    }

    /// All of the answer to the current request has been handed to hyper.
    pub fn on_answer_complete(&self) {
        self.answer_is_complete.store(true, Relaxed);
    }

    /// All that hyper had to write has been written to the socket.
    pub fn on_flushed(&self) {
        if self.answer_is_complete.load(Relaxed) {
            if let Some(tapped) = self.take_tapped() {
                tapped.on_over(Instant::now());
            }
            self.on_answer_end();
        }
    }

    /// All of the answer on this stream has been sent, as far as its client has room for it. What it
    /// delivers is the connection's from here on, and the answer is to be written.
    pub fn on_stream_complete(&self) {
        let Some(connection) = &self.whole else {
            return;
        };
        let delivered = std::mem::take(&mut *self.deliveries.lock());
        if !delivered.is_empty() {
            connection.has_read_since_delivery.store(false, Relaxed);
            let mut deliveries = connection.deliveries.lock();
            if connection.phase.get().can_deliver() {
                deliveries.append(delivered);
            }
        }
        if let Some(busy) = self.answering.lock().take() {
            connection.on_answer_begin(busy);
            connection.on_answer_complete();
        }
    }

    /// What is written to the socket from here on, to the end of the current answer, is told to a tap.
    pub fn tap(&self, stream: TappedStream) {
        *self.tapped.lock() = Some(stream);
        self.is_tapped.store(true, Relaxed);
    }

    /// Who is told what is written, if somebody is: a stream that has the connection for itself tells it.
    #[must_use]
    pub fn take_tapped(&self) -> Option<TappedStream> {
        let is_tapped = self.is_tapped.load(Relaxed) && self.is_tapped.swap(false, Relaxed);
        is_tapped.then(|| self.tapped.lock().take()).flatten()
    }

    /// The socket has taken these bytes, which may lie in several pieces.
    pub fn on_write<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) {
        if self.is_tapped.load(Relaxed)
            && let Some(tapped) = &mut *self.tapped.lock()
        {
            tapped.on_write(pieces, Instant::now());
        }
    }

    /// The current request is not answered any further.
    pub fn on_answer_end(&self) {
        drop(self.take_tapped());
        drop(self.answering.lock().take());
    }

    fn confirm(&self, belongs: impl Fn(&Client) -> bool) {
        for on_delivered in self.take(belongs) {
            on_delivered();
        }
    }

    /// Takes deliveries out; they are called or dropped outside the lock.
    fn take(&self, belongs: impl Fn(&Client) -> bool) -> Vec<OnDelivered> {
        self.deliveries.lock().take(belongs)
    }
}

impl<S> fmt::Debug for Connection<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.peer)
            .field("phase", &self.phase.get())
            .finish_non_exhaustive()
    }
}
