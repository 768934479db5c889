//! Who is online. Pure: the time goes in, what has changed comes out with the moment to look again.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::{Account, AccountId};

/// Somebody has come, or has gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) account: Account,
    pub(super) online: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Tracker {
    grace: Duration,
    here: HashMap<AccountId, Here>,
    /// Who has no stream any more, in the order of the moments.
    leaving: VecDeque<(Instant, AccountId)>,
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Here {
    account: Account,
    streams: usize,
    /// When the last stream was closed.
    left: Instant,
}

impl Tracker {
    /// Nobody. Whoever comes back within `grace` has not been away.
    pub(super) fn new(grace: Duration) -> Tracker {
        Tracker {
            grace,
            here: HashMap::new(),
            leaving: VecDeque::new(),
            changes: Vec::new(),
        }
    }

    pub(super) fn is_online(&self, id: AccountId) -> bool {
        self.here.contains_key(&id)
    }

    /// A stream of theirs is open.
    pub(super) fn arrive(&mut self, account: &Account, now: Instant) {
        let here = self.here.entry(account.id).or_insert_with(|| {
            self.changes.push(Change {
                account: account.clone(),
                online: true,
            });
            Here {
                account: account.clone(),
                streams: 0,
                left: now,
            }
        });
        here.streams += 1;
    }

    /// One of them is closed.
    pub(super) fn leave(&mut self, id: AccountId, now: Instant) {
        let Some(here) = self.here.get_mut(&id) else {
            return;
        };
        here.streams = here.streams.saturating_sub(1);
        if here.streams == 0 {
            here.left = now;
            self.leaving.push_back((now, id));
        }
    }

    /// Says once more whether somebody is online, to those who have become friends since.
    pub(super) fn say_again(&mut self, account: &Account) {
        self.changes.push(Change {
            account: account.clone(),
            online: self.is_online(account.id),
        });
    }

    /// What has changed up to now, and when something may change again.
    pub(super) fn changes(&mut self, now: Instant) -> (Vec<Change>, Option<Instant>) {
        while let Some((left, id)) = self.leaving.front().copied() {
            if left + self.grace > now {
                break;
            }
            self.leaving.pop_front();
            let gone = |here: &Here| here.streams == 0 && here.left == left;
            if self.here.get(&id).is_some_and(gone)
                && let Some(here) = self.here.remove(&id)
            {
                self.changes.push(Change {
                    account: here.account,
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

    /// Who has changed, and how.
    fn changes(roster: &mut Tracker, now: Instant) -> Vec<(i64, bool)> {
        let (changes, _) = roster.changes(now);
        let change = |change: &Change| (change.account.id.0, change.online);
        changes.iter().map(change).collect()
    }

    #[test]
    fn to_come_back_soon_is_not_to_have_left() {
        let now = Instant::now();
        let mut roster = Tracker::new(GRACE);
        roster.arrive(&account(1), now);
        assert_eq!(changes(&mut roster, now), [(1, true)]);
        // A second tab, and a reload of both.
        roster.arrive(&account(1), now);
        for _ in 0..2 {
            roster.leave(AccountId(1), now);
        }
        assert_eq!(roster.changes(now).1, Some(now + GRACE));
        roster.arrive(&account(1), now + GRACE / 2);
        assert_eq!(changes(&mut roster, now + GRACE), []);
        assert!(roster.is_online(AccountId(1)));
    }

    #[test]
    fn the_last_leaving_counts() {
        let now = Instant::now();
        let mut roster = Tracker::new(GRACE);
        roster.arrive(&account(1), now);
        roster.leave(AccountId(1), now);
        roster.arrive(&account(1), now + GRACE / 2);
        roster.leave(AccountId(1), now + GRACE / 2);
        assert_eq!(changes(&mut roster, now + GRACE), [(1, true)]);
        assert_eq!(changes(&mut roster, now + 2 * GRACE), [(1, false)]);
        assert!(!roster.is_online(AccountId(1)));
        assert_eq!(roster.changes(now + 2 * GRACE).1, None);
        roster.leave(AccountId(1), now);
    }
}
