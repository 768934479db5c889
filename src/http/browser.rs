//! What only browsers say and need: prefetching, sessions, padded pages.

use hyper::{HeaderMap, Response};

use super::reply::Body;
use super::{Call, cookie, header};
use crate::authority::Authority;
use crate::limits;

/// The name of the cookie that holds the id of a `/receiver` session.
const RECEIVER_COOKIE: &str = "forever-frame";

/// Whether the browser fetches the page only in case its user wants it.
pub(super) fn is_prefetch(headers: &HeaderMap) -> bool {
    // The standard's name (Fetch, "Sec-Purpose"), and what older browsers sent.
    let names = ["sec-purpose", "purpose", "x-purpose", "x-moz"];
    let values = names.iter().flat_map(|name| headers.get_all(*name));
    values
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.to_ascii_lowercase().contains("prefetch"))
}

/// Pads the beginning of a page to [`limits::PRELUDE_BYTES`] if a browser fills a window or a frame
/// with it, since some browsers paint nothing before.
pub(super) fn pad(mut prelude: String, headers: &HeaderMap) -> String {
    let is_shown = matches!(
        header(headers, "sec-fetch-dest"),
        Some("document" | "iframe" | "frame")
    );
    let missing = limits::PRELUDE_BYTES.saturating_sub(prelude.len());
    if is_shown && missing > 0 {
        let filling = missing.saturating_sub("<!---->".len());
        prelude = format!("{prelude}<!--{:filling$}-->", "");
    }
    prelude
}

/// Returns the id of the `/receiver` session that the browser names.
pub(super) fn receiver_session_id<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    cookie::find(call, RECEIVER_COOKIE)
}

/// Gives the browser the id of its `/receiver` session, as a cookie.
pub(super) fn set_receiver_session(call: &Call<'_>, response: &mut Response<Body>, id: &str) {
    cookie::set(call, response, RECEIVER_COOKIE, id, None);
}

/// Returns the address under which the browser knows this server, for commands to copy. A `Host`
/// with unusual characters is not repeated, since it would be pasted into a shell.
pub(super) fn origin(call: &Call<'_>) -> String {
    let scheme = if call.is_secure() { "https" } else { "http" };
    let base_path = call.app.pages.base_path();
    format!("{scheme}://{}{base_path}", host(&call.head.headers))
}

/// Whether a browser asks for a page to show it in a frame of another page.
pub(super) fn is_in_frame(headers: &HeaderMap) -> bool {
    matches!(header(headers, "sec-fetch-dest"), Some("iframe" | "frame"))
}

/// Whether a browser asks for a page to show it in a window or a frame.
pub(super) fn navigates(headers: &HeaderMap) -> bool {
    header(headers, "sec-fetch-mode") == Some("navigate")
}

/// Returns the origin of this server under the other name of the machine, if it was asked under one of
/// the two. Browsers count their connections to `localhost` and to `127.0.0.1` apart, so a page there
/// loads also if all six to the one are taken.
pub(super) fn other_origin(call: &Call<'_>) -> Option<String> {
    let asked: Authority = host(&call.head.headers).parse().ok()?;
    if !asked.host.is_usual_loopback() || call.is_secure() {
        return None;
    }
    let other = if asked.host.is_localhost() {
        "127.0.0.1"
    } else {
        "localhost"
    };
    let port = asked
        .port
        .map_or_else(String::new, |port| format!(":{port}"));
    let base_path = call.app.pages.base_path();
    Some(format!("http://{other}{port}{base_path}"))
}

/// Returns the host and the port that the browser asked for.
pub(super) fn asked(call: &Call<'_>) -> Option<Authority> {
    host(&call.head.headers).parse().ok()
}

/// Returns the host that the browser asked for.
fn host(headers: &HeaderMap) -> &str {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b".:[]-".contains(&b);
    let host =
        header(headers, "host").filter(|host| !host.is_empty() && host.bytes().all(is_allowed));
    host.unwrap_or("localhost:8080")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn pad_only_pages_that_are_shown() {
        let document = headers(&[("sec-fetch-dest", "document")]);
        assert_eq!(pad("<p>".into(), &document).len(), limits::PRELUDE_BYTES);
        assert_eq!(pad("<p>".into(), &headers(&[])), "<p>");
    }

    #[test]
    fn host_that_is_unusual_not_repeated() {
        assert_eq!(host(&headers(&[("host", "a.example:81")])), "a.example:81");
        assert_eq!(host(&headers(&[("host", "a;rm -rf")])), "localhost:8080");
    }
}
