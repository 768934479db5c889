//! `GET /c/A,B*,…` and `GET /stream`: the log from a position on, for as long as the client stays.

use std::collections::BTreeSet;

use hyper::Response;

use super::error::Error;
use super::params::Params;
use super::reply::Body;
use super::stream::StreamSpec;
use super::{Call, browser, log_page, route};
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
    mut params: Params,
) -> Result<Response<Body>, Error> {
    let has_names = params.names.unwrap_or(subscription.is_of_several());
    // What a browser gets that goes to the address, and does not ask for the frame itself.
    let is_log_page = wire == Wire::Html && params.wire.is_none();
    params.marks |= is_log_page;
    let since = match params.begins(&call.head) {
        None if is_log_page => Since::Last(limits::LOG_PAGE_MESSAGES),
        since => since.unwrap_or(Since::All),
    };
    let kind = if has_names { "many" } else { "one" };
    let page = match wire {
        Wire::Html if is_log_page => {
            Some(log_page::page(call, &subscription, kind, beat(&params)).await?)
        }
        Wire::Html => Some(frame(call, &names(&subscription).join(", "), kind, &params).await),
        _ => None,
    };
    let mut spec = StreamSpec::new(&call.app.log, subscription, since);
    spec.has_names = has_names;
    spec.page = page;
    spec.with_transport(wire, &params, call)?
        .respond(call)
        .await
}

/// The names of a subscription's channels and its patterns. They have no characters that have a meaning
/// in HTML.
pub(super) fn names(subscription: &Subscription) -> Vec<String> {
    let channels = subscription.channels().iter().map(ToString::to_string);
    let patterns = subscription.patterns().iter().map(ToString::to_string);
    channels.chain(patterns).collect()
}

/// The HTML page around a stream, and nothing else, which shows the channel of each message (`many`) or
/// does not (`one`).
pub(super) async fn frame(call: &Call<'_>, title: &str, kind: &str, params: &Params) -> HtmlPage {
    // In a frame of another page, that page has the links and the title.
    let framed = if browser::is_in_frame(&call.head.headers) {
        "framed"
    } else {
        ""
    };
    let values = [
        ("channels", title),
        ("kind", kind),
        ("beat", beat(params)),
        ("framed", framed),
    ];
    call.page("stream.html", &values).await
}

/// The class of a page that tells how often something comes, if it is only a dot: the style sheet says
/// after which silence the page shows that its stream may have died.
fn beat(params: &Params) -> &'static str {
    let usual = limits::DOT_INTERVAL_DEFAULT;
    let interval = params
        .heartbeat
        .unwrap_or(usual)
        .max(params.pace.unwrap_or_default());
    match interval.as_secs_f64().ceil() {
        ..=1.0 => "beat-1",
        ..=5.0 => "beat-5",
        ..=15.0 => "beat-15",
        _ => "beat-60",
    }
}
