//! The one table of paths, with the methods of each.
//!
//! Every path that takes GET takes HEAD, and every path takes OPTIONS; other methods are answered
//! 405 with `Allow`. A test holds this list to the table. The statuses of errors are in `error.rs`.
//!
//! | path | methods | what it does |
//! |---|---|---|
//! | `/` | GET | the home page, with the commands to try |
//! | `/receiver` | GET, POST | forgets what the session has seen and shows the button; the long request |
//! | `/receiver/live` | GET | the long request, which survives Back and Reload |
//! | `/sender` | GET, POST | appends the date and shows the log; appends `msg` |
//! | `/mailbox` | GET, POST | the page; sends or receives a letter |
//! | `/clock` | GET | the page for browsers, else a stream of the server's time |
//! | `/events` | GET | a page: Server-Sent Events |
//! | `/frame` | GET | a page: the hidden iframe |
//! | `/wire` | GET | a page: all transports side by side |
//! | `/wire/tap` | POST | opens a tap of the page's own streams |
//! | `/wire/tap/ID` | GET | what was written to their sockets since the last time |
//! | `/example` | GET | the page of the docs that follows a channel |
//! | `/docs` | GET | redirects to `/docs/` |
//! | `/docs/NAME` | GET | a page of the docs; with `.md`, its file |
//! | `/chat` | GET | the chat |
//! | `/chat/login` | GET, POST | the form; logs in |
//! | `/chat/register` | GET, POST | the form; creates an account |
//! | `/chat/logout` | POST | logs out |
//! | `/chat/password` | GET, POST | the form; changes the password |
//! | `/chat/friends` | GET, POST | the friends; asks for, accepts, declines or ends a friendship; blocks an account |
//! | `/chat/with/NAME` | GET, POST | a conversation; sends a message to a friend |
//! | `/chat/read/NAME` | POST | notes how far a conversation has been read |
//! | `/chat/stream` | GET | a stream of all that concerns an account |
//! | `/chat/frame/NAME` | GET | a conversation as a forever frame |
//! | `/chat/presence` | GET | a stream of friends who come and go |
//! | `/stream` | GET | follows `main`, as `text` |
//! | `/send` | POST, PUT | appends one message to `main`; a message per line |
//! | `/c` | GET | redirects to `/c/` |
//! | `/c/` | GET | lists the channels |
//! | `/c/NAMES` | GET, POST, PUT | follows channels (`A,B*,…`); appends one message; a message per line |
//! | `/probe` | GET, POST, PUT | the page for browsers, else timed lines; says when the lines of a body came, or what follows from what was seen |
//! | `/login` | GET, POST | the form for a token; logs in |
//! | `/logout` | POST | logs out |
//! | `/healthz` | GET | 200 while the log takes messages and can be read |
//! | `/healthz/live` | GET | 200 while the process works |
//! | `/healthz/ready` | GET | the same as `/healthz` |
//! | `/metrics` | GET | metrics for Prometheus |
//! | `/openapi.json` | GET | the interface, described for programs |
//! | `/files/REVISION/NAME` | GET | a file of `pages/`, which a browser may keep for ever |
//! | `/style.css` | GET | a file of `pages/` |
//! | `/forever-frame.js` | GET | a file of `pages/` |
//! | `/favicon.svg` | GET | a file of `pages/` |
//!
//! With `--no-demos` only the last fifteen rows are left. Otherwise GET `/FILE`, a name with a dot in
//! it, is any other file of `pages/`.

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::chat::ChatEndpoint;
pub(super) use super::endpoint::Endpoint;
use super::error::Error;
pub(super) use super::need::Need;
use crate::message::{Channel, Pattern};
use crate::pages;

/// What a request does, or what its answer tells: `permission.rs` decides by it who may send the
/// request. Each method of a route has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The answer says whether the server works. It may be asked under any name.
    Health,
    /// The answer is the same for everybody: a page, a file, the metrics.
    Explain,
    /// The answer tells what the client alone may know.
    Read,
    /// The answer tells what the log has, and may go on for ever.
    Stream,
    /// The answer is a page, and the request does something besides: a page that is opened by
    /// somebody else's link is shown without that.
    Visit,
    /// The request changes something.
    Act,
}

