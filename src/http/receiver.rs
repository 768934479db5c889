//! `/receiver`: the long request, which begins where the browser's session stands.

use std::sync::Arc;

use hyper::{Response, StatusCode};
use tokio::time::Instant;

use super::error::Error;
use super::reply::{self, Body};
use super::stream::StreamSpec;
use super::{Call, browser};
use crate::log::Since;
use crate::receiver_session::{ReceiverSession, ReceiverSessionId};

/// `GET`: clears the session's position, and shows the page with the button.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    let page = call.page("receiver.html", &[]).await;
    let mut response = reply::html(StatusCode::OK, page.before);
    if call.may_act() {
        let sessions = &call.app.receiver_sessions;
        let cookie = browser::receiver_session_id(&call);
        sessions.clear(cookie);
        let id = sessions.id(cookie);
        browser::set_receiver_session(&call, &mut response, id.as_str());
    }
    Ok(response)
}

/// `POST`: the messages that the session has not seen, then the new ones, without end.
pub(super) async fn receive(call: Call<'_>) -> Result<Response<Body>, Error> {
    let page = call.page("receiving.html", &[]).await;
    let (id, session) = enter(&call);
    let receiving = session.receive();
    let since = receiving.seen.map_or(Since::All, Since::Seq);
    let mut spec = StreamSpec::in_page(&call.app.log, since, page);
    spec.extras().on_progress = Some(Box::new(move |seq| receiving.saw(seq)));
    let mut response = spec.respond(&call).await?;
    browser::set_receiver_session(&call, &mut response, id.as_str());
    Ok(response)
}

/// Returns the browser's session, or a new one, with its id.
fn enter(call: &Call<'_>) -> (ReceiverSessionId, Arc<ReceiverSession>) {
    let cookie = browser::receiver_session_id(call);
    let sessions = &call.app.receiver_sessions;
    sessions.enter(cookie, call.network(), Instant::now())
}
