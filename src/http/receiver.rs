//! `/receiver`: the long request, which begins where the browser's session stands.

use std::sync::Arc;

use hyper::{Response, StatusCode};
use tokio::time::Instant;

use super::error::Error;
use super::reply::{self, Body};
use super::stream::StreamSpec;
use super::{Call, browser};
use crate::limits;
use crate::log::{Since, Stored};
use crate::message::{Channel, Seq};
use crate::receiver_session::{ReceiverSession, ReceiverSessionId};
use crate::wire::Encoding;

const PATH: &str = "/receiver";

/// The address of the long request that a browser can load again.
const LIVE: &str = "/receiver/live";

/// `GET`: clears the session's position, and shows the page with the button.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    let values = [("sender", &*sender(&call))];
    let page = call.page("receiver.html", &values).await;
    let mut response = reply::page(StatusCode::OK, page);
    if call.may_act() {
        let sessions = &call.app.receiver_sessions;
        let cookie = browser::receiver_session_id(&call);
        sessions.clear(cookie);
        let id = sessions.id(cookie);
        browser::set_receiver_session(&call, &mut response, id.as_str());
    }
    Ok(response)
}

/// `POST`: the messages that the session has not seen, then the new ones, without end. A browser that goes
/// here is led to a page that it can come back to and load again.
pub(super) async fn receive(call: Call<'_>) -> Result<Response<Body>, Error> {
    if !browser::navigates(&call.head.headers) {
        return stream(call, "").await;
    }
    let (id, _) = enter(&call);
    let mut response = reply::see_other(LIVE);
    browser::set_receiver_session(&call, &mut response, id.as_str());
    Ok(response)
}

/// `GET /receiver/live`: the same stream. What the page showed last is shown again before it.
pub(super) async fn go_on(call: Call<'_>) -> Result<Response<Body>, Error> {
    let (_, session) = enter(&call);
    let again = match session.seen() {
        Some(seen) if !call.is_head() => shown_before(&call, seen).await?,
        _ => String::new(),
    };
    stream(call, &again).await
}

/// The last messages up to a position as they were shown, and a rule under them.
async fn shown_before(call: &Call<'_>, seen: Seq) -> Result<String, Error> {
    let log = &call.app.log;
    let reserved = call.reserve_answer(limits::HISTORY_BYTES).await?;
    let channel = Channel::main();
    let history = log
        .history(&channel, seen, limits::RECEIVER_MESSAGES_AGAIN)
        .await?;
    drop(reserved);
    let mut shown = String::new();
    for item in &history.items {
        if let Stored::Message(message) = item {
            let element = Encoding::Html.message(message, log.epoch());
            shown.push_str(&String::from_utf8_lossy(&element));
        }
    }
    if !shown.is_empty() {
        let rule = "This page was loaded again. What comes from here on is new.";
        let rule = call.language.sentence(rule);
        let rule = format!("<p class=\"live\">{rule}</p>\n");
        shown.push_str(&rule);
    }
    Ok(shown)
}

/// The stream from the session's position on, after what stands in the page already.
async fn stream(call: Call<'_>, again: &str) -> Result<Response<Body>, Error> {
    let values = [("again", again), ("sender", &*sender(&call))];
    let page = call.page_at(PATH, "receiving.html", &values).await;
    let (id, session) = enter(&call);
    let receiving = session.receive();
    let since = receiving.seen.map_or(Since::All, Since::Seq);
    let mut spec = StreamSpec::in_page(&call.app.log, since, page);
    spec.extras().on_progress = Some(Box::new(move |seq| receiving.saw(seq)));
    let mut response = spec.respond(&call).await?;
    browser::set_receiver_session(&call, &mut response, id.as_str());
    Ok(response)
}

/// The address of the sender, for a window next to this one. Where everybody may send, it is one to which
/// the browser has connections left.
fn sender(call: &Call<'_>) -> String {
    let other = match call.app.access.restricted() {
        None => browser::other_origin(call),
        // The cookie with the token is known under the name alone under which it was set.
        Some(_) => None,
    };
    other.unwrap_or_default() + "/sender"
}

/// Returns the browser's session, or a new one, with its id.
fn enter(call: &Call<'_>) -> (ReceiverSessionId, Arc<ReceiverSession>) {
    let cookie = browser::receiver_session_id(call);
    let sessions = &call.app.receiver_sessions;
    sessions.enter(cookie, call.network(), Instant::now())
}
