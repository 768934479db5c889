//! The one table of paths.

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::chat;
use super::error::Error;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Home,
    Receiver,
    Sender,
    Stream,
    Send,
    /// `/c/…`, to follow and to append.
    Channels,
    Clock,
    Chat(chat::Endpoint),
    Mailbox,
    /// A page that says what it is itself.
    Page(&'static str),
    Healthz,
    Metrics,
    /// A file of `pages/`.
    File,
}

impl Endpoint {
    /// Does a GET do something, or go on?
    pub(super) fn acts(self) -> bool {
        use Endpoint::{Channels, Chat, Clock, Receiver, Sender, Stream};
        use chat::Endpoint::{Frame, Presence, Stream as OwnStream};
        matches!(
            self,
            Channels | Clock | Receiver | Sender | Stream | Chat(Frame | OwnStream | Presence)
        )
    }

    /// Whether the endpoint is for those who run the server, and answers while it stops, too.
    pub(super) fn is_for_operators(self) -> bool {
        matches!(self, Endpoint::Healthz | Endpoint::Metrics)
    }
}

/// A line of the table.
#[derive(Debug)]
pub(super) struct Route {
    /// A path; one that ends in `/` (but the root) leads on to what it leaves open.
    path: &'static str,
    pub(super) endpoint: Endpoint,
    /// GET includes HEAD.
    methods: &'static [Method],
    /// Left out by `--no-demos`.
    demo: bool,
}

const fn route(path: &'static str, methods: &'static [Method], endpoint: Endpoint) -> Route {
    Route {
        path,
        endpoint,
        methods,
        demo: false,
    }
}

const fn demo(path: &'static str, methods: &'static [Method], endpoint: Endpoint) -> Route {
    Route {
        path,
        endpoint,
        methods,
        demo: true,
    }
}

const GET: &[Method] = &[Method::GET];
const POST: &[Method] = &[Method::POST];
const POST_PUT: &[Method] = &[Method::POST, Method::PUT];
const GET_POST: &[Method] = &[Method::GET, Method::POST];
const GET_POST_PUT: &[Method] = &[Method::GET, Method::POST, Method::PUT];

#[rustfmt::skip]
static ROUTES: &[Route] = &[
    demo("/", GET, Endpoint::Home),
    demo("/receiver", GET_POST, Endpoint::Receiver),
    demo("/sender", GET_POST, Endpoint::Sender),
    demo("/mailbox", GET_POST, Endpoint::Mailbox),
    demo("/clock", GET, Endpoint::Clock),
    demo("/events", GET, Endpoint::Page("events.html")),
    demo("/frame", GET, Endpoint::Page("frame.html")),
    demo("/wire", GET, Endpoint::Page("wire.html")),
    demo("/chat", GET, Endpoint::Chat(chat::Endpoint::Home)),
    demo("/chat/login", GET_POST, Endpoint::Chat(chat::Endpoint::Login)),
    demo("/chat/register", GET_POST, Endpoint::Chat(chat::Endpoint::Register)),
    demo("/chat/logout", POST, Endpoint::Chat(chat::Endpoint::Logout)),
    demo("/chat/password", GET_POST, Endpoint::Chat(chat::Endpoint::Password)),
    demo("/chat/friends", GET_POST, Endpoint::Chat(chat::Endpoint::Friends)),
    demo("/chat/with/", GET_POST, Endpoint::Chat(chat::Endpoint::With)),
    demo("/chat/read/", POST, Endpoint::Chat(chat::Endpoint::Read)),
    demo("/chat/stream", GET, Endpoint::Chat(chat::Endpoint::Stream)),
    demo("/chat/frame/", GET, Endpoint::Chat(chat::Endpoint::Frame)),
    demo("/chat/presence", GET, Endpoint::Chat(chat::Endpoint::Presence)),
    demo("/stream", GET, Endpoint::Stream),
    demo("/send", POST_PUT, Endpoint::Send),
    route("/c/", GET_POST_PUT, Endpoint::Channels),
    route("/healthz", GET, Endpoint::Healthz),
    route("/metrics", GET, Endpoint::Metrics),
    route("/style.css", GET, Endpoint::File),
    route("/forever-frame.js", GET, Endpoint::File),
    route("/favicon.svg", GET, Endpoint::File),
];

/// Any other file that `--pages DIR` has; built in there is none.
static FILE: Route = demo("/", GET, Endpoint::File);

/// The route of a path, and what it leaves open.
pub(super) fn find(path: &str, demos: bool) -> Result<(&'static Route, String), Error> {
    let decoded = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| Error::PathNotUtf8)?;
    let path = &*decoded;
    let known = ROUTES.iter().filter(|route| demos || !route.demo);
    for route in known {
        let open = route.path.len() > 1 && route.path.ends_with('/');
        match path.strip_prefix(route.path) {
            Some(rest) if open => return Ok((route, rest.to_owned())),
            Some("") if route.endpoint == Endpoint::File => {
                return Ok((route, path[1..].to_owned()));
            }
            Some("") => return Ok((route, String::new())),
            _ => {}
        }
    }
    let name = path
        .strip_prefix('/')
        .filter(|name| demos && name.contains('.') && !name.contains('/'));
    name.map(|name| (&FILE, name.to_owned()))
        .ok_or_else(|| Error::NotFound(path.to_owned()))
}

/// Is this a path that pages of other origins may be let to?
pub(super) fn is_open(path: &str) -> bool {
    path.starts_with("/c/") || path == "/stream" || path == "/send"
}

impl Route {
    /// Is the method one of this route's?
    pub(super) fn check(&self, method: &Method) -> Result<(), Error> {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        if self.methods.contains(method) {
            return Ok(());
        }
        Err(Error::MethodNotAllowed {
            method: method.to_string(),
            allow: self.allow(),
        })
    }

    /// The value of `Allow`.
    pub(super) fn allow(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for method in self.methods {
            names.push(method.as_str());
            if *method == Method::GET {
                names.push("HEAD");
            }
        }
        names.push("OPTIONS");
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str, demos: bool) -> Option<(Endpoint, String)> {
        find(path, demos)
            .ok()
            .map(|(route, rest)| (route.endpoint, rest))
    }

    #[test]
    fn paths_lead_to_endpoints() {
        assert_eq!(endpoint("/", true).unwrap().0, Endpoint::Home);
        assert_eq!(
            endpoint("/c/a,b", true),
            Some((Endpoint::Channels, "a,b".into()))
        );
        assert_eq!(
            endpoint("/c/%61%2Cb", true),
            Some((Endpoint::Channels, "a,b".into()))
        );
        assert_eq!(
            endpoint("/style.css", false),
            Some((Endpoint::File, "style.css".into()))
        );
        assert_eq!(
            endpoint("/my.html", true),
            Some((Endpoint::File, "my.html".into()))
        );
        for (path, demos) in [
            ("/x", true),
            ("/receiver/", true),
            ("/a/b.html", true),
            ("/receiver", false),
            ("/", false),
        ] {
            assert_eq!(endpoint(path, demos), None, "{path}");
        }
    }
}
