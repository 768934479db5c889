//! When the engine is asked for what is missing, and whether a second time. Pure: the time is an argument.

use std::time::{Duration, Instant};

use crate::limits;
use crate::message::Seq;

/// The fills that are under way: requests for entries of which the follower has not heard, or not all.
#[derive(Debug)]
pub(super) struct Fills {
    under_way: Vec<UnderWay>,
    /// The number of the fill that was asked for last.
    number: u64,
    /// How many have failed since one succeeded.
    failures: u32,
    /// Whether the last one that ended said that there is more.
    has_more: bool,
    /// When something was last heard of the engine's log, or asked for.
    heard: Instant,
}

/// A fill that has not ended.
#[derive(Debug)]
struct UnderWay {
    number: u64,
    /// When it was asked for, or something of it came.
    heard: Instant,
}

impl Fills {
    pub(super) fn new(now: Instant) -> Fills {
        Fills {
            under_way: Vec::new(),
            number: 0,
            failures: 0,
            has_more: true,
            heard: now,
        }
    }

    /// Something of the engine's log has come; of this fill, if it is of one.
    pub(super) fn heard(&mut self, fill: Option<u64>, now: Instant) {
        self.heard = now;
        let mut fills = self.under_way.iter_mut();
        if let Some(fill) = fills.find(|own| Some(own.number) == fill) {
            fill.heard = now;
        }
    }

    /// A fill has ended; `left` is how many entries the server had after it, `None` if it could not say.
    pub(super) fn ended(&mut self, fill: u64, left: Option<u64>) {
        self.under_way.retain(|own| own.number != fill);
        match left {
            Some(left) => (self.failures, self.has_more) = (0, left > 0),
            None => self.failures += 1,
        }
    }

    /// Gives up the fills of which nothing has come for too long.
    pub(super) fn give_up(&mut self, now: Instant) {
        let before = self.under_way.len();
        let is_late = |fill: &UnderWay| now - fill.heard >= limits::CLUSTER_FILL_TIMEOUT;
        self.under_way.retain(|fill| !is_late(fill));
        let late = before - self.under_way.len();
        if late > 0 {
            self.failures += u32::try_from(late).unwrap_or(u32::MAX);
            self.has_more = true;
        }
    }

    /// Asks for a fill if one is wanted, and returns its number. `has_hole` says that something after the
    /// next entry has come, `end` how far there is no hole, and `known` how far the engine's log goes at
    /// least.
    pub(super) fn ask(
        &mut self,
        has_hole: bool,
        end: Seq,
        known: Seq,
        now: Instant,
    ) -> Option<u64> {
        let is_quiet = now - self.heard >= limits::CLUSTER_QUIET;
        let is_wanted = has_hole || self.has_more || (known > end && is_quiet);
        // The second one may go to another server than the one that does not answer.
        let most = if self.failures > 0 {
            limits::CLUSTER_FILLS_MAX
        } else {
            1
        };
        let is_early = self.failures > 0 && now - self.heard < backoff(self.failures);
        if !is_wanted || self.under_way.len() >= most || is_early {
            return None;
        }
        self.number += 1;
        self.has_more = false;
        self.heard = now;
        self.under_way.push(UnderWay {
            number: self.number,
            heard: now,
        });
        Some(self.number)
    }

    /// How many have failed since one succeeded.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }
}

/// The pause before the next fill after so many have failed.
fn backoff(failures: u32) -> Duration {
    limits::CLUSTER_TICK * failures.min(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const ALMOST: Duration = limits::CLUSTER_FILL_TIMEOUT.saturating_sub(MS);

    /// One fill after the other while there is more; none while all is there; one when something that
    /// must be there has not come.
    #[test]
    fn fills_are_asked_for_when_something_is_missing() {
        let start = Instant::now();
        let mut fills = Fills::new(start);
        assert_eq!(fills.ask(false, Seq(0), Seq(0), start), Some(1), "at first");
        assert_eq!(
            fills.ask(true, Seq(0), Seq(9), start),
            None,
            "one at a time"
        );
        fills.ended(1, Some(5));
        assert_eq!(fills.ask(false, Seq(4), Seq(9), start), Some(2), "more");
        fills.ended(2, Some(0));
        assert_eq!(
            fills.ask(false, Seq(9), Seq(9), start),
            None,
            "all is there"
        );
        assert_eq!(
            fills.ask(false, Seq(9), Seq(10), start),
            None,
            "it may come yet"
        );
        let later = start + limits::CLUSTER_QUIET;
        assert_eq!(fills.ask(false, Seq(9), Seq(10), later), Some(3));
        fills.ended(3, Some(0));
        assert_eq!(fills.ask(true, Seq(10), Seq(10), later), Some(4), "a hole");
    }

    /// A fill of which nothing comes is given up, and then two are asked for, until one succeeds.
    #[test]
    fn fills_that_hang_are_hedged() {
        let mut now = Instant::now();
        let mut fills = Fills::new(now);
        assert_eq!(fills.ask(true, Seq(0), Seq(9), now), Some(1));
        now += ALMOST;
        fills.heard(Some(1), now);
        now += ALMOST;
        fills.give_up(now);
        assert_eq!(fills.failures(), 0, "something came");
        now += MS;
        fills.give_up(now);
        assert_eq!(fills.failures(), 1);
        assert_eq!(fills.ask(true, Seq(0), Seq(9), now), Some(2));
        assert_eq!(fills.ask(true, Seq(0), Seq(9), now), None, "not at once");
        now += limits::CLUSTER_TICK;
        assert_eq!(fills.ask(true, Seq(0), Seq(9), now), Some(3));
        now += limits::CLUSTER_TICK;
        assert_eq!(fills.ask(true, Seq(0), Seq(9), now), None, "two at most");
        fills.ended(3, Some(1));
        assert_eq!(fills.failures(), 0);
        fills.ended(2, None);
        now += limits::CLUSTER_TICK;
        assert_eq!(fills.ask(true, Seq(0), Seq(9), now), Some(4));
    }
}
