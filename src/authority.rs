//! The host and port of a server as URLs and `Host` write them (RFC 3986, section 3.2), in one form:
//! what means the same compares equal. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::limits;

/// The host of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    /// An address; an IPv4 address that is written as an IPv6 one is the IPv4 address.
    Ip(IpAddr),
    /// A name in lower case, without the dot that may end it.
    Name(Box<str>),
}

/// A host, and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The host.
    pub host: HostName,
    /// The port, where one is written.
    pub port: Option<u16>,
}

/// A text is not a host with or without a port.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a host name or an address, with or without a port")]
pub struct ParseAuthorityError;

/// An origin, as browsers name it (RFC 6454, section 6.2): `https://example.org:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    /// Whether the scheme is `https`.
    pub is_secure: bool,
    authority: Authority,
}

impl HostName {
    /// Whether the name leads to this machine by itself: `localhost`, or a name under it (RFC 6761,
    /// section 6.3). Addresses are no names.
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        match self {
            HostName::Name(name) => &**name == "localhost" || name.ends_with(".localhost"),
            HostName::Ip(_) => false,
        }
    }

    /// Whether this is one of the three usual names of the machine itself: `localhost`, `127.0.0.1`
    /// and `[::1]`.
    #[must_use]
    pub fn is_usual_loopback(&self) -> bool {
        match self {
            HostName::Name(name) => &**name == "localhost",
            HostName::Ip(ip) => *ip == Ipv4Addr::LOCALHOST || *ip == Ipv6Addr::LOCALHOST,
        }
    }
}

impl FromStr for Authority {
    type Err = ParseAuthorityError;

    fn from_str(text: &str) -> Result<Authority, ParseAuthorityError> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (ip, rest) = rest.split_once(']').ok_or(ParseAuthorityError)?;
            let ip: Ipv6Addr = ip.parse().map_err(|_| ParseAuthorityError)?;
            let port = rest.strip_prefix(':').or(rest.is_empty().then_some(""));
            let ip = HostName::Ip(IpAddr::V6(ip).to_canonical());
            (ip, port.ok_or(ParseAuthorityError)?)
        } else {
            let (name, port) = text.split_once(':').unwrap_or((text, ""));
            (name_or_ipv4(name)?, port)
        };
        Ok(Authority {
            host,
            port: parse_port(port)?,
        })
    }
}

/// Reads a port, which may be empty (RFC 3986, section 3.2.3).
fn parse_port(digits: &str) -> Result<Option<u16>, ParseAuthorityError> {
    if digits.is_empty() {
        return Ok(None);
    }
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    let port = digits.parse().ok().filter(|_| is_number);
    port.map(Some).ok_or(ParseAuthorityError)
}

fn name_or_ipv4(text: &str) -> Result<HostName, ParseAuthorityError> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if let Ok(ip) = name.parse::<Ipv4Addr>() {
        return Ok(HostName::Ip(ip.into()));
    }
    // The characters of a registered name (RFC 3986, section 3.2.2). Those that nobody has in a name
    // are left out, since the name is shown.
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~%".contains(&b);
    let sound = (1..=limits::HOST_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_allowed);
    if !sound {
        return Err(ParseAuthorityError);
    }
    Ok(HostName::Name(name.to_ascii_lowercase().into()))
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostName::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            HostName::Ip(ip) => write!(f, "{ip}"),
            HostName::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => write!(f, "{}", self.host),
        }
    }
}

impl FromStr for WebOrigin {
    type Err = ParseAuthorityError;

    /// Reads an origin; of a URL, such as that of a `Referer`, the origin counts.
    fn from_str(text: &str) -> Result<WebOrigin, ParseAuthorityError> {
        let (scheme, rest) = text.split_once("://").ok_or(ParseAuthorityError)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(ParseAuthorityError),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        Ok(WebOrigin {
            is_secure,
            authority: rest[..end].parse()?,
        })
    }
}

impl WebOrigin {
    /// The host of the origin.
    #[must_use]
    pub fn host(&self) -> &HostName {
        &self.authority.host
    }

    /// The host and the port, if one is written.
    #[must_use]
    pub fn into_authority(self) -> Authority {
        self.authority
    }

    /// Whether this is the origin of a server that is asked as `own`, by the origin's scheme.
    #[must_use]
    pub fn is_of(&self, own: &Authority) -> bool {
        self.authority.host == own.host && self.has_port_of(own)
    }

    /// Whether the port is that of a server that is asked as `own`. A port that is not written is
    /// that of the origin's scheme.
    #[must_use]
    pub fn has_port_of(&self, own: &Authority) -> bool {
        let usual = if self.is_secure { 443 } else { 80 };
        self.authority.port.unwrap_or(usual) == own.port.unwrap_or(usual)
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(String, Option<u16>)> {
        let parsed: Option<Authority> = text.parse().ok();
        parsed.map(|authority| (authority.host.to_string(), authority.port))
    }

    #[test]
    fn authorities_have_one_form() {
        for (text, host, port) in [
            ("Example.ORG", "example.org", None),
            ("example.org.", "example.org", None),
            ("localhost:8080", "localhost", Some(8080)),
            ("localhost:", "localhost", None),
            ("127.0.0.1:1", "127.0.0.1", Some(1)),
            ("127.0.0.1.", "127.0.0.1", None),
            ("[::1]:80", "[::1]", Some(80)),
            ("[0:0::1]", "[::1]", None),
            ("[::ffff:127.0.0.1]", "127.0.0.1", None),
            ("a_b-c.example", "a_b-c.example", None),
        ] {
            assert_eq!(parse(text), Some((host.to_owned(), port)), "{text}");
        }
        let long = "x".repeat(limits::HOST_BYTES_MAX + 1);
        for bad in [
            "", ".", ":80", "a b", "a/b", "a:b", "a:1:2", "a:65536", "a:+1", "user@a", "::1",
            "[::1", "[::1]x", "[a]", "a, b", "ä", "a\"b", &long,
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    /// An origin is that of a server with the same host and port, which may stand in the scheme.
    #[test]
    fn origins_are_compared_with_servers() {
        let is_of = |origin: &str, own: &str| {
            let origin: WebOrigin = origin.parse().unwrap();
            origin.is_of(&own.parse().unwrap())
        };
        assert!(is_of("https://a.example", "a.example"));
        assert!(is_of("https://a.example", "A.example:443"));
        assert!(is_of("http://a.example:80", "a.example"));
        assert!(is_of("http://[::1]:8080", "[0::1]:8080"));
        assert!(!is_of("https://a.example", "a.example:80"));
        assert!(!is_of("http://a.example", "a.example:8080"));
        assert!(!is_of("http://b.example", "a.example"));
        let of = |url: &str| url.parse().map(|origin: WebOrigin| origin.to_string()).ok();
        assert_eq!(
            of("HTTP://A.example:1/x?y"),
            Some("http://a.example:1".into())
        );
        for bad in [
            "null",
            "",
            "a.example",
            "file:///x",
            "http://a@b",
            "http://a b",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
