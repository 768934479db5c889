//! The metrics of mailboxes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use super::{Exposition, Metrics};

/// Counts of letters, and of the requests that wait for them.
#[derive(Debug, Default)]
pub struct Letters {
    waiting: AtomicI64,
    acknowledged: AtomicU64,
    returned: AtomicU64,
}

impl Letters {
    /// Counts a letter that its receiver has acknowledged.
    pub fn acknowledged(&self) {
        self.acknowledged.fetch_add(1, Relaxed);
    }

    /// Counts a delivery that did not arrive, so that its letter returned to the mailbox.
    pub fn returned(&self) {
        self.returned.fetch_add(1, Relaxed);
    }

    /// Returns the number of requests that wait for a letter now.
    #[must_use]
    pub fn waiting(&self) -> i64 {
        self.waiting.load(Relaxed)
    }

    /// Returns how many letters were acknowledged, and how often a letter returned.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.acknowledged.load(Relaxed), self.returned.load(Relaxed))
    }

    /// Writes these metrics as `/metrics` shows them.
    pub(super) fn render(&self, out: &mut Exposition) {
        const WAITING: &str = "mailbox_waiting";
        out.head(WAITING, "gauge", "Requests that wait for a letter.");
        out.sample(WAITING, "", &self.waiting());
        let counters = [
            (
                "mailbox_received_total",
                "Letters that their receiver acknowledged, or whose connection proved receipt.",
                &self.acknowledged,
            ),
            (
                "mailbox_returned_total",
                "Deliveries of letters that failed, so that the letter returned to its mailbox.",
                &self.returned,
            ),
        ];
        for (name, help, counter) in counters {
            out.head(name, "counter", help);
            out.sample(name, "", &counter.load(Relaxed));
        }
    }
}

/// Counts one request as waiting for a letter, until this is dropped.
#[derive(Debug)]
pub struct Waiting(Arc<Metrics>);

impl Waiting {
    /// Counts a request as waiting from now on.
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
