//! The parameters in the query of a stream.

use std::borrow::Cow;
use std::time::Duration;

use hyper::http::request::Parts;

use super::error::{Error, ParamError};
use super::query::{self, Query};
use super::{Call, if_match, negotiate};
use crate::config::{duration, heartbeat};
use crate::follow::EndAt;
use crate::limits;
use crate::log::{Log, Since, Until};
use crate::message::Cursor;
use crate::wire::Wire;

/// The parameters of a stream, as far as the request gives them.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a parameter that is on or off"
)]
pub(super) struct Params {
    pub(super) wire: Option<Wire>,
    pub(super) since: Option<Since>,
    /// The position that a client without headers of its own remembers (`?lastEventId=`).
    pub(super) last_event_id: Option<Since>,
    pub(super) until: Option<Until>,
    pub(super) limit: Option<u64>,
    pub(super) timeout: Option<Duration>,
    pub(super) heartbeat: Option<Duration>,
    pub(super) pace: Option<Duration>,
    pub(super) wait: Option<Duration>,
    pub(super) retry: Option<u32>,
    pub(super) heartbeat_event: bool,
    pub(super) envelope: bool,
    pub(super) names: Option<bool>,
    /// Whether streams of `text` and `html` say more of themselves than those usually do.
    pub(super) marks: bool,
    pub(super) color: bool,
    pub(super) origin: Option<String>,
    /// The tap that is told what the stream writes to its socket.
    pub(super) tap: Option<String>,
}

impl Params {
    /// Reads the query of a request that follows. Parameters that only another transport uses are
    /// checked too, and then have no effect.
    ///
    /// # Errors
    /// When a value cannot be used, or a parameter does not exist.
    pub(super) fn read(call: &Call<'_>) -> Result<Params, Error> {
        Params::of(&Query::read(
            call.query(),
            &[query::FOLLOW, call.page_params()],
        )?)
    }

    /// The parameters of a stream in a query, which may have others too.
    pub(super) fn of(query: &Query) -> Result<Params, Error> {
        let get = |name| query.get(name);
        Ok(Params {
            wire: parse("as", get("as"), transport)?,
            since: parse("since", get("since").filter(|text| !text.is_empty()), since)?,
            last_event_id: get("lastEventId").and_then(|id| remembered(id.as_bytes())),
            until: parse("until", get("until"), until)?,
            limit: parse("limit", get("limit"), limit)?,
            timeout: parse("timeout", get("timeout"), timeout)?,
            heartbeat: parse("heartbeat", get("heartbeat"), heartbeat)?,
            pace: parse("pace", get("pace"), pace)?,
            wait: parse("wait", get("wait"), wait)?,
            retry: parse("retry", get("retry"), retry)?,
            heartbeat_event: parse("heartbeat_event", get("heartbeat_event"), parse_bool)?
                .unwrap_or(false),
            envelope: parse("envelope", get("envelope"), parse_bool)?.unwrap_or(false),
            names: parse("names", get("names"), parse_bool)?,
            marks: parse("marks", get("marks"), parse_bool)?.unwrap_or(false),
            color: parse("color", get("color"), parse_bool)?.unwrap_or(false),
            origin: get("origin").map(str::to_owned),
            tap: get(query::TAP).map(str::to_owned),
        })
    }

    /// Returns the transport that `?as=` names, or else the one that the `Accept` header asks for.
    pub(super) fn wire_or_accepted(&self, head: &Parts) -> Wire {
        self.wire.unwrap_or_else(|| negotiate::wire(&head.headers))
    }

    /// Returns where a stream of this log is to end, if the client asks for a part of it.
    ///
    /// # Errors
    /// When it is a cursor of another log: nothing in this one is before or after it.
    pub(super) fn end_at(&self, log: &Log) -> Result<Option<EndAt>, ParamError> {
        Ok(Some(match self.until {
            None => return Ok(None),
            Some(Until::Now) => EndAt::Now,
            Some(Until::Seq(seq)) => EndAt::Seq(seq),
            Some(Until::Cursor(ref cursor)) if cursor.epoch != *log.epoch() => {
                let why = format!(
                    "is a cursor of another log; those of this one begin with {}-",
                    log.epoch()
                );
                return Err(ParamError::new("until", &cursor.to_string(), why));
            }
            Some(Until::Cursor(ref cursor)) => EndAt::Seq(cursor.seq),
            Some(Until::Time(time)) => EndAt::Time {
                time,
                after: time.since(log.now().time),
            },
        }))
    }

    /// Returns where the client wants to begin, if it says so. The `Last-Event-ID` that a browser
    /// remembers wins over all else, then the tag of a long poll's answer (`If-None-Match`), then the
    /// `lastEventId` that a polyfill adds to the address, since it cannot send the header, and then the
    /// `since` that a page once wrote there.
    pub(super) fn begins(&self, head: &Parts) -> Option<Since> {
        last_event_id(head)
            .or_else(|| self.tag(head))
            .or_else(|| self.last_event_id.clone())
            .or_else(|| self.since.clone())
    }

