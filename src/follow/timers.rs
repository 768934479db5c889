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

/// A stream that waits for nothing but messages looks at the time once in this interval, which
/// costs nothing.
pub(super) const IDLE_CHECK: Duration = Duration::from_hours(1);

/// The earlier end of a stream that begins now, after `timeout` or after `rotate`, if ever.
pub(super) fn deadline(
    now: Instant,
    timeout: Option<Duration>,
    rotate: Option<Duration>,
) -> Option<(Instant, EndReason)> {
    // A time that the clock cannot express is none.
    let after = |time: Option<Duration>| time.and_then(|time| now.checked_add(time));
    let ends = [
        (after(timeout), EndReason::Timeout),
        (after(rotate), EndReason::Rotate),
    ];
    let ends = ends.into_iter().filter_map(|(end, why)| Some((end?, why)));
    ends.min_by_key(|(end, _)| *end)
}

/// What is due now, for a stream that was written something at `wrote`, with a heartbeat of this
/// interval, and this end.
pub(super) fn due(
    now: Instant,
    wrote: Instant,
    heartbeat: Option<Duration>,
    end: Option<(Instant, EndReason)>,
) -> Due {
    let heartbeat = heartbeat.map(|interval| wrote + interval);
    match (end, heartbeat) {
        (Some((end, reason)), _) if end <= now => Due::End(reason),
        (_, Some(heartbeat)) if heartbeat <= now => Due::Heartbeat,
        (end, heartbeat) => {
            let next = end.map(|(end, _)| end).into_iter().chain(heartbeat).min();
            Due::At(next.unwrap_or(now + IDLE_CHECK))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Silence asks for a heartbeat, and the end comes before it.
    #[test]
    fn heartbeat_is_due_before_the_end() {
        let second = Duration::from_secs(1);
        let now = Instant::now();
        let end = deadline(now, Some(3 * second), Some(4 * second));
        let at = |seconds, wrote| {
            due(
                now + seconds * second,
                now + wrote * second,
                Some(second),
                end,
            )
        };
        assert_eq!(at(0, 0), Due::At(now + second));
        assert_eq!(at(1, 0), Due::Heartbeat);
        assert_eq!(at(1, 1), Due::At(now + 2 * second));
        let (half, end_at) = (now + 5 * second / 2, now + 3 * second);
        assert_eq!(due(half, half, Some(second), end), Due::At(end_at));
        assert_eq!(at(3, 3), Due::End(EndReason::Timeout));
        assert_eq!(at(3, 0), Due::End(EndReason::Timeout));
        let rotates = deadline(now, None, Some(4 * second));
        assert_eq!(rotates, Some((now + 4 * second, EndReason::Rotate)));
        assert_eq!(deadline(now, Some(Duration::MAX), None), None);
    }
}
