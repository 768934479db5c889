//! The access log: a line for each answer, when its head is made. A stream has one, too, when it begins.
//!
//! What a request carries as its secret is left out: the query (`?key=`), and every header but the
//! name of the client's program.

use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use hyper::body::Body as _;
use hyper::header::{HeaderValue, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{Method, Response, Uri};
use log::Level;

use super::reply::Body;
use crate::diagnostics::ACCESS_TARGET;

/// The line of a request that is not answered yet.
#[derive(Debug)]
pub(super) struct AccessLine {
    began: Instant,
    client: IpAddr,
    method: Method,
    uri: Uri,
    agent: Option<HeaderValue>,
}

impl AccessLine {
    /// The line of a request, if the operator wants to see it.
    pub(super) fn begin(head: &Parts, client: IpAddr) -> Option<AccessLine> {
        log::log_enabled!(target: ACCESS_TARGET, Level::Info).then(|| AccessLine {
            began: Instant::now(),
            client,
            method: head.method.clone(),
            uri: head.uri.clone(),
            agent: head.headers.get(USER_AGENT).cloned(),
        })
    }

    /// Writes the line, now that the answer has begun.
    pub(super) fn write(self, response: &Response<Body>) {
        let AccessLine {
            began,
            client,
            method,
            uri,
            agent,
        } = self;
        let (status, seconds) = (response.status().as_u16(), began.elapsed().as_secs_f64());
        let bytes = Length(response.body().size_hint().exact());
        let agent = agent.as_ref().map_or(&b"-"[..], HeaderValue::as_bytes);
        let agent = String::from_utf8_lossy(agent);
        // What a client may make long comes last, since a long line is cut.
        log::info!(
            target: ACCESS_TARGET,
            "client={client} status={status} bytes={bytes} seconds={seconds:.6} method={method} path={} agent={agent:?}",
            uri.path(),
        );
    }
}

/// The length of an answer, if it is known when that begins.
struct Length(Option<u64>);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(f, "{bytes}"),
            None => f.write_str("-"),
        }
    }
}
