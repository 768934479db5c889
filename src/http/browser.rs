//! What browsers say of themselves, and want to be told.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::HeaderValue;

use super::header;
use crate::limits;

/// The name of the session's cookie.
const COOKIE: &str = "forever-frame";

/// Is the page only fetched in case somebody wants it?
pub(super) fn is_prefetch(headers: &HeaderMap) -> bool {
    // The standard's name (Fetch, "Sec-Purpose"), and what older browsers sent.
    let names = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
    names
        .iter()
        .filter_map(|name| header(headers, name))
        .any(|value| value.contains("prefetch"))
}

/// Makes the beginning of a page long enough to be painted, for those who show it as it comes:
/// a browser that fills a window or a frame.
pub(super) fn pad(mut prelude: String, headers: &HeaderMap) -> String {
    let shows = matches!(
        header(headers, "sec-fetch-dest"),
        Some("document" | "iframe" | "frame")
    );
    let lacks = limits::PRELUDE_BYTES.saturating_sub(prelude.len());
    if shows && lacks > 0 {
        let filling = lacks.saturating_sub("<!---->".len());
        prelude = format!("{prelude}<!--{:filling$}-->", "");
    }
    prelude
}

/// The session that the browser names.
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, COOKIE)
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers
        .get_all("cookie")
        .iter()
        .filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The header that names a session to the browser.
pub(super) fn set_session(id: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax")).ok()
}

/// The address under which the browser knows this server, for commands to copy.
pub(super) fn origin(headers: &HeaderMap) -> String {
    let known = |b: u8| b.is_ascii_alphanumeric() || b".:[]-".contains(&b);
    let host = header(headers, "host").filter(|host| !host.is_empty() && host.bytes().all(known));
    let scheme = if is_secure(headers) { "https" } else { "http" };
    format!("{scheme}://{}", host.unwrap_or("localhost:8080"))
}

/// Does the browser speak TLS, to a proxy that says so?
pub(super) fn is_secure(headers: &HeaderMap) -> bool {
    header(headers, "x-forwarded-proto") == Some("https")
}

/// The page of another origin that sends this, if it is one: its name. Browsers say who asks (Fetch
/// standard, "Origin" and "Sec-Fetch-Site"); programs have nothing to say.
pub(super) fn foreign(headers: &HeaderMap) -> Option<String> {
    let site = header(headers, "sec-fetch-site");
    let origin = headers.get("origin").map(HeaderValue::as_bytes);
    let named = || String::from_utf8_lossy(origin.unwrap_or(b"another site")).into_owned();
    match site {
        Some("same-origin" | "none") => None,
        Some(_) => Some(named()),
        None => {
            // A proxy may have taken the TLS away, so the scheme says nothing.
            let authority = |origin: &[u8]| {
                let at = origin.windows(3).position(|part| part == b"://");
                at.map(|at| origin[at + 3..].to_owned())
            };
            let host = headers.get("host").map(HeaderValue::as_bytes);
            let own = |origin: &[u8]| {
                authority(origin).is_some_and(|authority| Some(&*authority) == host)
            };
            origin.filter(|origin| !own(origin)).map(|_| named())
        }
    }
}

/// Where the client is: at the other end, or where a proxy on this machine says.
pub(super) fn client(headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let last = forwarded
        .and_then(|list| list.to_str().ok()?.rsplit(',').next()?.trim().parse().ok())
        .filter(|_| peer.to_canonical().is_loopback());
    last.unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_session_is_found_among_the_cookies() {
        assert_eq!(
            session(&headers(&[("cookie", "a=b; forever-frame=77; c=d")])),
            Some("77")
        );
        assert_eq!(
            session(&headers(&[(
                "cookie",
                "xforever-frame=77; forever-framex=1"
            )])),
            None
        );
    }

    #[test]
    fn only_pages_that_are_shown_are_padded() {
        let document = headers(&[("sec-fetch-dest", "document")]);
        assert_eq!(pad("<p>".into(), &document).len(), limits::PRELUDE_BYTES);
        assert_eq!(pad("<p>".into(), &headers(&[])), "<p>");
    }

    #[test]
    fn pages_of_other_origins_are_known() {
        let from = |pairs: &[_]| foreign(&headers(pairs));
        let host = ("host", "a.example:81");
        assert_eq!(from(&[host]), None);
        assert_eq!(from(&[host, ("origin", "https://a.example:81")]), None);
        assert_eq!(from(&[host, ("sec-fetch-site", "same-origin")]), None);
        for bad in ["http://b.example", "http://a.example", "null", ""] {
            assert_eq!(from(&[host, ("origin", bad)]).as_deref(), Some(bad));
            assert_eq!(from(&[("origin", bad)]).as_deref(), Some(bad));
        }
        for site in ["cross-site", "same-site"] {
            let origin = ("origin", "http://a.example:81");
            assert!(from(&[host, origin, ("sec-fetch-site", site)]).is_some());
        }
    }

    #[test]
    fn only_a_proxy_on_this_machine_is_believed() {
        let [here, there] = ["127.0.0.1", "9.9.9.9"].map(|text| text.parse().unwrap());
        let forwarded = headers(&[("x-forwarded-for", "1.1.1.1, 2.2.2.2")]);
        assert_eq!(client(&forwarded, here).to_string(), "2.2.2.2");
        assert_eq!(client(&forwarded, there), there);
        assert_eq!(client(&headers(&[]), here), here);
    }

    #[test]
    fn nobody_puts_words_into_the_commands() {
        assert_eq!(
            origin(&headers(&[("host", "a.example:81")])),
            "http://a.example:81"
        );
        assert_eq!(
            origin(&headers(&[("host", "a;rm -rf")])),
            "http://localhost:8080"
        );
    }
}
