//! The live log page, which a browser gets at `/c/A,B*,…`: the forever frame stands in it, so it works
//! without a script, and a script makes more of it.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::Error;
use super::{Call, browser, follow, route};
use crate::limits;
use crate::log::Subscription;
use crate::message::Channel;
use crate::pages::HtmlPage;

/// Renders the page around a stream of this subscription, which the path names. `beat` is the class that
/// tells how often something comes.
pub(super) async fn page(
    call: &Call<'_>,
    subscription: &Subscription,
    kind: &str,
    beat: &str,
) -> Result<HtmlPage, Error> {
    let names = follow::names(subscription);
    let one = match (subscription.channels(), subscription.patterns()) {
        ([channel], []) => Some(channel),
        _ => None,
    };
    // Names of channels have no character that means something in HTML or in a shell, but for `*`.
    let path = names.join(",");
    let form = match one {
        Some(channel) if call.may_write(channel) => {
            let template = call.template("log-form.html").await;
            template.fill(&[("channel", channel.as_str())])
        }
        _ => String::new(),
    };
    let watching = match one {
        Some(channel) => watching(call, channel).await?,
        None => String::new(),
    };
    // The address of the page may have a key in it, with which what it leads to is asked for, too.
    let key = call.url_key().map_or_else(String::new, |key| {
        format!("&amp;key={}", utf8_percent_encode(&key, NON_ALPHANUMERIC))
    });
    let most = limits::LOG_PAGE_MESSAGES.to_string();
    let values = [
        ("channels", names.join(", ")),
        ("file", names.join("-").replace('*', "all")),
        ("path", path),
        ("kind", kind.to_owned()),
        ("beat", beat.to_owned()),
        ("form", form),
        ("watching", watching),
        ("key", key),
        ("most", most),
        ("origin", browser::origin(call)),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, &**value));
    Ok(call.page("log.html", &values).await)
}

/// How many follow a channel, this page among them, in words.
async fn watching(call: &Call<'_>, channel: &Channel) -> Result<String, Error> {
    let followers = followers(call, channel).await?;
    let watching = format!("{} watching", followers + 1);
    Ok(call.language.sentence(&watching))
}

/// How many follow a channel.
pub(super) async fn followers(call: &Call<'_>, channel: &Channel) -> Result<usize, Error> {
    // The name comes first among those that begin with it.
    let pattern = route::pattern(&format!("{channel}*"))?;
    let first = call.app.log.channels(&pattern, "", 1).await?;
    let listed = first
        .first()
        .filter(|listed| listed.info.channel == *channel);
    Ok(listed.map_or(0, |listed| listed.followers))
}
