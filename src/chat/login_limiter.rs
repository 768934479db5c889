//! Who may try to log in, and to register, and who has to wait.
//!
//! A name is guarded by three rates: one for this name from this address, which is what stops
//! somebody who guesses; one for the address, whatever names it tries; and a wide one for the name,
//! wherever it is tried from. That one could be used up on purpose, to keep somebody out: it takes
//! thirty addresses to begin, and ten that never rest to go on, and whoever is logged in already
//! does not notice.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::account_name::AccountName;
use super::rate_limiter::RateLimiter;
use crate::limits;

/// What has been tried.
#[derive(Debug)]
pub struct LoginLimiter(Mutex<State>);

#[derive(Debug)]
struct State {
    pairs: RateLimiter<(Arc<str>, IpAddr)>,
    addresses: RateLimiter<IpAddr>,
    names: RateLimiter<Arc<str>>,
    registrations: RateLimiter<IpAddr>,
}

/// A try at logging in. It counts, unless it is given back.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    name: Arc<str>,
    from: IpAddr,
}

/// There is no try left at this moment.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("there were too many attempts; try again in {} s", self.seconds())]
pub struct RateLimited(Duration);

impl RateLimited {
    /// How long to wait, in full seconds.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0)
    }
}

impl Default for LoginLimiter {
    fn default() -> LoginLimiter {
        LoginLimiter(Mutex::new(State {
            pairs: RateLimiter::new(limits::LOGINS_OF_PAIR),
            addresses: RateLimiter::new(limits::LOGINS_FROM_ADDRESS),
            names: RateLimiter::new(limits::LOGINS_OF_NAME),
            registrations: RateLimiter::new(limits::REGISTRATIONS),
        }))
    }
}

impl LoginLimiter {
    /// Somebody tries a password for a name, to log in or to change it. It is booked before it is
    /// checked.
    ///
    /// # Errors
    /// When they have to wait.
    pub fn log_in(
        &self,
        name: &AccountName,
        from: IpAddr,
        now: Instant,
    ) -> Result<Attempt, RateLimited> {
        let (name, from) = (Arc::clone(name.key()), network(from));
        let pair = (Arc::clone(&name), from);
        let mut state = self.0.lock();
        let waits = [
            state.pairs.wait(&pair, now),
            state.addresses.wait(&from, now),
            state.names.wait(&*name, now),
        ];
        // Who is held back by one rate does not use up the others.
        if let Some(wait) = waits.into_iter().flatten().max() {
            return Err(RateLimited(wait));
        }
        state.pairs.book(pair, now);
        state.addresses.book(from, now);
        state.names.book(Arc::clone(&name), now);
        Ok(Attempt { name, from })
    }

    /// It was the right password, or nobody has looked at it: that does not count.
    pub fn give_back(&self, attempt: Attempt) {
        let Attempt { name, from } = attempt;
        let mut state = self.0.lock();
        state.addresses.forgive(&from);
        state.names.forgive(&*name);
        state.pairs.forgive(&(name, from));
    }

    /// Somebody wants to register.
    ///
    /// # Errors
    /// When they have to wait.
    pub fn register(&self, from: IpAddr, now: Instant) -> Result<(), RateLimited> {
        let mut state = self.0.lock();
        let attempt = state.registrations.attempt(network(from), now);
        attempt.map_err(RateLimited)
    }
}

/// What one person has of addresses: of IPv6 a /64 (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            const HOST: u128 = u64::MAX as u128;
            Ipv6Addr::from_bits(address.to_bits() & !HOST).into()
        }
        address @ IpAddr::V4(_) => address,
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

    fn tries(attempts: &LoginLimiter, who: &str, from: IpAddr, now: Instant) -> usize {
        let of = name(who);
        (0..1000)
            .take_while(|_| attempts.log_in(&of, from, now).is_ok())
            .count()
    }

    #[test]
    fn who_guesses_has_to_wait_and_others_do_not() {
        let attempts = LoginLimiter::default();
        let now = Instant::now();
        let (here, there) = (address("192.0.2.1"), address("192.0.2.2"));
        assert_eq!(tries(&attempts, "Zoë", here, now), 10);
        assert_eq!(
            tries(&attempts, "zoe\u{308}", here, now),
            0,
            "the same name"
        );
        assert_eq!(tries(&attempts, "Zoë", there, now), 10);
        assert_eq!(tries(&attempts, "Anna", here, now), 10);
        let error = attempts.log_in(&name("Zoë"), here, now).unwrap_err();
        assert_eq!(error.seconds(), 10);
        assert!(error.to_string().ends_with("again in 10 s"), "{error}");
        // The address runs out, too.
        assert_eq!(tries(&attempts, "Ben", here, now), 10);
        assert_eq!(tries(&attempts, "Eva", here, now), 0);
        assert_eq!(tries(&attempts, "Eva", there, now), 10);
    }

    #[test]
    fn a_name_is_guarded_against_many_addresses() {
        let attempts = LoginLimiter::default();
        let now = Instant::now();
        let all: usize = (0..100)
            .map(|i| tries(&attempts, "Zoë", address(&format!("192.0.2.{i}")), now))
            .sum();
        assert_eq!(all, 300);
        let soon = now + limits::LOGINS_OF_NAME.every;
        assert_eq!(tries(&attempts, "Zoë", address("198.51.100.1"), soon), 1);
    }

    #[test]
    fn who_is_right_may_come_as_often_as_they_like() {
        let attempts = LoginLimiter::default();
        for _ in 0..1000 {
            let attempt = attempts.log_in(&name("Zoë"), address("::1"), Instant::now());
            attempts.give_back(attempt.unwrap());
        }
    }

    #[test]
    fn an_address_is_what_one_person_has() {
        let same = |a, b| network(address(a)) == network(address(b));
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn registrations_are_counted_by_address() {
        let attempts = LoginLimiter::default();
        let now = Instant::now();
        for _ in 0..limits::REGISTRATIONS.burst {
            assert_eq!(attempts.register(address("192.0.2.1"), now), Ok(()));
        }
        let refused = attempts.register(address("192.0.2.1"), now).unwrap_err();
        assert_eq!(refused.seconds(), 30);
        assert_eq!(attempts.register(address("192.0.2.2"), now), Ok(()));
    }
}
