//! The idempotency keys of recent appends. Pure: the time is an argument.
//!
//! Each store has its keys here, in memory, so that a look for one costs no read of the disk; a store
//! in a file also keeps them there, for the time after a restart.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;

use hashbrown::HashTable;

use super::store::{DraftAnswer, DraftRefusal};
use super::{LogTime, Moment};
use crate::limits;
use crate::message::{AppendKey, Receipt, Seq, Timestamp};

/// A key that was used, and the receipt of its append.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyRecord {
    /// The hash of the key and its channel ([`AppendKey::id`]).
    pub(super) id: [u8; 16],
    /// The hash of the message ([`AppendKey::content`]); `None` if it is not known.
    pub(super) content: Option<NonZeroU64>,
    pub(super) seq: Seq,
    pub(super) time: Timestamp,
    pub(super) used: LogTime,
}

impl KeyRecord {
    /// Returns the record of an append that was committed at `used`.
    pub(super) fn new(key: &AppendKey, receipt: &Receipt, used: LogTime) -> KeyRecord {
        KeyRecord {
            id: key.id,
            content: Some(key.content),
            seq: receipt.seq,
            time: receipt.time,
            used,
        }
    }
}

/// The keys that are held. A key is forgotten by its age alone.
#[derive(Debug)]
pub(super) struct RecentKeys {
    /// How many keys may be held.
    max: usize,
    /// In the order in which the keys were used.
    records: VecDeque<KeyRecord>,
    /// How many records were removed at the front, modulo 2^32. A record's number is its index plus
    /// this, so it stays the same while the record is here.
    removed: u32,
    /// The numbers of the records, by their ids.
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl Default for RecentKeys {
    fn default() -> RecentKeys {
        RecentKeys {
            max: limits::IDEMPOTENCY_KEYS_MAX,
            records: VecDeque::new(),
            removed: 0,
            numbers: HashTable::new(),
            hasher: RandomState::new(),
        }
    }
}

impl RecentKeys {
    /// Sets how many keys may be held.
    pub(super) fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// Returns how many keys are held, with those that have left the window and are not forgotten
    /// yet.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns the answer to an append with this key if it is not to be appended: the receipt of the
    /// first append with the key, marked as that of a duplicate, or the reason of a refusal.
    pub(super) fn answer(&self, key: &AppendKey, now: &Moment) -> Option<DraftAnswer> {
        let forgotten = window_begin(now);
        let found = self.find(&key.id).map(|number| self.record(number));
        if let Some(record) = found.filter(|record| record.used > forgotten) {
            let is_same = record.content.is_none_or(|content| content == key.content);
            return Some(if is_same {
                Ok(Receipt {
                    seq: record.seq,
                    time: record.time,
                    duplicate: true,
                })
            } else {
                Err(DraftRefusal::OtherMessage(record.seq))
            });
        }
        let expired = self
            .records
            .partition_point(|record| record.used <= forgotten);
        if self.records.len() - expired < self.max {
            return None;
        }
        let oldest = self.records.get(expired);
        let wait = oldest.map(|oldest| oldest.used.since(forgotten));
        Some(Err(DraftRefusal::KeysFull(wait.unwrap_or_default())))
    }

    /// Holds a key to which [`RecentKeys::answer`] has no answer. It is the one used last.
    pub(super) fn remember(&mut self, record: KeyRecord) {
        // A key that has left the window may still be here under the same id.
        self.forget_id(&record.id);
        #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^32")]
        let number = self.removed.wrapping_add(self.records.len() as u32);
        self.records.push_back(record);
        let (records, removed, hasher) = (&self.records, self.removed, &self.hasher);
        let hash_of = |number: &u32| hasher.hash_one(records[index(*number, removed)].id);
        self.numbers
            .insert_unique(hasher.hash_one(record.id), number, hash_of);
    }

    /// Returns how many of the keys used first have left the window at `now`, at most `max`, and the
    /// position of the last of them.
    pub(super) fn expired(&self, now: &Moment, max: usize) -> Option<(usize, Seq)> {
        let forgotten = window_begin(now);
        let expired = self
            .records
            .partition_point(|record| record.used <= forgotten);
        let count = expired.min(max);
        let last = self.records.get(count.checked_sub(1)?)?;
        Some((count, last.seq))
    }

    /// Forgets the keys used first.
    pub(super) fn forget(&mut self, count: usize) {
        for _ in 0..count.min(self.records.len()) {
            let (number, id) = (self.removed, self.records[0].id);
            self.forget_number(number, &id);
            self.records.pop_front();
            self.removed = self.removed.wrapping_add(1);
        }
        // Memory is given back after many keys at once.
        if self.records.len() < self.records.capacity() / 4 {
            let room = self.records.len() * 2;
            self.records.shrink_to(room);
            let (records, removed, hasher) = (&self.records, self.removed, &self.hasher);
            let hash_of = |number: &u32| hasher.hash_one(records[index(*number, removed)].id);
            self.numbers.shrink_to(room, hash_of);
        }
    }

