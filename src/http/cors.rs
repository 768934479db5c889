//! Access for pages of other origins, as far as `--cors-origin` allows it (Fetch standard, section
//! 3.3).
//!
//! The headers here let a browser show an answer to such a page. Whether a request of such a page does
//! anything is decided in `permission.rs`.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, HeaderName, HeaderValue, ORIGIN, VARY,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

use super::forwarded::items;
use super::route::{self, Endpoint};
use crate::limits;

/// The methods that a preflight allows: all that `/c/…` takes.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT");
/// The request headers that a preflight allows if the browser does not say which it asks for.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "cache-control, content-type, idempotency-key, if-match, if-none-match, last-event-id",
);

/// The origins whose pages may read and append.
#[derive(Debug)]
pub struct Cors {
    origins: Vec<String>,
}

/// What the page that sent a request is granted: headers of the response, whatever else that is.
#[derive(Debug)]
pub(super) struct Grant {
    /// Whether the response depends on the origin of the request.
    varies: bool,
    /// The origin that may read the response, if any; `*` for every origin.
    origin: Option<HeaderValue>,
    /// Whether the page may send what the browser knows of its user, such as cookies.
    credentials: bool,
    /// The headers that the page may send, if the browser only asks what would be allowed.
    preflight: Option<HeaderValue>,
}

impl Cors {
    /// Allows these origins; `*` is every origin.
    #[must_use]
    pub fn new(origins: Vec<String>) -> Cors {
        Cors { origins }
    }

    /// Whether pages of this origin may use an endpoint, also in a frame. The channels are open to
    /// all origins that are allowed, the other demonstrations only to those that are named, and the
    /// chat, whose cookie says who somebody is, to none.
    pub(super) fn allows(&self, endpoint: Endpoint, origin: &str) -> bool {
        match endpoint {
            Endpoint::Channels
            | Endpoint::ChannelList
            | Endpoint::ToChannelList
            | Endpoint::Stream
            | Endpoint::Send => self.allows_all() || self.names(origin),
            Endpoint::Chat(_) => false,
            _ => self.names(origin),
        }
    }

    fn allows_all(&self) -> bool {
        self.origins.iter().any(|allowed| allowed == "*")
    }

    fn names(&self, origin: &str) -> bool {
        let is_this = |allowed: &String| allowed.eq_ignore_ascii_case(origin);
        self.origins.iter().any(is_this)
    }

    /// Returns what the page that sends this request is granted.
    pub(super) fn grant(&self, head: &Parts) -> Grant {
        let is_open = !self.origins.is_empty() && route::is_open(head.uri.path());
        let origin = head.headers.get(ORIGIN).filter(|_| is_open);
        let is_named = |origin: &&HeaderValue| origin.to_str().is_ok_and(|text| self.names(text));
        let named = origin.filter(is_named).cloned();
        let all = origin.filter(|_| self.allows_all());
        Grant {
            varies: is_open && self.origins.iter().any(|allowed| allowed != "*"),
            credentials: named.is_some(),
            origin: named.or(all.map(|_| HeaderValue::from_static("*"))),
            preflight: (head.method == Method::OPTIONS).then(|| requested_headers(&head.headers)),
        }
    }
}

/// The headers that a browser asks for in a preflight. What is malformed or too long is answered as
/// if it had asked for none.
fn requested_headers(headers: &HeaderMap) -> HeaderValue {
    let is_name = |name: &&str| HeaderName::from_bytes(name.as_bytes()).is_ok();
    let names: Option<Vec<&str>> = items(headers, ACCESS_CONTROL_REQUEST_HEADERS.as_str())
        .map(|name| name.filter(is_name))
        .collect();
    let names = names.unwrap_or_default().join(", ");
    let sound = (1..=limits::CORS_HEADERS_BYTES_MAX).contains(&names.len());
    let value = sound.then(|| HeaderValue::from_str(&names).ok());
    value.flatten().unwrap_or(HEADERS)
}

impl Grant {
    /// Adds the headers of the grant to those of the response.
    pub(super) fn apply(self, headers: &mut HeaderMap) {
        let vary = match (self.varies, &self.preflight) {
            (true, Some(_)) => Some("origin, access-control-request-headers"),
            (false, Some(_)) => Some("access-control-request-headers"),
            (true, None) => Some("origin"),
            (false, None) => None,
        };
        if let Some(vary) = vary {
            headers.append(VARY, HeaderValue::from_static(vary));
        }
        let Some(origin) = self.origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("log-cursor, etag"),
        );
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        if let Some(requested) = self.preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested);
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        }
    }
}
