//! The idempotency keys that are held: those of single messages and those of uploads. Pure: the time is
//! an argument.
//!
//! Each store has its keys here, in memory, so that a look for one costs no read of the disk; a store
//! in a file also keeps them there, for the time after a restart.

use super::recent_keys::{KeyRecord, RecentKeys};
use super::store::{DraftAnswer, DraftRefusal};
use super::upload_keys::UploadKeys;
use super::{LogTime, Moment};
use crate::limits;
use crate::message::{Draft, DraftKey, Receipt, Seq};

/// The keys that are held. A key is forgotten by its age alone.
#[derive(Debug)]
pub(super) struct UsedKeys {
    /// How many keys may be held.
    max: usize,
    pub(super) messages: RecentKeys,
    pub(super) uploads: UploadKeys,
    /// How many keys of messages there were when the current commit began.
    messages_before: usize,
}

impl Default for UsedKeys {
    fn default() -> UsedKeys {
        UsedKeys {
            max: limits::IDEMPOTENCY_KEYS_MAX,
            messages: RecentKeys::default(),
            uploads: UploadKeys::default(),
            messages_before: 0,
        }
    }
}

impl UsedKeys {
    /// Sets how many keys may be held.
    pub(super) fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// Returns how many keys may be held.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Returns how many keys are held, with those that have left the window and are not forgotten
    /// yet.
    pub(super) fn len(&self) -> usize {
        self.messages.len() + self.uploads.len()
    }

    /// A commit begins: what is remembered from here on may be rolled back.
    pub(super) fn begin_commit(&mut self) {
        self.messages_before = self.messages.len();
        self.uploads.begin_commit();
    }

    /// Returns the answer to an append with this key if it is not to be appended: the receipt of the
    /// first append with the key, marked as that of a duplicate, or the reason of a refusal.
    pub(super) fn answer(&self, key: &DraftKey, now: &Moment) -> Option<DraftAnswer> {
        let forgotten = window_begin(now);
        let id = key.id();
        let (message, upload) = (
            self.messages.find(&id, forgotten),
            self.uploads.find(&id, forgotten),
        );
        match (key, message, upload) {
            (DraftKey::Message(key), Some(record), _) => Some(record.answer(key)),
            (DraftKey::Line(key), _, Some(record)) => record.answer(key),
            (DraftKey::Message(_), None, Some(record)) => {
                Some(Err(DraftRefusal::OtherMessage(record.last)))
            }
            (DraftKey::Line(_), Some(record), None) => {
                Some(Err(DraftRefusal::OtherMessage(record.seq)))
            }
            (_, None, None) => self.refuse_if_full(forgotten),
        }
    }

    /// Returns what [`UsedKeys::answer`] says of each of these drafts before any of them is appended. The
    /// lines of an upload after one without an answer have none.
    pub(super) fn answers(&self, drafts: &[Draft], now: &Moment) -> Vec<Option<DraftAnswer>> {
        let mut goes_on = None;
        let answer = |draft: &Draft| {
            let key = draft.key.as_ref()?;
            if matches!(key, DraftKey::Line(_)) && goes_on == Some(key.id()) {
                return None;
            }
            let answer = self.answer(key, now);
            if answer.is_none() {
                goes_on = Some(key.id());
            }
            answer
        };
        drafts.iter().map(answer).collect()
    }

    /// Returns the refusal of a new key if as many are held as may be.
    fn refuse_if_full(&self, forgotten: LogTime) -> Option<DraftAnswer> {
        let held = self.len() - self.messages.count_expired(forgotten);
        // Those of uploads are counted only when it matters.
        if held < self.max || held - self.uploads.count_expired(forgotten) < self.max {
            return None;
        }
        let oldest = [
            self.messages.oldest(forgotten),
            self.uploads.oldest(forgotten),
        ];
        let wait = oldest.into_iter().flatten().min();
        let wait = wait.map(|used| used.since(forgotten)).unwrap_or_default();
        Some(Err(DraftRefusal::KeysFull(wait)))
    }

    /// Notes that a draft has been appended at `used`, to whose key [`UsedKeys::answer`] has no answer.
    /// Returns the record of a single message.
    pub(super) fn remember(
        &mut self,
        key: &DraftKey,
        receipt: &Receipt,
        used: LogTime,
        now: &Moment,
    ) -> Option<KeyRecord> {
        match key {
            DraftKey::Message(key) => {
                let record = KeyRecord::new(key, receipt, used);
                self.messages.remember(record);
                Some(record)
            }
            DraftKey::Line(key) => {
                let forgotten = window_begin(now);
                self.uploads.remember(key, receipt, used, forgotten);
                None
            }
        }
    }