impl Effect {
    /// Whether a page with this effect must not be loaded in advance, since the request does
    /// something or its answer never ends.
    pub(super) fn forbids_prefetch(self) -> bool {
        match self {
            Effect::Health | Effect::Explain | Effect::Read => false,
            Effect::Stream | Effect::Visit | Effect::Act => true,
        }
    }
}

/// The methods of a route, each with its effect and what it needs; GET includes HEAD.
type Methods = &'static [(Method, Effect, Need)];

/// A row of the table.
#[derive(Debug)]
pub(super) struct Route {
    /// The path. One that ends in `/`, except the root, is a prefix: the rest of the request's path
    /// is an argument of the endpoint.
    pub(super) path: &'static str,
    pub(super) endpoint: Endpoint,
    pub(super) methods: Methods,
    /// Whether the path is no prefix, although it ends in `/`.
    is_exact: bool,
    /// Whether `--no-demos` leaves the route out.
    demo: bool,
}

/// A route that is always there.
const fn route(path: &'static str, methods: Methods, endpoint: Endpoint) -> Route {
    Route {
        path,
        endpoint,
        methods,
        is_exact: false,
        demo: false,
    }
}

/// A route that is always there, for its path alone, although that ends in `/`.
const fn exact(path: &'static str, methods: Methods, endpoint: Endpoint) -> Route {
    Route {
        is_exact: true,
        ..route(path, methods, endpoint)
    }
}

/// A route that `--no-demos` leaves out.
const fn demo(path: &'static str, methods: Methods, endpoint: Endpoint) -> Route {
    Route {
        demo: true,
        ..route(path, methods, endpoint)
    }
}

const fn get(effect: Effect, need: Need) -> (Method, Effect, Need) {
    (Method::GET, effect, need)
}

const fn post(effect: Effect, need: Need) -> (Method, Effect, Need) {
    (Method::POST, effect, need)
}

const fn put(effect: Effect, need: Need) -> (Method, Effect, Need) {
    (Method::PUT, effect, need)
}

const PAGE: Methods = &[get(Effect::Explain, Need::Nothing)];
const HEALTH: Methods = &[get(Effect::Health, Need::Nothing)];
const METRICS: Methods = &[get(Effect::Explain, Need::Metrics)];
const PROBE: Methods = &[
    get(Effect::Stream, Need::Nothing),
    post(Effect::Act, Need::Nothing),
    put(Effect::Act, Need::Nothing),
];
const LOGIN: Methods = &[
    get(Effect::Explain, Need::Nothing),
    post(Effect::Act, Need::Nothing),
];
const LOGOUT: Methods = &[post(Effect::Act, Need::Nothing)];
const TO_LIST: Methods = &[get(Effect::Read, Need::Nothing)];
const OPEN_TAP: Methods = &[post(Effect::Act, Need::ReadAny)];
const LIST: Methods = &[get(Effect::Read, Need::ReadAny)];
const RECEIVER: Methods = &[
    get(Effect::Visit, Need::ReadMain),
    post(Effect::Stream, Need::ReadMain),
];
const SENDER: Methods = &[
    get(Effect::Visit, Need::WriteMain),
    post(Effect::Act, Need::WriteMain),
];
const STREAM_MAIN: Methods = &[get(Effect::Stream, Need::ReadMain)];
const SEND_MAIN: Methods = &[
    post(Effect::Act, Need::WriteMain),
    put(Effect::Act, Need::WriteMain),
];
const CHANNELS: Methods = &[
    get(Effect::Stream, Need::ReadChannels),
    post(Effect::Act, Need::WriteChannel),
    put(Effect::Act, Need::WriteChannel),
];
const DEMO_READ: Methods = &[get(Effect::Read, Need::Demos)];
const DEMO_STREAM: Methods = &[get(Effect::Stream, Need::Demos)];
const DEMO_ACT: Methods = &[post(Effect::Act, Need::Demos)];
const DEMO_PAGE_ACT: Methods = &[
    get(Effect::Explain, Need::Demos),
    post(Effect::Act, Need::Demos),
];
const DEMO_READ_ACT: Methods = &[
    get(Effect::Read, Need::Demos),
    post(Effect::Act, Need::Demos),
];