    /// Whether the request is that of an `EventSource` that comes back, or of a polyfill for it.
    pub(super) fn is_of_returning(&self, head: &Parts) -> bool {
        last_event_id(head).is_some() || self.last_event_id.is_some()
    }

    /// Returns the cursor of the answer that the client of a long poll has, if the poll begins there.
    pub(super) fn seen(&self, head: &Parts) -> Option<Cursor> {
        match last_event_id(head) {
            Some(_) => None,
            None => match self.tag(head) {
                Some(Since::Cursor(cursor)) => Some(cursor),
                _ => None,
            },
        }
    }

    /// Returns what the client of a long poll says that it has.
    fn tag(&self, head: &Parts) -> Option<Since> {
        let is_long_poll = self.wire_or_accepted(head) == Wire::Json;
        is_long_poll
            .then(|| if_match::seen(&head.headers))
            .flatten()
    }
}

/// Returns the position that a browser remembers.
fn last_event_id(head: &Parts) -> Option<Since> {
    let lines = head.headers.get_all("last-event-id").iter();
    let mut ids = lines.filter_map(|id| remembered(id.as_bytes()));
    let first = ids.next();
    // Of several ids none can be trusted.
    match ids.next() {
        Some(_) => Some(Since::Foreign),
        None => first,
    }
}

/// Reads the value of a parameter, if there is one.
///
/// # Errors
/// The parameter, its value, and what `read` says is wrong with it.
pub(super) fn parse<T>(
    name: &'static str,
    value: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, ParamError> {
    value
        .map(|value| read(value).map_err(|why| ParamError::new(name, value, why)))
        .transpose()
}

/// Reads the id of the last event that a client remembers, which is its cursor. An id that is no
/// cursor was given by another server at this address; an error would end an `EventSource` for good,
/// which would never get rid of that id.
fn remembered(id: &[u8]) -> Option<Since> {
    let id = id.trim_ascii();
    if id.is_empty() {
        return None;
    }
    let cursor = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
    Some(cursor.map_or(Since::Foreign, Since::Cursor))
}

/// Reads `since`, the position from which a stream is to begin.
fn since(text: &str) -> Result<Since, String> {
    with_plus(text)
        .parse()
        .map_err(|error: crate::log::ParseSinceError| error.to_string())
}

/// Reads `until`, the position at which a stream is to end.
fn until(text: &str) -> Result<Until, String> {
    with_plus(text)
        .parse()
        .map_err(|error: crate::log::ParseUntilError| error.to_string())
}

/// A time whose offset has its sign back: in a query, `+` stands for a space, and few know that when
/// they write one.
fn with_plus(text: &str) -> Cow<'_, str> {
    match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains(':') => format!("{time}+{offset}").into(),
        _ => text.into(),
    }
}

/// Reads `as`.
fn transport(text: &str) -> Result<Wire, String> {
    let names = Wire::ALL.map(Wire::name).join(", ");
    Wire::named(text).ok_or_else(|| format!("is not a transport; choose one of {names}"))
}

/// Reads `limit`, a number of messages.
fn limit(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|limit| *limit >= 1)
        .ok_or_else(|| "is not a number of messages; it must be at least 1".to_owned())
}

/// Reads `timeout`, after which a stream ends.
fn timeout(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|timeout| {
        if timeout.is_zero() {
            Err("must be longer than 0".to_owned())
        } else {
            Ok(timeout)
        }
    })
}

/// Reads `pace`, the interval of bursts.
fn pace(text: &str) -> Result<Duration, String> {
    let range = limits::PACE_RANGE;
    let outside = || {
        let (least, most) = (range.start().as_millis(), range.end().as_secs());
        format!("is not between {least}ms and {most}s")
    };
    duration(text).and_then(|pace| range.contains(&pace).then_some(pace).ok_or_else(outside))
}

/// Reads `wait`, the time that a long poll or a mailbox waits for a message.
pub(super) fn wait(text: &str) -> Result<Duration, String> {
    let max = limits::POLL_WAIT_MAX;
    let outside = || format!("is longer than {}s, the maximum", max.as_secs());
    duration(text).and_then(|wait| (wait <= max).then_some(wait).ok_or_else(outside))
}

/// Reads `retry`, the milliseconds after which an `EventSource` comes back.
fn retry(text: &str) -> Result<u32, String> {
    let max = limits::SSE_RETRY_MS_MAX;
    let outside = || format!("must be a number of milliseconds, at most {max}");
    text.parse()
        .ok()
        .filter(|retry| *retry <= max)
        .ok_or_else(outside)
}

/// Reads a parameter that is on or off.
pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err("must be 1 or 0".to_owned()),
    }
}
