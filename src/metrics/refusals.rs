//! The metrics of requests that are refused.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Exposition;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// Something is wrong with the request itself.
    Request,
    /// A page of another origin has sent it.
    Origin,
    /// The server is not known under the name that it was asked by.
    Host,
    /// The client has not shown who it is.
    Login,
    /// It contradicts what is there: another message, another name, another state.
    Conflict,
    /// It was only made in advance.
    Prefetch,
    /// As many connections are open as there may be.
    Connections,
    /// The memory for request bodies is used up.
    BodyMemory,
    /// The memory for answers that are not read is used up.
    AnswerMemory,
    /// As many idempotency keys are held as may be.
    Keys,
    /// The client has as many connections as it may.
    ClientConnections,
    /// The client has as many requests in progress as it may.
    ClientRequests,
    /// The client appends too often.
    ClientAppends,
    /// The client tries too often to log in, or to do something else.
    Rate,
    /// No more passwords can be hashed now, or no more accounts be held.
    Accounts,
    /// The store does not take or give anything at the moment.
    Store,
    /// The server stops.
    Stop,
}

impl RefusalReason {
    /// All reasons, in the order of their counters.
    const ALL: [RefusalReason; 17] = [
        RefusalReason::Request,
        RefusalReason::Origin,
        RefusalReason::Host,
        RefusalReason::Login,
        RefusalReason::Conflict,
        RefusalReason::Prefetch,
        RefusalReason::Connections,
        RefusalReason::BodyMemory,
        RefusalReason::AnswerMemory,
        RefusalReason::Keys,
        RefusalReason::ClientConnections,
        RefusalReason::ClientRequests,
        RefusalReason::ClientAppends,
        RefusalReason::Rate,
        RefusalReason::Accounts,
        RefusalReason::Store,
        RefusalReason::Stop,
    ];

    /// The value of the label `reason`.
    fn name(self) -> &'static str {
        match self {
            RefusalReason::Request => "request",
            RefusalReason::Origin => "origin",
            RefusalReason::Host => "host",
            RefusalReason::Login => "login",
            RefusalReason::Conflict => "conflict",
            RefusalReason::Prefetch => "prefetch",
            RefusalReason::Connections => "connections",
            RefusalReason::BodyMemory => "body_memory",
            RefusalReason::AnswerMemory => "answer_memory",
            RefusalReason::Keys => "idempotency_keys",
            RefusalReason::ClientConnections => "client_connections",
            RefusalReason::ClientRequests => "client_requests",
            RefusalReason::ClientAppends => "client_appends",
            RefusalReason::Rate => "rate",
            RefusalReason::Accounts => "accounts",
            RefusalReason::Store => "store",
            RefusalReason::Stop => "stop",
        }
    }
}

/// Counts of refusals.
#[derive(Debug, Default)]
pub struct Refusals([AtomicU64; RefusalReason::ALL.len()]);

impl Refusals {
    /// Counts a request that is refused.
    pub fn count(&self, reason: RefusalReason) {
        self.0[reason as usize].fetch_add(1, Relaxed);
    }

    /// Writes these metrics as `/metrics` shows them.
    pub(super) fn render(&self, out: &mut Exposition) {
        const REFUSED: &str = "refused_total";
        out.head(REFUSED, "counter", "Requests refused, by reason.");
        let counts = self.0.iter().map(|count| count.load(Relaxed));
        let names = RefusalReason::ALL.map(RefusalReason::name);
        out.by_label(REFUSED, "reason", names.into_iter().zip(counts));
    }
}
