//! What requests take of their client's shares of the server, and what is answered when those are used
//! up.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hyper::Method;

use super::error::Error;
use super::route::Effect;
use super::{App, Call};
use crate::access::Admission;
use crate::client_shares::{ConnectionPlace, RequestPlace, Requester};

/// Why a connection is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// The server has as many connections as it may.
    ForAnybody,
    /// The client has as many as each may.
    ForClient,
}

impl From<NoPlace> for Error {
    fn from(why: NoPlace) -> Error {
        match why {
            NoPlace::ForAnybody => Error::Full,
            NoPlace::ForClient => Error::ManyConnections,
        }
    }
}

impl App {
    /// A place for one more connection from `peer`; `None` if there are as many as a client may have. A
    /// proxy's are those of many clients.
    #[must_use]
    pub fn connection_of(&self, peer: IpAddr) -> Option<ConnectionPlace> {
        if self.trusted_proxies.trusts(peer.to_canonical()) {
            return Some(ConnectionPlace::default());
        }
        self.clients.connection(peer)
    }

    fn charge_append(&self, by: Requester) -> Result<(), Error> {
        let charged = self.clients.append(by, Instant::now());
        charged.map_err(|(of, wait)| Error::ManyAppends { of, wait })
    }

    /// A place for a request that acts, from its head to its answer: its body may take long to come, and
    /// some wait for others. A single append is counted against its client's rate, too.
    pub(super) fn place_of_act(
        &self,
        effect: Effect,
        method: &Method,
        by: Requester,
    ) -> Result<RequestPlace, Error> {
        match effect {
            Effect::Act => {
                if method == Method::POST {
                    self.charge_append(by)?;
                }
                self.clients.request(by).map_err(Error::ManyRequests)
            }
            Effect::Visit if method == Method::GET => {
                self.charge_append(by)?;
                Ok(RequestPlace::default())
            }
            Effect::Visit | Effect::Health | Effect::Explain | Effect::Read | Effect::Stream => {
                Ok(RequestPlace::default())
            }
        }
    }
}

/// Whose shares a request takes that comes from this address.
pub(super) fn requester(client: IpAddr, admission: Option<&Admission>) -> Requester {
    Requester {
        address: client,
        token: admission.and_then(|admission| admission.holder.token_id()),
    }
}

impl Call<'_> {
    /// Whose shares the request takes.
    fn requester(&self) -> Requester {
        requester(self.client, self.admission.as_ref())
    }

    /// A place for a stream, from its beginning to its end.
    pub(super) fn place_of_stream(&self) -> Result<RequestPlace, Error> {
        let reserved = self.app.clients.request(self.requester());
        reserved.map_err(Error::ManyRequests)
    }
}

/// The lines of an upload, counted against the rate of its client.
pub(super) struct LineRate(Requester);

impl LineRate {
    pub(super) fn new(call: &Call<'_>) -> LineRate {
        LineRate(call.requester())
    }

    /// Charges lines that have come, and returns how long to wait before more are read.
    pub(super) fn charge(&self, app: &App, lines: usize) -> Option<Duration> {
        app.clients.lines(self.0, lines, Instant::now())
    }
}
