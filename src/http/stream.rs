//! A response that goes on: the one place where handlers' streams are put together.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;

use super::error::Error;
use super::reply::{self, Body};
use super::{Call, browser};
use crate::follow::{Ends, Follow, Options, Taken};
use crate::limits;
use crate::log::Since;
use crate::message::{Channel, Timestamp};
use crate::metrics::OpenStream;
use crate::pages::Page;
use crate::wire::Wire;

/// What a handler wants streamed.
pub(super) struct Stream {
    pub(super) channels: Vec<Channel>,
    pub(super) since: Since,
    pub(super) wire: Wire,
    pub(super) heartbeat: Duration,
    pub(super) ends: Ends,
    /// The page around it.
    pub(super) page: Option<Page>,
    /// Who wants to know how far it has come.
    pub(super) taken: Option<Taken>,
}

impl Stream {
    /// A stream without ends, page or listener.
    pub(super) fn new(channels: Vec<Channel>, since: Since, wire: Wire) -> Stream {
        Stream {
            channels,
            since,
            wire,
            heartbeat: limits::DOTS_EVERY,
            ends: Ends::default(),
            page: None,
            taken: None,
        }
    }

    /// `main` in a page.
    pub(super) fn in_page(since: Since, page: Page) -> Stream {
        Stream {
            page: Some(page),
            ..Stream::new(vec![Channel::main()], since, Wire::Html)
        }
    }

    /// The response; for HEAD its head alone, which follows nothing.
    pub(super) async fn respond(self, call: &Call<'_>) -> Result<Response<Body>, Error> {
        let app = call.app;
        let start = app
            .log
            .start(&self.channels, &self.since, Timestamp::now())
            .await?;
        let cursor = app.log.cursor(start.at);
        if call.is_head() {
            return Ok(reply::stream(self.wire, &cursor, Body::empty()));
        }
        let (prelude, epilogue) = match self.page {
            Some(page) => (
                browser::pad(page.before, &call.head.headers).into(),
                page.after.into(),
            ),
            None => (Bytes::new(), Bytes::new()),
        };
        let options = Options {
            wire: self.wire,
            heartbeat: self.heartbeat,
            ends: self.ends,
            prelude,
            epilogue,
            link: Arc::clone(call.link),
            taken: self.taken,
        };
        let open = OpenStream::new(Arc::clone(&app.metrics), self.wire);
        let follow = Follow::new(app.log.clone(), start, app.drain.clone(), open, options);
        Ok(reply::stream(
            self.wire,
            &cursor,
            Body::Follow(Box::new(follow)),
        ))
    }
}
