//! The path below which a proxy has the server.
//!
//! Inside of the server all paths are those that it has by itself. The base path is taken off a request when
//! it comes, and put before what an answer links: in pages, and in the headers that name a path. So a proxy
//! may pass it on or leave it out.

use std::fmt;
use std::str::FromStr;

/// A path without a slash at its end, such as `/push`; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BasePath(Box<str>);

/// What pages link with. In what users have written, quotes are escaped.
const LINKS: [&str; 3] = ["href=\"/", "src=\"/", "action=\"/"];

impl BasePath {
    /// Returns a path of a request as the server has it, if that is below the base path.
    #[must_use]
    pub fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(&*self.0)?;
        (!self.0.is_empty() && rest.starts_with('/')).then_some(rest)
    }

    /// Returns a path of this server as others reach it.
    #[must_use]
    pub fn link(&self, path: &str) -> String {
        if !path.starts_with('/') || self.strip(path).is_some() {
            return path.to_owned();
        }
        format!("{}{path}", self.0)
    }

    /// Returns a page in which all links lead to what is below the base path. Its scripts find that in
    /// `data-base`.
    #[must_use]
    pub fn page(&self, html: String) -> String {
        if self.0.is_empty() {
            return html;
        }
        let base = &self.0;
        let html = html.replacen("<html ", &format!("<html data-base=\"{base}\" "), 1);
        LINKS.iter().fold(html, |html, link| {
            let below = link.replace('/', &format!("{base}/"));
            html.replace(link, &below)
        })
    }
}

impl FromStr for BasePath {
    type Err = String;

    fn from_str(text: &str) -> Result<BasePath, String> {
        let path = text.trim().trim_end_matches('/');
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
        let is_name =
            |name: &str| !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_allowed);
        let is_path = path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(is_name));
        if path.is_empty() || is_path {
            Ok(BasePath(path.into()))
        } else {
            Err("is not a path of letters, digits and . _ ~ - ; write it like /push".to_owned())
        }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(text: &str) -> BasePath {
        text.parse().unwrap()
    }

    #[test]
    fn base_path_is_taken_off_and_put_before() {
        let push = base("/push/");
        assert_eq!(push.strip("/push/c/a"), Some("/c/a"));
        assert_eq!(push.strip("/push/"), Some("/"));
        for path in ["/pushed", "/c/a", "/push", ""] {
            assert_eq!(push.strip(path), None, "{path}");
        }
        assert_eq!(push.link("/c/"), "/push/c/");
        assert_eq!(push.link("/push/c/"), "/push/c/");
        assert_eq!(push.link("?a=/b"), "?a=/b");
        let none = base("/");
        assert_eq!((none.strip("/c"), &*none.link("/c")), (None, "/c"));
        for bad in [
            "push", "/a b", "/a//b", "/..", "/a/../b", "//x", "/a\"", "http://x",
        ] {
            assert!(bad.parse::<BasePath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn base_path_stands_in_pages() {
        let page = "<html lang=\"en\"><a href=\"/c/a\">href=&quot;/x</a> <a href=\"?b\"> <i src=\"/s.js\">";
        let below = "<html data-base=\"/a/b\" lang=\"en\"><a href=\"/a/b/c/a\">href=&quot;/x</a> <a href=\"?b\"> <i src=\"/a/b/s.js\">";
        assert_eq!(base("/a/b").page(page.to_owned()), below);
        assert_eq!(base("").page(page.to_owned()), page);
    }
}
