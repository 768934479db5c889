//! Which accounts are online. This is pure logic: the time goes in, and what has changed comes out,
//! with the moment at which to ask again.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{Account, AccountId};

/// An account has come online, or has gone offline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PresenceChange {
    pub(super) account: Account,
    pub(super) online: bool,
}

/// Tracks which accounts are online: those with an open stream, and those whose last stream was
/// closed less than a grace period ago.
#[derive(Debug)]
pub(super) struct OnlineTracker {
    grace: Duration,
    online: HashMap<AccountId, OnlineAccount>,
    /// When accounts closed their last stream, the earliest first. An account that has come back
    /// since is still in it.
    leaving: VecDeque<(Instant, AccountId)>,
    changes: Vec<PresenceChange>,
}

#[derive(Debug)]
struct OnlineAccount {
    account: Account,
    /// How many streams are open.
    streams: usize,
    /// When the last stream was closed.
    left: Instant,
}

impl OnlineTracker {
    /// A tracker under which no account is online yet. An account that comes back within `grace` has
    /// been online all the time.
    pub(super) fn new(grace: Duration) -> OnlineTracker {
        OnlineTracker {
            grace,
            online: HashMap::new(),
            leaving: VecDeque::new(),
            changes: Vec::new(),
        }
    }

    /// Whether an account is online.
    pub(super) fn is_online(&self, id: AccountId) -> bool {
        self.online.contains_key(&id)
    }

    /// Notes that a stream of an account is opened.
    pub(super) fn arrive(&mut self, account: &Account, now: Instant) {
        let online = self.online.entry(account.id).or_insert_with(|| {
            self.changes.push(PresenceChange {
                account: account.clone(),
                online: true,
            });
            OnlineAccount {
                account: account.clone(),
                streams: 0,
                left: now,
            }
        });
        online.streams += 1;
    }

    /// Notes that a stream of an account is closed.
    pub(super) fn leave(&mut self, id: AccountId, now: Instant) {
        let Some(online) = self.online.get_mut(&id) else {
            return;
        };
        online.streams = online.streams.saturating_sub(1);
        if online.streams == 0 {
            online.left = now;
            self.leaving.push_back((now, id));
        }
    }

    /// Reports once more whether an account is online, for those that have become its friends since.
    pub(super) fn announce(&mut self, account: &Account) {
        self.changes.push(PresenceChange {
            account: account.clone(),
            online: self.is_online(account.id),
        });
    }

    /// Takes the changes up to now, and returns with them the moment at which an account may go
    /// offline next.
    pub(super) fn take_changes(&mut self, now: Instant) -> (Vec<PresenceChange>, Option<Instant>) {
        while let Some((left, id)) = self.leaving.front().copied() {
            if left + self.grace > now {
                break;
            }
            self.leaving.pop_front();
            let is_gone = |online: &OnlineAccount| online.streams == 0 && online.left == left;
            if self.online.get(&id).is_some_and(is_gone)
                && let Some(gone) = self.online.remove(&id)
            {
                self.changes.push(PresenceChange {
                    account: gone.account,
                    online: false,
                });
            }
        }
        let next = self.leaving.front().map(|(left, _)| *left + self.grace);
        (std::mem::take(&mut self.changes), next)
    }
}

#[cfg(test)]
mod tests {
    use super::super::AccountName;
    use super::*;

    const GRACE: Duration = Duration::from_secs(1);

    fn account(id: i64) -> Account {
        Account {
            id: AccountId(id),
            name: AccountName::new(&format!("name {id}")).unwrap(),
        }
    }

    /// Takes the changes: which accounts, and whether they are online.
    fn changes(tracker: &mut OnlineTracker, now: Instant) -> Vec<(i64, bool)> {
        let (changes, _) = tracker.take_changes(now);
        let change = |change: &PresenceChange| (change.account.id.0, change.online);
        changes.iter().map(change).collect()
    }

    #[test]
    fn return_within_grace_is_no_change() {
        let now = Instant::now();
        let mut tracker = OnlineTracker::new(GRACE);
        tracker.arrive(&account(1), now);
        assert_eq!(changes(&mut tracker, now), [(1, true)]);
        // A second tab, and a reload of both.
        tracker.arrive(&account(1), now);
        for _ in 0..2 {
            tracker.leave(AccountId(1), now);
        }
        assert_eq!(tracker.take_changes(now).1, Some(now + GRACE));
        tracker.arrive(&account(1), now + GRACE / 2);
        assert_eq!(changes(&mut tracker, now + GRACE), []);
        assert!(tracker.is_online(AccountId(1)));
    }

    /// The grace period begins when the last stream is closed.
    #[test]
    fn grace_begins_with_last_close() {
        let now = Instant::now();
        let mut tracker = OnlineTracker::new(GRACE);
        tracker.arrive(&account(1), now);
        tracker.leave(AccountId(1), now);
        tracker.arrive(&account(1), now + GRACE / 2);
        tracker.leave(AccountId(1), now + GRACE / 2);
        assert_eq!(changes(&mut tracker, now + GRACE), [(1, true)]);
        assert_eq!(changes(&mut tracker, now + 2 * GRACE), [(1, false)]);
        assert!(!tracker.is_online(AccountId(1)));
        assert_eq!(tracker.take_changes(now + 2 * GRACE).1, None);
        tracker.leave(AccountId(1), now);
    }
}
