//! The metrics of requests that are refused though nothing is wrong with them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::Exposition;

/// Why a request is refused for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// As many connections are open as there may be.
    Connections,
    /// The memory for request bodies is used up.
    BodyMemory,
    /// The memory for answers that are not read is used up.
    AnswerMemory,
    /// As many idempotency keys are held as may be.
    Keys,
    /// The client tries too often.
    Rate,
    /// The store does not take or give anything at the moment.
    Store,
    /// The server stops.
    Stop,
}

impl RefusalReason {
    /// All reasons, in the order of their counters.
    const ALL: [RefusalReason; 7] = [
        RefusalReason::Connections,
        RefusalReason::BodyMemory,
        RefusalReason::AnswerMemory,
        RefusalReason::Keys,
        RefusalReason::Rate,
        RefusalReason::Store,
        RefusalReason::Stop,
    ];

    /// The value of the label `reason`.
    fn name(self) -> &'static str {
        match self {
            RefusalReason::Connections => "connections",
            RefusalReason::BodyMemory => "body_memory",
            RefusalReason::AnswerMemory => "answer_memory",
            RefusalReason::Keys => "idempotency_keys",
            RefusalReason::Rate => "rate",
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
        out.head(REFUSED, "counter", "Requests refused for now, by reason.");
        let counts = self.0.iter().map(|count| count.load(Relaxed));
        let names = RefusalReason::ALL.map(RefusalReason::name);
        out.by_label(REFUSED, "reason", names.into_iter().zip(counts));
    }
}