#[rustfmt::skip]
pub(super) static ROUTES: &[Route] = &[
    demo("/", PAGE, Endpoint::Home),
    demo("/receiver", RECEIVER, Endpoint::Receiver),
    demo("/receiver/live", STREAM_MAIN, Endpoint::ReceiverLive),
    demo("/sender", SENDER, Endpoint::Sender),
    demo("/mailbox", DEMO_PAGE_ACT, Endpoint::Mailbox),
    demo("/clock", DEMO_STREAM, Endpoint::Clock),
    demo("/events", PAGE, Endpoint::Page("events.html")),
    demo("/frame", PAGE, Endpoint::Page("frame.html")),
    demo("/wire", PAGE, Endpoint::Wire),
    demo("/wire/tap", OPEN_TAP, Endpoint::Tap),
    demo("/wire/tap/", LIST, Endpoint::Tap),
    demo("/example", PAGE, Endpoint::Example),
    demo("/docs", PAGE, Endpoint::Doc),
    demo("/docs/", PAGE, Endpoint::Doc),
    demo("/chat", DEMO_READ, Endpoint::Chat(ChatEndpoint::Home)),
    demo("/chat/login", DEMO_READ_ACT, Endpoint::Chat(ChatEndpoint::Login)),
    demo("/chat/register", DEMO_READ_ACT, Endpoint::Chat(ChatEndpoint::Register)),
    demo("/chat/logout", DEMO_ACT, Endpoint::Chat(ChatEndpoint::Logout)),
    demo("/chat/password", DEMO_READ_ACT, Endpoint::Chat(ChatEndpoint::Password)),
    demo("/chat/friends", DEMO_READ_ACT, Endpoint::Chat(ChatEndpoint::Friends)),
    demo("/chat/with/", DEMO_READ_ACT, Endpoint::Chat(ChatEndpoint::With)),
    demo("/chat/read/", DEMO_ACT, Endpoint::Chat(ChatEndpoint::Read)),
    demo("/chat/stream", DEMO_STREAM, Endpoint::Chat(ChatEndpoint::Stream)),
    demo("/chat/frame/", DEMO_STREAM, Endpoint::Chat(ChatEndpoint::Frame)),
    demo("/chat/presence", DEMO_STREAM, Endpoint::Chat(ChatEndpoint::Presence)),
    demo("/stream", STREAM_MAIN, Endpoint::Stream),
    demo("/send", SEND_MAIN, Endpoint::Send),
    route("/c", TO_LIST, Endpoint::ToChannelList),
    exact("/c/", LIST, Endpoint::ChannelList),
    route("/c/", CHANNELS, Endpoint::Channels),
    route("/probe", PROBE, Endpoint::Probe),
    route("/login", LOGIN, Endpoint::Login),
    route("/logout", LOGOUT, Endpoint::Logout),
    route("/healthz", HEALTH, Endpoint::Ready),
    route("/healthz/live", HEALTH, Endpoint::Live),
    route("/healthz/ready", HEALTH, Endpoint::Ready),
    route("/metrics", METRICS, Endpoint::Metrics),
    route("/openapi.json", PAGE, Endpoint::OpenApi),
    route(pages::FILES, PAGE, Endpoint::RevisedFile),
    route("/style.css", PAGE, Endpoint::File),
    route("/forever-frame.js", PAGE, Endpoint::File),
    route("/favicon.svg", PAGE, Endpoint::File),
];

/// The route of all other files of `pages/`: those of the demonstrations, and any more that
/// `--pages DIR` has.
static FILE: Route = demo("/", PAGE, Endpoint::File);

