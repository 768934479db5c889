//! A wheel of deadlines. Pure: ticks go in, keys come out.
//!
//! **The wheel is lazy.** A follower stands in one bucket, at its next deadline or before it. Writing to
//! the follower does not move it, although that moves its next heartbeat: when the bucket comes, the
//! follower is asked what is due, and is put where that is. So a message costs the wheel nothing, and a
//! follower is asked a few times a minute in vain. A key that has another follower by now, because the
//! first has left, is asked in vain once more, which is harmless: so a bucket needs no removal, and a
//! key no generation.

/// Buckets of keys, one for each tick of the near future.
#[derive(Debug)]
pub(super) struct Wheel {
    buckets: Box<[Vec<u32>]>,
    /// The tick up to which all buckets have been emptied.
    at: u64,
    /// The number of keys in all buckets.
    len: usize,
}

impl Wheel {
    /// A wheel of so many ticks that begins at tick 0.
    pub(super) fn new(ticks: usize) -> Wheel {
        Wheel {
            buckets: std::iter::repeat_with(Vec::new).take(ticks).collect(),
            at: 0,
            len: 0,
        }
    }

    /// Puts a key at a tick, or earlier if that is further away than the wheel is large. Returns the
    /// tick at which the key comes.
    pub(super) fn put(&mut self, key: u32, tick: u64) -> u64 {
        let last = self.at + self.buckets.len() as u64 - 1;
        let tick = tick.clamp(self.at + 1, last);
        self.bucket(tick).push(key);
        self.len += 1;
        tick
    }

    /// Whether a key that was put at this tick has not come yet.
    pub(super) fn has(&self, tick: u64) -> bool {
        tick > self.at
    }

    /// Adds the keys that are due by `now` to `due`.
    pub(super) fn advance(&mut self, now: u64, due: &mut impl Extend<u32>) {
        // After a long while all buckets are due, each once.
        let first = self.at.max(now.saturating_sub(self.buckets.len() as u64));
        for tick in first + 1..=now {
            // The memory is given back: thousands may have been due at once.
            let keys = std::mem::take(self.bucket(tick));
            self.len -= keys.len();
            due.extend(keys);
        }
        self.at = self.at.max(now);
    }

    /// The next tick at which a key is due, if there are keys.
    pub(super) fn next(&mut self) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        let mut ticks = self.at + 1..=self.at + self.buckets.len() as u64;
        ticks.find(|tick| !self.bucket(*tick).is_empty())
    }

    fn bucket(&mut self, tick: u64) -> &mut Vec<u32> {
        let index = tick % self.buckets.len() as u64;
        // The index is less than the length.
        &mut self.buckets[usize::try_from(index).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(wheel: &mut Wheel, now: u64) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.advance(now, &mut due);
        due
    }

    /// A key comes at its tick, once, and never before.
    #[test]
    fn wheel_gives_each_key_at_its_tick() {
        let mut wheel = Wheel::new(8);
        assert_eq!(wheel.next(), None);
        assert_eq!(wheel.put(1, 3), 3);
        assert_eq!(wheel.put(2, 5), 5);
        assert_eq!(wheel.put(3, 0), 1, "what is late comes with the next tick");
        assert_eq!(wheel.next(), Some(1));
        assert_eq!(due(&mut wheel, 2), [3]);
        assert_eq!(wheel.next(), Some(3));
        assert_eq!(due(&mut wheel, 4), [1]);
        assert!(due(&mut wheel, 4).is_empty());
        assert_eq!(due(&mut wheel, 9), [2]);
        assert_eq!(wheel.next(), None);
    }

    /// A key that is too far away comes earlier, and at no tick twice; also after a long while.
    #[test]
    fn wheel_turns_around() {
        let mut wheel = Wheel::new(8);
        assert_eq!(wheel.put(1, 100), 7);
        assert!(due(&mut wheel, 6).is_empty());
        assert_eq!(due(&mut wheel, 7), [1]);
        for tick in 8..=14 {
            assert_eq!(wheel.put(u32::try_from(tick).unwrap(), tick), tick);
        }
        let all = due(&mut wheel, 1 << 40);
        assert_eq!(all.len(), 7);
        assert_eq!(wheel.put(1, 0), (1 << 40) + 1);
        assert_eq!(wheel.next(), Some((1 << 40) + 1));
    }

    /// Whatever is put when, and however far the time goes at once: each key comes once, not before the
    /// tick that `put` has returned and with the first look after it, and `next` says that tick.
    #[test]
    fn wheel_keeps_its_word() {
        use rand::{RngExt, SeedableRng};
        let seed: u64 = rand::random();
        println!("seed {seed}");
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        let (mut wheel, mut now) = (Wheel::new(16), 0_u64);
        let mut expected = std::collections::BTreeMap::<u64, Vec<u32>>::new();
        for key in 0..20_000 {
            if random.random_ratio(2, 3) {
                let asked = (now + random.random_range(0..40)).saturating_sub(3);
                let tick = wheel.put(key, asked);
                assert!(tick > now && (tick <= asked || tick == now + 1), "{tick}");
                assert!(wheel.has(tick));
                expected.entry(tick).or_default().push(key);
            } else {
                let steps = [0, 1, 1, 2, 15, 16, 17, 100];
                now += steps[random.random_range(0..steps.len())];
                let later = expected.split_off(&(now + 1));
                let mut due = due(&mut wheel, now);
                let mut expected_now: Vec<u32> = expected.into_values().flatten().collect();
                due.sort_unstable();
                expected_now.sort_unstable();
                assert_eq!(due, expected_now);
                expected = later;
            }
            assert_eq!(wheel.next(), expected.keys().next().copied());
        }
    }

    /// Thousands in one bucket come together, and their memory is given back.
    #[test]
    fn wheel_gives_a_full_bucket_back() {
        let mut wheel = Wheel::new(8);
        (0..20_000).for_each(|key| assert_eq!(wheel.put(key, 2), 2));
        assert_eq!(due(&mut wheel, 2).len(), 20_000);
        assert!(wheel.buckets.iter().all(|bucket| bucket.capacity() == 0));
    }
}
