//! When a stream speaks without having anything new. Pure: the time goes in, what is due comes
//! out with the moment to look again.

use std::time::Duration;

use tokio::time::Instant;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It has been silent for as long as it may be.
    Heartbeat,
    /// Its time is over.
    End,
    /// Nothing, before this moment.
    At(Instant),
}

/// A stream's clockwork.
#[derive(Debug)]
pub(super) struct Timers {
    heartbeat: Option<Duration>,
    wrote: Instant,
    end: Option<Instant>,
}

impl Timers {
    /// A stream that begins now and ends after `timeout`, if ever.
    pub(super) fn new(
        now: Instant,
        heartbeat: Option<Duration>,
        timeout: Option<Duration>,
    ) -> Timers {
        // A timeout beyond what the clock can say is none.
        let end = timeout.and_then(|timeout| now.checked_add(timeout));
        Timers {
            heartbeat,
            wrote: now,
            end,
        }
    }

    /// It wrote something.
    pub(super) fn wrote(&mut self, now: Instant) {
        self.wrote = now;
    }

    /// When it wrote last.
    pub(super) fn last(&self) -> Instant {
        self.wrote
    }

    /// It is to end at that moment, if not before.
    pub(super) fn end_by(&mut self, moment: Instant) {
        self.end = Some(self.end.map_or(moment, |end| end.min(moment)));
    }

    /// What is due.
    pub(super) fn due(&self, now: Instant) -> Due {
        let heartbeat = self.heartbeat.map(|heartbeat| self.wrote + heartbeat);
        match (self.end, heartbeat) {
            (Some(end), _) if end <= now => Due::End,
            (_, Some(heartbeat)) if heartbeat <= now => Due::Heartbeat,
            (Some(end), Some(heartbeat)) => Due::At(end.min(heartbeat)),
            (Some(moment), None) | (None, Some(moment)) => Due::At(moment),
            // Nothing, ever: to look again in an hour costs nothing.
            (None, None) => Due::At(now + Duration::from_hours(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_asks_for_a_heartbeat_and_the_end_comes_before_it() {
        let second = Duration::from_secs(1);
        let now = Instant::now();
        let mut pace = Timers::new(now, Some(second), Some(3 * second));
        assert_eq!(pace.due(now), Due::At(now + second));
        assert_eq!(pace.due(now + second), Due::Heartbeat);
        pace.wrote(now + second);
        assert_eq!(pace.due(now + second), Due::At(now + 2 * second));
        pace.wrote(now + 5 * second / 2);
        assert_eq!(pace.due(now + 5 * second / 2), Due::At(now + 3 * second));
        assert_eq!(pace.due(now + 3 * second), Due::End);
        pace.end_by(now + 9 * second);
        assert_eq!(pace.due(now + 3 * second), Due::End);
        pace.end_by(now + 2 * second);
        assert_eq!(pace.due(now + 2 * second), Due::End);
    }
}
