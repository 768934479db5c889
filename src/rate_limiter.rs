//! A rate limiter: a token bucket for each key, kept as one moment each (GCRA).

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::limits::{self, Rate};

/// The attempts of some keys. When there are too many keys, the one that has the most attempts left is
/// forgotten: whoever tries with many keys does not give a key its attempts back that has used them up.
#[derive(Debug)]
pub struct RateLimiter<K> {
    rate: Rate,
    /// For each key the moment from which it has all its attempts again.
    full_at: HashMap<K, Instant>,
    /// The keys in the order of these moments.
    in_order: BTreeSet<(Instant, K)>,
}

impl<K: Hash + Ord + Clone> RateLimiter<K> {
    /// A limiter under which each key may try as often as `rate` says.
    #[must_use]
    pub fn new(rate: Rate) -> RateLimiter<K> {
        RateLimiter {
            rate,
            full_at: HashMap::new(),
            in_order: BTreeSet::new(),
        }
    }

    /// Returns how long a key has to wait before its next attempt; `None` if it need not.
    #[must_use]
    pub fn wait<Q>(&self, key: &Q, now: Instant) -> Option<Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let spent = self.full_at.get(key)?.saturating_duration_since(now);
        // The time in which all attempts but the one that is asked for come back.
        let spare = self.rate.every * self.rate.burst.saturating_sub(1);
        spent.checked_sub(spare).filter(|wait| !wait.is_zero())
    }

    /// Charges an attempt, before it is made: attempts at the same time do not slip through.
    pub fn charge(&mut self, key: K, now: Instant) {
        self.charge_many(key, 1, now);
    }

    /// Charges so many attempts, which have been made.
    pub fn charge_many(&mut self, key: K, count: u32, now: Instant) {
        let full_at = self
            .full_at
            .get(&key)
            .map_or(now, |moment| (*moment).max(now));
        self.set(key, full_at + self.rate.every * count);
        if self.full_at.len() > limits::RATE_LIMIT_KEYS_MAX
            && let Some((_, key)) = self.in_order.pop_first()
        {
            self.full_at.remove(&key);
        }
    }

    /// Notes when a key has all its attempts again.
    fn set(&mut self, key: K, full_at: Instant) {
        if let Some(before) = self.full_at.insert(key.clone(), full_at) {
            self.in_order.remove(&(before, key.clone()));
        }
        self.in_order.insert((full_at, key));
    }

    /// Charges an attempt if the key has one left.
    ///
    /// # Errors
    /// When it has none: how long it has to wait.
    pub fn try_charge(&mut self, key: K, now: Instant) -> Result<(), Duration> {
        if let Some(wait) = self.wait(&key, now) {
            return Err(wait);
        }
        self.charge(key, now);
        Ok(())
    }

    /// Gives an attempt back that has been charged.
    pub fn refund<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some((key, full_at)) = self.full_at.get_key_value(key)
            && let Some(full_at) = full_at.checked_sub(self.rate.every)
        {
            self.set(key.clone(), full_at);
        }
    }
}

/// The client has used up its attempts, and has to wait.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("there were too many attempts; try again in {} s", self.seconds())]
pub struct RateLimited(Duration);

impl RateLimited {
    /// The refusal of a client that has to wait so long.
    #[must_use]
    pub fn new(wait: Duration) -> RateLimited {
        RateLimited(wait)
    }

    /// Returns how long to wait, in seconds, rounded up.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0)
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
    fn attempts_used_up_and_back_in_time() {
        let mut limiter = RateLimiter::new(RATE);
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        for _ in 0..3 {
            assert_eq!(limiter.try_charge("a", now), Ok(()));
        }
        assert_eq!(limiter.try_charge("a", now), Err(Duration::from_secs(10)));
        assert_eq!(limiter.try_charge("a", at(4)), Err(Duration::from_secs(6)));
        assert_eq!(limiter.try_charge("b", now), Ok(()), "other keys may");
        assert_eq!(limiter.try_charge("a", at(10)), Ok(()));
        assert_eq!(
            limiter.try_charge("a", at(10)),
            Err(Duration::from_secs(10))
        );
        // A key never has more than the burst, however long it rested.
        for _ in 0..3 {
            assert_eq!(limiter.try_charge("a", at(9999)), Ok(()));
        }
        assert!(limiter.try_charge("a", at(9999)).is_err());
    }

    /// An attempt that is refused costs nothing, and one that was charged can be refunded.
    #[test]
    fn refused_and_refunded_attempts_cost_nothing() {
        let mut limiter = RateLimiter::new(RATE);
        let now = Instant::now();
        limiter.refund("a");
        for _ in 0..100 {
            assert_eq!(limiter.try_charge("a", now), Ok(()));
            limiter.refund("a");
        }
        for _ in 0..3 {
            assert_eq!(limiter.try_charge("a", now), Ok(()));
        }
        for _ in 0..100 {
            assert_eq!(limiter.try_charge("a", now), Err(Duration::from_secs(10)));
        }
    }

    /// However many other keys come, a key that has used up its attempts has to wait.
    #[test]
    fn key_with_most_attempts_left_forgotten() {
        let mut limiter = RateLimiter::new(RATE);
        let now = Instant::now();
        for _ in 0..RATE.burst {
            assert_eq!(limiter.try_charge(0, now), Ok(()));
        }
        for key in 1..limits::RATE_LIMIT_KEYS_MAX + 10 {
            limiter.charge(key, now);
        }
        assert_eq!(limiter.full_at.len(), limits::RATE_LIMIT_KEYS_MAX);
        assert_eq!(limiter.in_order.len(), limits::RATE_LIMIT_KEYS_MAX);
        assert!(limiter.try_charge(0, now).is_err());
    }
}
