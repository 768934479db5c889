//! Requests and responses: hyper's service, written by hand.
//!
//! `route.rs` is the one table of paths, `error.rs` the one table of errors, and `stream.rs` the one
//! place where a response that goes on is made, head and body. Each handler is a file. A handler
//! parses, calls, and answers; what an endpoint does is decided in the modules above this one.

mod access_log;
mod admission;
mod answer_memory;
mod append;
mod append_form;
mod below;
mod body;
mod body_reader;
mod browser;
mod cacheable;
mod challenge;
mod channel_list;
mod chat;
mod checks;
mod class_page;
mod client;
mod client_places;
mod clock_stream;
mod cookie;
mod cors;
mod doc_page;
mod endpoint;
mod error;
mod follow;
mod form;
mod forwarded;
mod framing;
mod host;
mod if_match;
mod initiator;
mod language_choice;
mod line_appends;
mod line_memory;
mod line_splitter;
mod log_page;
mod long_poll;
mod mailbox;
mod nav;
mod need;
mod negotiate;
#[cfg(test)]
mod openapi_tests;
mod operator;
mod page;
mod param_error;
mod params;
mod permission;
mod probe;
mod probe_body;
mod query;
mod receipts;
mod receiver;
mod refusal;
mod render;
mod reply;
mod route;
mod sender;
mod stream;
mod stream_body;
mod tap_reports;
mod token_login;
mod upload;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response};

pub use client_places::NoPlace;
pub use cors::Cors;
pub use forwarded::TrustedProxies;
pub use host::Hosts;
pub use refusal::{answer_to_fault, answer_to_plain_http};
pub use reply::Body;

use crate::access::{Access, AccessRules, Admission, ChannelSet, Holder};
use crate::budget::Budget;
use crate::chat::Chat;
use crate::client_shares::ClientShares;
use crate::clock::Clock;
use crate::connection::Connection;
use crate::drain::Drain;
use crate::follow::ChunkStream;
use crate::log::Log;
use crate::mailbox::Mailboxes;
use crate::message::Channel;
use crate::metrics::Metrics;
use crate::network::Network;
use crate::pages::Pages;
use crate::receiver_session::ReceiverSessions;
use crate::right::RightHold;
use crate::tap::Taps;
use crate::translation::Language;
use access_log::AccessLine;
use body_reader::BodyReader;
use checks::Checked;
use error::Error;
use language_choice::LanguageChoice;
use permission::Permission;
use refusal::Refusal;
use route::Endpoint;

/// What all requests share: the parts of the server, and the options that requests depend on.
#[derive(Debug)]
pub struct App {
    /// The log.
    pub log: Log,
    /// Who may read and write what.
    pub access: Access,
    /// The mailboxes.
    pub mailboxes: Mailboxes,
    /// The clock that `/clock` shows.
    pub clock: Clock,
    /// The chat.
    pub chat: Chat,
    /// Whether the chat has the demo accounts, whose password everybody knows.
    pub demo_accounts: AtomicBool,
    /// Where the `/receiver` of each browser stands.
    pub receiver_sessions: ReceiverSessions,
    /// The pages.
    pub pages: Pages,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The drain, which ends the streams when the server stops.
    pub drain: Drain,
    /// Whether the demonstration pages are served.
    pub demos: bool,
    /// The names under which the server may be asked.
    pub hosts: Hosts,
    /// The address under which other machines reach this one, if they do and it is known.
    pub own_address: fn() -> Option<IpAddr>,
    /// The origins whose pages may read and append.
    pub cors: Cors,
    /// The proxies whose word on their clients is believed.
    pub trusted_proxies: TrustedProxies,
    /// The interval of heartbeats on quiet streams without dots.
    pub heartbeat: Duration,
    /// The longest life of a stream, if it has one.
    pub rotate: Option<Duration>,
    /// The longest message, in bytes.
    pub max_message: usize,
    /// How long the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// How long an upload may leave a long line unfinished while others need its memory.
    pub line_timeout: Duration,
    /// The memory for the bodies of requests, in bytes.
    pub bodies: Budget,
    /// The memory for what clients have not read yet, in bytes.
    pub answers: Budget,
    /// The memory for what operators have not read yet, in bytes.
    pub operator_answers: Budget,
    /// What pages see of the sockets of their streams.
    pub taps: Taps,
    /// What each client uses.
    pub clients: ClientShares,
    /// Whether endless streams are taken out of hyper's hands.
    pub handover: bool,
    /// How many files may be open, where the system reports it.
    pub max_files: Option<u64>,
    /// Which of the servers this is that share the log, if several do.
    pub server_name: Option<HeaderValue>,
}

impl App {
    /// Whether the browser speaks TLS, with this server or with a proxy that forwards its request.
    fn is_secure<S>(&self, headers: &HeaderMap, connection: &Connection<S>) -> bool {
        let said = self.trusted_proxies.is_secure(headers, connection.peer());
        said.unwrap_or_else(|| connection.is_tls())
    }
}

