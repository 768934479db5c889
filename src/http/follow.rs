//! `GET /c/A,B,…` and `GET /stream`: the log from a position on, for as long as the client stays.

use std::collections::BTreeSet;

use hyper::Response;

use super::error::Error;
use super::params::Params;
use super::reply::Body;
use super::stream::StreamSpec;
use super::{Call, route};
use crate::limits;
use crate::log::Since;
use crate::message::Channel;
use crate::pages::HtmlPage;
use crate::wire::Wire;

/// `GET /stream`: `main` as text, an address that is short to type in front of a class.
pub(super) async fn main_as_text(call: Call<'_>) -> Result<Response<Body>, Error> {
    let params = Params::read(&call)?;
    let wire = params.wire.unwrap_or(Wire::Text);
    follow(&call, vec![Channel::main()], wire, params).await
}

pub(super) async fn channels(call: Call<'_>) -> Result<Response<Body>, Error> {
    let params = Params::read(&call)?;
    let channels = names(&call.rest)?;
    let wire = params.wire_or_accepted(&call.head);
    follow(&call, channels, wire, params).await
}

/// The channels that the list `A,B,…` names, each once.
///
/// # Errors
/// When there are too many, or one is not a channel name.
fn names(list: &str) -> Result<Vec<Channel>, Error> {
    let count = list.split(',').count();
    if count > limits::STREAM_CHANNELS_MAX {
        return Err(Error::TooManyChannels(count));
    }
    let names = list
        .split(',')
        .map(route::channel)
        .collect::<Result<BTreeSet<_>, _>>()?;
    Ok(names.into_iter().collect())
}

async fn follow(
    call: &Call<'_>,
    channels: Vec<Channel>,
    wire: Wire,
    params: Params,
) -> Result<Response<Body>, Error> {
    let since = params.begins(&call.head).unwrap_or(Since::All);
    let has_names = params.names.unwrap_or(channels.len() > 1);
    let page = match wire {
        Wire::Html => Some(page(call, &channels, has_names).await),
        _ => None,
    };
    let mut spec = StreamSpec::new(&call.app.log, channels, since);
    spec.has_names = has_names;
    spec.page = page;
    spec.with_transport(wire, &params, call)?
        .respond(call)
        .await
}

/// The HTML page around a stream of these channels, which shows the channel of each message, or does
/// not.
async fn page(call: &Call<'_>, channels: &[Channel], has_names: bool) -> HtmlPage {
    let names: Vec<&str> = channels.iter().map(Channel::as_str).collect();
    // Channel names have no characters that have a meaning in HTML.
    let names = names.join(", ");
    let kind = if has_names { "many" } else { "one" };
    call.page("stream.html", &[("channels", &names), ("kind", kind)])
        .await
}
