//! `/receiver`: the long request, from where the browser's session stands.

use hyper::header::SET_COOKIE;
use hyper::{Response, StatusCode};
use tokio::time::Instant;

use super::error::Error;
use super::reply::{self, Body};
use super::stream::Stream;
use super::{Call, browser};
use crate::log::Since;

/// `GET`: forgets what the session has seen, and shows the button.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    let page = call.page("receiver.html", &[]).await;
    let mut response = reply::html(StatusCode::OK, page.before);
    if !call.is_head() {
        let (id, session) = call
            .app
            .sessions
            .enter(browser::session(&call.head.headers), Instant::now());
        session.clear();
        response
            .headers_mut()
            .extend(browser::set_session(id.as_str()).map(|cookie| (SET_COOKIE, cookie)));
    }
    Ok(response)
}

/// `POST`: all that the session has not seen, then what comes, without end.
pub(super) async fn receive(call: Call<'_>) -> Result<Response<Body>, Error> {
    let page = call.page("receiving.html", &[]).await;
    let (id, session) = call
        .app
        .sessions
        .enter(browser::session(&call.head.headers), Instant::now());
    let receiving = session.receive();
    let since = receiving.seen.map_or(Since::All, Since::Seq);
    let taken = move |seq| receiving.saw(seq);
    let stream = Stream {
        taken: Some(Box::new(taken)),
        ..Stream::in_page(&call.app.log, since, page)
    };
    let mut response = stream.respond(&call).await?;
    response
        .headers_mut()
        .extend(browser::set_session(id.as_str()).map(|cookie| (SET_COOKIE, cookie)));
    Ok(response)
}