/// A request, as its handler gets it.
struct Call<'a> {
    app: &'a Arc<App>,
    connection: &'a Arc<Connection<ChunkStream>>,
    /// The address of the client, as far as proxies tell it.
    client: IpAddr,
    head: Parts,
    body: BodyReader,
    endpoint: Endpoint,
    /// The language of the answer, if that is a page.
    language: Language,
    /// The part of the path that the route leaves open: the channels of `/c/…`, the name of a file.
    rest: String,
    permission: Permission,
    /// The right with which the request was let in, where access is restricted.
    admission: Option<Admission>,
}

impl Call<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        header(&self.head.headers, name)
    }

    fn query(&self) -> &str {
        self.head.uri.query().unwrap_or("")
    }

    /// Whose share of the server's memory the request takes.
    fn network(&self) -> Network {
        Network::of(self.client)
    }

    /// Whether the browser speaks TLS, with this server or with a proxy.
    fn is_secure(&self) -> bool {
        self.app.is_secure(&self.head.headers, self.connection)
    }

    /// Checks that the right with which the request was let in has not ended meanwhile.
    fn check_right(&self) -> Result<(), Error> {
        let admission = self.admission.as_ref();
        let end = admission.and_then(|admission| admission.right.end());
        end.map_or(Ok(()), |end| Err(Error::RightEnded(end)))
    }

    /// A hold on the right with which the request was let in, where access is restricted.
    fn right_hold(&self) -> Option<RightHold> {
        let admission = self.admission.as_ref();
        admission.map(|admission| RightHold::new(admission.right.clone()))
    }

    /// The channels that the sender of the request may read.
    fn readable(&self) -> ChannelSet {
        self.allowed(AccessRules::readable)
    }

    /// The channels to which the access file gives the sender of the request a right of some kind: all of
    /// them where access is not restricted.
    fn allowed(&self, of: fn(&AccessRules, &Holder) -> ChannelSet) -> ChannelSet {
        match (&self.admission, self.app.access.restricted()) {
            (Some(admission), Some(restricted)) => of(&restricted.rules(), &admission.holder),
            _ => ChannelSet::all(),
        }
    }

    /// Whether the sender of the request may read a channel.
    fn may_read(&self, channel: &Channel) -> bool {
        self.readable().has(channel)
    }

    /// Whether the sender of the request may write to a channel.
    fn may_write(&self, channel: &Channel) -> bool {
        self.allowed(AccessRules::writable).has(channel)
    }

    /// The token that stands in the address of the request, if it was let in with one.
    fn url_key(&self) -> Option<String> {
        self.admission.as_ref()?;
        let fields = form::fields(self.query()).ok()?;
        form::last(&fields, query::KEY)
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
    }

    fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }

    /// Whether a visit to a page may do what it does besides showing the page.
    fn may_act(&self) -> bool {
        self.permission == Permission::Full && !self.is_head()
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Answers a request. An error becomes an answer, too.
pub async fn respond(
    app: Arc<App>,
    connection: Arc<Connection<ChunkStream>>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    host::add_authority(&mut head);
    below::take_off(app.pages.base_path(), &mut head.uri);
    connection.on_request(client::forwarded_sender(&head));
    let is_secure = app.is_secure(&head.headers, &connection);
    let choice = LanguageChoice::of(&head, is_secure);
    let refusal = Refusal::of(&head, is_secure, choice.language);
    let grant = app.cors.grant(&head);
    let client = app.trusted_proxies.client(&head.headers, connection.peer());
    let line = AccessLine::begin(&head, client);
    let mut response = match dispatch(&app, &connection, client, choice, head, body).await {
        Ok(response) => response,
        Err(error) => {
            log::debug!("refused: {error}");
            refusal.reply(&error, &app, client).await
        }
    };
    choice.remember(&mut response);
    grant.apply(response.headers_mut());
    below::put_before(app.pages.base_path(), response.headers_mut());
    if let Some(name) = &app.server_name {
        response.headers_mut().insert("log-server", name.clone());
    }
    if let Some(line) = line {
        line.write(&response);
    }
    response
}

/// Answers a request on a connection beyond a limit of connections: that it is beyond it, unless it
/// is for operators, who are answered always.
pub async fn refuse(
    app: Arc<App>,
    connection: Arc<Connection<ChunkStream>>,
    request: Request<Incoming>,
    why: NoPlace,
) -> Response<Body> {
    let path = request.uri().path();
    let path = app.pages.base_path().strip(path).unwrap_or(path);
    if route::find(path, app.demos).is_ok_and(|(route, _)| route.endpoint.is_for_operators()) {
        let mut response = Box::pin(respond(app, connection, request)).await;
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        return response;
    }
    let (head, _) = request.into_parts();
    let client = app.trusted_proxies.client(&head.headers, connection.peer());
    let line = AccessLine::begin(&head, client);
    let grant = app.cors.grant(&head);
    let error = if app.drain.has_begun() {
        Error::Stopping
    } else {
        why.into()
    };
    let is_secure = app.is_secure(&head.headers, &connection);
    let language = LanguageChoice::of(&head, is_secure).language;
    let mut response = Refusal::of(&head, is_secure, language)
        .reply(&error, &app, client)
        .await;
    grant.apply(response.headers_mut());
    if let Some(line) = line {
        line.write(&response);
    }
    response
}

async fn dispatch(
    app: &Arc<App>,
    connection: &Arc<Connection<ChunkStream>>,
    client: IpAddr,
    choice: LanguageChoice,
    head: Parts,
    body: Incoming,
) -> Result<Response<Body>, Error> {
    let (route, rest, permission, admission) = match checks::check(app, &head, connection, client)?
    {
        Checked::Call {
            route,
            rest,
            permission,
            admission,
        } => (route, rest, permission, admission),
        Checked::Options(allow) => return Ok(reply::options(&allow)),
    };
    let (endpoint, (effect, _)) = (route.endpoint, route.method(&head.method)?);
    if endpoint.has_pages() && language_choice::takes_page(&head) {
        language_choice::check(&head)?;
    }
    let by = client_places::requester(client, admission.as_ref());
    let place = app.place_of_act(effect, &head.method, by)?;
    let share = app.answer_share(client, endpoint.is_for_operators());
    let response = handle(Call {
        app,
        connection,
        client,
        head,
        body: BodyReader::new(body, connection, place),
        endpoint,
        language: choice.language,
        rest,
        permission,
        admission,
    })
    .await?;
    answer_memory::cover(response, &share)
}

/// Calls the handler of a request. The future of a request has room for that of any handler, and is
/// moved: so those that are much longer than that of an append are on the heap.
async fn handle(call: Call<'_>) -> Result<Response<Body>, Error> {
    let (endpoint, method) = (call.endpoint, call.head.method.clone());
    match (endpoint, method) {
        (Endpoint::Home, _) => page::home(call).await,
        (Endpoint::File, _) => page::file(call).await,
        (Endpoint::RevisedFile, _) => page::revised_file(call).await,
        (Endpoint::Example, _) => page::example(call).await,
        (Endpoint::Doc, _) => doc_page::show(call).await,
        (Endpoint::Wire, _) => page::wire(call).await,
        (Endpoint::Page(name), _) => page::show(call, name).await,
        (Endpoint::Receiver, Method::POST) => Box::pin(receiver::receive(call)).await,
        (Endpoint::ReceiverLive, _) => Box::pin(receiver::go_on(call)).await,
        (Endpoint::Receiver, _) => receiver::show(call).await,
        (Endpoint::Sender, Method::POST) => sender::send(call).await,
        (Endpoint::Sender, _) => Box::pin(sender::show(call)).await,
        (Endpoint::ToChannelList, _) => Ok(reply::moved(channel_list::PATH)),
        (Endpoint::ChannelList, _) => channel_list::list(call).await,
        (Endpoint::Channels | Endpoint::Send, Method::POST) => append::append(call).await,
        (Endpoint::Channels | Endpoint::Send, Method::PUT) => Box::pin(upload::upload(call)).await,
        (Endpoint::Channels | Endpoint::Send, _) => Box::pin(follow::channels(call)).await,
        (Endpoint::Stream, _) => Box::pin(follow::main_as_text(call)).await,
        (Endpoint::Mailbox, Method::POST) => Box::pin(mailbox::act(call)).await,
        (Endpoint::Mailbox, _) => mailbox::show(call).await,
        (Endpoint::Clock, _) => Box::pin(clock_stream::clock(call)).await,
        (Endpoint::Chat(endpoint), _) => Box::pin(chat::answer(endpoint, call)).await,
        (Endpoint::Probe, Method::POST | Method::PUT) => Box::pin(probe::act(call)).await,
        (Endpoint::Probe, _) => Box::pin(probe::show(call)).await,
        (Endpoint::Tap, Method::POST) => tap_reports::open(&call),
        (Endpoint::Tap, _) => tap_reports::fetch(&call),
        (Endpoint::Login, Method::POST) => Box::pin(token_login::log_in(call)).await,
        (Endpoint::Login, _) => Box::pin(token_login::show(call)).await,
        (Endpoint::Logout, _) => token_login::log_out(&call),
        (Endpoint::Live, _) => Ok(operator::live()),
        (Endpoint::Ready, _) => Ok(operator::ready(&call)),
        (Endpoint::Metrics, _) => Ok(operator::metrics(&call).await),
        (Endpoint::OpenApi, _) => Ok(operator::openapi()),
    }
}
