//! What requests take of their client's shares of the server, and what is answered when those are used
//! up.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hyper::Method;

use super::error::Error;
use super::route::Effect;
use super::{App, Call};
use crate::client_shares::ClientPlace;

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
    pub fn connection_of(&self, peer: IpAddr) -> Option<ClientPlace> {
        if self.trusted_proxies.trusts(peer.to_canonical()) {
            return Some(ClientPlace::default());
        }
        self.clients.connection(peer)
    }

    fn charge_append(&self, client: IpAddr) -> Result<(), Error> {
        let charged = self.clients.append(client, Instant::now());
        charged.map_err(Error::ManyAppends)
    }

    /// A place for a request that acts, from its head to its answer: its body may take long to come, and
    /// some wait for others. A single append is counted against its client's rate, too.
    pub(super) fn place_of_act(
        &self,
        effect: Effect,
        method: &Method,
        client: IpAddr,
    ) -> Result<ClientPlace, Error> {
        match effect {
            Effect::Act => {
                if method == Method::POST {
                    self.charge_append(client)?;
                }
                self.clients.request(client).ok_or(Error::ManyRequests)
            }
            Effect::Visit if method == Method::GET => {
                self.charge_append(client)?;
                Ok(ClientPlace::default())
            }
            Effect::Visit | Effect::Health | Effect::Explain | Effect::Read | Effect::Stream => {
                Ok(ClientPlace::default())
            }
        }
    }
}

impl Call<'_> {
    /// A place for a stream, from its beginning to its end.
    pub(super) fn place_of_stream(&self) -> Result<ClientPlace, Error> {
        self.app
            .clients
            .request(self.client)
            .ok_or(Error::ManyRequests)
    }
}

/// The lines of an upload, counted against the rate of its client.
pub(super) struct LineRate {
    client: IpAddr,
}

impl LineRate {
    pub(super) fn new(call: &Call<'_>) -> LineRate {
        LineRate {
            client: call.client,
        }
    }

    /// Charges lines that have come, and returns how long to wait before more are read.
    pub(super) fn charge(&self, app: &App, lines: usize) -> Option<Duration> {
        app.clients.lines(self.client, lines, Instant::now())
    }
}
