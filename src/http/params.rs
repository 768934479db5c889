//! What the query of a stream may say.

use std::time::Duration;

use hyper::http::request::Parts;

use super::error::Error;
use super::{form, header};
use crate::config::{duration, heartbeat};
use crate::limits;
use crate::log::Since;
use crate::wire::Wire;

/// A parameter that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{name}={value:?} {why}")]
pub(super) struct ParamError {
    name: &'static str,
    value: String,
    why: String,
}

impl ParamError {
    pub(super) fn new(name: &'static str, value: &str, why: impl Into<String>) -> ParamError {
        ParamError {
            name,
            value: value.to_owned(),
            why: why.into(),
        }
    }
}

/// The parameters of a stream.
#[derive(Debug)]
pub(super) struct Params {
    pub(super) wire: Option<Wire>,
    pub(super) since: Option<Since>,
    pub(super) limit: Option<u64>,
    pub(super) timeout: Option<Duration>,
    pub(super) heartbeat: Option<Duration>,
    pub(super) wait: Option<Duration>,
    pub(super) retry: Option<u32>,
    pub(super) heartbeat_event: bool,
    pub(super) origin: Option<String>,
}

impl Params {
    /// Reads a query. Parameters of other transports are checked, and mean nothing to this one;
    /// those of nobody are passed over.
    pub(super) fn read(query: &str) -> Result<Params, Error> {
        let fields = form::fields(query)?;
        let get = |name| form::last(&fields, name);
        Ok(Params {
            wire: parse("as", get("as"), transport)?,
            since: parse("since", get("since"), since)?,
            limit: parse("limit", get("limit"), limit)?,
            timeout: parse("timeout", get("timeout"), timeout)?,
            heartbeat: parse("heartbeat", get("heartbeat"), heartbeat)?,
            wait: parse("wait", get("wait"), wait)?,
            retry: parse("retry", get("retry"), retry)?,
            heartbeat_event: parse("heartbeat_event", get("heartbeat_event"), switch)?
                .unwrap_or(false),
            origin: get("origin").map(str::to_owned),
        })
    }

    /// Where the client wants to begin, if it says so. What a browser remembers wins over what a
    /// page once wrote into its address.
    pub(super) fn begins(&self, head: &Parts) -> Result<Option<Since>, Error> {
        let remembered = header(&head.headers, "last-event-id").filter(|id| !id.is_empty());
        let remembered = parse("Last-Event-ID", remembered, since)?;
        Ok(remembered.or(self.since.clone()))
    }
}

/// The value of a parameter, or why it is none.
pub(super) fn parse<T>(
    name: &'static str,
    value: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, ParamError> {
    value
        .map(|value| read(value).map_err(|why| ParamError::new(name, value, why)))
        .transpose()
}

/// Where to begin.
fn since(text: &str) -> Result<Since, String> {
    text.parse()
        .map_err(|error: crate::log::ParseSinceError| error.to_string())
}

fn transport(text: &str) -> Result<Wire, String> {
    let names = Wire::ALL.map(Wire::name).join(", ");
    Wire::named(text).ok_or_else(|| format!("is no transport; there are {names}"))
}

fn limit(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|limit| *limit >= 1)
        .ok_or_else(|| "is not a number of messages, 1 or more".to_owned())
}

fn timeout(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|timeout| {
        if timeout.is_zero() {
            Err("is no time at all".to_owned())
        } else {
            Ok(timeout)
        }
    })
}

/// How long a request that is quiet waits.
pub(super) fn wait(text: &str) -> Result<Duration, String> {
    let most = limits::POLL_WAIT_MAX;
    let outside = || format!("is longer than {}s", most.as_secs());
    duration(text).and_then(|wait| (wait <= most).then_some(wait).ok_or_else(outside))
}

fn retry(text: &str) -> Result<u32, String> {
    let most = limits::SSE_RETRY_MAX;
    let outside = || format!("is not a number of milliseconds up to {most}");
    text.parse()
        .ok()
        .filter(|retry| *retry <= most)
        .ok_or_else(outside)
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err("is neither 1 nor 0".to_owned()),
    }
}
