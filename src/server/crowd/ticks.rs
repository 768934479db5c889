//! The time of a crowd, in ticks. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits;

/// Counts ticks of [`limits::CROWD_TICK`] since a crowd began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    began: Instant,
}

impl Ticks {
    pub(super) fn since(began: Instant) -> Ticks {
        Ticks { began }
    }

    /// The last tick that has come by this moment.
    pub(super) fn by(self, moment: Instant) -> u64 {
        let elapsed = moment.saturating_duration_since(self.began).as_micros();
        let tick = limits::CROWD_TICK.as_micros();
        u64::try_from(elapsed / tick).unwrap_or(u64::MAX)
    }

    /// The first tick that comes after this moment.
    pub(super) fn after(self, moment: Instant) -> u64 {
        self.by(moment) + 1
    }

    /// The number of ticks that a time takes; 0 if it is longer than some minutes.
    pub(super) fn in_time(time: Duration) -> u16 {
        let ticks = time.as_micros().div_ceil(limits::CROWD_TICK.as_micros());
        u16::try_from(ticks).unwrap_or(0)
    }

    /// The moment of a tick.
    pub(super) fn moment(self, tick: u64) -> Instant {
        let micros = limits::CROWD_TICK.as_micros();
        let micros = u64::try_from(micros)
            .unwrap_or(u64::MAX)
            .saturating_mul(tick);
        self.began + Duration::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tick is never early, and at most one tick late.
    #[test]
    fn ticks_are_not_early() {
        let began = Instant::now();
        let ticks = Ticks::since(began);
        assert_eq!(ticks.by(began), 0);
        let moment = began + limits::CROWD_TICK * 5 / 2;
        assert_eq!((ticks.by(moment), ticks.after(moment)), (2, 3));
        assert!(ticks.moment(2) <= moment && moment < ticks.moment(3));
    }
}
