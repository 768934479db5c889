//! The names under which the server may be asked.
//!
//! A page on the web can let its own name lead to 127.0.0.1 (DNS rebinding): for a browser, its
//! requests then come from the origin that they go to, and nothing but `Host` tells that they are a
//! page's of somebody else. So a server on a loopback address answers to the names that nobody else
//! can have, and to those that its operator gives it.

use hyper::Version;
use hyper::header::{HOST, HeaderValue};
use hyper::http::request::Parts;

use super::error::Error;
use crate::authority::{Authority, HostName};

/// The names under which a server may be asked.
#[derive(Debug)]
pub enum Hosts {
    /// Any name: the server is reached by other machines, which know it by names of their own.
    Any,
    /// `localhost`, all addresses, and these names.
    Only(Vec<HostName>),
}

impl Hosts {
    /// Checks that the server may be asked under this name. HTTP/1.0 may name none.
    pub(super) fn check(&self, asked: Option<&Authority>) -> Result<(), Error> {
        let (Hosts::Only(names), Some(asked)) = (self, asked) else {
            return Ok(());
        };
        let host = &asked.host;
        if host.is_localhost() || matches!(host, HostName::Ip(_)) || names.contains(host) {
            return Ok(());
        }
        Err(Error::UnknownHost(host.to_string()))
    }
}

/// Adds the `Host` of a request of HTTP/2, which says it in another place (RFC 9113, section 8.3.1).
pub(super) fn add_authority(head: &mut Parts) {
    if head.version == Version::HTTP_2
        && !head.headers.contains_key(HOST)
        && let Some(authority) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        head.headers.insert(HOST, host);
    }
}

/// The name under which the server is asked: that of the request's target, or else `Host` (RFC 9112,
/// section 3.2). HTTP/1.0 may name none.
///
/// # Errors
/// [`Error::BadHost`] when there is no `Host`, or more than one, or it is malformed.
pub(super) fn asked(head: &Parts) -> Result<Option<Authority>, Error> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let read = |text: &str| {
        let malformed = || Error::BadHost(format!("the Host {text:?} is not a host and a port"));
        text.parse::<Authority>().map_err(|_| malformed())
    };
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(read(&String::from_utf8_lossy(host.as_bytes()))?),
        (None, _) if head.version <= Version::HTTP_10 => None,
        (None, _) => return Err(Error::BadHost("the request has no Host".to_owned())),
        (Some(_), Some(_)) => {
            return Err(Error::BadHost("the request has several Hosts".to_owned()));
        }
    };
    match head.uri.authority() {
        Some(target) => read(target.as_str()).map(Some),
        None => Ok(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn head(version: Version, uri: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::get(uri).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn host_is_named_once() {
        let host = |version, uri, hosts: &[&str]| {
            let asked = asked(&head(version, uri, hosts)).ok()?;
            Some(asked.map(|asked| asked.host.to_string()))
        };
        let named = |name: &str| Some(Some(name.to_owned()));
        assert_eq!(host(Version::HTTP_11, "/", &["A:81"]), named("a"));
        assert_eq!(host(Version::HTTP_10, "/", &["a"]), named("a"));
        assert_eq!(host(Version::HTTP_10, "/", &[]), Some(None));
        assert_eq!(host(Version::HTTP_11, "http://b:1/x", &["a"]), named("b"));
        for hosts in [&[][..], &["a", "a"], &[""], &["a b"], &["a/b"], &["u@a"]] {
            assert_eq!(host(Version::HTTP_11, "/", hosts), None, "{hosts:?}");
            let absolute = host(Version::HTTP_11, "http://b/", hosts);
            assert_eq!(absolute, None, "{hosts:?}");
        }
        assert_eq!(host(Version::HTTP_11, "http://u@b/", &["b"]), None);
        assert_eq!(host(Version::HTTP_10, "/", &["a", "b"]), None);
    }

    #[test]
    fn host_may_be_unknown() {
        let hosts = Hosts::Only(vec!["push.example".parse::<Authority>().unwrap().host]);
        let knows = |text: &str| hosts.check(Some(&text.parse().unwrap())).is_ok();
        for own in [
            "localhost:8080",
            "LOCALHOST",
            "localhost.",
            "app.localhost:1",
            "127.0.0.1",
            "192.0.2.7:80",
            "[::1]:8080",
            "Push.Example.:443",
        ] {
            assert!(knows(own), "{own}");
            assert!(Hosts::Any.check(Some(&own.parse().unwrap())).is_ok());
        }
        for other in [
            "rebound.example:8080",
            "xlocalhost",
            "localhost.example",
            "0x7f.1",
        ] {
            assert!(!knows(other), "{other}");
            assert!(Hosts::Any.check(Some(&other.parse().unwrap())).is_ok());
        }
        assert!(hosts.check(None).is_ok());
    }
}
