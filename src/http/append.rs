//! `POST /c/CHANNEL` and `POST /send`: the body is one message. `PUT`, whose body is a stream of
//! lines, is in `upload.rs`.

use hyper::Response;
use serde::Serialize;

use super::append_form::{AppendForm, FormKind};
use super::error::Error;
use super::negotiate::{self, Form};
use super::query::{self, Query};
use super::reply::{self, Body};
use super::route::{self, Endpoint};
use super::{Call, body, if_match, params};
use crate::message::{Channel, Closing, Draft, EventName, IdempotencyKey, Receipt};

/// Returns the channel that a message goes to: the one that the path names, or `main` for `/send`.
pub(super) fn channel(call: &Call<'_>) -> Result<Channel, Error> {
    if call.endpoint == Endpoint::Send {
        return Ok(Channel::main());
    }
    channel_named(&call.rest)
}

/// Returns the one channel that a path names.
pub(super) fn channel_named(name: &str) -> Result<Channel, Error> {
    if name.contains(',') {
        return Err(Error::OneChannel(name.to_owned()));
    }
    route::channel(name)
}

/// Returns the event name that the query gives, or the default one.
pub(super) fn event(query: &Query) -> Result<EventName, Error> {
    let read = |text: &str| EventName::new(text).map_err(|why| why.to_string());
    let event = params::parse("event", query.get("event"), read)?;
    Ok(event.unwrap_or(EventName::DEFAULT))
}

/// Whether the channel is to be closed.
pub(super) fn closes(query: &Query) -> Result<bool, Error> {
    let close = params::parse("close", query.get("close"), params::parse_bool)?;
    Ok(close.unwrap_or(false))
}

/// Appends the body as one message, and answers when the message is committed. Without a body a request
/// that closes the channel only does that.
pub(super) async fn append(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let channel = channel(&call)?;
    let query = Query::read(call.query(), &[query::APPEND])?;
    let (event, key, closes) = (event(&query)?, key(&call)?, closes(&query)?);
    let precondition = if_match::precondition(&call.head.headers)?;
    if let Some(kind) = params::parse("form", query.get("form"), FormKind::read)? {
        let form = AppendForm::read(&mut call, kind).await?;
        let draft = Draft {
            event,
            precondition,
            closing: Closing::by_message(closes),
            ..Draft::new(channel.clone(), form.text)
        };
        let receipt = call.app.log.append_once(draft.keyed(key.as_ref())).await?;
        if negotiate::error_form(&call.head) == Form::Html {
            return Ok(reply::see_other(&form.next));
        }
        return Ok(appended(&call, &channel, &receipt));
    }
    let max = call.app.max_message;
    // The trailing newline that is dropped does not count.
    let mut body = body::read(&mut call, max + 1).await?;
    call.check_right()?;
    let (closing, data) = if closes && body.bytes.is_empty() {
        (Closing::Alone, Box::default())
    } else {
        let data = body::message(std::mem::take(&mut body.bytes), max)?;
        (Closing::by_message(closes), data)
    };
    let draft = Draft {
        event,
        precondition,
        closing,
        ..Draft::new(channel.clone(), data)
    };
    let receipt = call.app.log.append_once(draft.keyed(key.as_ref())).await?;
    Ok(appended(&call, &channel, &receipt))
}

/// The answer that says which message was appended.
fn appended(call: &Call<'_>, channel: &Channel, receipt: &Receipt) -> Response<Body> {
    let answer = Appended {
        cursor: call.app.log.cursor(receipt.seq).to_string(),
        seq: receipt.seq.0,
        channel: channel.as_str(),
        time: receipt.time.to_string(),
        duplicate: receipt.duplicate,
    };
    reply::appended(receipt, &answer)
}

/// Returns the `Idempotency-Key` of the request, if it has one.
pub(super) fn key(call: &Call<'_>) -> Result<Option<IdempotencyKey>, Error> {
    let Some(value) = call.head.headers.get("idempotency-key") else {
        return Ok(None);
    };
    // Bytes that are not UTF-8 become U+FFFD, which no key may contain, so they are refused.
    let text = String::from_utf8_lossy(value.as_bytes());
    IdempotencyKey::new(&text).map(Some).map_err(Error::BadKey)
}

/// The answer to an append.
#[derive(Serialize)]
struct Appended<'a> {
    cursor: String,
    seq: u64,
    channel: &'a str,
    time: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}
