//! The base path ([`BasePath`]) in the requests that a proxy passes on, and in the headers of answers.

use hyper::header::{HeaderValue, LINK, LOCATION};
use hyper::http::uri::PathAndQuery;
use hyper::{HeaderMap, Uri};

use crate::pages::BasePath;

/// Takes the base path off a request's path, if that is below it.
pub(super) fn take_off(base_path: &BasePath, uri: &mut Uri) {
    let Some(path) = base_path.strip(uri.path()) else {
        return;
    };
    let query = uri
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    let Ok(rest) = PathAndQuery::try_from(format!("{path}{query}")) else {
        return;
    };
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = Some(rest);
    // What had a path before can have another.
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

/// Puts the base path before the paths in an answer's headers.
pub(super) fn put_before(base_path: &BasePath, headers: &mut HeaderMap) {
    for (name, begin) in [(LOCATION, ""), (LINK, "<")] {
        let path = headers.get(&name).and_then(|value| value.to_str().ok());
        let path = path.and_then(|value| value.strip_prefix(begin));
        let below = path.map(|path| format!("{begin}{}", base_path.link(path)));
        if let Some(Ok(below)) = below.map(HeaderValue::try_from) {
            headers.insert(name, below);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_takes_off_what_it_puts_before() {
        let base_path = "/push".parse().unwrap();
        for (asked, expected) in [
            ("/push/c/a?since=1", "/c/a?since=1"),
            ("/push/", "/"),
            ("/c/a", "/c/a"),
            ("http://a.example/push/c/a", "http://a.example/c/a"),
        ] {
            let mut uri = asked.parse().unwrap();
            take_off(&base_path, &mut uri);
            assert_eq!(uri.to_string(), expected);
        }
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static("/c/"));
        headers.insert(
            LINK,
            HeaderValue::from_static("</c/?after=a>; rel=\"next\""),
        );
        put_before(&base_path, &mut headers);
        assert_eq!(headers[LOCATION], "/push/c/");
        assert_eq!(headers[LINK], "</push/c/?after=a>; rel=\"next\"");
    }
}
