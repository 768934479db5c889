//! Who caused a request, as far as a browser says it. Pure.
//!
//! Browsers name the origin of the page that sends a request (`Origin`), and how it relates to this
//! server (`Sec-Fetch-Site`); no page can change either (Fetch standard, sections 3.1 and 3.7).
//! Programs that are not browsers name neither.

use hyper::HeaderMap;
use hyper::header::{ORIGIN, REFERER};

use super::header;
use crate::authority::{Authority, WebOrigin};

/// Who caused a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Initiator {
    /// A program, a user who typed the address, or a page of this server.
    Own,
    /// A page of another origin, which is named as far as the browser names it: it is `null` for a
    /// page without an origin.
    Page(String),
}

impl Initiator {
    /// Reads who caused a request to a server that is asked as one of `own`: by itself, and as a
    /// proxy was asked that forwards the request. `is_secure` is whether the browser speaks TLS with
    /// that proxy.
    pub(super) fn of(headers: &HeaderMap, own: &[Authority], is_secure: bool) -> Initiator {
        let mut origins = headers.get_all(ORIGIN).iter();
        let origin = origins.next().map(|origin| {
            let text = String::from_utf8_lossy(origin.as_bytes());
            // No browser sends several.
            origins.next().map_or(text, |_| "several origins".into())
        });
        match (header(headers, "sec-fetch-site"), origin) {
            // A proxy may ask under another host than the browser, so that the origin looks foreign.
            // (The origin of a page that hides its address from other servers is `null`.)
            (Some("same-origin"), _) | (Some("none") | None, None) => Initiator::Own,
            (Some("none") | None, Some(origin)) if is_own(&origin, own, is_secure) => {
                Initiator::Own
            }
            (_, Some(origin)) => Initiator::Page(origin.into_owned()),
            // Another site, or another server under the same host or domain.
            (Some(_), None) => {
                let referer = header(headers, REFERER.as_str());
                let page = referer.and_then(|url| url.parse::<WebOrigin>().ok());
                let unnamed = || "another site".to_owned();
                Initiator::Page(page.map_or_else(unnamed, |origin| origin.to_string()))
            }
        }
    }

    /// Whether the page is one of this server, which was opened under another of the usual names of
    /// the machine itself: `localhost`, `127.0.0.1` or `[::1]`, with the same port.
    pub(super) fn is_same_server(&self, own: &[Authority]) -> bool {
        let Initiator::Page(origin) = self else {
            return true;
        };
        let Ok(origin) = origin.parse::<WebOrigin>() else {
            return false;
        };
        let is_alias = |own: &Authority| {
            own.host.is_usual_loopback() && origin.has_port_of(own) && !origin.is_secure
        };
        origin.host().is_usual_loopback() && own.iter().any(is_alias)
    }
}

/// Whether an origin is that of this server. Where a proxy speaks TLS, a page that came without TLS
/// may have been changed on its way, and is another origin.
fn is_own(origin: &str, own: &[Authority], is_secure: bool) -> bool {
    let Ok(origin) = origin.parse::<WebOrigin>() else {
        return false;
    };
    (origin.is_secure || !is_secure) && own.iter().any(|own| origin.is_of(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn initiator(own: &str, is_secure: bool, pairs: &[(&'static str, &'static str)]) -> Initiator {
        let header = |(name, value): &(&'static str, &'static str)| {
            (name.parse().unwrap(), HeaderValue::from_static(value))
        };
        let headers: HeaderMap = pairs.iter().map(header).collect();
        Initiator::of(&headers, &[own.parse().unwrap()], is_secure)
    }

    #[test]
    fn initiator_is_what_browsers_say() {
        let page = |origin: &str| Initiator::Page(origin.to_owned());
        let from = |pairs: &[_]| initiator("a.example:81", false, pairs);
        let own = ("origin", "http://a.example:81");
        assert_eq!(from(&[]), Initiator::Own);
        assert_eq!(from(&[own]), Initiator::Own);
        assert_eq!(from(&[("origin", "https://A.example:81")]), Initiator::Own);
        assert_eq!(from(&[("sec-fetch-site", "none")]), Initiator::Own);
        let same = ("sec-fetch-site", "same-origin");
        assert_eq!(from(&[same]), Initiator::Own);
        assert_eq!(from(&[same, ("origin", "null")]), Initiator::Own);
        for bad in [
            "http://b.example",
            "http://a.example",
            "null",
            "",
            "file://",
        ] {
            assert_eq!(from(&[("origin", bad)]), page(bad));
            let typed = ("sec-fetch-site", "none");
            assert_eq!(from(&[typed, ("origin", bad)]), page(bad));
        }
        for site in ["cross-site", "same-site", "else"] {
            let site = ("sec-fetch-site", site);
            assert_eq!(from(&[site]), page("another site"));
            assert_eq!(from(&[site, own]), page("http://a.example:81"));
            let referer = ("referer", "https://b.example/x");
            assert_eq!(from(&[site, referer]), page("https://b.example"));
        }
        assert_eq!(from(&[own, own]), page("several origins"));
    }

    /// Where a proxy speaks TLS, a page without TLS is another origin.
    #[test]
    fn initiator_without_tls_is_another_origin() {
        let from = |is_secure, origin| initiator("a.example", is_secure, &[("origin", origin)]);
        assert_eq!(from(true, "https://a.example"), Initiator::Own);
        assert_ne!(from(true, "http://a.example"), Initiator::Own);
        assert_eq!(from(false, "https://a.example"), Initiator::Own);
    }

    /// The three usual names of the machine itself lead to the same server, if the port is the same.
    #[test]
    fn initiator_may_have_used_another_name() {
        let is_same = |own: &str, page: &str| {
            let initiator = Initiator::Page(page.to_owned());
            initiator.is_same_server(&[own.parse().unwrap()])
        };
        for own in ["localhost:81", "127.0.0.1:81", "[::1]:81"] {
            for page in [
                "http://localhost:81",
                "http://127.0.0.1:81",
                "http://[::1]:81",
            ] {
                assert!(is_same(own, page), "{own} {page}");
            }
            for page in [
                "http://localhost:82",
                "http://127.0.0.2:81",
                "http://a.example:81",
                "null",
            ] {
                assert!(!is_same(own, page), "{own} {page}");
            }
        }
        assert!(!is_same("a.example:81", "http://localhost:81"));
    }
}
