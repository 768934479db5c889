//! The idempotency keys of recent messages, each appended alone. Pure: the time is an argument.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;

use hashbrown::HashTable;

use super::LogTime;
use super::store::{DraftAnswer, DraftRefusal};
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

    /// Returns the answer to another append with the key: the receipt of the first, marked as that of a
    /// duplicate, or the refusal of another message.
    pub(super) fn answer(&self, key: &AppendKey) -> DraftAnswer {
        if self.content.is_some_and(|content| content != key.content) {
            return Err(DraftRefusal::OtherMessage(self.seq));
        }
        Ok(Receipt {
            seq: self.seq,
            time: self.time,
            duplicate: true,
            later: 0,
        })
    }
}

/// The keys of messages that are held.
#[derive(Debug, Default)]
pub(super) struct RecentKeys {
    /// In the order in which the keys were used.
    records: VecDeque<KeyRecord>,
    /// How many records were removed at the front, modulo 2^32. A record's number is its index plus
    /// this, so it stays the same while the record is here.
    removed: u32,
    /// The numbers of the records, by their ids.
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl RecentKeys {
    /// Returns how many keys are held, with those that have left the window and are not forgotten
    /// yet.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns the record of a key that was used after `forgotten`.
    pub(super) fn find(&self, id: &[u8; 16], forgotten: LogTime) -> Option<&KeyRecord> {
        let found = self.number(id).map(|number| self.record(number));
        found.filter(|record| record.used > forgotten)
    }

    /// Returns when the key was used that is the oldest after `forgotten`.
    pub(super) fn oldest(&self, forgotten: LogTime) -> Option<LogTime> {
        let oldest = self.records.get(self.count_expired(forgotten))?;
        Some(oldest.used)
    }

    /// Returns how many keys were not used after `forgotten`.
    pub(super) fn count_expired(&self, forgotten: LogTime) -> usize {
        self.records
            .partition_point(|record| record.used <= forgotten)
    }

    /// Holds a key that is not held. It is the one used last.
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

    /// Returns the message of the `max`-th key that was not used after `forgotten`, or of the last of
    /// fewer.
    pub(super) fn expired(&self, forgotten: LogTime, max: usize) -> Option<Seq> {
        let count = self.count_expired(forgotten).min(max);
        let last = self.records.get(count.checked_sub(1)?)?;
        Some(last.seq)
    }

    /// Forgets the keys of the messages up to `through`.
    pub(super) fn forget(&mut self, through: Seq) {
        let is_first = |record: &KeyRecord| record.seq <= through;
        while self.records.front().is_some_and(is_first) {
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

    fn number(&self, id: &[u8; 16]) -> Option<u32> {
        let is_id = |number: &u32| self.record(*number).id == *id;
        self.numbers.find(self.hasher.hash_one(id), is_id).copied()
    }

    fn forget_id(&mut self, id: &[u8; 16]) {
        if let Some(number) = self.number(id) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Channel, Draft, IdempotencyKey};

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

    fn seq(keys: &RecentKeys, n: usize, forgotten: u64) -> Option<u64> {
        let record = keys.find(&key(n, "text").id, LogTime(forgotten))?;
        Some(record.seq.0)
    }

    /// A key is found until it is too old, and then forgotten; used again, it is found again.
    #[test]
    fn keys_are_forgotten_by_age() {
        let mut keys = RecentKeys::default();
        keys.remember(record(7, 1000));
        assert_eq!(seq(&keys, 7, 999), Some(7));
        assert_eq!(keys.expired(LogTime(999), 9), None);
        assert_eq!(seq(&keys, 7, 1000), None);
        let again = KeyRecord {
            seq: Seq(8),
            ..record(7, 1500)
        };
        keys.remember(again);
        assert_eq!(keys.expired(LogTime(1000), 9), Some(Seq(7)));
        keys.forget(Seq(7));
        assert_eq!(seq(&keys, 7, 1000), Some(8));
        keys.roll_back(0);
        assert_eq!(seq(&keys, 7, 1000), None);
        assert_eq!((keys.len(), keys.numbers.len()), (0, 0));
    }

    /// Many keys are found, and their memory is given back when they are forgotten.
    #[test]
    fn keys_many_are_found_and_forgotten() {
        let max = 5000;
        let mut keys = RecentKeys::default();
        for n in 0..max {
            keys.remember(record(n, 1000 + n as u64 / 1000));
        }
        assert_eq!(seq(&keys, 0, 999), Some(0));
        assert_eq!(seq(&keys, max - 1, 999), Some(max as u64 - 1));
        assert_eq!(keys.count_expired(LogTime(1000)), 1000);
        assert_eq!(keys.oldest(LogTime(1000)), Some(LogTime(1001)));
        assert_eq!(keys.expired(LogTime(2000), 10), Some(Seq(9)));
        let last = keys.expired(LogTime(2000), usize::MAX).unwrap();
        assert_eq!(last, Seq(max as u64 - 1));
        keys.forget(last);
        assert!(keys.records.capacity() < 8 && keys.numbers.is_empty());
    }
}
