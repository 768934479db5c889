//! What a proxy says of the client that it forwards a request for, and whose word is believed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hyper::HeaderMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The addresses of the proxies whose `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`
/// are believed. From every other peer these headers are passed over: a client could write into them what it likes.
#[derive(Clone, Debug)]
pub struct TrustedProxies(Vec<IpNet>);

impl Default for TrustedProxies {
    /// The proxies on this machine.
    fn default() -> TrustedProxies {
        let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        TrustedProxies(vec![
            Ipv4Net::new_assert(v4, 8).into(),
            Ipv6Net::new_assert(v6, 128).into(),
        ])
    }
}

impl TrustedProxies {
    /// The proxies with these addresses; without any, those on this machine.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> TrustedProxies {
        if networks.is_empty() {
            return TrustedProxies::default();
        }
        TrustedProxies(networks)
    }

    /// Returns the address of the client whose request came from `peer`: the peer itself, or, if that
    /// is a trusted proxy, the last address in `X-Forwarded-For` that is not a trusted proxy's. If
    /// all are, it is the first. A list with anything but addresses says nothing, and the peer counts.
    #[must_use]
    pub fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let mut client = peer;
        for item in items(headers, "x-forwarded-for").rev() {
            let Some(address) = item.and_then(address) else {
                return peer;
            };
            client = address;
            if !self.trusts(address) {
                break;
            }
        }
        client
    }

    /// Whether the browser speaks TLS with a trusted proxy that forwards its request from `peer`, if such
    /// a proxy says how it was spoken to. If several say it, the last of them counts.
    #[must_use]
    pub fn is_secure(&self, headers: &HeaderMap, peer: IpAddr) -> Option<bool> {
        let proto = items(headers, "x-forwarded-proto").next_back()?;
        self.trusts(peer.to_canonical())
            .then(|| proto.is_some_and(|proto| proto.eq_ignore_ascii_case("https")))
    }

    /// The host that the browser asked a trusted proxy for, if the proxy that forwards the request from
    /// `peer` says it. If several proxies say it, the first of them counts.
    pub(super) fn host<'a>(&self, headers: &'a HeaderMap, peer: IpAddr) -> Option<&'a str> {
        let host = items(headers, "x-forwarded-host").next().flatten();
        host.filter(|_| self.trusts(peer.to_canonical()))
    }

    /// Whether the proxy at this address, in its canonical form, is believed.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The items of a header that is a list, over all its lines (RFC 9110, section 5.6.1); `None` in the
/// place of a line that is not ASCII. Empty items are left out.
pub(super) fn items<'a>(
    headers: &'a HeaderMap,
    name: &str,
) -> impl DoubleEndedIterator<Item = Option<&'a str>> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().ok());
    // An iterator over the items of a line cannot be empty for a line that cannot be read.
    lines
        .flat_map(|line| {
            let items: Vec<_> = match line {
                Some(line) => line.split(',').map(|item| Some(item.trim())).collect(),
                None => vec![None],
            };
            items
        })
        .filter(|item| *item != Some(""))
}

/// Reads an address, which some proxies write with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let plain = bare.parse().ok();
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    plain
        .or_else(with_port)
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn lines(name: &'static str, lines: &[&'static str]) -> HeaderMap {
        let line = |line: &&'static str| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(line),
            )
        };
        lines.iter().map(line).collect()
    }

    /// The client of a request from `peer` with these lines of `X-Forwarded-For`.
    fn client(proxies: &TrustedProxies, peer: &str, list: &[&'static str]) -> String {
        let headers = lines("x-forwarded-for", list);
        proxies.client(&headers, peer.parse().unwrap()).to_string()
    }

    /// Who the client is, for each peer and list. The proxies are those of this machine, 10.0.0.0/8
    /// and one of IPv6.
    #[test]
    fn client_is_the_last_that_is_no_proxy() {
        let mut proxies = TrustedProxies::default();
        for network in ["10.0.0.0/8", "2001:db8::1/128"] {
            proxies.0.push(network.parse().unwrap());
        }
        for (peer, list, found) in [
            ("127.0.0.1", &["1.1.1.1, 2.2.2.2"][..], "2.2.2.2"),
            ("127.0.0.1", &["1.1.1.1", "2.2.2.2"], "2.2.2.2"),
            ("127.0.0.1", &["2.2.2.2,10.1.2.3", "127.0.0.1"], "2.2.2.2"),
            ("::ffff:10.0.0.9", &["::ffff:2.2.2.2"], "2.2.2.2"),
            ("2001:db8::1", &["2.2.2.2:4711"], "2.2.2.2"),
            ("10.0.0.9", &["[2001:db8::2]:4711"], "2001:db8::2"),
            ("10.0.0.9", &["[2001:db8::2]"], "2001:db8::2"),
            ("10.0.0.9", &["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
            ("10.0.0.9", &["2.2.2.2, ,"], "2.2.2.2"),
            // Nothing, or garbage, says nothing.
            ("10.0.0.9", &[], "10.0.0.9"),
            ("10.0.0.9", &["unknown"], "10.0.0.9"),
            ("10.0.0.9", &["2.2.2.2, _hidden"], "10.0.0.9"),
            ("10.0.0.9", &["2.2.2.2, x, 10.0.0.1"], "10.0.0.9"),
            ("10.0.0.9", &["2.2.2.2", "2.2.2.2;x"], "10.0.0.9"),
            // What stands before the client is its own word.
            ("10.0.0.9", &["garbage, 2.2.2.2"], "2.2.2.2"),
            // A peer that is no proxy.
            ("9.9.9.9", &["1.1.1.1"], "9.9.9.9"),
            ("::ffff:9.9.9.9", &["1.1.1.1"], "9.9.9.9"),
        ] {
            assert_eq!(client(&proxies, peer, list), found, "{peer} {list:?}");
        }
    }

    /// Proxies that are named take the place of those on this machine.
    #[test]
    fn named_proxies_replace_local_ones() {
        let named = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(client(&named, "10.1.1.1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(client(&named, "127.0.0.1", &["1.1.1.1"]), "127.0.0.1");
        let local = TrustedProxies::new(Vec::new());
        assert_eq!(client(&local, "127.0.0.1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(client(&local, "::1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(client(&local, "10.1.1.1", &["1.1.1.1"]), "10.1.1.1");
    }

    #[test]
    fn https_is_believed_of_proxies_only() {
        let proxies = TrustedProxies::default();
        let is_secure = |peer: &str, list: &[&'static str]| {
            let headers = lines("x-forwarded-proto", list);
            proxies.is_secure(&headers, peer.parse().unwrap()) == Some(true)
        };
        assert!(is_secure("127.0.0.1", &["https"]));
        assert!(is_secure("::ffff:127.0.0.1", &["HTTPS"]));
        assert!(is_secure("127.0.0.1", &["http", "https"]));
        assert!(!is_secure("127.0.0.1", &["https, http"]));
        assert!(!is_secure("127.0.0.1", &[]));
        assert!(!is_secure("9.9.9.9", &["https"]));
    }
}
