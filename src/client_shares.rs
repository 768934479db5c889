//! What one client may use of the server, so that it cannot lock out the others: connections, requests
//! in progress, and appends a second.
//!
//! A client is told by its address ([`Network`]), and by its token if it shows one ([`TokenId`]): an
//! address may be that of many, and a token may be shown from many addresses. The machine itself is
//! trusted with all of these: its own programs, and proxies on it that do not tell whom they forward
//! requests for.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::budget::{Budget, Owner, Reservation};
use crate::limits::{self, Rate};
use crate::network::Network;
use crate::rate_limiter::{RateLimited, RateLimiter};

/// The most that one client may use.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientBounds {
    /// Connections of an address at once; `None` for as many as are left for all others.
    pub connections: Option<usize>,
    /// What an address may use.
    pub address: ShareBounds,
    /// What a token may use.
    pub token: ShareBounds,
}

/// The most that one address, or one token, may use.
#[derive(Clone, Copy, Debug)]
pub struct ShareBounds {
    /// Requests in progress at once; `None` for as many as are left for all others.
    pub requests: Option<usize>,
    /// Appends a second; lines of uploads have as many besides.
    pub appends: u32,
}

impl Default for ShareBounds {
    fn default() -> ShareBounds {
        ShareBounds {
            requests: None,
            appends: limits::APPENDS_PER_CLIENT_DEFAULT,
        }
    }
}

/// A token, as its share is told from those of others: a part of the hash of it. Two tokens that have
/// that part in common have a share in common, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(pub u64);

/// Who makes a request.
#[derive(Clone, Copy, Debug)]
pub struct Requester {
    /// Its address, as far as proxies tell it.
    pub address: IpAddr,
    /// The token that it shows.
    pub token: Option<TokenId>,
}

/// Whose share is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareOf {
    /// That of the address.
    Address,
    /// That of the token.
    Token,
}

impl fmt::Display for ShareOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ShareOf::Address => "address",
            ShareOf::Token => "token",
        })
    }
}

/// What the clients use.
#[derive(Debug)]
pub struct ClientShares {
    connections: Budget,
    addresses: Shares<Network>,
    tokens: Shares<TokenId>,
}

/// What all addresses use, or all tokens.
#[derive(Debug)]
struct Shares<K: Owner> {
    requests: Budget<K>,
    appends: Mutex<RateLimiter<K>>,
    lines: Mutex<RateLimiter<K>>,
}

