//! Whom a share of the server's means belongs to.

use std::net::IpAddr;

/// The part of a client's address that stands for one client: an IPv4 address, or the /64 prefix of
/// an IPv6 address, since that is the least that one site is given (RFC 6177).
///
/// It is a number of eight bytes, for the sake of those who hold many. The first half of an IPv6 address
/// is a larger number than any IPv4 address, except for a few of no site, such as `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(u64);

impl Network {
    /// The network of an address. An IPv4 address that is written as an IPv6 one (`::ffff:192.0.2.1`)
    /// is that IPv4 address.
    #[must_use]
    pub fn of(address: IpAddr) -> Network {
        Network(match address.to_canonical() {
            IpAddr::V4(address) => address.to_bits().into(),
            IpAddr::V6(address) => {
                let first_half = address.to_bits() >> 64;
                // It fits.
                u64::try_from(first_half).unwrap_or(u64::MAX)
            }
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
