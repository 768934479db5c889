//! Latencies and their percentiles.

use std::time::Duration;

/// A set of latencies.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    micros: Vec<u32>,
}

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        // What takes longer than an hour is counted as an hour.
        self.micros
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn extend(&mut self, others: Latencies) {
        self.micros.extend(others.micros);
    }

    pub(crate) fn len(&self) -> usize {
        self.micros.len()
    }

    /// The latency that this percentage of them does not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        Duration::from_micros(at(&sorted, percent).into())
    }

    /// The latencies, in milliseconds, that these percentages of them do not exceed.
    pub(crate) fn percentiles<const N: usize>(mut self, percents: [usize; N]) -> [f64; N] {
        self.micros.sort_unstable();
        percents.map(|percent| f64::from(at(&self.micros, percent)) / 1e3)
    }

    pub(crate) fn max(&self) -> Duration {
        self.percentile(100)
    }
}

fn at(sorted: &[u32], percent: usize) -> u32 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}
