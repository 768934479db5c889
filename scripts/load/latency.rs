//! Latencies, and what is said of them.

use std::time::Duration;

/// How long each of many things took.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    micros: Vec<u32>,
}

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        // More than an hour is an hour.
        self.micros
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn extend(&mut self, others: Latencies) {
        self.micros.extend(others.micros);
    }

    pub(crate) fn len(&self) -> usize {
        self.micros.len()
    }

    /// What this part of them, in percent, does not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        Duration::from_micros(sorted.get(place).copied().unwrap_or_default().into())
    }

    pub(crate) fn max(&self) -> Duration {
        self.percentile(100)
    }
}
