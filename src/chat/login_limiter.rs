//! The rate limits of logins and registrations.
//!
//! A name is guarded by three rates: one for this name from this address, which is what stops a
//! client that guesses; one for the address, whatever names it tries; and a wide one for the name,
//! wherever it is tried from. That one could be used up on purpose, to keep the account's owner out:
//! it takes thirty addresses to begin, and ten that never rest to go on, and sessions that have begun
//! already do not notice.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::account_name::AccountName;
use crate::limits;
use crate::network::Network;
use crate::rate_limiter::{RateLimited, RateLimiter};

/// Counts logins and registrations, and refuses those of which there are too many.
#[derive(Debug)]
pub(super) struct LoginLimiter(Mutex<LoginRates>);

#[derive(Debug)]
struct LoginRates {
    pairs: RateLimiter<(Arc<str>, Network)>,
    addresses: RateLimiter<Network>,
    names: RateLimiter<Arc<str>>,
    registrations: RateLimiter<Network>,
}

/// An attempt to log in that has been charged. It counts unless it is refunded.
#[derive(Debug)]
#[must_use]
pub(super) struct LoginAttempt {
    name: Arc<str>,
    from: Network,
}

impl Default for LoginLimiter {
    fn default() -> LoginLimiter {
        LoginLimiter(Mutex::new(LoginRates {
            pairs: RateLimiter::new(limits::LOGINS_OF_PAIR),
            addresses: RateLimiter::new(limits::LOGINS_FROM_ADDRESS),
            names: RateLimiter::new(limits::LOGINS_OF_NAME),
            registrations: RateLimiter::new(limits::REGISTRATIONS_FROM_ADDRESS),
        }))
    }
}

impl LoginLimiter {
    /// Charges an attempt to log in, or to change the password, before the password is verified.
    ///
    /// # Errors
    /// When the client has to wait; nothing is charged then.
    pub(super) fn charge_login(
        &self,
        name: &AccountName,
        from: IpAddr,
        now: Instant,
    ) -> Result<LoginAttempt, RateLimited> {
        let (name, from) = (Arc::clone(name.key()), Network::of(from));
        let pair = (Arc::clone(&name), from);
        let mut rates = self.0.lock();
        let waits = [
            rates.pairs.wait(&pair, now),
            rates.addresses.wait(&from, now),
            rates.names.wait(&*name, now),
        ];
        // All rates are asked before any is charged: an attempt that one of them refuses does not
        // use up the others.
        if let Some(wait) = waits.into_iter().flatten().max() {
            return Err(RateLimited::new(wait));
        }
        rates.pairs.charge(pair, now);
        rates.addresses.charge(from, now);
        rates.names.charge(Arc::clone(&name), now);
        Ok(LoginAttempt { name, from })
    }

    /// Refunds an attempt whose password was right, or has not been verified.
    pub(super) fn refund_login(&self, attempt: LoginAttempt) {
        let LoginAttempt { name, from } = attempt;
        let mut rates = self.0.lock();
        rates.addresses.refund(&from);
        rates.names.refund(&*name);
        rates.pairs.refund(&(name, from));
    }

    /// Charges a registration.
    ///
    /// # Errors
    /// When the client has to wait; nothing is charged then.
    pub(super) fn charge_registration(
        &self,
        from: IpAddr,
        now: Instant,
    ) -> Result<(), RateLimited> {
        let mut rates = self.0.lock();
        let charged = rates.registrations.try_charge(Network::of(from), now);
        charged.map_err(RateLimited::new)
    }

    /// Refunds a registration that was not refused for what it asked.
    pub(super) fn refund_registration(&self, from: IpAddr) {
        self.0.lock().registrations.refund(&Network::of(from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AccountName {
        AccountName::new(text).unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// How many attempts a client has for a name.
    fn tries(limiter: &LoginLimiter, text: &str, from: IpAddr, now: Instant) -> usize {
        let name = name(text);
        (0..1000)
            .take_while(|_| limiter.charge_login(&name, from, now).is_ok())
            .count()
    }

    /// A client that guesses has to wait; other addresses and other names do not.
    #[test]
    fn guessing_limited_by_name_and_address() {
        let limiter = LoginLimiter::default();
        let now = Instant::now();
        let (here, there) = (address("192.0.2.1"), address("192.0.2.2"));
        assert_eq!(tries(&limiter, "Zoë", here, now), 10);
        assert_eq!(tries(&limiter, "zoe\u{308}", here, now), 0, "the same name");
        assert_eq!(tries(&limiter, "Zoë", there, now), 10);
        assert_eq!(tries(&limiter, "Anna", here, now), 10);
        let error = limiter.charge_login(&name("Zoë"), here, now).unwrap_err();
        assert_eq!(error.seconds(), 10);
        assert!(error.to_string().ends_with("again in 10 s"), "{error}");
        // The address has used up its attempts, too.
        assert_eq!(tries(&limiter, "Ben", here, now), 10);
        assert_eq!(tries(&limiter, "Eva", here, now), 0);
        assert_eq!(tries(&limiter, "Eva", there, now), 10);
    }

    #[test]
    fn guessing_limited_from_many_addresses() {
        let limiter = LoginLimiter::default();
        let now = Instant::now();
        let all: usize = (0..100)
            .map(|i| tries(&limiter, "Zoë", address(&format!("192.0.2.{i}")), now))
            .sum();
        assert_eq!(all, 300);
        let soon = now + limits::LOGINS_OF_NAME.every;
        assert_eq!(tries(&limiter, "Zoë", address("198.51.100.1"), soon), 1);
    }

    #[test]
    fn right_password_never_limited() {
        let limiter = LoginLimiter::default();
        for _ in 0..1000 {
            let attempt = limiter.charge_login(&name("Zoë"), address("::1"), Instant::now());
            limiter.refund_login(attempt.unwrap());
        }
    }

    #[test]
    fn registrations_limited_by_address() {
        let limiter = LoginLimiter::default();
        let now = Instant::now();
        for _ in 0..limits::REGISTRATIONS_FROM_ADDRESS.burst {
            assert_eq!(
                limiter.charge_registration(address("192.0.2.1"), now),
                Ok(())
            );
        }
        let refused = limiter
            .charge_registration(address("192.0.2.1"), now)
            .unwrap_err();
        assert_eq!(refused.seconds(), 30);
        assert_eq!(
            limiter.charge_registration(address("192.0.2.2"), now),
            Ok(())
        );
    }
}
