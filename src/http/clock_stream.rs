//! `GET /clock`: a page for browsers, and a stream of the server's time for all other clients, and in
//! the page's frame for browsers without scripts.

use hyper::Response;

use super::error::Error;
use super::negotiate::{self, Form};
use super::params::Params;
use super::reply::Body;
use super::stream::StreamSpec;
use super::{Call, follow, page};
use crate::clock::Clock;
use crate::log::Since;
use crate::wire::Wire;

pub(super) async fn clock(call: Call<'_>) -> Result<Response<Body>, Error> {
    let params = match Params::read(&call) {
        // The page is opened with any parameter, as all pages are.
        Err(Error::UnknownParam { .. }) if negotiate::error_form(&call.head) == Form::Html => {
            return page::show(call, "clock.html").await;
        }
        params => params?,
    };
    let wire = params.wire_or_accepted(&call.head);
    if wire == Wire::Html && params.wire.is_none() {
        return page::show(call, "clock.html").await;
    }
    let clock = &call.app.clock;
    // The stream begins with the tick of this second, if there is one. Old ticks are of no use, so
    // no cursor is looked at.
    let spec = StreamSpec::new(clock.log(), Clock::channel(), Since::Last(1));
    let mut spec = spec.with_transport(wire, &params, &call)?;
    if wire == Wire::Html {
        let title = call.language.sentence("clock");
        spec.page = Some(follow::frame(&call, &title, "one", &params).await);
    }
    if !call.is_head() {
        spec.extras().guard = Some(Box::new(clock.watch()));
    }
    spec.respond(&call).await
}
