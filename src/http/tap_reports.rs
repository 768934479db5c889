//! `/wire/tap`: a page opens a tap, and fetches what was written to the sockets of its streams.
//! [`tap`](crate::tap) says who may, and how much there may be.

use std::time::Instant;

use base64ct::{Base64, Encoding};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode, Version};
use serde::Serialize;

use super::error::{Error, ParamError};
use super::query;
use super::reply::{self, Body};
use super::{Call, form};
use crate::access::ChannelSet;
use crate::log::Subscription;
use crate::tap::{TapEvent, TapOwner, TapRecord, TapsFull};

/// The headers of a request that show who sends it, in lower case. A script must not read them.
const SECRET_HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// What stands in the place of a secret.
const HIDDEN: &str = "(not shown)";

/// The answer to a page that opens a tap.
#[derive(Serialize)]
struct OpenedTap<'a> {
    id: &'a str,
}

/// What a page fetches.
#[derive(Serialize)]
struct ReportObject {
    /// Microseconds since the tap was opened.
    us: u64,
    /// The bytes that found no room.
    lost: u64,
    records: Vec<RecordObject>,
}

/// Something that happened on a stream.
#[derive(Serialize)]
struct RecordObject {
    stream: u32,
    us: u64,
    #[serde(flatten)]
    event: EventObject,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum EventObject {
    /// The lines of a request's head.
    Request { head: Box<[String]> },
    /// Bytes that a socket has taken, in Base64.
    Write { bytes: String },
    /// The end of an answer: whether all of it was written.
    End { over: bool },
}

/// Opens a tap.
pub(super) fn open(call: &Call<'_>) -> Result<Response<Body>, Error> {
    let owner = TapOwner {
        client: call.client,
        readable: call.readable(),
    };
    let opened = call.app.taps.open(owner, Instant::now());
    let id = opened.map_err(|TapsFull| Error::TapsFull)?;
    Ok(reply::json(StatusCode::CREATED, &OpenedTap { id: &id }))
}

/// Returns what has happened since the last time, at once.
pub(super) fn fetch(call: &Call<'_>) -> Result<Response<Body>, Error> {
    let now = Instant::now();
    // A right that has ended since ends the tap.
    let may_see = |of_owner: &ChannelSet| of_owner.without(&[&call.readable()]).is_empty();
    let tap = call.app.taps.get(&call.rest, call.client, now, may_see);
    let tap = tap.ok_or_else(|| Error::NotFound(call.head.uri.path().to_owned()))?;
    let report = tap.fetch(now);
    let object = ReportObject {
        us: report.micros,
        lost: report.lost,
        records: report.records.into_iter().map(RecordObject::of).collect(),
    };
    Ok(reply::json(StatusCode::OK, &object))
}

/// Taps the connection of a request for a stream of these channels, from the head of its answer on.
///
/// # Errors
/// When this is no tap for that.
pub(super) fn attach(
    call: &Call<'_>,
    id: &str,
    subscription: &Subscription,
) -> Result<(), ParamError> {
    let (channels, patterns) = (subscription.channels(), subscription.patterns());
    let asked = ChannelSet::new(channels.to_vec(), patterns.to_vec());
    let may_see = |of_owner: &ChannelSet| asked.without(&[of_owner]).is_empty();
    let now = Instant::now();
    let refused = |why: &str| ParamError::new("tap", id, why);
    let tap = call.app.taps.get(id, call.client, now, may_see);
    let tap = tap.ok_or_else(|| {
        refused("is no open tap of yours for these channels; open one with POST /wire/tap")
    })?;
    let stream = tap.stream(head(&call.head), now);
    let stream = stream.ok_or_else(|| refused("has as many streams as it may; end one of them"))?;
    // Over HTTP/2 the socket has frames of many streams: of this one the request and the end are told.
    if call.head.version <= Version::HTTP_11 {
        call.connection.tap(stream);
    }
    Ok(())
}

/// The lines of a request's head, as they were read: names of headers have lost their upper case.
fn head(head: &Parts) -> Vec<String> {
    let mut target = head.uri.path().to_owned();
    for (n, pair) in head
        .uri
        .query()
        .into_iter()
        .flat_map(|q| q.split('&'))
        .enumerate()
    {
        target.push(if n == 0 { '?' } else { '&' });
        let name = pair.split('=').next().unwrap_or_default();
        if form::decode_lossily(name) == query::KEY {
            target.push_str("key=");
            target.push_str(HIDDEN);
        } else {
            target.push_str(pair);
        }
    }
    let mut lines = vec![format!("{} {target} {:?}", head.method, head.version)];
    for (name, value) in &head.headers {
        let value = if SECRET_HEADERS.contains(&name.as_str()) {
            HIDDEN.into()
        } else {
            String::from_utf8_lossy(value.as_bytes())
        };
        lines.push(format!("{name}: {value}"));
    }
    lines
}

impl RecordObject {
    fn of(record: TapRecord) -> RecordObject {
        let event = match record.event {
            TapEvent::Request(head) => EventObject::Request { head },
            TapEvent::Write(bytes) => EventObject::Write {
                bytes: Base64::encode_string(&bytes),
            },
            TapEvent::End(over) => EventObject::End { over },
        };
        RecordObject {
            stream: record.stream,
            us: record.micros,
            event,
        }
    }
}
