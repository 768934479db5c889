//! `GET /c/`: the channels of the log, for programs and for people.

use hyper::header::LINK;
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::cacheable::{self, Freshness};
use super::error::Error;
use super::params::parse;
use super::query::{self, Query};
use super::reply::{self, Body};
use super::{Call, negotiate, route};
use crate::access::ChannelSet;
use crate::limits;
use crate::log::ListedChannel;
use crate::message::{Cursor, Epoch, Pattern};
use crate::wire::{Wire, to_json};

/// The address of the list.
pub(super) const PATH: &str = "/c/";

/// A channel, as programs get it.
#[derive(Default, Serialize)]
struct ChannelObject<'a> {
    channel: &'a str,
    cursor: String,
    time: Option<String>,
    messages: u64,
    closed: bool,
    followers: usize,
}

/// The whole answer in JSON.
#[derive(Serialize)]
struct ListObject<'a> {
    channels: Vec<ChannelObject<'a>>,
    /// The address of the channels that come after these.
    next: Option<&'a str>,
}

/// Lists the channels, in the order of their names.
pub(super) async fn list(call: Call<'_>) -> Result<Response<Body>, Error> {
    let query = Query::read(call.query(), &[query::LIST, call.page_params()])?;
    let (prefix, after) = (query.get("prefix"), query.get("after"));
    let pattern = route::pattern(&format!("{}*", prefix.unwrap_or_default()))?;
    let limit = parse("limit", query.get("limit"), limit)?.unwrap_or(limits::LIST_CHANNELS_MAX);
    let wire = parse("as", query.get("as"), format)?;
    let wire = wire.unwrap_or_else(|| negotiate::wire(&call.head.headers));
    // One more tells whether there are more.
    let after = after.unwrap_or_default();
    let mut channels = readable(&call, &pattern, after, limit + 1).await?;
    let is_cut = channels.len() > limit;
    channels.truncate(limit);
    let next = channels.last().filter(|_| is_cut).map(|last| {
        let kept = |name, value: Option<&str>| {
            value.map_or_else(String::new, |value| format!("{name}={value}&"))
        };
        let (form, prefix) = (kept("as", query.get("as")), kept("prefix", prefix));
        format!(
            "{PATH}?{form}{prefix}after={}&limit={limit}",
            last.info.channel
        )
    });
    let epoch = call.app.log.epoch();
    let objects = channels
        .iter()
        .map(|listed| ChannelObject::new(listed, epoch));
    let mut response = match wire {
        Wire::Json => {
            let next = next.as_deref();
            let next = next.map(|next| call.app.pages.base_path().link(next));
            let (channels, next) = (objects.collect(), next.as_deref());
            reply::json(StatusCode::OK, &ListObject { channels, next })
        }
        Wire::Html => page(&call, objects, next.as_deref()).await,
        Wire::Ndjson => {
            let lines = objects.map(|object| to_json(&object) + "\n").collect();
            let body: String = lines;
            reply::full(StatusCode::OK, Wire::Ndjson.content_type(), body)
        }
        Wire::Text | Wire::Sse | Wire::Script => {
            let names = channels
                .iter()
                .map(|listed| format!("{}\n", listed.info.channel));
            reply::text(StatusCode::OK, names.collect())
        }
    };
    if let Some(next) = next {
        reply::add_header(&mut response, LINK, &format!("<{next}>; rel=\"next\""));
    }
    Ok(response)
}

/// The first channels of a pattern after `after` that the sender of the request may read.
async fn readable(
    call: &Call<'_>,
    pattern: &Pattern,
    after: &str,
    limit: usize,
) -> Result<Vec<ListedChannel>, Error> {
    let (log, all) = (
        &call.app.log,
        ChannelSet::new(Vec::new(), vec![pattern.clone()]),
    );
    let asked = all.meet(&call.readable());
    let mut found = Vec::new();
    for pattern in asked.patterns() {
        found.extend(log.channels(pattern, after, limit).await?);
    }
    for channel in asked.channels().iter().filter(|name| name.as_str() > after) {
        // The name comes first among those that begin with it.
        let pattern = route::pattern(&format!("{channel}*"))?;
        let first = log.channels(&pattern, after, 1).await?;
        found.extend(
            first
                .into_iter()
                .filter(|found| found.info.channel == *channel),
        );
    }
    found.sort_by(|one, other| one.info.channel.cmp(&other.info.channel));
    found.truncate(limit);
    Ok(found)
}

/// The page for browsers. Names of channels have no character that means something in HTML.
async fn page(
    call: &Call<'_>,
    channels: impl Iterator<Item = ChannelObject<'_>>,
    next: Option<&str>,
) -> Response<Body> {
    let say = |english| call.language.sentence(english);
    let (template, closed) = (call.template("channels-row.html").await, say("closed"));
    let row = |object: ChannelObject<'_>| {
        template.fill(&[
            ("channel", object.channel),
            ("state", if object.closed { &*closed } else { "" }),
            ("messages", &object.messages.to_string()),
            ("time", object.time.as_deref().unwrap_or_default()),
            ("followers", &object.followers.to_string()),
        ])
    };
    let mut rows: String = channels.map(row).collect();
    if rows.is_empty() {
        let none = say("There are no channels here yet.");
        rows = format!("<tr class=\"none\"><td colspan=\"5\">{none}</td></tr>");
    }
    let next = next.map_or_else(String::new, |next| {
        let next = next.replace('&', "&amp;");
        let more = say("More channels");
        format!("<p><a rel=\"next\" href=\"{next}\">{more}</a></p>")
    });
    // The row of a channel that comes later, for the page's script.
    let new = row(ChannelObject::default());
    let values = [("rows", rows.as_str()), ("new", &new), ("next", &next)];
    let page = call.page("channels.html", &values).await;
    cacheable::page(call, page, Freshness::AskedByOne)
}

impl<'a> ChannelObject<'a> {
    fn new(listed: &'a ListedChannel, epoch: &Epoch) -> ChannelObject<'a> {
        let info = &listed.info;
        let cursor = Cursor {
            epoch: epoch.clone(),
            seq: info.last,
        };
        ChannelObject {
            channel: info.channel.as_str(),
            cursor: cursor.to_string(),
            time: info.time.map(|time| time.to_string()),
            messages: info.kept,
            closed: info.is_closed,
            followers: listed.followers,
        }
    }
}

/// Reads `limit`, a number of channels.
fn limit(text: &str) -> Result<usize, String> {
    let max = limits::LIST_CHANNELS_MAX;
    let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| format!("is not a number of channels from 1 to {max}"))
}

/// Reads `as`, the format of the list.
fn format(text: &str) -> Result<Wire, String> {
    let formats = [Wire::Json, Wire::Ndjson, Wire::Text, Wire::Html];
    let named = Wire::named(text).filter(|wire| formats.contains(wire));
    named.ok_or_else(|| "is none of json, ndjson, text, html".to_owned())
}
