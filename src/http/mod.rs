//! Requests and responses: hyper's service, written by hand.
//!
//! `route.rs` is the one table of paths, `error.rs` the one table of errors; each handler is a file.

mod append;
mod body;
mod browser;
mod error;
mod follow;
mod form;
mod negotiate;
mod operator;
mod page;
mod params;
mod receiver;
mod reply;
mod route;
mod sender;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response};
use tokio::sync::Semaphore;

pub use reply::Body;

use crate::drain::Drain;
use crate::follow::Link;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::pages::Pages;
use crate::session::Sessions;
use error::Error;
use route::Endpoint;

/// What all requests share.
#[derive(Debug)]
pub struct App {
    /// The log.
    pub log: Log,
    /// The browsers' sessions.
    pub sessions: Sessions,
    /// The pages.
    pub pages: Pages,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The end.
    pub drain: Drain,
    /// Are the demonstration pages served?
    pub demos: bool,
    /// Longest message, in bytes.
    pub max_message: usize,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// Memory for requests' bodies, a permit a byte.
    pub bodies: Arc<Semaphore>,
    /// How many files may be open, where the system tells.
    pub max_files: Option<u64>,
}

impl App {
    /// The class in pages of what leads to the demonstrations.
    fn demos_class(&self) -> &'static str {
        if self.demos { "demos" } else { "no-demos" }
    }
}

/// A request on its way to its handler.
struct Call<'a> {
    app: &'a Arc<App>,
    link: &'a Arc<Link>,
    head: Parts,
    body: Incoming,
    /// What of the path the route leaves open: the channels of `/c/…`, a file's name.
    rest: String,
}

impl Call<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        header(&self.head.headers, name)
    }

    fn query(&self) -> &str {
        self.head.uri.query().unwrap_or("")
    }

    fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Answers a request. Whatever is wrong with it becomes an answer, too.
pub async fn respond(app: Arc<App>, link: Arc<Link>, request: Request<Incoming>) -> Response<Body> {
    let form = negotiate::error_form(header(request.headers(), "accept"));
    let has_body = !request.body().is_end_stream();
    match dispatch(&app, &link, request).await {
        Ok(response) => response,
        Err(error) => {
            if has_body {
                link.leave_unread();
            }
            log::debug!("refused: {error}");
            error::reply(&error, form, &app).await
        }
    }
}

/// Answers a request on a connection that there is no room for.
pub async fn refuse(app: Arc<App>, link: Arc<Link>, request: Request<Incoming>) -> Response<Body> {
    let form = negotiate::error_form(header(request.headers(), "accept"));
    link.leave_unread();
    error::reply(&Error::Full, form, &app).await
}

async fn dispatch(
    app: &Arc<App>,
    link: &Arc<Link>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Error> {
    let (head, body) = request.into_parts();
    let (route, rest) = route::find(head.uri.path(), app.demos)?;
    if head.method == Method::OPTIONS {
        return Ok(reply::options(route));
    }
    route.check(&head.method)?;
    let acts = matches!(
        route.endpoint,
        Endpoint::Follow | Endpoint::Receiver | Endpoint::Sender | Endpoint::Stream
    );
    if acts && browser::is_prefetch(&head.headers) {
        return Err(Error::Prefetch);
    }
    let posted = head.method == Method::POST;
    let call = Call {
        app,
        link,
        head,
        body,
        rest,
    };
    match route.endpoint {
        Endpoint::Home => page::home(call).await,
        Endpoint::File => page::file(call).await,
        Endpoint::Receiver if posted => receiver::receive(call).await,
        Endpoint::Receiver => receiver::show(call).await,
        Endpoint::Sender if posted => sender::send(call).await,
        Endpoint::Sender => sender::show(call).await,
        Endpoint::Follow if posted => append::append(call).await,
        Endpoint::Follow => follow::channels(call).await,
        Endpoint::Stream => follow::main_as_text(call).await,
        Endpoint::Send => append::main(call).await,
        Endpoint::Healthz => Ok(operator::healthz(&call)),
        Endpoint::Metrics => Ok(operator::metrics(&call)),
    }
}