/// Reads the name of a channel in a path.
pub(super) fn channel(name: &str) -> Result<Channel, Error> {
    Channel::new(name).map_err(|why| Error::BadChannel {
        name: name.to_owned(),
        why,
    })
}

/// Returns the pattern of channels that a request asks for.
///
/// # Errors
/// When it is none.
pub(super) fn pattern(text: &str) -> Result<Pattern, Error> {
    Pattern::new(text).map_err(|why| Error::BadChannel {
        name: text.to_owned(),
        why,
    })
}

/// Returns the route of a path, and the rest of the path after a prefix, or the name of a file.
pub(super) fn find(path: &str, demos: bool) -> Result<(&'static Route, String), Error> {
    let decoded = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| Error::PathNotUtf8)?;
    let path = &*decoded;
    let served = ROUTES.iter().filter(|route| demos || !route.demo);
    for route in served {
        let is_prefix = route.path.len() > 1 && route.path.ends_with('/') && !route.is_exact;
        match path.strip_prefix(route.path) {
            Some(rest) if is_prefix => return Ok((route, rest.to_owned())),
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

/// Whether pages of other origins can be allowed to use this path: it is one of the channels'.
pub(super) fn is_open(path: &str) -> bool {
    path.starts_with("/c/") || ["/c", "/stream", "/send"].contains(&path)
}

impl Route {
    /// Returns the effect of a method of the route, and what it needs.
    ///
    /// # Errors
    /// [`Error::MethodNotAllowed`] with the methods that the route has.
    pub(super) fn method(&self, method: &Method) -> Result<(Effect, Need), Error> {
        let asked = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let found = self.methods.iter().find(|(method, ..)| method == asked);
        let refused = || Error::MethodNotAllowed {
            method: method.to_string(),
            allow: self.allow(),
        };
        let answer = found.map(|(_, effect, need)| (*effect, *need));
        answer.ok_or_else(refused)
    }

    /// Whether the route tells of the server's health, whatever the method.
    pub(super) fn is_of_health(&self) -> bool {
        self.methods
            .iter()
            .any(|(_, effect, _)| *effect == Effect::Health)
    }

    /// Returns the value of `Allow`.
    pub(super) fn allow(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for (method, ..) in self.methods {
            names.push(method.as_str());
            if *method == Method::GET {
                names.push("HEAD");
            }
        }
        names.push("OPTIONS");
        names.join(", ")
    }
}

/// The value of `Allow` for the server as a whole: the methods of all routes.
pub(super) const ALLOW_ALL: &str = "GET, HEAD, POST, PUT, OPTIONS";

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(path: &str, demos: bool) -> Option<(Endpoint, String)> {
        find(path, demos)
            .ok()
            .map(|(route, rest)| (route.endpoint, rest))
    }

    /// The list at the head of this file has each route with its methods, in the order of the table.
    #[test]
    fn route_list_is_the_table() {
        let rows = include_str!("route.rs").lines().filter_map(|line| {
            let mut cells = line.strip_prefix("//! | `")?.split(" | ");
            let path = cells.next()?.trim_end_matches('`');
            Some((
                path.trim_end_matches(|c: char| c.is_ascii_uppercase())
                    .trim_end_matches("REVISION/"),
                cells.next()?,
            ))
        });
        let routes = ROUTES.iter().map(|route| {
            let names = route.methods.iter().map(|(method, ..)| method.as_str());
            let methods: Vec<&str> = names.collect();
            (route.path, methods.join(", "))
        });
        let listed: Vec<(&str, String)> = rows.map(|(path, of)| (path, of.to_owned())).collect();
        assert_eq!(listed, routes.collect::<Vec<_>>());
    }

    /// `--no-demos` leaves the fifteen rows that the head of this file says.
    #[test]
    fn route_list_without_demos() {
        let left = ROUTES.iter().filter(|route| !route.demo).count();
        assert_eq!(left, 15);
        assert!(
            ROUTES[ROUTES.len() - left..]
                .iter()
                .all(|route| !route.demo)
        );
    }

    #[test]
    fn route_find_leads_to_endpoints() {
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
