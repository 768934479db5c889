//! The server's own cookies. Scripts cannot read them, and pages of other sites cannot send them along
//! with what they post (RFC 6265bis, section 5.6.7).
//!
//! Where the browser speaks TLS, its cookies are sent over TLS only, and their names begin with `__Host-`:
//! browsers take such a cookie only from the very host that it is sent to, over TLS (RFC 6265bis, section
//! 4.1.3.2). So neither a neighbouring host nor somebody on the way can put another in its place.

use std::time::Duration;

use hyper::header::{COOKIE, SET_COOKIE};
use hyper::{HeaderMap, Response};

use super::Call;
use super::reply::{self, Body};

/// Returns the value of the server's cookie with this name, if the browser has it.
pub(super) fn find<'c>(call: &'c Call<'_>, name: &str) -> Option<&'c str> {
    find_in(&call.head.headers, name, call.is_secure())
}

/// Returns the value of the server's cookie with this name, if it is among these headers of a browser that
/// speaks TLS, or does not.
pub(super) fn find_in<'h>(headers: &'h HeaderMap, name: &str, is_secure: bool) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).iter();
    let cookies = lines
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'));
    let (prefix, name) = (prefix(is_secure), name);
    cookies.map(str::trim).find_map(|cookie| {
        let cookie = cookie.strip_prefix(prefix)?;
        cookie.strip_prefix(name)?.strip_prefix('=')
    })
}

/// Gives the browser a cookie, which it forgets after this time, or when it is closed; after no time at
/// once.
pub(super) fn set(
    call: &Call<'_>,
    response: &mut Response<Body>,
    name: &str,
    value: &str,
    age: Option<Duration>,
) {
    let cookie = line(name, value, age, call.is_secure());
    reply::add_header(response, SET_COOKIE, &cookie);
}

/// The line that gives a cookie to a browser.
pub(super) fn line(name: &str, value: &str, age: Option<Duration>, is_secure: bool) -> String {
    let age = age.map_or(String::new(), |age| format!("; Max-Age={}", age.as_secs()));
    let (prefix, secure) = (prefix(is_secure), if is_secure { "; Secure" } else { "" });
    format!("{prefix}{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}")
}

fn prefix(is_secure: bool) -> &'static str {
    if is_secure { "__Host-" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn cookie_is_found_among_others() {
        let find = |line: &'static str, is_secure| {
            let headers = [(COOKIE, HeaderValue::from_static(line))];
            let headers = HeaderMap::from_iter(headers);
            find_in(&headers, "own", is_secure).map(str::to_owned)
        };
        let own = Some("77".to_owned());
        assert_eq!(find("a=b; own=77; c=d", false), own);
        assert_eq!(find("xown=77; ownx=1", false), None);
        assert_eq!(find("own=1; __Host-own=77", true), own);
        assert_eq!(find("own=77; __Host-own=1", false), own);
        // Anybody on the way could have set it.
        assert_eq!(find("own=77", true), None);
    }

    #[test]
    fn cookie_of_tls_is_the_hosts_own() {
        assert_eq!(
            line("own", "77", None, true),
            "__Host-own=77; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            line("own", "", Some(Duration::ZERO), false),
            "own=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
    }
}
