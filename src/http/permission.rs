//! Who may do what: the one place that decides it, by the route's [`Effect`] and by who caused the
//! request. Pure.
//!
//! A page of another origin could otherwise write into, and read from, a server on the machine of
//! whoever opens that page: a browser sends the request of a form or an image to any server.
//!
//! | effect | the server's own pages, programs, allowed origins | another page leads the whole window here | another page, otherwise |
//! |---|---|---|---|
//! | `Health`, `Explain` | yes | yes | yes |
//! | `Read`, `Stream` | yes | yes | 403 |
//! | `Visit` | yes | the page alone, unless the page is this server's under another name | 403 |
//! | `Act` | yes | 403 | 403 |
//!
//! A page leads the window here by a link. A form that is posted names its origin, and so does
//! `fetch`; a request that names a foreign origin is refused.

use hyper::http::request::Parts;

use super::error::Error;
use super::header;
use super::initiator::Initiator;
use super::route::Effect;
use crate::authority::Authority;

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    /// All that its route does.
    Full,
    /// The page is shown, and what a visit otherwise does is left out.
    ShowOnly,
}

/// Decides what a request may do. `is_allowed` tells of an origin whether the operator has opened
/// this route to its pages; `own` are the names under which the server was asked.
pub(super) fn permission(
    effect: Effect,
    head: &Parts,
    initiator: &Initiator,
    own: &[Authority],
    is_allowed: impl FnOnce(&str) -> bool,
) -> Result<Permission, Error> {
    let Initiator::Page(origin) = initiator else {
        return Ok(Permission::Full);
    };
    if is_allowed(origin) {
        return Ok(Permission::Full);
    }
    let refused = || Error::CrossOrigin(origin.clone());
    match effect {
        Effect::Health | Effect::Explain => Ok(Permission::Full),
        Effect::Read | Effect::Stream if leads_window(head) => Ok(Permission::Full),
        Effect::Visit if leads_window(head) && initiator.is_same_server(own) => {
            Ok(Permission::Full)
        }
        Effect::Visit if leads_window(head) => Ok(Permission::ShowOnly),
        Effect::Read | Effect::Stream | Effect::Visit | Effect::Act => Err(refused()),
    }
}

/// Whether the request leads a whole window to its target (Fetch standard, section 3.7), and names
/// no origin: it is a link that was followed.
fn leads_window(head: &Parts) -> bool {
    header(&head.headers, "sec-fetch-mode") == Some("navigate")
        && header(&head.headers, "sec-fetch-dest") == Some("document")
        && !head.headers.contains_key("origin")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    /// What a request with these headers may do; `None` if it is refused.
    fn decide(effect: Effect, page: &str, headers: &[(&str, &str)]) -> Option<Permission> {
        let mut request = Request::get("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        let initiator = Initiator::Page(page.to_owned());
        let own = ["localhost:81".parse().unwrap()];
        let is_allowed = |origin: &str| origin == "https://friend.example";
        permission(effect, &head, &initiator, &own, is_allowed).ok()
    }

    /// The table at the head of this file.
    #[test]
    fn permission_table() {
        use Permission::{Full, ShowOnly};
        let link = [
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        let frame = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        let posted = [link[0], link[1], ("origin", "https://evil.example")];
        for (effect, by_link, otherwise) in [
            (Effect::Health, Some(Full), Some(Full)),
            (Effect::Explain, Some(Full), Some(Full)),
            (Effect::Read, Some(Full), None),
            (Effect::Stream, Some(Full), None),
            (Effect::Visit, Some(ShowOnly), None),
            (Effect::Act, None, None),
        ] {
            let evil = "https://evil.example";
            assert_eq!(decide(effect, evil, &link), by_link, "{effect:?}");
            for headers in [&[][..], &frame, &posted] {
                assert_eq!(decide(effect, evil, headers), otherwise, "{effect:?}");
            }
            assert_eq!(decide(effect, "https://friend.example", &[]), Some(Full));
            let head = Request::new(()).into_parts().0;
            let own = permission(effect, &head, &Initiator::Own, &[], |_| false);
            assert_eq!(own.ok(), Some(Full));
        }
        let own_page = "http://127.0.0.1:81";
        assert_eq!(decide(Effect::Visit, own_page, &link), Some(Full));
        assert_eq!(decide(Effect::Visit, own_page, &frame), None);
    }
}
