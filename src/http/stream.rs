//! A response that goes on: the one place where handlers' streams are put together.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Response, Version};

use super::error::Error;
use super::params::Params;
use super::reply::{self, Body};
use super::{Call, browser};
use crate::follow::{DropGuard, Ends, Filter, Follower, OnProgress, Options};
use crate::limits;
use crate::log::{Log, Since};
use crate::message::{Channel, Seq, Timestamp};
use crate::metrics::OpenStream;
use crate::pages::Page;
use crate::wire::{Encoder, ScriptFrame, SseOptions, Wire};

/// What a handler wants streamed.
pub(super) struct StreamSpec {
    pub(super) log: Log,
    pub(super) channels: Vec<Channel>,
    pub(super) since: Since,
    pub(super) encoder: Encoder,
    pub(super) heartbeat: Option<Duration>,
    pub(super) ends: Ends,
    /// After how long it ends by itself.
    pub(super) timeout: Option<Duration>,
    /// From here on at the latest it follows the first of its channels, wherever it begins.
    pub(super) known: Option<Seq>,
    /// The page around it.
    pub(super) page: Option<Page>,
    /// Who wants to know how far it has come.
    pub(super) taken: Option<OnProgress>,
    /// What its follower sees of the messages.
    pub(super) lens: Option<Filter>,
    /// What is to end with it.
    pub(super) guard: Option<DropGuard>,
}

impl StreamSpec {
    /// Text with its dots, without end.
    pub(super) fn new(log: &Log, channels: Vec<Channel>, since: Since) -> StreamSpec {
        StreamSpec {
            log: log.clone(),
            channels,
            since,
            encoder: Encoder::Text { dots: false },
            heartbeat: Some(limits::DOTS_EVERY),
            ends: Ends::default(),
            timeout: None,
            known: None,
            page: None,
            taken: None,
            lens: None,
            guard: None,
        }
    }

    /// `main` in a page, with its dots, without end.
    pub(super) fn in_page(log: &Log, since: Since, page: Page) -> StreamSpec {
        let encoder = Encoder::Html { dots: false };
        StreamSpec {
            encoder,
            page: Some(page),
            ..StreamSpec::new(log, vec![Channel::main()], since)
        }
    }

    /// On a wire, as its follower wishes.
    pub(super) fn with(
        mut self,
        wire: Wire,
        params: &Params,
        call: &Call<'_>,
    ) -> Result<StreamSpec, Error> {
        let every = if wire.has_dots() {
            limits::DOTS_EVERY
        } else {
            call.app.heartbeat
        };
        self.heartbeat = Some(params.heartbeat.unwrap_or(every));
        self.timeout = params.timeout;
        self.ends = Ends {
            limit: params.limit,
            ..Ends::default()
        };
        self.encoder = match wire {
            Wire::Text => Encoder::Text { dots: false },
            Wire::Html => Encoder::Html { dots: false },
            Wire::Script => {
                self.ends.bytes = Some(limits::SCRIPT_FRAME_BYTES);
                Encoder::Script(Box::new(frame(params, call)?))
            }
            Wire::Sse => Encoder::Sse(sse(params, call)),
            Wire::Ndjson => Encoder::Ndjson,
            Wire::Json => {
                self.heartbeat = None;
                self.ends.poll = true;
                let wait = jittered(params.wait.unwrap_or(limits::POLL_WAIT));
                self.timeout = Some(params.timeout.map_or(wait, |timeout| timeout.min(wait)));
                Encoder::Json(Box::default())
            }
        };
        Ok(self)
    }

    /// The response; for HEAD its head alone, which follows nothing.
    pub(super) async fn respond(self, call: &Call<'_>) -> Result<Response<Body>, Error> {
        let app = call.app;
        let mut start = self
            .log
            .start(&self.channels, &self.since, Timestamp::now())
            .await?;
        if let Some(known) = self.known {
            start.no_later_than(known);
        }
        let cursor = self.log.cursor(start.at);
        let mut response = reply::stream(&self.encoder, &cursor);
        if call.is_head() {
            return Ok(response);
        }
        let headers = &call.head.headers;
        let (prelude, epilogue) = match (self.page, &self.encoder) {
            (Some(page), _) => (browser::pad(page.before, headers), page.after.into()),
            (None, Encoder::Script(frame)) => {
                (browser::pad(frame.prelude(), headers), Bytes::new())
            }
            (None, _) => (String::new(), Bytes::new()),
        };
        let open = OpenStream::new(Arc::clone(&app.metrics), self.encoder.wire());
        let options = Options {
            encoder: self.encoder,
            heartbeat: self.heartbeat,
            ends: self.ends,
            timeout: self.timeout,
            prelude: prelude.into(),
            epilogue,
            link: Arc::clone(call.link),
            taken: self.taken,
            lens: self.lens,
            guard: self.guard,
        };
        // A long poll is one of many requests on its connection, and so is a page that ends.
        let ends = self.ends.poll || self.ends.until.is_some();
        let is_taken_over = app.handover && !ends && call.head.version == Version::HTTP_11;
        let follow = Follower::new(&self.log, start, app.drain.clone(), open, options);
        let follow = Box::new(follow);
        *response.body_mut() = if is_taken_over {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
            call.link.handover.give(follow);
            Body::Elsewhere(Arc::clone(call.link))
        } else {
            Body::Follower(follow)
        };
        Ok(response)
    }
}

fn sse(params: &Params, call: &Call<'_>) -> SseOptions {
    let usual = params.retry.unwrap_or(limits::SSE_RETRY);
    // Whoever comes while the server stops is to come back, but not at once.
    let retry = if call.app.drain.has_begun() {
        retry_when_refused()
    } else {
        usual
    };
    SseOptions {
        retry,
        heartbeat_event: params.heartbeat_event,
    }
}

/// After how many milliseconds an `EventSource` that is not served is to come back.
pub(super) fn retry_when_refused() -> u32 {
    rand::random_range(limits::SSE_RETRY_REFUSED) * 1000 + rand::random_range(0..1000)
}

/// A frame for a page of this server, or of an origin that is allowed.
fn frame(params: &Params, call: &Call<'_>) -> Result<ScriptFrame, Error> {
    let origin = params.origin.as_deref().map(str::to_ascii_lowercase);
    let path = call.head.uri.path();
    if let Some(origin) = &origin
        && !call.app.cors.allows(path, origin)
    {
        return Err(Error::OriginNotAllowed(origin.clone()));
    }
    let nonce = format!("{:032x}", rand::random::<u128>());
    Ok(ScriptFrame::new(nonce, origin))
}

/// A little less than that.
fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(1.0 - limits::POLL_JITTER * rand::random::<f64>())
}
