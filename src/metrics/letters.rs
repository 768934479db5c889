//! What is counted of mailboxes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use super::{Exposition, Metrics};

/// Counts of letters, and of those who wait for them.
#[derive(Debug, Default)]
pub struct Letters {
    waiting: AtomicI64,
    received: AtomicU64,
    returned: AtomicU64,
}

impl Letters {
    /// A letter was received.
    pub fn received(&self) {
        self.received.fetch_add(1, Relaxed);
    }

    /// A letter was handed out, and has not come.
    pub fn returned(&self) {
        self.returned.fetch_add(1, Relaxed);
    }

    /// How many requests wait.
    #[must_use]
    pub fn waiting(&self) -> i64 {
        self.waiting.load(Relaxed)
    }

    /// How many letters were received, and how many came back.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.received.load(Relaxed), self.returned.load(Relaxed))
    }

    pub(super) fn render(&self, out: &mut Exposition) {
        const WAITING: &str = "mailbox_waiting";
        out.head(
            WAITING,
            "gauge",
            "Requests that wait for a mailbox's message.",
        );
        out.sample(WAITING, "", &self.waiting());
        let counters = [
            (
                "mailbox_received_total",
                "Messages of mailboxes that were received.",
                &self.received,
            ),
            (
                "mailbox_returned_total",
                "Messages of mailboxes that were handed out and came back.",
                &self.returned,
            ),
        ];
        for (name, help, counter) in counters {
            out.head(name, "counter", help);
            out.sample(name, "", &counter.load(Relaxed));
        }
    }
}

/// A request that waits for a letter: counted while this lives.
#[derive(Debug)]
pub struct Waiting(Arc<Metrics>);

impl Waiting {
    /// Counts a request as waiting.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> Waiting {
        metrics.letters.waiting.fetch_add(1, Relaxed);
        Waiting(metrics)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.letters.waiting.fetch_sub(1, Relaxed);
    }
}
