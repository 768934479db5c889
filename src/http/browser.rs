//! What browsers say of themselves, and want to be told.

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
    let cookies = headers
        .get_all("cookie")
        .iter()
        .filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// The header that names a session to the browser.
pub(super) fn set_session(id: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax")).ok()
}

/// The address under which the browser knows this server, for commands to copy.
pub(super) fn origin(headers: &HeaderMap) -> String {
    let known = |b: u8| b.is_ascii_alphanumeric() || b".:[]-".contains(&b);
    let host = header(headers, "host").filter(|host| !host.is_empty() && host.bytes().all(known));
    let scheme = if header(headers, "x-forwarded-proto") == Some("https") {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{}", host.unwrap_or("localhost:8080"))
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
