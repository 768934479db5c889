//! When a stream with a pace writes: a burst at each tick, with all that has come. Pure: the time and the
//! newest message go in.

use std::time::Duration;

use tokio::time::Instant;

use super::Follower;
use crate::message::Seq;

/// The pace of a stream, which keeps it from when its follower has caught up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    interval: Duration,
    /// The next tick; `None` before the follower has caught up.
    tick: Option<Instant>,
    /// The newest message when the present burst began, up to which it goes on.
    burst: Option<Seq>,
}

impl Pace {
    /// A pace with ticks of this interval.
    pub(super) fn new(interval: Duration) -> Pace {
        Pace {
            interval,
            tick: None,
            burst: None,
        }
    }

    /// The follower has caught up, now or before.
    pub(super) fn start(&mut self, now: Instant) {
        self.tick.get_or_insert(now + self.interval);
    }

    /// Begins a burst if a tick has come. Ticks that were missed are not made up for.
    fn begin_burst(&mut self, now: Instant, newest: impl FnOnce() -> Seq) {
        if self.burst.is_some() {
            return;
        }
        if let Some(tick) = &mut self.tick
            && *tick <= now
        {
            let late = (now - *tick).as_nanos() % self.interval.as_nanos().max(1);
            let late = Duration::from_nanos(u64::try_from(late).unwrap_or(0));
            *tick = now + self.interval - late;
            self.burst = Some(newest());
        }
    }

    /// Ends the burst if all of it has been written.
    fn end_burst(&mut self, at: Seq) {
        self.burst.take_if(|newest| at >= *newest);
    }
}

impl Follower {
    /// Whether nothing is to be done for the follower but at its ticks, whatever comes.
    #[must_use]
    pub fn is_paced(&self) -> bool {
        self.tick().is_some()
    }

    /// Begins a burst if it is time. `newest` is the newest message of the log.
    pub fn begin_burst(&mut self, now: Instant, newest: impl FnOnce() -> Seq) {
        let is_over = self.options.until_time().is_some_and(|until| until <= now);
        let Some(pace) = self.options.pace_mut() else {
            return;
        };
        if is_over && pace.tick.is_some_and(|tick| tick > now) {
            // What belongs to the stream is written before its end.
            pace.tick = Some(now);
        }
        pace.begin_burst(now, newest);
    }

    /// Ends the burst if all of it has been written, or there is nothing more.
    pub(super) fn end_burst(&mut self, is_up_to_date: bool) {
        let at = self.position.at();
        if let Some(pace) = self.options.pace_mut() {
            pace.end_burst(if is_up_to_date { Seq(u64::MAX) } else { at });
        }
    }

    /// Whether the follower waits for its next tick.
    pub(super) fn pauses(&self) -> bool {
        let pace = self.options.pace();
        pace.is_some_and(|pace| pace.tick.is_some() && pace.burst.is_none())
    }

    /// The next tick of a follower that keeps its pace.
    pub(super) fn tick(&self) -> Option<Instant> {
        self.options.pace()?.tick
    }

    /// How much earlier than usual a heartbeat may come, so that it comes at the nearest tick.
    pub(super) fn earlier_heartbeat(&self) -> Duration {
        let pace = self.options.pace().filter(|pace| pace.tick.is_some());
        pace.map_or(Duration::ZERO, |pace| pace.interval / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A burst begins at its tick, goes on up to what was the newest message then, and is followed by
    /// the next tick that has not passed.
    #[test]
    fn pace_has_a_burst_at_each_tick() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        let mut pace = Pace::new(second);
        pace.begin_burst(now + 9 * second, || Seq(7));
        assert!(pace.burst.is_none(), "it has not caught up");
        pace.start(now);
        pace.start(now + second / 2);
        pace.begin_burst(now + second / 2, || Seq(7));
        assert_eq!((pace.tick, pace.burst), (Some(now + second), None));
        pace.begin_burst(now + 5 * second / 4, || Seq(7));
        assert_eq!(
            (pace.tick, pace.burst),
            (Some(now + 2 * second), Some(Seq(7)))
        );
        pace.end_burst(Seq(6));
        pace.begin_burst(now + 3 * second, || Seq(9));
        assert_eq!(pace.burst, Some(Seq(7)), "the burst goes on");
        pace.end_burst(Seq(8));
        assert_eq!(pace.burst, None);
        pace.begin_burst(now + 9 * second / 2, || Seq(9));
        assert_eq!(
            (pace.tick, pace.burst),
            (Some(now + 5 * second), Some(Seq(9)))
        );
    }
}
