//! Telling the clients of a connection apart, where a proxy forwards the requests of several.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::LazyLock;

use hyper::HeaderMap;
use hyper::Version;
use hyper::header::{AUTHORIZATION, USER_AGENT};
use hyper::http::request::Parts;

use crate::connection::Client;

/// The headers with which proxies name the client that they forward a request for, or themselves.
const FORWARDING: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];

/// Keyed anew by each process, so that no client can make up headers with the hash of another's.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Whether a proxy says that it forwards the request for somebody.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDING.iter().any(|name| headers.contains_key(*name))
}

/// A number that stands for the client that a proxy names; `None` if no proxy names one. Over HTTP/2 a
/// connection has requests of several pages at the same time, as a proxy's has, so each of them stands for
/// a client there. It is used for nothing but to tell clients apart, so what a client makes up harms only
/// itself.
pub(super) fn forwarded_sender(head: &Parts) -> Option<u64> {
    let headers = &head.headers;
    let is_shared = head.version == Version::HTTP_2 || is_forwarded(headers);
    is_shared.then(|| {
        let mut hasher = HASHES.build_hasher();
        let marks = FORWARDING.iter().copied();
        for name in marks.chain([USER_AGENT.as_str(), AUTHORIZATION.as_str()]) {
            for value in headers.get_all(name) {
                (name, value.as_bytes()).hash(&mut hasher);
            }
        }
        hasher.finish()
    })
}

/// The client of a request that asks for the letters of `mailbox`.
pub(super) fn of_mailbox(head: &Parts, mailbox: &str) -> Client {
    forwarded_sender(head).map_or(Client::Direct, |sender| Client::Forwarded {
        sender,
        mailbox: HASHES.hash_one(mailbox),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn head(version: Version, pairs: &[(&str, &str)]) -> Parts {
        let mut request = Request::get("/").version(version);
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// Only requests that a proxy marks are told apart, by what the proxy and the client say.
    #[test]
    fn clients_behind_a_proxy_are_told_apart() {
        let headers = |pairs: &[(&str, &str)]| head(Version::HTTP_11, pairs);
        let agent = ("user-agent", "curl");
        let h2 = head(Version::HTTP_2, &[agent]);
        assert_eq!(forwarded_sender(&h2), forwarded_sender(&h2.clone()));
        assert_ne!(of_mailbox(&h2, "bob"), of_mailbox(&h2, "carol"));
        assert_ne!(of_mailbox(&h2, "bob"), Client::Direct);
        assert_eq!(forwarded_sender(&headers(&[agent])), None);
        assert_eq!(of_mailbox(&headers(&[agent]), "bob"), Client::Direct);
        let one = headers(&[agent, ("x-forwarded-for", "192.0.2.1")]);
        let two = headers(&[agent, ("x-forwarded-for", "192.0.2.2")]);
        let other = headers(&[("user-agent", "wget"), ("x-forwarded-for", "192.0.2.1")]);
        assert_eq!(forwarded_sender(&one), forwarded_sender(&one.clone()));
        assert_ne!(forwarded_sender(&one), forwarded_sender(&two));
        assert_ne!(forwarded_sender(&one), forwarded_sender(&other));
        assert_ne!(of_mailbox(&one, "bob"), of_mailbox(&one, "carol"));
    }
}
