//! Access for pages of other origins, as far as `--cors-origin` allows it (Fetch standard, section
//! 3.2).

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, HeaderValue, ORIGIN, VARY,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

use super::route;

/// The methods that a preflight allows: all that `/c/…` takes.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT");
/// The request headers that a preflight allows.
const HEADERS: HeaderValue =
    HeaderValue::from_static("cache-control, content-type, idempotency-key, last-event-id");

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
    /// The origin that may read the response, if any.
    origin: Option<HeaderValue>,
    /// Whether the browser only asks what would be allowed.
    preflight: bool,
}

impl Cors {
    /// Allows these origins; `*` is every origin.
    #[must_use]
    pub fn new(origins: Vec<String>) -> Cors {
        Cors { origins }
    }

    fn allows_all(&self) -> bool {
        self.origins.iter().any(|allowed| allowed == "*")
    }

    /// Whether pages of this origin may have the response of this path in a frame.
    pub(super) fn allows(&self, path: &str, origin: &str) -> bool {
        route::is_open(path) && self.allows_origin(origin)
    }

    fn allows_origin(&self, origin: &str) -> bool {
        // The origin may end up in a Content-Security-Policy, so it must be one plain word.
        let plain = |b: u8| b.is_ascii_graphic() && !b";,'\"".contains(&b);
        let sound = origin.contains("://") && origin.bytes().all(plain);
        let is_allowed = |allowed: &String| allowed.eq_ignore_ascii_case(origin);
        sound && (self.allows_all() || self.origins.iter().any(is_allowed))
    }

    /// Returns what the page that sends this request is granted.
    pub(super) fn grant(&self, head: &Parts) -> Grant {
        let open = !self.origins.is_empty() && route::is_open(head.uri.path());
        let origin = head.headers.get(ORIGIN).filter(|_| open);
        let origin = if self.allows_all() {
            origin.map(|_| HeaderValue::from_static("*"))
        } else {
            let is_allowed =
                |origin: &&HeaderValue| origin.to_str().is_ok_and(|text| self.allows_origin(text));
            origin.filter(is_allowed).cloned()
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
    /// Adds the headers of the grant to those of the response.
    pub(super) fn apply(self, headers: &mut HeaderMap) {
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
