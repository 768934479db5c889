//! Whom a share of the server's means belongs to.

use std::net::{IpAddr, Ipv6Addr};

/// The part of a client's address that stands for one client: an IPv4 address, or the /64 prefix of
/// an IPv6 address, since that is the least that one site is given (RFC 6177).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address. An IPv4 address that is written as an IPv6 one (`::ffff:192.0.2.1`)
    /// is that IPv4 address.
    #[must_use]
    pub fn of(address: IpAddr) -> Network {
        const HOST: u128 = u64::MAX as u128;
        Network(match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !HOST).into(),
            address @ IpAddr::V4(_) => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_is_one_client() {
        let same =
            |a: &str, b: &str| Network::of(a.parse().unwrap()) == Network::of(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }
}
