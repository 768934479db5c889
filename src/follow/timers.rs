//! When a stream speaks without having anything new, and when its time is over. Pure: the time goes
//! in, what is due comes out with the moment to look again.

use std::time::Duration;

use tokio::time::Instant;

use crate::wire::EndReason;

/// What is due at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A heartbeat: nothing has been written for the whole interval.
    Heartbeat,
    /// The end of the stream, for this reason.
    End(EndReason),
    /// Nothing before this moment.
    At(Instant),
}

/// The times from which the heartbeat and the end of a stream follow.
#[derive(Debug)]
pub(super) struct Timers {
    wrote: Instant,
    end: Option<Instant>,
    /// Why the stream ends at `end`.
    reason: EndReason,
}

/// A stream that waits for nothing but messages looks at the time once in this interval, which
/// costs nothing.
pub(super) const IDLE_CHECK: Duration = Duration::from_hours(1);

impl Timers {
    /// The timers of a stream that begins now, and ends after the earlier of `timeout` and `rotate`, if
    /// ever.
    pub(super) fn new(now: Instant, timeout: Option<Duration>, rotate: Option<Duration>) -> Timers {
        // A time that the clock cannot express is none.
        let after = |time: Option<Duration>| time.and_then(|time| now.checked_add(time));
        let ends = [
            (after(timeout), EndReason::Timeout),
            (after(rotate), EndReason::Rotate),
        ];
        let ends = ends.into_iter().filter_map(|(end, why)| Some((end?, why)));
        let first = ends.min_by_key(|(end, _)| *end);
        Timers {
            wrote: now,
            end: first.map(|(end, _)| end),
            reason: first.map_or(EndReason::Timeout, |(_, why)| why),
        }
    }

    /// Something was written, so the next heartbeat is a whole interval away.
    pub(super) fn wrote(&mut self, now: Instant) {
        self.wrote = now;
    }

    /// When something was written last, or when the stream began.
    pub(super) fn last_write(&self) -> Instant {
        self.wrote
    }

    /// The server stops: the stream is to end at `moment`, if not earlier, and for that reason in any
    /// case, since its client is to know that there is no server to come back to at once.
    pub(super) fn stop_by(&mut self, moment: Instant) {
        self.end = Some(self.end.map_or(moment, |end| end.min(moment)));
        self.reason = EndReason::Stop;
    }

    /// The stream is to end now, as if its time were over.
    pub(super) fn end_now(&mut self, now: Instant) {
        self.end = Some(self.end.map_or(now, |end| end.min(now)));
    }

    /// What is due now, for a stream with a heartbeat of this interval.
    pub(super) fn due(&self, now: Instant, heartbeat: Option<Duration>) -> Due {
        let heartbeat = heartbeat.map(|interval| self.wrote + interval);
        match (self.end, heartbeat) {
            (Some(end), _) if end <= now => Due::End(self.reason),
            (_, Some(heartbeat)) if heartbeat <= now => Due::Heartbeat,
            (end, heartbeat) => {
                let next = end.into_iter().chain(heartbeat).min();
                Due::At(next.unwrap_or(now + IDLE_CHECK))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Silence asks for a heartbeat, and the end comes before it.
    #[test]
    fn timers_heartbeat_then_end() {
        let second = Duration::from_secs(1);
        let now = Instant::now();
        let mut timers = Timers::new(now, Some(3 * second), Some(4 * second));
        assert_eq!(timers.due(now, Some(second)), Due::At(now + second));
        assert_eq!(timers.due(now + second, Some(second)), Due::Heartbeat);
        timers.wrote(now + second);
        assert_eq!(
            timers.due(now + second, Some(second)),
            Due::At(now + 2 * second)
        );
        timers.wrote(now + 5 * second / 2);
        assert_eq!(
            timers.due(now + 5 * second / 2, Some(second)),
            Due::At(now + 3 * second)
        );
        let end = |timers: &Timers, at| timers.due(now + at * second, Some(second));
        assert_eq!(end(&timers, 3), Due::End(EndReason::Timeout));
        timers.stop_by(now + 9 * second);
        assert_eq!(end(&timers, 3), Due::End(EndReason::Stop));
        timers.stop_by(now + 2 * second);
        assert_eq!(end(&timers, 2), Due::End(EndReason::Stop));
        let rotates = Timers::new(now, None, Some(4 * second));
        assert_eq!(end(&rotates, 4), Due::End(EndReason::Rotate));
    }
}
