//! The URL that `forever-frame check` asks.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use super::Listen;
use crate::authority::{Authority, HostName, WebOrigin};

/// The URL at which a server tells whether it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthUrl {
    /// Whether the scheme is `https`.
    pub is_secure: bool,
    /// The Unix socket at which the server is asked, if it is not asked over the network.
    pub socket: Option<PathBuf>,
    /// The server.
    pub authority: Authority,
    /// The path, with the query if there is one.
    pub path: String,
}

impl HealthUrl {
    /// The path that tells whether a server is ready.
    pub(super) const USUAL_PATH: &str = "/healthz/ready";

    /// The port of the server: that of the scheme if none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        let usual = if self.is_secure { 443 } else { 80 };
        self.authority.port.unwrap_or(usual)
    }
}

impl FromStr for HealthUrl {
    type Err = String;

    /// Reads a URL, a host and a port, or `unix:PATH`. A path other than `/` of a URL is asked in the place of
    /// the usual one.
    fn from_str(text: &str) -> Result<HealthUrl, String> {
        let text = text.trim();
        if text.starts_with("unix:") {
            return Ok(HealthUrl::from(text.parse::<Listen>()?));
        }
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let scheme = text.strip_suffix(rest).filter(|scheme| !scheme.is_empty());
        let origin = format!("{}{rest}", scheme.unwrap_or("http://"));
        let origin: WebOrigin = origin.parse().map_err(|_| {
            "is not the URL of a server; write it like http://127.0.0.1:8080".to_owned()
        })?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let path = rest[end..].split('#').next().unwrap_or("");
        if !path.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("has a path with characters that a URL does not have".to_owned());
        }
        let path = match path {
            "" | "/" => HealthUrl::USUAL_PATH.to_owned(),
            _ if path.starts_with('?') => format!("/{path}"),
            _ => path.to_owned(),
        };
        Ok(HealthUrl {
            is_secure: origin.is_secure,
            socket: None,
            authority: origin.into_authority(),
            path,
        })
    }
}

impl From<Listen> for HealthUrl {
    /// The URL at which a server that listens here is reached on its own machine.
    fn from(listen: Listen) -> HealthUrl {
        let (host, port, socket) = match listen {
            Listen::Address(address) => {
                let host = HostName::Ip(reached(address.ip()));
                (host, Some(address.port()), None)
            }
            Listen::Name(name, port) => (HostName::Name(name), Some(port), None),
            Listen::All(port) => (HostName::Ip(Ipv4Addr::LOCALHOST.into()), Some(port), None),
            Listen::Unix(path) => (HostName::Name("localhost".into()), None, Some(path)),
        };
        HealthUrl {
            is_secure: false,
            socket,
            authority: Authority { host, port },
            path: HealthUrl::USUAL_PATH.to_owned(),
        }
    }
}

/// The address at which a server on this machine is reached that listens on `ip`.
fn reached(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

impl fmt::Display for HealthUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.socket {
            return write!(f, "unix:{}", path.display());
        }
        let scheme = if self.is_secure { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_url_is_what_people_write() {
        for (text, url) in [
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080/healthz/ready",
            ),
            ("HTTP://Push.example/", "http://push.example/healthz/ready"),
            ("localhost:81", "http://localhost:81/healthz/ready"),
            (" [::1]:81 ", "http://[::1]:81/healthz/ready"),
            ("http://a/healthz?x#y", "http://a/healthz?x"),
            ("http://a?x", "http://a/?x"),
            ("https://a", "https://a/healthz/ready"),
            ("unix:/run/push.sock", "unix:/run/push.sock"),
        ] {
            let parsed = text.parse::<HealthUrl>();
            assert_eq!(parsed.map(|parsed| parsed.to_string()), Ok(url.into()));
        }
        for bad in [
            "",
            "/",
            "ftp://a",
            "http://",
            "http://a b",
            "http://a/b c",
            "u@a",
            "unix:",
        ] {
            assert!(bad.parse::<HealthUrl>().is_err(), "{bad}");
        }
        let port = |text: &str| text.parse::<HealthUrl>().unwrap().port();
        assert_eq!(
            (port("http://a"), port("https://a"), port("https://a:81")),
            (80, 443, 81)
        );
    }

    #[test]
    fn health_url_of_a_server_here() {
        for (listen, url) in [
            ("127.0.0.1:81", "http://127.0.0.1:81/healthz/ready"),
            ("0.0.0.0:81", "http://127.0.0.1:81/healthz/ready"),
            ("[::]:81", "http://[::1]:81/healthz/ready"),
            (":81", "http://127.0.0.1:81/healthz/ready"),
            ("localhost:81", "http://localhost:81/healthz/ready"),
            ("unix:push.sock", "unix:push.sock"),
        ] {
            let listen: Listen = listen.parse().unwrap();
            assert_eq!(HealthUrl::from(listen).to_string(), url);
        }
    }
}
