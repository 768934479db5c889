//! A moment of the log, by both of its times.

use std::sync::Arc;
use std::time::Duration;

use super::clock_state::ClockRecord;
use crate::message::Timestamp;

/// A time on the log's clock, in milliseconds. That clock counts the time that passes and cannot be
/// set; where it began means nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogTime(pub u64);

impl LogTime {
    /// Returns the time that lies `duration` before this one, but not before 0.
    #[must_use]
    pub fn earlier(self, duration: Duration) -> LogTime {
        LogTime(self.0.saturating_sub(millis(duration)))
    }

    /// Returns how much later this time is than `other`; zero if it is not.
    #[must_use]
    pub fn since(self, other: LogTime) -> Duration {
        Duration::from_millis(self.0.saturating_sub(other.0))
    }
}

/// A pause of the log's clock: no server ran, and time passed that the clock did not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    /// Where the clock stood. All that happened before the pause is not after this.
    pub(super) at: LogTime,
    /// How long the pause was, in milliseconds.
    pub(super) millis: u64,
}

/// A moment of the log ([`LogClock::now`](super::LogClock::now)).
#[derive(Clone, Debug)]
pub struct Moment {
    /// What the wall clock says: the time that a message of this moment shows.
    pub time: Timestamp,
    /// What the log's clock says: the time by which things grow old.
    pub log_time: LogTime,
    /// What a store keeps of the clock.
    pub(super) record: Arc<ClockRecord>,
}

impl Moment {
    /// Returns the moment at which both clocks say `millis` milliseconds, for tests of a store.
    #[must_use]
    pub fn at(millis: u64) -> Moment {
        Moment {
            time: Timestamp(millis),
            log_time: LogTime(millis),
            record: Arc::default(),
        }
    }

    /// Returns the time on the log's clock that lies `age` before this moment, pauses included. What
    /// happened earlier is older than `age`.
    #[must_use]
    pub fn earlier(&self, age: Duration) -> LogTime {
        let (mut from, mut rest) = (self.log_time, millis(age));
        for pause in self.record.pauses.iter().rev() {
            let running = from.0.saturating_sub(pause.at.0);
            if rest <= running {
                break;
            }
            rest -= running;
            if rest <= pause.millis {
                // All that was before the pause is older.
                return LogTime(pause.at.0 + 1);
            }
            rest -= pause.millis;
            from = pause.at;
        }
        LogTime(from.0.saturating_sub(rest))
    }
}

/// Returns a duration in milliseconds.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pause counts for what was before it, and only for that.
    #[test]
    fn earlier_counts_pauses() {
        let pause = |at, millis| Pause {
            at: LogTime(at),
            millis,
        };
        let moment = Moment {
            record: Arc::new(ClockRecord {
                pauses: vec![pause(100, 1000), pause(200, 50)],
                ..ClockRecord::default()
            }),
            ..Moment::at(300)
        };
        for (age, earlier) in [
            (0, 300),
            (100, 200),
            (101, 201),
            (150, 201),
            (151, 199),
            (250, 100),
            (251, 101),
            (1250, 101),
            (1251, 99),
            (1350, 0),
            (9999, 0),
        ] {
            let found = moment.earlier(Duration::from_millis(age));
            assert_eq!(found, LogTime(earlier), "{age}");
        }
    }
}
