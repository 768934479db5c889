//! `/login` and `/logout`: a browser shows its token as a cookie, which these set and take back. No script is
//! needed.

use std::time::{Duration, Instant};

use hyper::header::SET_COOKIE;
use hyper::{HeaderMap, Response, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::Error;
use super::render::PageReader;
use super::reply::{self, Body};
use super::{App, Call, body, cookie, form};
use crate::access::{ChannelSet, Denial, Restricted};
use crate::limits;
use crate::pages::HtmlPage;
use crate::translation::Language;

/// The path of the form.
pub(super) const PATH: &str = "/login";

/// The name of the cookie that holds a token.
const COOKIE: &str = "forever-frame-access";

/// The token that a browser shows.
pub(super) fn cookie(headers: &HeaderMap, is_secure: bool) -> Option<&str> {
    cookie::find_in(headers, COOKIE, is_secure)
}

/// `GET /login`: the form, and who is logged in.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    let restricted = restricted(&call)?;
    let now = call.app.log.now().time;
    let rules = restricted.rules();
    let holder =
        cookie::find(&call, COOKIE).and_then(|token| rules.identify(token, false, now).ok());
    let holder = match holder {
        Some(holder) => {
            let template = call.template("login-holder.html").await;
            let (read, write) = (rules.readable(&holder), rules.writable(&holder));
            template.fill(&[
                ("name", rules.name(&holder)),
                ("read", &named(call.language, &read)),
                ("write", &named(call.language, &write)),
            ])
        }
        None => String::new(),
    };
    let next = next(&call.head.uri);
    let reader = PageReader::new(call.language, &call.head.uri);
    let page = page(call.app, reader, "Log in with a token.", &next, &holder).await;
    Ok(reply::page(StatusCode::OK, page))
}

/// `POST /login`: sets the cookie, and leads to where the browser wanted to go.
pub(super) async fn log_in(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let restricted = restricted(&call)?;
    let max = limits::TOKEN_BYTES_MAX * limits::FORM_ENCODING_FACTOR + "token=".len();
    let fields = body::fields(&mut call, max).await?;
    let token = form::field(&fields, "token")?.trim();
    let now = call.app.log.now().time;
    restricted.identify(token, false, call.network(), now, Instant::now())?;
    let mut response = reply::see_other(&next(&call.head.uri));
    cookie::set(&call, &mut response, COOKIE, token, None);
    Ok(response)
}

/// `POST /logout`: takes the cookie back. The token is as good as before.
pub(super) fn log_out(call: &Call<'_>) -> Result<Response<Body>, Error> {
    restricted(call)?;
    let mut response = reply::see_other(PATH);
    clear_cookie(&mut response, call.is_secure());
    Ok(response)
}

/// Takes the cookie back from a browser.
pub(super) fn clear_cookie(response: &mut Response<Body>, is_secure: bool) {
    let line = cookie::line(COOKIE, "", Some(Duration::ZERO), is_secure);
    reply::add_header(response, SET_COOKIE, &line);
}

/// The page for a browser whose request was not let in, if a token would help.
pub(super) async fn page_of(
    app: &App,
    reader: PageReader<'_>,
    denial: &Denial,
    next: &str,
) -> Option<HtmlPage> {
    let problem = match denial {
        Denial::NoToken(needed) => format!("To {needed} you need a token."),
        Denial::BadToken(bad) => {
            let text = bad.to_string();
            format!("{}{}.", text[..1].to_uppercase(), &text[1..])
        }
        Denial::Missing(needed) => {
            format!("Your token has no right to {needed}; log in with another.")
        }
        Denial::TooManyTries(wait) => {
            let wait = wait.seconds();
            format!("This token is wrong, too. Wait for {wait} s before you try another.")
        }
        Denial::SeveralTokens | Denial::DemosOff => return None,
    };
    Some(page(app, reader, &problem, next, "").await)
}

async fn page(
    app: &App,
    reader: PageReader<'_>,
    problem: &str,
    next: &str,
    holder: &str,
) -> HtmlPage {
    let next = utf8_percent_encode(next, NON_ALPHANUMERIC).to_string();
    let problem = reader.language.sentence(problem);
    let values = [("problem", &*problem), ("next", &next), ("holder", holder)];
    app.page(reader, "login.html", PATH, &values).await
}

/// Where a browser is to go when it has logged in: to where it wanted to go, without a token that stood in
/// that address.
pub(super) fn next(uri: &Uri) -> String {
    let query = uri.query().unwrap_or("");
    if uri.path() == PATH {
        let fields = form::fields(query).unwrap_or_default();
        let next = form::last(&fields, "next").filter(|next| is_here(next));
        return next.unwrap_or("/").to_owned();
    }
    let kept = query.split('&').filter(|pair| !pair.starts_with("key="));
    let kept = kept
        .filter(|pair| !pair.is_empty())
        .collect::<Vec<_>>()
        .join("&");
    let path = uri.path();
    let next = if kept.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{kept}")
    };
    if is_here(&next) { next } else { "/".to_owned() }
}

/// Whether an address is a path on this server. Browsers take a backslash for a slash, and two of them for
/// the beginning of another server's name; they pass over control characters.
pub(super) fn is_here(next: &str) -> bool {
    let is_plain = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    is_plain && next.starts_with('/') && !next.starts_with("//")
}

fn restricted<'a>(call: &Call<'a>) -> Result<&'a Restricted, Error> {
    let restricted = call.app.access.restricted();
    let nothing = || Error::NotFound(call.head.uri.path().to_owned());
    restricted
        .map(|restricted| &**restricted)
        .ok_or_else(nothing)
}

fn named(language: Language, channels: &ChannelSet) -> String {
    if channels.is_empty() {
        language.sentence("nothing")
    } else {
        channels.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A browser is led to a path of this server, and to no other server.
    #[test]
    fn login_leads_back_here() {
        for (uri, expected) in [
            ("/c/a", "/c/a"),
            ("/c/a?as=html&key=a.b.c&since=now", "/c/a?as=html&since=now"),
            ("/c/a?key=a.b.c", "/c/a"),
            ("/login?next=%2Fc%2Fa%3Fas%3Dhtml", "/c/a?as=html"),
            ("/login", "/"),
            ("/login?next=https://evil.example", "/"),
            ("/login?next=//evil.example", "/"),
            ("/login?next=%2F%5Cevil.example", "/"),
            ("/login?next=%2F%09%2Fevil.example", "/"),
            ("/login?next=%2F%0D%0AX-Header:1", "/"),
            ("/login?next=evil", "/"),
            ("//evil.example", "/"),
        ] {
            assert_eq!(next(&uri.parse().unwrap()), expected, "{uri}");
        }
    }
}
