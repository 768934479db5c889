//! The language in which a browser gets pages: what the address says (`?lang=zh`), else what the cookie
//! remembers of such an address, else what its user reads (`Accept-Language`).
//!
//! JSON and plain text are English always.

use hyper::Response;
use hyper::header::{CONTENT_LANGUAGE, LOCATION, SET_COOKIE};
use hyper::http::request::Parts;

use super::Call;
use super::cookie;
use super::error::ParamError;
use super::form;
use super::negotiate::{self, Form};
use super::query;
use super::reply::{self, Body};
use crate::limits;
use crate::translation::Language;

/// The name of the cookie that remembers the language.
const COOKIE: &str = "lang";

/// The language of the answer to a request, if that is a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct LanguageChoice {
    pub(super) language: Language,
    /// Whether the address names the language, so that the browser is to remember it.
    is_named: bool,
    is_secure: bool,
}

impl LanguageChoice {
    /// Which language a request asks for, which came over TLS or did not.
    pub(super) fn of(head: &Parts, is_secure: bool) -> LanguageChoice {
        let named = named(head).and_then(|name| Language::named(&name));
        let remembered = || cookie::find_in(&head.headers, COOKIE, is_secure);
        let language = named
            .or_else(|| remembered().and_then(Language::named))
            .or_else(|| negotiate::language(&head.headers));
        LanguageChoice {
            language: language.unwrap_or_default(),
            is_named: named.is_some(),
            is_secure,
        }
    }

    /// Lets the browser remember the language that the address names, if the answer is a page, or leads to one.
    pub(super) fn remember(self, response: &mut Response<Body>) {
        let headers = response.headers();
        let is_page = headers.contains_key(CONTENT_LANGUAGE) || headers.contains_key(LOCATION);
        if self.is_named && is_page {
            let (name, age) = (self.language.name(), limits::LANGUAGE_COOKIE_AGE);
            let line = cookie::line(COOKIE, name, Some(age), self.is_secure);
            reply::add_header(response, SET_COOKIE, &line);
        }
    }
}

/// Whether the client is shown a page: it is a browser, or asks for HTML in so many words.
pub(super) fn takes_page(head: &Parts) -> bool {
    let query = head.uri.query().unwrap_or("");
    let is_asked = query.split('&').any(|pair| pair == "as=html");
    is_asked || negotiate::error_form(head) == Form::Html
}

impl Call<'_> {
    /// The parameters that the query may have besides those of its endpoint, where the answer is a page.
    pub(super) fn page_params(&self) -> &'static [&'static str] {
        if takes_page(&self.head) {
            query::PAGE
        } else {
            &[]
        }
    }
}

/// Checks that the language which the address of a page names is one that there is.
pub(super) fn check(head: &Parts) -> Result<(), ParamError> {
    match named(head) {
        Some(name) if Language::named(&name).is_none() => {
            let names = Language::ALL.map(Language::name).join(" nor ");
            let why = format!("is neither {names}, the languages that there are");
            Err(ParamError::new(query::LANG, &name, why))
        }
        _ => Ok(()),
    }
}

/// The language that an address names, whether there is such a language or not.
fn named(head: &Parts) -> Option<String> {
    let pairs = form::pairs(head.uri.query().unwrap_or("")).ok()?;
    let values = pairs.filter(|(name, _)| *name == query::LANG);
    values.last().map(|(_, value)| form::decode_lossily(value))
}

/// The query of a page's address with the name of another language, which the switch leads to. A token that
/// stands in the address is not repeated in the page.
pub(super) fn query_of_switch(query: &str, language: Language) -> String {
    let is_kept = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        !["", query::LANG, query::KEY].contains(&name)
    };
    let mut pairs: Vec<&str> = query.split('&').filter(is_kept).collect();
    let own = format!("{}={}", query::LANG, language.name());
    pairs.push(&own);
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = hyper::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// The address counts before the cookie, and the cookie before what the user reads.
    #[test]
    fn language_is_chosen() {
        let reads = |tag| ("accept-language", tag);
        let cookie = |line| ("cookie", line);
        for (uri, headers, expected) in [
            ("/", &[][..], Language::English),
            ("/", &[reads("zh-CN")], Language::Chinese),
            ("/", &[reads("zh"), cookie("lang=en")], Language::English),
            ("/", &[reads("zh"), cookie("lang=de")], Language::Chinese),
            ("/?a=b&lang=zh", &[cookie("lang=en")], Language::Chinese),
            (
                "/?lang=en",
                &[reads("zh"), cookie("lang=zh")],
                Language::English,
            ),
            ("/?lang=de", &[cookie("lang=zh")], Language::Chinese),
            ("/?lang=en&lang=%7Ah", &[], Language::Chinese),
            ("/?language=zh", &[], Language::English),
        ] {
            let head = head(uri, headers);
            assert_eq!(
                LanguageChoice::of(&head, false).language,
                expected,
                "{uri} {headers:?}"
            );
        }
        let plain = head("/", &[cookie("lang=zh")]);
        assert_eq!(LanguageChoice::of(&plain, true).language, Language::English);
        let host = head("/", &[cookie("__Host-lang=zh")]);
        assert_eq!(LanguageChoice::of(&host, true).language, Language::Chinese);
    }

    #[test]
    fn language_that_there_is_not() {
        let checked = |uri: &str| check(&head(uri, &[])).map_err(|error| error.to_string());
        for uri in ["/", "/?lang=zh", "/?lang=en", "/?a=1"] {
            assert_eq!(checked(uri), Ok(()), "{uri}");
        }
        for uri in ["/?lang=de", "/?lang=", "/?lang"] {
            let error = checked(uri).unwrap_err();
            assert!(error.contains("neither en nor zh"), "{error}");
        }
    }

    #[test]
    fn switch_keeps_the_rest_of_the_query() {
        let switch = |query| query_of_switch(query, Language::Chinese);
        assert_eq!(switch(""), "lang=zh");
        assert_eq!(switch("lang=en&a=%26&&lang&b"), "a=%26&b&lang=zh");
        assert_eq!(switch("language=x"), "language=x&lang=zh");
        assert_eq!(switch("key=a.b&since=now"), "since=now&lang=zh");
    }
}
