//! `GET /c/A,B*,…` and `GET /stream`: the log from a position on, for as long as the client stays.

use std::collections::BTreeSet;

use hyper::Response;

use super::error::Error;
use super::params::Params;
use super::reply::Body;
use super::stream::StreamSpec;
use super::{Call, route};
use crate::limits;
use crate::log::{Since, Subscription};
use crate::message::Channel;
use crate::pages::HtmlPage;
use crate::wire::Wire;

/// `GET /stream`: `main` as text, an address that is short to type in front of a class.
pub(super) async fn main_as_text(call: Call<'_>) -> Result<Response<Body>, Error> {
    let params = Params::read(&call)?;
    let wire = params.wire.unwrap_or(Wire::Text);
    follow(&call, Channel::main().into(), wire, params).await
}

pub(super) async fn channels(call: Call<'_>) -> Result<Response<Body>, Error> {
    let params = Params::read(&call)?;
    let subscription = subscription(&call.rest)?;
    let wire = params.wire_or_accepted(&call.head);
    follow(&call, subscription, wire, params).await
}

/// The channels and patterns that the list `A,B*,…` has, each once.
///
/// # Errors
/// When there are too many, or one is neither a channel name nor a pattern.
pub(super) fn subscription(list: &str) -> Result<Subscription, Error> {
    let all: BTreeSet<&str> = list.split(',').collect();
    let count = list.split(',').count();
    if count > limits::STREAM_CHANNELS_MAX {
        return Err(Error::TooManyChannels(count));
    }
    let (mut channels, mut patterns) = (Vec::new(), Vec::new());
    for text in all {
        if text.contains('*') {
            patterns.push(route::pattern(text)?);
        } else {
            channels.push(route::channel(text)?);
        }
    }
    Ok(Subscription::new(channels, patterns))
}

async fn follow(
    call: &Call<'_>,
    subscription: Subscription,
    wire: Wire,
    params: Params,
) -> Result<Response<Body>, Error> {
    let since = params.begins(&call.head).unwrap_or(Since::All);
    let has_names = params.names.unwrap_or(subscription.is_of_several());
    let page = match wire {
        Wire::Html => Some(page(call, &subscription, has_names).await),
        _ => None,
    };
    let mut spec = StreamSpec::new(&call.app.log, subscription, since);
    spec.has_names = has_names;
    spec.page = page;
    spec.with_transport(wire, &params, call)?
        .respond(call)
        .await
}

/// The HTML page around a stream of this subscription, which shows the channel of each message, or does
/// not.
async fn page(call: &Call<'_>, subscription: &Subscription, has_names: bool) -> HtmlPage {
    let channels = subscription.channels().iter().map(ToString::to_string);
    let patterns = subscription.patterns().iter().map(ToString::to_string);
    let names: Vec<String> = channels.chain(patterns).collect();
    // Channel names have no characters that have a meaning in HTML, nor has `*`.
    let names = names.join(", ");
    let kind = if has_names { "many" } else { "one" };
    call.page("stream.html", &[("channels", &names), ("kind", kind)])
        .await
}
