//! Errors that may come thousands of times a second, in the server's own log at most once a second.

use std::fmt::Display;
use std::time::Instant;

use parking_lot::Mutex;

use crate::limits;

/// Reports errors of one kind in the server's own log: one in each
/// [`limits::ERROR_REPORT_INTERVAL`]. The next line says how many were left out before it.
#[derive(Debug, Default)]
pub(super) struct ErrorReport(Mutex<ErrorCount>);

#[derive(Debug, Default)]
struct ErrorCount {
    /// When the last error was reported.
    reported: Option<Instant>,
    /// The errors that were left out since.
    left_out: u64,
}

impl ErrorReport {
    /// Reports an error, or counts it.
    pub(super) fn error(&self, sentence: impl Display) {
        match self.admit(Instant::now()) {
            None => {}
            Some(0) => log::error!("{sentence}"),
            Some(left_out) => {
                log::error!("{sentence} (and {left_out} more such errors since the last line)");
            }
        }
    }

    /// Counts an error. Returns how many were left out before it if this one is to be reported.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut count = self.0.lock();
        let is_due = count
            .reported
            .is_none_or(|reported| now >= reported + limits::ERROR_REPORT_INTERVAL);
        if !is_due {
            count.left_out += 1;
            return None;
        }
        count.reported = Some(now);
        Some(std::mem::take(&mut count.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first error is reported, and then one in each interval, with the number of the others.
    #[test]
    fn errors_are_reported_once_in_an_interval() {
        let (report, began) = (ErrorReport::default(), Instant::now());
        assert_eq!(report.admit(began), Some(0));
        for _ in 0..1000 {
            assert_eq!(report.admit(began), None);
        }
        let next = began + limits::ERROR_REPORT_INTERVAL;
        assert_eq!(report.admit(next), Some(1000));
        assert_eq!(report.admit(next), None);
    }
}
