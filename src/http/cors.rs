//! Pages of other origins, as far as `--cors-origin` lets them (Fetch standard, section 3.2).

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderValue, ORIGIN, VARY,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

use super::route;

/// What a preflight allows: all that `/c/…` takes.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT");
const HEADERS: HeaderValue =
    HeaderValue::from_static("cache-control, content-type, idempotency-key, last-event-id");

/// The origins that may read and append.
#[derive(Debug)]
pub struct Cors {
    origins: Vec<String>,
}

/// What is to be said to the page that asked, whatever else the answer is.
#[derive(Debug)]
pub(super) struct Grant {
    /// Does the answer depend on who asks?
    varies: bool,
    /// The origin that may read it.
    origin: Option<HeaderValue>,
    /// Is it asked what would be possible?
    preflight: bool,
}

impl Cors {
    /// These origins; `*` for all.
    #[must_use]
    pub fn new(origins: Vec<String>) -> Cors {
        Cors { origins }
    }

    fn allows_all(&self) -> bool {
        self.origins.iter().any(|allowed| allowed == "*")
    }

    /// May pages of this origin have what is at this path in them?
    pub(super) fn allows(&self, path: &str, origin: &str) -> bool {
        route::is_open(path) && self.lets(origin)
    }

    fn lets(&self, origin: &str) -> bool {
        // What comes here may end up in a policy: one plain word.
        let plain = |b: u8| b.is_ascii_graphic() && !b";,'\"".contains(&b);
        let sound = origin.contains("://") && origin.bytes().all(plain);
        let known = |allowed: &String| allowed.eq_ignore_ascii_case(origin);
        sound && (self.allows_all() || self.origins.iter().any(known))
    }

    /// What the page that sends this request is granted.
    pub(super) fn grant(&self, head: &Parts) -> Grant {
        let open = !self.origins.is_empty() && route::is_open(head.uri.path());
        let origin = head.headers.get(ORIGIN).filter(|_| open);
        let origin = if self.allows_all() {
            origin.map(|_| HeaderValue::from_static("*"))
        } else {
            let known = |origin: &&HeaderValue| origin.to_str().is_ok_and(|text| self.lets(text));
            origin.filter(known).cloned()
        };
        let varies = open && !self.allows_all();
        Grant {
            varies,
            origin,
            preflight: head.method == Method::OPTIONS,
        }
    }
}

impl Grant {
    /// Says it.
    pub(super) fn say(self, headers: &mut HeaderMap) {
        if self.varies {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = self.origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("stream-cursor"),
        );
        if self.preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        }
    }
}
