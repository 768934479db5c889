//! The keys of appends, remembered for a while.

use std::collections::{HashMap, VecDeque};

use crate::limits;
use crate::message::{Channel, IdempotencyKey, Receipt, Timestamp};

type Name = (Channel, IdempotencyKey);

/// Which key got which receipt: those of the last [`limits::IDEMPOTENCY_WINDOW`], and at most
/// [`limits::IDEMPOTENCY_KEYS_MAX`].
#[derive(Debug, Default)]
pub(super) struct RecentKeys {
    known: HashMap<Name, Receipt>,
    /// In the order in which they came, which is that of their times.
    order: VecDeque<Name>,
}

impl RecentKeys {
    /// The first receipt under a key, as a later one gets it.
    pub(super) fn find(&self, name: &Name, now: Timestamp) -> Option<Receipt> {
        let receipt = self
            .known
            .get(name)
            .filter(|receipt| !is_over(receipt.time, now))?;
        Some(Receipt {
            duplicate: true,
            ..*receipt
        })
    }

    /// Remembers a key that [`RecentKeys::find`] does not know.
    pub(super) fn remember(&mut self, name: Name, receipt: Receipt) {
        self.forget(receipt.time);
        while self.known.len() >= limits::IDEMPOTENCY_KEYS_MAX {
            self.forget_oldest();
        }
        self.known.insert(name.clone(), receipt);
        self.order.push_back(name);
    }

    /// Forgets those whose time is over.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let over =
            |keys: &RecentKeys| Some(is_over(keys.known.get(keys.order.front()?)?.time, now));
        while over(self) == Some(true) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(name) = self.order.pop_front() {
            self.known.remove(&name);
        }
    }
}

/// Is a key that was used then forgotten?
pub(super) fn is_over(used: Timestamp, now: Timestamp) -> bool {
    used <= now.earlier(limits::IDEMPOTENCY_WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Seq;

    fn name(n: usize) -> Name {
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

    #[test]
    fn keys_are_forgotten_when_their_time_is_over_or_there_are_too_many() {
        let window = u64::try_from(limits::IDEMPOTENCY_WINDOW.as_millis()).unwrap();
        let mut keys = RecentKeys::default();
        keys.remember(name(0), receipt(7, 1000));
        let again = keys.find(&name(0), Timestamp(999 + window)).unwrap();
        assert_eq!((again.seq, again.duplicate), (Seq(7), true));
        assert_eq!(keys.find(&name(0), Timestamp(1000 + window)), None);
        keys.forget(Timestamp(1000 + window));
        assert!(keys.known.is_empty() && keys.order.is_empty());
        for n in 0..=limits::IDEMPOTENCY_KEYS_MAX {
            keys.remember(name(n), receipt(n, 1000));
        }
        assert_eq!(keys.known.len(), limits::IDEMPOTENCY_KEYS_MAX);
        assert_eq!(keys.find(&name(0), Timestamp(1000)), None);
        assert!(keys.find(&name(1), Timestamp(1000)).is_some());
    }
}
