//! What every request has to pass before its handler has it: its host, its path, its method, and who
//! sent it: whose page, and with which rights.

use std::net::IpAddr;

use hyper::Method;
use hyper::http::request::Parts;

use super::admission::{self, Sender};
use super::error::Error;
use super::initiator::Initiator;
use super::permission::{Permission, permission};
use super::route::{self, Route};
use super::{App, browser, framing, host};
use crate::access::Admission;
use crate::connection::Connection;

/// A request that has passed.
pub(super) enum Checked {
    /// The request is for the handler of this route.
    Call {
        route: &'static Route,
        /// The part of the path that the route leaves open.
        rest: String,
        permission: Permission,
        admission: Option<Admission>,
    },
    /// The request asks which methods there are; this is the value of `Allow`.
    Options(String),
}

/// Checks a request that came on a connection from this client.
pub(super) fn check<S>(
    app: &App,
    head: &Parts,
    connection: &Connection<S>,
    client: IpAddr,
) -> Result<Checked, Error> {
    let asked = host::asked(head)?;
    let path = head.uri.path();
    let found = route::find(path, app.demos);
    let is_of_health = found.as_ref().is_ok_and(|(route, _)| route.is_of_health());
    if !is_of_health {
        app.hosts.check(asked.as_ref())?;
    }
    framing::check(head)?;
    if head.method == Method::OPTIONS && path == "*" {
        return Ok(Checked::Options(route::ALLOW_ALL.to_owned()));
    }
    if head.method == Method::CONNECT {
        // Its target is a host, and no path.
        return Err(Error::MethodNotAllowed {
            method: head.method.to_string(),
            allow: route::ALLOW_ALL.to_owned(),
        });
    }
    let (route, rest) = found?;
    if route.endpoint.is_of_one_server() && app.log.cluster().is_some() {
        return Err(Error::NotShared(path.to_owned()));
    }
    if head.method == Method::OPTIONS {
        return Ok(Checked::Options(route.allow()));
    }
    let (effect, need) = route.method(&head.method)?;
    if app.drain.has_begun() && !route.endpoint.is_for_operators() {
        return Err(Error::Stopping);
    }
    if effect.forbids_prefetch() && browser::is_prefetch(&head.headers) {
        return Err(Error::Prefetch);
    }
    let forwarded = app.trusted_proxies.host(&head.headers, connection.peer());
    let forwarded = forwarded.and_then(|host| host.parse().ok());
    let own: Vec<_> = asked.into_iter().chain(forwarded).collect();
    let is_secure = app.is_secure(&head.headers, connection);
    let initiator = Initiator::of(&head.headers, &own, is_secure);
    let is_allowed = |origin: &str| app.cors.allows(route.endpoint, origin);
    let permission = permission(effect, head, &initiator, &own, is_allowed)?;
    let sender = Sender {
        client,
        peer: connection.peer(),
        is_secure,
    };
    let admission = admission::admit(app, head, sender, need, &rest)?;
    Ok(Checked::Call {
        route,
        rest,
        permission,
        admission,
    })
}
