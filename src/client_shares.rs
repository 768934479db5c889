//! What one client may use of the server, so that it cannot lock out the others: connections, requests
//! in progress, and appends a second.
//!
//! A client is told by its address ([`Network`]). The machine itself is trusted with all of these: its own
//! programs, and proxies on it that do not tell whom they forward requests for.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::budget::{Budget, Reservation};
use crate::limits::{self, Rate};
use crate::network::Network;
use crate::rate_limiter::{RateLimited, RateLimiter};

/// The most that one client may use.
#[derive(Clone, Copy, Debug)]
pub struct ClientBounds {
    /// Connections at once; `None` for as many as are left for all others.
    pub connections: Option<usize>,
    /// Requests in progress at once; `None` for as many as are left for all others.
    pub requests: Option<usize>,
    /// Appends a second; lines of uploads have as many besides.
    pub appends: u32,
}

impl Default for ClientBounds {
    fn default() -> ClientBounds {
        ClientBounds {
            connections: None,
            requests: None,
            appends: limits::APPENDS_PER_ADDRESS_DEFAULT,
        }
    }
}

/// What the clients use.
#[derive(Debug)]
pub struct ClientShares {
    connections: Budget,
    requests: Budget,
    appends: Mutex<RateLimiter<Network>>,
    lines: Mutex<RateLimiter<Network>>,
}

/// A client's connection, or its request in progress, given back on drop. It is `None` for the machine
/// itself, which is not counted.
#[derive(Debug, Default)]
pub struct ClientPlace(#[expect(dead_code, reason = "held")] Option<Box<Reservation>>);

impl ClientShares {
    /// Shares of a server that has so many connections at most, of which none is used.
    #[must_use]
    pub fn new(bounds: ClientBounds, max_connections: usize) -> ClientShares {
        // Of one place nobody could leave any for others.
        let places = |most: Option<usize>| Budget::capped(max_connections.max(2), most);
        let rate = Rate {
            burst: bounds.appends.saturating_mul(limits::APPENDS_BURST_SECONDS),
            every: Duration::from_secs(1) / bounds.appends.max(1),
        };
        ClientShares {
            connections: places(bounds.connections),
            requests: places(bounds.requests),
            appends: Mutex::new(RateLimiter::new(rate)),
            lines: Mutex::new(RateLimiter::new(rate)),
        }
    }

    /// A place for one more connection of a client; `None` if it has as many as it may.
    #[must_use]
    pub fn connection(&self, client: IpAddr) -> Option<ClientPlace> {
        place(&self.connections, client)
    }

    /// A place for one more request in progress; `None` if the client has as many as it may.
    #[must_use]
    pub fn request(&self, client: IpAddr) -> Option<ClientPlace> {
        place(&self.requests, client)
    }

    /// Charges an append.
    ///
    /// # Errors
    /// When the client has to wait before it may append again.
    pub fn append(&self, client: IpAddr, now: Instant) -> Result<(), RateLimited> {
        let Some(network) = counted(client) else {
            return Ok(());
        };
        let charged = self.appends.lock().try_charge(network, now);
        charged.map_err(RateLimited::new)
    }

    /// Charges the lines of an upload, which have come already, and returns how long the client has to
    /// wait before it may send more.
    #[must_use]
    pub fn lines(&self, client: IpAddr, count: usize, now: Instant) -> Option<Duration> {
        let network = counted(client)?;
        let mut lines = self.lines.lock();
        lines.charge_many(network, u32::try_from(count).unwrap_or(u32::MAX), now);
        lines.wait(&network, now)
    }
}

fn place(places: &Budget, client: IpAddr) -> Option<ClientPlace> {
    let Some(network) = counted(client) else {
        return Some(ClientPlace::default());
    };
    let reserved = places.try_reserve(network, 1)?;
    Some(ClientPlace(Some(Box::new(reserved))))
}

/// Whom a client is counted as; `None` for the machine itself.
fn counted(client: IpAddr) -> Option<Network> {
    let client = client.to_canonical();
    (!client.is_loopback()).then(|| Network::of(client))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// As many places as a client gets; they are held.
    fn places(shares: &ClientShares, client: &str) -> Vec<ClientPlace> {
        let client = address(client);
        (0..1000).map_while(|_| shares.connection(client)).collect()
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
        assert!(shares.request(address("192.0.2.1")).is_some());
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

    /// Appends and lines are counted apart: an upload at full speed keeps its client from no append.
    #[test]
    fn appends_of_a_client_have_a_rate() {
        let bounds = ClientBounds {
            appends: 10,
            ..ClientBounds::default()
        };
        let shares = ClientShares::new(bounds, 100);
        let (client, now) = (address("192.0.2.1"), Instant::now());
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
        let refused = shares.append(client, now).unwrap_err();
        assert_eq!(refused.seconds(), 1);
        assert_eq!(
            shares.append(client, now + Duration::from_millis(100)),
            Ok(())
        );
        assert_eq!(shares.append(address("192.0.2.2"), now), Ok(()));
        assert_eq!(shares.lines(address("192.0.2.2"), 19, now), None);
        let here = (0..1000).filter(|_| shares.append(address("::1"), now).is_ok());
        assert_eq!(here.count(), 1000);
        assert_eq!(shares.lines(address("::1"), 1000, now), None);
    }
}