/// A client's connection, given back on drop. It is `None` for the machine itself, which is not counted.
#[derive(Debug, Default)]
pub struct ConnectionPlace(#[expect(dead_code, reason = "held")] Option<Box<Reservation>>);

/// A client's request in progress, given back on drop. It is `None` for the machine itself, which is not
/// counted.
#[derive(Debug, Default)]
pub struct RequestPlace(#[expect(dead_code, reason = "held")] Option<Box<Places>>);

/// The places that a request takes.
type Places = (Reservation, Option<Reservation<TokenId>>);

impl<K: Owner + Ord> Shares<K> {
    fn new(bounds: ShareBounds, places: usize) -> Shares<K> {
        let rate = Rate {
            burst: bounds.appends.saturating_mul(limits::APPENDS_BURST_SECONDS),
            every: Duration::from_secs(1) / bounds.appends.max(1),
        };
        Shares {
            requests: Budget::capped(places, bounds.requests),
            appends: Mutex::new(RateLimiter::new(rate)),
            lines: Mutex::new(RateLimiter::new(rate)),
        }
    }

    fn append(&self, owner: K, now: Instant) -> Result<(), RateLimited> {
        let charged = self.appends.lock().try_charge(owner, now);
        charged.map_err(RateLimited::new)
    }

    fn lines(&self, owner: K, count: usize, now: Instant) -> Option<Duration> {
        let mut lines = self.lines.lock();
        lines.charge_many(owner, u32::try_from(count).unwrap_or(u32::MAX), now);
        lines.wait(&owner, now)
    }
}

impl ClientShares {
    /// Shares of a server that has so many connections at most, of which none is used.
    #[must_use]
    pub fn new(bounds: ClientBounds, max_connections: usize) -> ClientShares {
        // Of one place nobody could leave any for others.
        let places = max_connections.max(2);
        ClientShares {
            connections: Budget::capped(places, bounds.connections),
            addresses: Shares::new(bounds.address, places),
            tokens: Shares::new(bounds.token, places),
        }
    }

    /// A place for one more connection of an address; `None` if it has as many as it may.
    #[must_use]
    pub fn connection(&self, address: IpAddr) -> Option<ConnectionPlace> {
        let Some(network) = counted(address) else {
            return Some(ConnectionPlace::default());
        };
        let reserved = self.connections.try_reserve(network, 1)?;
        Some(ConnectionPlace(Some(Box::new(reserved))))
    }

    /// A place for one more request in progress.
    ///
    /// # Errors
    /// When the client has as many as it may.
    pub fn request(&self, by: Requester) -> Result<RequestPlace, ShareOf> {
        let Some(network) = counted(by.address) else {
            return Ok(RequestPlace::default());
        };
        let of_address = self.addresses.requests.try_reserve(network, 1);
        let of_address = of_address.ok_or(ShareOf::Address)?;
        let of_token = by.token.map(|token| {
            let reserved = self.tokens.requests.try_reserve(token, 1);
            reserved.ok_or(ShareOf::Token)
        });
        let of_token = of_token.transpose()?;
        Ok(RequestPlace(Some(Box::new((of_address, of_token)))))
    }

    /// Charges an append.
    ///
    /// # Errors
    /// When the client has to wait before it may append again; it is not charged then.
    pub fn append(&self, by: Requester, now: Instant) -> Result<(), (ShareOf, RateLimited)> {
        let Some(network) = counted(by.address) else {
            return Ok(());
        };
        let addresses = &self.addresses;
        let charged = addresses.append(network, now);
        charged.map_err(|wait| (ShareOf::Address, wait))?;
        let Some(token) = by.token else {
            return Ok(());
        };
        self.tokens.append(token, now).map_err(|wait| {
            addresses.appends.lock().refund(&network);
            (ShareOf::Token, wait)
        })
    }

    /// Charges the lines of an upload, which have come already, and returns how long the client has to
    /// wait before it may send more.
    #[must_use]
    pub fn lines(&self, by: Requester, count: usize, now: Instant) -> Option<Duration> {
        let network = counted(by.address)?;
        let of_address = self.addresses.lines(network, count, now);
        let of_token = by.token.map(|token| self.tokens.lines(token, count, now));
        of_address.max(of_token.flatten())
    }
}

/// Whom an address is counted as; `None` for the machine itself.
fn counted(address: IpAddr) -> Option<Network> {
    let address = address.to_canonical();
    (!address.is_loopback()).then(|| Network::of(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn requester(text: &str) -> Requester {
        Requester {
            address: address(text),
            token: None,
        }
    }

    fn with_token(text: &str, token: u64) -> Requester {
        Requester {
            token: Some(TokenId(token)),
            ..requester(text)
        }
    }

    /// As many places as a client gets; they are held.
    fn places(shares: &ClientShares, client: &str) -> Vec<ConnectionPlace> {
        let client = address(client);
        (0..1000).map_while(|_| shares.connection(client)).collect()
    }

    /// As many requests as somebody gets; they are held.
    fn requests(shares: &ClientShares, by: Requester) -> Vec<RequestPlace> {
        (0..1000).map_while(|_| shares.request(by).ok()).collect()
    }

    /// However many one client has, the next finds some, and all are there again when they are given back.
    #[test]
    fn client_leaves_places_for_others() {
        let shares = ClientShares::new(ClientBounds::default(), 100);
        let first = places(&shares, "192.0.2.1");
        assert_eq!(first.len(), 50);
        let second = places(&shares, "2001:db8::1");
        assert_eq!(second.len(), 25);
        assert_eq!(places(&shares, "2001:db8::2:2").len(), 0, "the same site");
        assert_eq!(places(&shares, "2001:db8:0:1::1").len(), 12);
        assert_eq!(places(&shares, "127.0.0.2").len(), 1000);
        assert_eq!(places(&shares, "::ffff:127.0.0.1").len(), 1000);
        assert!(shares.request(requester("192.0.2.1")).is_ok());
        drop((first, second));
        assert_eq!(places(&shares, "192.0.2.1").len(), 50);
    }

    #[test]
    fn client_has_no_more_than_its_bound() {
        let bounds = ClientBounds {
            connections: Some(3),
            ..ClientBounds::default()
        };
        let shares = ClientShares::new(bounds, 100);
        let first = places(&shares, "192.0.2.1");
        assert_eq!(first.len(), 3);
        assert_eq!(places(&shares, "192.0.2.2").len(), 3);
        drop(first);
        assert_eq!(places(&shares, "192.0.2.1").len(), 3);
    }

    /// A token has its share wherever it is shown from, besides that of each address; what is refused
    /// takes nothing of either.
    #[test]
    fn token_leaves_places_for_others() {
        let bounds = ClientBounds {
            token: ShareBounds {
                requests: Some(3),
                appends: 1,
            },
            ..ClientBounds::default()
        };
        let shares = ClientShares::new(bounds, 100);
        let held = requests(&shares, with_token("192.0.2.1", 1));
        assert_eq!(held.len(), 3);
        let refused = shares.request(with_token("192.0.2.2", 1));
        assert_eq!(refused.err(), Some(ShareOf::Token));
        assert_eq!(requests(&shares, with_token("192.0.2.2", 2)).len(), 3);
        assert_eq!(requests(&shares, requester("192.0.2.1")).len(), 47);
        assert_eq!(requests(&shares, with_token("127.0.0.1", 1)).len(), 1000);
        drop(held);
        assert_eq!(requests(&shares, with_token("192.0.2.2", 1)).len(), 3);

        let now = Instant::now();
        let append = |by| shares.append(by, now).map_err(|(of, _)| of);
        let (one, other) = (with_token("192.0.2.1", 1), with_token("192.0.2.1", 2));
        assert_eq!([append(one), append(one)], [Ok(()), Ok(())]);
        for _ in 0..2 * limits::APPENDS_PER_CLIENT_DEFAULT {
            assert_eq!(append(one), Err(ShareOf::Token));
        }
        assert_eq!(append(other), Ok(()));
        assert_eq!(shares.lines(other, 1, now), None);
        assert_eq!(shares.lines(other, 1, now), Some(Duration::from_secs(1)));
    }

    /// Appends and lines are counted apart: an upload at full speed keeps its client from no append.
    #[test]
    fn appends_of_a_client_have_a_rate() {
        let bounds = ClientBounds {
            address: ShareBounds {
                appends: 10,
                ..ShareBounds::default()
            },
            ..ClientBounds::default()
        };
        let shares = ClientShares::new(bounds, 100);
        let (client, now) = (requester("192.0.2.1"), Instant::now());
        assert_eq!(
            shares.lines(client, 20, now),
            Some(Duration::from_millis(100))
        );
        assert_eq!(
            shares.lines(client, 1, now),
            Some(Duration::from_millis(200))
        );
        let burst = (0..1000).take_while(|_| shares.append(client, now).is_ok());
        assert_eq!(burst.count(), 20);
        let (of, wait) = shares.append(client, now).unwrap_err();
        assert_eq!((of, wait.seconds()), (ShareOf::Address, 1));
        assert_eq!(
            shares.append(client, now + Duration::from_millis(100)),
            Ok(())
        );
        assert_eq!(shares.append(requester("192.0.2.2"), now), Ok(()));
        assert_eq!(shares.lines(requester("192.0.2.2"), 19, now), None);
        let here = (0..1000).filter(|_| shares.append(requester("::1"), now).is_ok());
        assert_eq!(here.count(), 1000);
        assert_eq!(shares.lines(requester("::1"), 1000, now), None);
    }
}
