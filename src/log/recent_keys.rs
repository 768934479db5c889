//! The idempotency keys of recent appends, kept in memory.

use std::collections::{HashMap, VecDeque};

use crate::limits;
use crate::message::{Channel, IdempotencyKey, Receipt, Timestamp};

/// An idempotency key together with its channel: in another channel it is another key.
type ChannelKey = (Channel, IdempotencyKey);

/// The receipts of appends with a key: those of the last [`limits::IDEMPOTENCY_WINDOW`], and at
/// most [`limits::IDEMPOTENCY_KEYS_MAX`].
#[derive(Debug, Default)]
pub(super) struct RecentKeys {
    receipts: HashMap<ChannelKey, Receipt>,
    /// The keys in the order in which they came, which is that of their receipts' times.
    order: VecDeque<ChannelKey>,
}

impl RecentKeys {
    /// Returns the receipt of the first append with this key, marked as that of a duplicate.
    pub(super) fn find(&self, key: &ChannelKey, now: Timestamp) -> Option<Receipt> {
        let receipt = self
            .receipts
            .get(key)
            .filter(|receipt| !is_expired(receipt.time, now))?;
        Some(Receipt {
            duplicate: true,
            ..*receipt
        })
    }

    /// Remembers a key that [`RecentKeys::find`] does not find.
    pub(super) fn remember(&mut self, key: ChannelKey, receipt: Receipt) {
        self.forget_expired(receipt.time);
        while self.receipts.len() >= limits::IDEMPOTENCY_KEYS_MAX {
            self.forget_oldest();
        }
        self.receipts.insert(key.clone(), receipt);
        self.order.push_back(key);
    }

    /// Forgets the keys that have left the window at `now`.
    pub(super) fn forget_expired(&mut self, now: Timestamp) {
        while self
            .order
            .front()
            .and_then(|oldest| self.receipts.get(oldest))
            .is_some_and(|receipt| is_expired(receipt.time, now))
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(key) = self.order.pop_front() {
            self.receipts.remove(&key);
        }
    }
}

/// Whether a key that was used at `used` has left the window at `now`.
pub(super) fn is_expired(used: Timestamp, now: Timestamp) -> bool {
    used <= now.earlier(limits::IDEMPOTENCY_WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Seq;

    fn key(n: usize) -> ChannelKey {
        (
            Channel::main(),
            IdempotencyKey::new(&format!("key {n}")).unwrap(),
        )
    }

    fn receipt(n: usize, time: u64) -> Receipt {
        Receipt {
            seq: Seq(n as u64),
            time: Timestamp(time),
            duplicate: false,
        }
    }

    /// Keys are forgotten when they have left the window, or when there are too many.
    #[test]
    fn keys_are_forgotten() {
        let window = u64::try_from(limits::IDEMPOTENCY_WINDOW.as_millis()).unwrap();
        let mut keys = RecentKeys::default();
        keys.remember(key(0), receipt(7, 1000));
        let again = keys.find(&key(0), Timestamp(999 + window)).unwrap();
        assert_eq!((again.seq, again.duplicate), (Seq(7), true));
        assert_eq!(keys.find(&key(0), Timestamp(1000 + window)), None);
        keys.forget_expired(Timestamp(1000 + window));
        assert!(keys.receipts.is_empty() && keys.order.is_empty());
        for n in 0..=limits::IDEMPOTENCY_KEYS_MAX {
            keys.remember(key(n), receipt(n, 1000));
        }
        assert_eq!(keys.receipts.len(), limits::IDEMPOTENCY_KEYS_MAX);
        assert_eq!(keys.find(&key(0), Timestamp(1000)), None);
        assert!(keys.find(&key(1), Timestamp(1000)).is_some());
    }
}
