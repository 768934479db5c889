//! The idempotency keys of recent uploads. Pure: the time is an argument.
//!
//! An upload has one record, which goes on with each of its lines: how many lines are in the log, and a
//! hash of them. So a second try of the whole upload is recognized up to there, and a file of a million
//! lines uses up one key.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU64;

use super::LogTime;
use super::store::{DraftAnswer, DraftRefusal};
use crate::message::{LineKey, Receipt, Seq, Timestamp};

/// How far an upload has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UploadRecord {
    /// How many of its lines are in the log.
    pub(super) lines: u64,
    /// The hash of those lines ([`LineKey::content`]).
    pub(super) content: NonZeroU64,
    /// The position of the first line; 0 if it is not known.
    pub(super) first: Seq,
    /// The position of the last of those lines.
    pub(super) last: Seq,
    /// The time of that line.
    pub(super) time: Timestamp,
    /// What the log's clock said when that line was committed.
    pub(super) used: LogTime,
}

/// The uploads that are remembered, each until its window after its last line is over.
#[derive(Debug, Default)]
pub(super) struct UploadKeys {
    records: HashMap<[u8; 16], UploadRecord>,
    /// The ids of the records by their last lines, which is the order in which they were used.
    by_last: BTreeMap<Seq, [u8; 16]>,
    /// What the records that the current commit has changed were before.
    before: HashMap<[u8; 16], Option<UploadRecord>>,
}

/// A record that a commit has changed.
#[derive(Debug)]
pub(super) struct UploadChange {
    pub(super) id: [u8; 16],
    /// The position of the last line before the commit, if there was a record.
    pub(super) last_before: Option<Seq>,
    pub(super) record: UploadRecord,
}

impl UploadRecord {
    /// Returns the answer to a line if it is not to be appended.
    pub(super) fn answer(&self, key: &LineKey) -> Option<DraftAnswer> {
        let other = DraftRefusal::OtherUpload {
            first: self.first,
            last: self.last,
            lines: self.lines,
        };
        let is_this = match key.line.checked_sub(self.lines) {
            // It is compared when the last of the lines comes.
            None => true,
            Some(0) => key.content == self.content,
            Some(1) if key.before == self.content => return None,
            Some(_) => false,
        };
        if !is_this {
            return Some(Err(other));
        }
        let is_first = key.line == 1;
        Some(Ok(Receipt {
            seq: if is_first { self.first } else { self.last },
            time: self.time,
            duplicate: true,
            later: self.lines - key.line,
        }))
    }
}

impl UploadKeys {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns the record of an upload that was used after `forgotten`.
    pub(super) fn find(&self, id: &[u8; 16], forgotten: LogTime) -> Option<&UploadRecord> {
        let record = self.records.get(id);
        record.filter(|record| record.used > forgotten)
    }

    /// Returns when the record was used that is the oldest after `forgotten`.
    pub(super) fn oldest(&self, forgotten: LogTime) -> Option<LogTime> {
        self.used().find(|used| *used > forgotten)
    }

    /// Returns how many records were not used after `forgotten`.
    pub(super) fn count_expired(&self, forgotten: LogTime) -> usize {
        self.used().take_while(|used| *used <= forgotten).count()
    }

    /// Returns when the records were used, in order.
    fn used(&self) -> impl Iterator<Item = LogTime> {
        self.by_last.values().map(|id| self.records[id].used)
    }

    /// A commit begins: what is noted from here on may be rolled back.
    pub(super) fn begin_commit(&mut self) {
        self.before.clear();
    }

    /// Notes that a line has been appended, to which there was no answer.
    pub(super) fn remember(
        &mut self,
        key: &LineKey,
        receipt: &Receipt,
        used: LogTime,
        forgotten: LogTime,
    ) {
        let found = self.find(&key.id, forgotten);
        let first = match found {
            Some(record) => record.first,
            None if key.line == 1 => receipt.seq,
            // The upload paused until it was forgotten.
            None => Seq::START,
        };
        let record = UploadRecord {
            lines: key.line,
            content: key.content,
            first,
            last: receipt.seq,
            time: receipt.time,
            used,
        };
        let before = self.records.get(&key.id).copied();
        self.before.entry(key.id).or_insert(before);
        self.put(key.id, record);
    }

    /// Holds a record, in the place of the one before.
    pub(super) fn put(&mut self, id: [u8; 16], record: UploadRecord) {
        if let Some(before) = self.records.insert(id, record) {
            self.by_last.remove(&before.last);
        }
        self.by_last.insert(record.last, id);
    }

    /// Returns the records that the current commit has changed.
    pub(super) fn changes(&self) -> impl Iterator<Item = UploadChange> {
        self.before.iter().map(|(id, before)| UploadChange {
            id: *id,
            last_before: before.map(|before| before.last),
            record: self.records[id],
        })
    }

    /// Takes back what the current commit has noted.
    pub(super) fn roll_back(&mut self) {
        for (id, before) in std::mem::take(&mut self.before) {
            self.remove(&id);
            if let Some(before) = before {
                self.put(id, before);
            }
        }
    }

    /// Returns the last line of the `max`-th record that was not used after `forgotten`, or of the last of
    /// fewer.
    pub(super) fn expired(&self, forgotten: LogTime, max: usize) -> Option<Seq> {
        let expired = self.by_last.iter().take(max);
        let expired = expired.take_while(|(_, id)| self.records[*id].used <= forgotten);
        expired.last().map(|(last, _)| *last)
    }

