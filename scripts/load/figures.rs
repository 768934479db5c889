//! What came of a crowd, in the figures that tables show.

use crate::crowd::Outcome;

/// Figures of which less is better, but for the first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Deliveries a second.
    pub(crate) per_second: f64,
    /// CPU time of the server for a delivery, in microseconds.
    pub(crate) cpu: f64,
    /// From before a message was sent until it had come, in milliseconds.
    pub(crate) p50: f64,
    /// See `p50`.
    pub(crate) p99: f64,
    /// See `p50`.
    pub(crate) max: f64,
    /// From before a message was sent until it was acknowledged, in milliseconds.
    pub(crate) wait: f64,
    /// See `wait`.
    pub(crate) wait_p99: f64,
}

/// One of them.
pub(crate) type Of = fn(&Figures) -> f64;

impl From<Outcome> for Figures {
    fn from(outcome: Outcome) -> Figures {
        let deliveries = outcome.deliveries as f64;
        let (latencies, waits) = (outcome.latencies, outcome.published.latencies);
        let [p50, p99, max] = latencies.percentiles([50, 99, 100]);
        let [wait, wait_p99] = waits.percentiles([50, 99]);
        Figures {
            per_second: deliveries / outcome.elapsed.as_secs_f64(),
            cpu: outcome.cpu.as_secs_f64() * 1e6 / deliveries,
            p50,
            p99,
            max,
            wait,
            wait_p99,
        }
    }
}

impl Figures {
    /// The better of each: what disturbs a round only makes it worse.
    pub(crate) fn best(self, other: Figures) -> Figures {
        Figures {
            per_second: self.per_second.max(other.per_second),
            cpu: self.cpu.min(other.cpu),
            p50: self.p50.min(other.p50),
            p99: self.p99.min(other.p99),
            max: self.max.min(other.max),
            wait: self.wait.min(other.wait),
            wait_p99: self.wait_p99.min(other.wait_p99),
        }
    }
}
