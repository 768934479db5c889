//! `/clock`: a page for browsers, the time itself for all others.

use hyper::Response;

use super::error::Error;
use super::params::Params;
use super::reply::Body;
use super::stream::StreamSpec;
use super::{Call, negotiate, page};
use crate::clock::Clock;
use crate::log::Since;
use crate::wire::Wire;

pub(super) async fn clock(call: Call<'_>) -> Result<Response<Body>, Error> {
    let params = Params::read(call.query())?;
    let wire = params
        .wire
        .unwrap_or_else(|| negotiate::wire(call.header("accept")));
    if wire == Wire::Html {
        return page::show(call, "clock.html").await;
    }
    let clock = &call.app.clock;
    // The tick of this second, if there is one, then what comes. Old ticks are of no use to
    // anybody, so no cursor is looked at.
    let stream = StreamSpec::new(clock.log(), vec![Clock::channel()], Since::Last(1));
    let mut stream = stream.with(wire, &params, &call)?;
    if !call.is_head() {
        stream.guard = Some(Box::new(clock.watch()));
    }
    stream.respond(&call).await
}
