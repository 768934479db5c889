//! The rates of what accounts do to each other: friend actions, and messages.

use std::time::Instant;

use parking_lot::Mutex;

use super::{AccountId, FriendAction};
use crate::limits;
use crate::rate_limiter::{RateLimited, RateLimiter};

/// Counts what accounts do to each other, and refuses it when there is too much.
#[derive(Debug)]
pub(super) struct SocialLimiter(Mutex<SocialRates>);

#[derive(Debug)]
struct SocialRates {
    requests: RateLimiter<AccountId>,
    requests_of_pair: RateLimiter<(AccountId, AccountId)>,
    actions: RateLimiter<AccountId>,
    says: RateLimiter<AccountId>,
}

impl Default for SocialLimiter {
    fn default() -> SocialLimiter {
        SocialLimiter(Mutex::new(SocialRates {
            requests: RateLimiter::new(limits::FRIEND_REQUESTS_OF_ACCOUNT),
            requests_of_pair: RateLimiter::new(limits::FRIEND_REQUESTS_OF_PAIR),
            actions: RateLimiter::new(limits::FRIEND_ACTIONS_OF_ACCOUNT),
            says: RateLimiter::new(limits::SAYS_OF_ACCOUNT),
        }))
    }
}

impl SocialLimiter {
    /// Charges a friend action of an account towards another.
    ///
    /// # Errors
    /// When the account has to wait; nothing is charged then.
    pub(super) fn charge(
        &self,
        me: AccountId,
        other: AccountId,
        action: FriendAction,
        now: Instant,
    ) -> Result<(), RateLimited> {
        let mut rates = self.0.lock();
        if action != FriendAction::Ask {
            return rates.actions.try_charge(me, now).map_err(RateLimited::new);
        }
        if let Some(wait) = rates.requests_of_pair.wait(&(me, other), now) {
            return Err(RateLimited::new(wait));
        }
        let charged = rates.requests.try_charge(me, now);
        charged.map_err(RateLimited::new)?;
        rates.requests_of_pair.charge((me, other), now);
        Ok(())
    }

    /// Charges a message that an account says.
    ///
    /// # Errors
    /// When the account has to wait; nothing is charged then.
    pub(super) fn charge_say(&self, me: AccountId, now: Instant) -> Result<(), RateLimited> {
        let charged = self.0.lock().says.try_charge(me, now);
        charged.map_err(RateLimited::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests are limited by account and by pair of accounts; other actions are not, by these.
    #[test]
    fn friend_requests_limited_by_account_and_pair() {
        let limiter = SocialLimiter::default();
        let now = Instant::now();
        let ask = |from, to| {
            let (from, to) = (AccountId(from), AccountId(to));
            limiter.charge(from, to, FriendAction::Ask, now).is_ok()
        };
        let asked = (0..100).filter(|_| ask(1, 2)).count();
        assert_eq!(asked, limits::FRIEND_REQUESTS_OF_PAIR.burst as usize);
        let all = asked + (3..200).filter(|other| ask(1, *other)).count();
        assert_eq!(all, limits::FRIEND_REQUESTS_OF_ACCOUNT.burst as usize);
        assert!(ask(2, 1), "the other way is another pair");
        let accept = limiter.charge(AccountId(1), AccountId(2), FriendAction::Accept, now);
        assert_eq!(accept, Ok(()));
    }
}