    /// Takes back what the current commit has remembered.
    pub(super) fn roll_back(&mut self) {
        self.messages.roll_back(self.messages_before);
        self.uploads.roll_back();
    }

    /// Returns a position such that the keys of all messages up to there have left the window at `now`,
    /// and are not many more than `max`; `None` if no key has.
    pub(super) fn expired(&self, now: &Moment, max: usize) -> Option<Seq> {
        let forgotten = window_begin(now);
        let messages = self.messages.expired(forgotten, max);
        let uploads = self.uploads.expired(forgotten, max);
        // Of the two the earlier, so that no more than `max` of either are in front of it.
        [messages, uploads].into_iter().flatten().min()
    }

    /// Forgets the keys of the messages up to `through`.
    pub(super) fn forget(&mut self, through: Seq) {
        self.messages.forget(through);
        self.uploads.forget(through);
    }
}

/// Returns the time at or before which a key was used that has left the window at `now`.
fn window_begin(now: &Moment) -> LogTime {
    // Without the pauses: keys must not be forgotten too early, and may be held for longer.
    now.log_time.earlier(limits::IDEMPOTENCY_WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{
        AppendKey, Channel, Closing, Draft, EventName, IdempotencyKey, Timestamp, UploadKey,
    };

    const WINDOW: u64 = limits::IDEMPOTENCY_WINDOW.as_secs() * 1000;

    fn message(key: &str, text: &str) -> DraftKey {
        let key = IdempotencyKey::new(key).unwrap();
        DraftKey::Message(AppendKey::new(&key, &Draft::new(Channel::main(), text)))
    }

    fn line(key: &str, text: &str) -> DraftKey {
        let key = IdempotencyKey::new(key).unwrap();
        let mut upload = UploadKey::new(&key, &Channel::main(), &EventName::DEFAULT);
        DraftKey::Line(upload.next(text, Closing::No))
    }

    fn remember(keys: &mut UsedKeys, key: &DraftKey, seq: u64, now: u64) {
        let receipt = Receipt {
            seq: Seq(seq),
            time: Timestamp(now),
            duplicate: false,
            later: 0,
        };
        keys.remember(key, &receipt, LogTime(now), &Moment::at(now));
    }

    /// When as many keys are held as may be, a new one is refused until the oldest has left the window,
    /// and all are held until then.
    #[test]
    fn full_refuses_new_keys_and_holds_old_ones() {
        let mut keys = UsedKeys::default();
        keys.set_max(3);
        let start = 2 * WINDOW;
        remember(&mut keys, &message("a", "x"), 1, start);
        remember(&mut keys, &line("b", "x"), 2, start + 1);
        remember(&mut keys, &message("c", "x"), 3, start + 2);
        let answer = |key, now| keys.answer(&key, &Moment::at(now));
        for key in [message("a", "x"), line("b", "x")] {
            assert!(matches!(answer(key, start + 1000), Some(Ok(_))), "{key:?}");
        }
        for key in [message("d", "x"), line("d", "x")] {
            let wait = std::time::Duration::from_millis(WINDOW - 1000);
            let full = Some(Err(DraftRefusal::KeysFull(wait)));
            assert_eq!(answer(key, start + 1000), full, "{key:?}");
            assert_eq!(answer(key, start + WINDOW), None, "{key:?}");
        }
        assert_eq!(
            keys.expired(&Moment::at(start + WINDOW + 1), 9),
            Some(Seq(1))
        );
        assert_eq!(
            keys.expired(&Moment::at(start + 2 * WINDOW), 9),
            Some(Seq(2))
        );
        keys.forget(Seq(2));
        assert_eq!(keys.len(), 1);
    }

    /// A key of a message is none of an upload, and the other way round, even with the same text.
    #[test]
    fn key_is_of_one_kind() {
        let mut keys = UsedKeys::default();
        remember(&mut keys, &message("a", "x"), 1, WINDOW);
        remember(&mut keys, &line("b", "x"), 2, WINDOW);
        let answer = |key| keys.answer(&key, &Moment::at(WINDOW));
        let other = |seq| Some(Err(DraftRefusal::OtherMessage(Seq(seq))));
        assert_eq!(answer(line("a", "x")), other(1));
        assert_eq!(answer(message("b", "x")), other(2));
    }
}