    /// Forgets the records whose last lines are not after `through`.
    pub(super) fn forget(&mut self, through: Seq) {
        while let Some(first) = self.by_last.first_entry()
            && *first.key() <= through
        {
            let id = first.remove();
            self.records.remove(&id);
        }
    }

    fn remove(&mut self, id: &[u8; 16]) {
        if let Some(record) = self.records.remove(id) {
            self.by_last.remove(&record.last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Channel, Closing, EventName, IdempotencyKey, UploadKey};

    fn lines(key: &str, texts: &[&str]) -> Vec<LineKey> {
        let key = IdempotencyKey::new(key).unwrap();
        let mut upload = UploadKey::new(&key, &Channel::main(), &EventName::DEFAULT);
        let next = |text: &&str| upload.next(text, Closing::No);
        texts.iter().map(next).collect()
    }

    fn receipt(seq: u64) -> Receipt {
        Receipt {
            seq: Seq(seq),
            time: Timestamp(seq),
            duplicate: false,
            later: 0,
        }
    }

    /// Keys of which these lines have been appended, at the positions from `seq` on.
    fn appended(keys: &mut UploadKeys, lines: &[LineKey], seq: u64) {
        keys.begin_commit();
        for (line, seq) in lines.iter().zip(seq..) {
            keys.remember(line, &receipt(seq), LogTime(seq * 10), LogTime(0));
        }
    }

    /// A second try is recognized up to where the first came, and goes on there; any other text is
    /// refused.
    #[test]
    fn upload_key_goes_on_where_it_broke_off() {
        let (mut keys, all) = (UploadKeys::default(), lines("k", &["a", "b", "c", "d"]));
        appended(&mut keys, &all[..3], 5);
        let record = *keys.find(&all[0].id, LogTime(0)).unwrap();
        let answer = |line: &LineKey| {
            let answer = record.answer(line)?;
            Some(
                answer
                    .map(|receipt| (receipt.seq.0, receipt.later))
                    .map_err(drop),
            )
        };
        let found: Vec<_> = all.iter().map(answer).collect();
        assert_eq!(
            found,
            [Some(Ok((5, 2))), Some(Ok((7, 1))), Some(Ok((7, 0))), None]
        );
        let other = lines("k", &["a", "x", "c", "d", "e"]);
        let found: Vec<_> = other.iter().map(answer).collect();
        // What is not compared yet is taken for the same; the end tells.
        let same = [Some(Ok((5, 2))), Some(Ok((7, 1)))];
        assert_eq!(found[..2], same);
        assert_eq!(found[2..], [Some(Err(())); 3]);
        assert_eq!(
            answer(&lines("k", &["a", "b", "c", "d", "e"])[4]),
            Some(Err(()))
        );
    }

    /// What a commit that failed has noted is taken back, and each record has one change a commit.
    #[test]
    fn upload_keys_roll_back() {
        let mut keys = UploadKeys::default();
        let (first, other) = (lines("k", &["a", "b", "c"]), lines("l", &["a"]));
        appended(&mut keys, &first[..1], 1);
        let before = *keys.find(&first[0].id, LogTime(0)).unwrap();
        appended(&mut keys, &first[1..], 2);
        keys.remember(&other[0], &receipt(4), LogTime(40), LogTime(0));
        let mut changes: Vec<_> = keys.changes().collect();
        changes.sort_by_key(|change| change.record.last);
        let lasts = changes
            .iter()
            .map(|change| (change.last_before, change.record.last));
        assert!(lasts.eq([(Some(Seq(1)), Seq(3)), (None, Seq(4))]));
        keys.roll_back();
        assert_eq!(keys.find(&first[0].id, LogTime(0)), Some(&before));
        assert_eq!((keys.len(), keys.by_last.len()), (1, 1));
        assert_eq!(keys.find(&other[0].id, LogTime(0)), None);
    }

    /// A record is forgotten by the age of its last line, and an upload that goes on after that has a
    /// record again.
    #[test]
    fn upload_keys_are_forgotten_by_age() {
        let mut keys = UploadKeys::default();
        let (first, other) = (lines("k", &["a", "b", "c"]), lines("l", &["a"]));
        appended(&mut keys, &first[..1], 1);
        appended(&mut keys, &other, 2);
        appended(&mut keys, &first[1..2], 3);
        assert_eq!(keys.oldest(LogTime(10)), Some(LogTime(20)));
        assert_eq!(keys.expired(LogTime(10), 9), None);
        assert_eq!(keys.expired(LogTime(20), 9), Some(Seq(2)));
        assert_eq!(keys.expired(LogTime(30), 1), Some(Seq(2)));
        assert_eq!(keys.expired(LogTime(30), 9), Some(Seq(3)));
        keys.forget(Seq(2));
        assert_eq!(keys.find(&other[0].id, LogTime(0)), None);
        assert_eq!(keys.find(&first[0].id, LogTime(30)), None);
        keys.remember(&first[2], &receipt(9), LogTime(90), LogTime(30));
        let record = keys.find(&first[0].id, LogTime(30)).unwrap();
        assert_eq!(
            (record.lines, record.first, record.last),
            (3, Seq(0), Seq(9))
        );
        assert_eq!((keys.len(), keys.by_last.len()), (1, 1));
    }
}
