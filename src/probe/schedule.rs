//! When the lines of a probe are sent.

use std::time::Duration;

use crate::limits;

/// The times at which the lines of a probe are sent: one each [`limits::PROBE_INTERVAL`], and one more after
/// a silence, which shows whether something gives up a connection that is quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSchedule {
    /// How many lines there are, without the one after the silence; at least one.
    pub lines: usize,
    /// The silence; none if it is zero.
    pub quiet: Duration,
}

impl Default for ProbeSchedule {
    fn default() -> ProbeSchedule {
        ProbeSchedule {
            lines: limits::PROBE_LINES_DEFAULT,
            quiet: limits::PROBE_QUIET_DEFAULT,
        }
    }
}

impl ProbeSchedule {
    /// How many lines there are in all.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lines + usize::from(!self.quiet.is_zero())
    }

    /// When the line with this number is due, after the beginning; `None` after the last. Numbers begin
    /// at 0.
    #[must_use]
    pub fn due(&self, number: usize) -> Option<Duration> {
        if number >= self.count() {
            return None;
        }
        let before = u32::try_from(number.min(self.lines - 1)).ok()?;
        let quiet = if number == self.lines {
            self.quiet
        } else {
            Duration::ZERO
        };
        Some(limits::PROBE_INTERVAL * before + quiet)
    }

    /// Says in words what is sent.
    #[must_use]
    pub fn in_words(&self) -> String {
        let interval = limits::PROBE_INTERVAL.as_millis();
        let lines = self.lines;
        let quiet = self.quiet.as_secs_f64();
        let more = if self.quiet.is_zero() {
            String::new()
        } else {
            format!(", and one more after {quiet} s of silence")
        };
        match lines {
            1 => format!("1 line{more}"),
            _ => format!("{lines} lines, one each {interval} ms{more}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_ends() {
        let schedule = ProbeSchedule {
            lines: 2,
            quiet: Duration::from_secs(3),
        };
        let interval = limits::PROBE_INTERVAL;
        let due: Vec<_> = (0..9).map_while(|n| schedule.due(n)).collect();
        assert_eq!(due, [Duration::ZERO, interval, interval + schedule.quiet]);
        let quiet = Duration::ZERO;
        assert_eq!(ProbeSchedule { lines: 1, quiet }.due(1), None);
    }
}
