//! How often a thing may be tried: a token bucket a key, kept as one moment each (GCRA).

use std::borrow::Borrow;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lru::LruCache;

use crate::limits::{self, Rate};

/// The tries of some keys, of which those that tried last are remembered.
#[derive(Debug)]
pub(super) struct RateLimiter<K: Hash + Eq> {
    rate: Rate,
    /// When each will have all its tries again.
    full: LruCache<K, Instant>,
}

impl<K: Hash + Eq> RateLimiter<K> {
    /// All may try, as often as `rate` says.
    pub(super) fn new(rate: Rate) -> RateLimiter<K> {
        let most = NonZeroUsize::new(limits::RATE_LIMIT_KEYS).unwrap_or(NonZeroUsize::MIN);
        RateLimiter {
            rate,
            full: LruCache::sparse(most),
        }
    }

    /// How long a key has to wait before it may try.
    pub(super) fn wait<Q>(&self, key: &Q, now: Instant) -> Option<Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let spent = self.full.peek(key)?.saturating_duration_since(now);
        // What all tries but the one that is asked for take to come back.
        let spare = self.rate.every * self.rate.burst.saturating_sub(1);
        spent.checked_sub(spare).filter(|wait| !wait.is_zero())
    }

    /// Books a try, before what is tried is done: tries at the same time do not slip through.
    pub(super) fn book(&mut self, key: K, now: Instant) {
        let every = self.rate.every;
        let full = self.full.get_or_insert_mut(key, || now);
        *full = (*full).max(now) + every;
    }

    /// Books a try, if there is one left.
    pub(super) fn attempt(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        if let Some(wait) = self.wait(&key, now) {
            return Err(wait);
        }
        self.book(key, now);
        Ok(())
    }

    /// Gives a try back.
    pub(super) fn forgive<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let every = self.rate.every;
        if let Some(full) = self.full.peek_mut(key) {
            *full = full.checked_sub(every).unwrap_or(*full);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        every: Duration::from_secs(10),
    };

    #[test]
    fn tries_are_used_up_and_come_back() {
        let mut throttle = RateLimiter::new(RATE);
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        for _ in 0..3 {
            assert_eq!(throttle.attempt("a", now), Ok(()));
        }
        assert_eq!(throttle.attempt("a", now), Err(Duration::from_secs(10)));
        assert_eq!(throttle.attempt("a", at(4)), Err(Duration::from_secs(6)));
        assert_eq!(throttle.attempt("b", now), Ok(()), "others may");
        assert_eq!(throttle.attempt("a", at(10)), Ok(()));
        assert_eq!(throttle.attempt("a", at(10)), Err(Duration::from_secs(10)));
        // Never more than the burst, however long it rested.
        for _ in 0..3 {
            assert_eq!(throttle.attempt("a", at(9999)), Ok(()));
        }
        assert!(throttle.attempt("a", at(9999)).is_err());
    }

    #[test]
    fn a_try_that_is_refused_costs_nothing_and_one_can_be_given_back() {
        let mut throttle = RateLimiter::new(RATE);
        let now = Instant::now();
        throttle.forgive("a");
        for _ in 0..100 {
            assert_eq!(throttle.attempt("a", now), Ok(()));
            throttle.forgive("a");
        }
        for _ in 0..3 {
            assert_eq!(throttle.attempt("a", now), Ok(()));
        }
        for _ in 0..100 {
            assert_eq!(throttle.attempt("a", now), Err(Duration::from_secs(10)));
        }
    }

    #[test]
    fn who_tried_longest_ago_is_forgotten() {
        let mut throttle = RateLimiter::new(RATE);
        let now = Instant::now();
        for key in 0..limits::RATE_LIMIT_KEYS + 10 {
            throttle.book(key, now);
        }
        assert_eq!(throttle.full.len(), limits::RATE_LIMIT_KEYS);
        assert!(throttle.full.contains(&limits::RATE_LIMIT_KEYS));
        assert!(!throttle.full.contains(&0));
    }
}
