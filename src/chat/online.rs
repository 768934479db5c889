//! Which accounts are online. This is pure logic: the time goes in, and what has changed comes out,
//! with the moment at which to ask again.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::{Account, AccountId};
use crate::limits;
use crate::rate_limiter::RateLimiter;

/// An account has come online, or has gone offline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PresenceChange {
    pub(super) account: Account,
    pub(super) online: bool,
    /// The one account that is to be told; `None` for all friends.
    pub(super) to: Option<AccountId>,
}

/// Tracks which accounts are online: those with an open stream, and those whose last stream was
/// closed less than a grace period ago. The grace is longer for an account that has gone offline often:
/// each change is told to all its friends.
#[derive(Debug)]
pub(super) struct OnlineTracker {
    grace: Duration,
    online: HashMap<AccountId, OnlineAccount>,
    /// When accounts that have closed their last stream go offline, the earliest first. An account that
    /// has come back since is still in it.
    leaving: BTreeSet<(Instant, AccountId)>,
    departures: RateLimiter<AccountId>,
    changes: Vec<PresenceChange>,
}

#[derive(Debug)]
struct OnlineAccount {
    account: Account,
    /// How many streams are open.
    streams: usize,
    /// When the account goes offline, if no stream is open then.
    leaves: Instant,
}

impl OnlineTracker {
    /// A tracker under which no account is online yet. An account that comes back within `grace` has
    /// been online all the time.
    pub(super) fn new(grace: Duration) -> OnlineTracker {
        OnlineTracker {
            grace,
            online: HashMap::new(),
            leaving: BTreeSet::new(),
            departures: RateLimiter::new(limits::DEPARTURES_OF_ACCOUNT),
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
                to: None,
            });
            OnlineAccount {
                account: account.clone(),
                streams: 0,
                leaves: now,
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
            online.leaves = now + self.grace;
            self.leaving.insert((online.leaves, id));
        }
    }

    /// Reports once more whether an account is online, to one that has become its friend since.
    pub(super) fn introduce(&mut self, account: &Account, to: AccountId) {
        self.changes.push(PresenceChange {
            account: account.clone(),
            online: self.is_online(account.id),
            to: Some(to),
        });
    }

    /// Takes the changes up to now, and returns with them the moment at which an account may go
    /// offline next.
    pub(super) fn take_changes(&mut self, now: Instant) -> (Vec<PresenceChange>, Option<Instant>) {
        while let Some((leaves, id)) = self.leaving.first().copied()
            && leaves <= now
        {
            self.leaving.pop_first();
            let is_gone =
                |online: &&mut OnlineAccount| online.streams == 0 && online.leaves == leaves;
            let Some(gone) = self.online.get_mut(&id).filter(is_gone) else {
                continue;
            };
            if let Err(wait) = self.departures.try_charge(id, now.into_std()) {
                gone.leaves = now + wait;
                self.leaving.insert((gone.leaves, id));
                continue;
            }
            self.changes.push(PresenceChange {
                account: gone.account.clone(),
                online: false,
                to: None,
            });
            self.online.remove(&id);
        }
        let next = self.leaving.first().map(|(leaves, _)| *leaves);
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

    /// An account that comes and goes without end is told as online for longer and longer.
    #[test]
    fn flapping_account_stays_online() {
        let mut now = Instant::now();
        let mut tracker = OnlineTracker::new(GRACE);
        let mut told = 0;
        for _ in 0..100 {
            tracker.arrive(&account(1), now);
            tracker.leave(AccountId(1), now);
            now += GRACE;
            told += changes(&mut tracker, now).len();
        }
        let every = limits::DEPARTURES_OF_ACCOUNT.every;
        let most =
            limits::DEPARTURES_OF_ACCOUNT.burst + 100 / u32::try_from(every.as_secs()).unwrap();
        assert!(told <= 2 * (most as usize + 1), "{told}");
        // When it has gone for good, that is told, at the moment that was foretold.
        let (_, next) = tracker.take_changes(now);
        if let Some(next) = next {
            assert!(next <= now + every);
            assert_eq!(changes(&mut tracker, next), [(1, false)]);
        }
        assert!(!tracker.is_online(AccountId(1)));
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
