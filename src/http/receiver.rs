//! `/receiver`: the long request, which begins where the browser's session stands.

use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue, SET_COOKIE};
use hyper::{Response, StatusCode};
use tokio::time::Instant;

use super::error::Error;
use super::reply::{self, Body};
use super::stream::StreamSpec;
use super::{Call, browser};
use crate::log::Since;
use crate::receiver_session::ReceiverSession;

/// `GET`: clears the session's position, and shows the page with the button.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    let page = call.page("receiver.html", &[]).await;
    let mut response = reply::html(StatusCode::OK, page.before);
    if !call.is_head() {
        let (session, cookie) = enter(&call);
        session.clear();
        response.headers_mut().extend(cookie);
    }
    Ok(response)
}

/// `POST`: the messages that the session has not seen, then the new ones, without end.
pub(super) async fn receive(call: Call<'_>) -> Result<Response<Body>, Error> {
    let page = call.page("receiving.html", &[]).await;
    let (session, cookie) = enter(&call);
    let receiving = session.receive();
    let since = receiving.seen.map_or(Since::All, Since::Seq);
    let mut spec = StreamSpec::in_page(&call.app.log, since, page);
    spec.extras().on_progress = Some(Box::new(move |seq| receiving.saw(seq)));
    let mut response = spec.respond(&call).await?;
    response.headers_mut().extend(cookie);
    Ok(response)
}

/// The browser's session, or a new one, with the cookie that names it.
fn enter(call: &Call<'_>) -> (Arc<ReceiverSession>, Option<(HeaderName, HeaderValue)>) {
    let known = browser::session(&call.head.headers);
    let (id, session) = call.app.sessions.enter(known, Instant::now());
    let cookie = browser::set_session(id.as_str());
    (session, cookie.map(|cookie| (SET_COOKIE, cookie)))
}
