//! Where the server listens, as `--listen` says it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::authority::{Authority, HostName};

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// At one address.
    Address(SocketAddr),
    /// At all addresses that a name leads to, each with this port.
    Name(Box<str>, u16),
    /// At all addresses of the machine, with this port.
    All(u16),
    /// At the Unix socket of this path, which programs of this machine can reach.
    Unix(PathBuf),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        let text = text.trim();
        let form = "write it like 127.0.0.1:8080, [::1]:8080, localhost:8080, :8080 for all \
                    addresses of the machine, or unix:PATH for a Unix socket";
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(format!("has no path; {form}"));
            }
            return Ok(Listen::Unix(path.into()));
        }
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let port = |digits: &str| {
            let port = digits.parse::<u16>().ok().filter(|_| is_number(digits));
            port.ok_or_else(|| format!("has no port from 0 to 65535; {form}"))
        };
        if let Ok(address) = text.parse() {
            return Ok(Listen::Address(address));
        }
        if is_number(text) {
            return port(text).map(|port| Listen::from((Ipv4Addr::LOCALHOST, port)));
        }
        if let Some(digits) = text.strip_prefix(':').or_else(|| text.strip_prefix("*:")) {
            return port(digits).map(Listen::All);
        }
        match text.parse() {
            Ok(Authority { port: None, .. }) => Err(format!("has no port; {form}")),
            Ok(Authority {
                host: HostName::Name(name),
                port: Some(port),
            }) => Ok(Listen::Name(name, port)),
            Ok(Authority {
                host: HostName::Ip(ip),
                port: Some(port),
            }) => Ok(Listen::from((ip, port))),
            Err(_) => Err(form.to_owned()),
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Listen {
        Listen::Address(address)
    }
}

impl<I: Into<IpAddr>> From<(I, u16)> for Listen {
    fn from(address: (I, u16)) -> Listen {
        Listen::Address(address.into())
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Address(address) => write!(f, "{address}"),
            Listen::Name(name, port) => write!(f, "{name}:{port}"),
            Listen::All(port) => write!(f, ":{port}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_takes_what_people_write() {
        for (text, expected) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:80", "[::1]:80"),
            ("8080", "127.0.0.1:8080"),
            (":8080", ":8080"),
            ("*:0", ":0"),
            ("localhost:8080", "localhost:8080"),
            (" Push.example.:1 ", "push.example:1"),
            ("unix:/run/push.sock", "unix:/run/push.sock"),
            ("unix:push:1", "unix:push:1"),
        ] {
            let listen = text.parse::<Listen>();
            assert_eq!(listen.map(|listen| listen.to_string()), Ok(expected.into()));
        }
        for bad in [
            "",
            "localhost",
            "127.0.0.1",
            "::1:8080",
            ":",
            ":x",
            ":65536",
            "65536",
            "a b:1",
            "http://a:1",
            ":+1",
            "unix:",
        ] {
            let error = bad.parse::<Listen>().unwrap_err();
            assert!(error.contains("localhost:8080"), "{bad}: {error}");
        }
    }
}
