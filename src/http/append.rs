//! `POST /c/CHANNEL` and `POST /send`: the body is a message.

use hyper::{Response, StatusCode};
use serde::Serialize;

use super::error::Error;
use super::reply::{self, Body};
use super::{Call, body, form, params};
use crate::message::{Channel, Draft, EventName};

pub(super) async fn append(call: Call<'_>) -> Result<Response<Body>, Error> {
    let name = call.rest.clone();
    if name.contains(',') {
        return Err(Error::OneChannel(name));
    }
    let channel = Channel::new(&name).map_err(|why| Error::BadChannel { name, why })?;
    append_to(call, channel).await
}

pub(super) async fn main(call: Call<'_>) -> Result<Response<Body>, Error> {
    append_to(call, Channel::main()).await
}

async fn append_to(mut call: Call<'_>, channel: Channel) -> Result<Response<Body>, Error> {
    let fields = form::fields(call.query())?;
    let event = |text: &str| EventName::new(text).map_err(|why| why.to_string());
    let event =
        params::parse("event", form::last(&fields, "event"), event)?.unwrap_or(EventName::DEFAULT);
    let most = call.app.max_message;
    // The newline that is dropped does not count.
    let mut read = body::read(&mut call, most + 1).await?;
    let data = body::message(std::mem::take(&mut read.bytes), most)?;
    let message = call
        .app
        .log
        .append(Draft {
            channel,
            event,
            data,
        })
        .await?;
    let answer = Appended {
        cursor: call.app.log.cursor(message.seq).to_string(),
        seq: message.seq.0,
        channel: message.channel.as_str(),
        time: message.time.to_string(),
    };
    Ok(reply::json(StatusCode::CREATED, &answer))
}

/// What the sender is told.
#[derive(Serialize)]
struct Appended<'a> {
    cursor: String,
    seq: u64,
    channel: &'a str,
    time: String,
}