    /// Forgets the keys used last, but for the first `len` that are held: their commit failed.
    pub(super) fn roll_back(&mut self, len: usize) {
        while self.records.len() > len {
            #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 2^32")]
            let number = self.removed.wrapping_add(self.records.len() as u32 - 1);
            let id = self.record(number).id;
            self.forget_number(number, &id);
            self.records.pop_back();
        }
    }

    fn find(&self, id: &[u8; 16]) -> Option<u32> {
        let is_id = |number: &u32| self.record(*number).id == *id;
        self.numbers.find(self.hasher.hash_one(id), is_id).copied()
    }

    fn forget_id(&mut self, id: &[u8; 16]) {
        if let Some(number) = self.find(id) {
            self.forget_number(number, id);
        }
    }

    fn forget_number(&mut self, number: u32, id: &[u8; 16]) {
        let hash = self.hasher.hash_one(id);
        if let Ok(entry) = self.numbers.find_entry(hash, |other| *other == number) {
            entry.remove();
        }
    }

    fn record(&self, number: u32) -> &KeyRecord {
        &self.records[index(number, self.removed)]
    }
}

/// Returns the index of a record.
fn index(number: u32, removed: u32) -> usize {
    number.wrapping_sub(removed) as usize
}

/// Returns the time at or before which a key was used that has left the window at `now`.
fn window_begin(now: &Moment) -> LogTime {
    // Without the pauses: keys must not be forgotten too early, and may be held for longer.
    now.log_time.earlier(limits::IDEMPOTENCY_WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Channel, Draft, IdempotencyKey};

    const WINDOW: u64 = limits::IDEMPOTENCY_WINDOW.as_secs() * 1000;

    const START: u64 = 2 * WINDOW;

    fn key(n: usize, text: &str) -> AppendKey {
        let key = IdempotencyKey::new(&format!("key {n}")).unwrap();
        AppendKey::new(&key, &Draft::new(Channel::main(), text))
    }

    fn record(n: usize, used: u64) -> KeyRecord {
        let AppendKey { id, content } = key(n, "text");
        KeyRecord {
            id,
            content: Some(content),
            seq: Seq(n as u64),
            time: Timestamp(used),
            used: LogTime(used),
        }
    }

    fn seq(keys: &RecentKeys, n: usize, now: u64) -> Option<u64> {
        let answer = keys.answer(&key(n, "text"), &Moment::at(now))?;
        Some(answer.unwrap().seq.0)
    }

    /// A key is held for the window, and then forgotten; used again, it is held for the next one.
    #[test]
    fn keys_are_forgotten_by_age() {
        let mut keys = RecentKeys::default();
        keys.remember(record(7, 1000));
        assert_eq!(seq(&keys, 7, 999 + WINDOW), Some(7));
        assert_eq!(keys.expired(&Moment::at(999 + WINDOW), 9), None);
        assert_eq!(seq(&keys, 7, 1000 + WINDOW), None);
        let again = KeyRecord {
            seq: Seq(8),
            ..record(7, 1000 + WINDOW)
        };
        keys.remember(again);
        let now = Moment::at(1000 + WINDOW);
        assert_eq!(keys.expired(&now, 9), Some((1, Seq(7))));
        keys.forget(1);
        assert_eq!(seq(&keys, 7, 1000 + WINDOW), Some(8));
        keys.roll_back(0);
        assert_eq!(seq(&keys, 7, 1000 + WINDOW), None);
        assert_eq!((keys.len(), keys.numbers.len()), (0, 0));
    }

    /// A key that comes again with another text is refused.
    #[test]
    fn key_of_other_text_is_refused() {
        let mut keys = RecentKeys::default();
        keys.remember(record(7, 1000));
        let answer = |n, text| keys.answer(&key(n, text), &Moment::at(1000));
        assert_eq!(
            answer(7, "other"),
            Some(Err(DraftRefusal::OtherMessage(Seq(7))))
        );
        assert_eq!(answer(8, "other"), None);
    }

    /// When as many keys are held as may be, a new one is refused until the oldest has left the window,
    /// and all are held until then.
    #[test]
    fn full_refuses_new_keys_and_holds_old_ones() {
        let max = 5000;
        let mut keys = RecentKeys::default();
        keys.set_max(max);
        for n in 0..max {
            keys.remember(record(n, START + n as u64 / 1000));
        }
        assert_eq!(seq(&keys, 0, START + 1000), Some(0));
        assert_eq!(seq(&keys, max - 1, START + 1000), Some(max as u64 - 1));
        let refused = keys
            .answer(&key(max, "text"), &Moment::at(START + 1000))
            .unwrap();
        let Err(DraftRefusal::KeysFull(wait)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(wait, std::time::Duration::from_millis(WINDOW - 1000));
        assert_eq!(seq(&keys, max, START + WINDOW), None);
        let all = Moment::at(START + 2 * WINDOW);
        let (count, last) = keys.expired(&all, usize::MAX).unwrap();
        assert_eq!((count, last), (max, Seq(max as u64 - 1)));
        keys.forget(count);
        assert!(keys.records.capacity() < 8 && keys.numbers.is_empty());
    }
}
