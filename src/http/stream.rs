//! A response that goes on: the one place where the streams of handlers are put together, head and
//! body.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue};
use hyper::{Response, StatusCode, Version};

use super::error::Error;
use super::params::Params;
use super::reply::{self, Body};
use super::stream_body::StreamBody;
use super::{Call, browser, long_poll, tap_reports};
use crate::follow::{ChunkStream, Extras, Options};
use crate::limits;
use crate::log::{Log, Since, Subscription};
use crate::message::{Channel, Cursor, Seq};
use crate::metrics::OpenStream;
use crate::pages::HtmlPage;
use crate::wire::{Encoder, HtmlStream, ScriptFrame, SseOptions, TextStream, Wire};

/// The stream that a handler wants: what of the log it follows, and its options.
pub(super) struct StreamSpec {
    pub(super) log: Log,
    pub(super) subscription: Subscription,
    pub(super) since: Since,
    /// The first of the channels is followed from this seq at the latest, wherever the stream begins.
    pub(super) no_later_than: Option<Seq>,
    /// Whether an `EventSource` comes back: it stops if all of the channels are closed.
    comes_back: bool,
    /// The cursor that the client of a long poll has as the tag of an answer.
    pub(super) seen: Option<Cursor>,
    /// Whether each line of `text` begins with the name of its channel.
    pub(super) has_names: bool,
    /// The page around the messages.
    pub(super) page: Option<HtmlPage>,
    pub(super) options: Options,
}

impl StreamSpec {
    /// An endless stream of text with its dots.
    pub(super) fn new(
        log: &Log,
        subscription: impl Into<Subscription>,
        since: Since,
    ) -> StreamSpec {
        StreamSpec {
            log: log.clone(),
            subscription: subscription.into(),
            since,
            no_later_than: None,
            comes_back: false,
            seen: None,
            has_names: false,
            page: None,
            options: Options::new(
                Encoder::Text(TextStream::default()),
                Some(limits::DOT_INTERVAL_DEFAULT),
            ),
        }
    }

    /// An endless stream of `main` in a page, with its dots.
    pub(super) fn in_page(log: &Log, since: Since, page: HtmlPage) -> StreamSpec {
        let mut spec = StreamSpec::new(log, Channel::main(), since);
        spec.options.encoder = Encoder::Html(HtmlStream::default().in_language(page.language));
        spec.page = Some(page);
        spec
    }

    /// The options that only some streams have, to be filled in.
    pub(super) fn extras(&mut self) -> &mut Extras {
        self.options.extras()
    }

    /// The stream on a transport, as its follower asks for it.
    pub(super) fn with_transport(
        mut self,
        wire: Wire,
        params: &Params,
        call: &Call<'_>,
    ) -> Result<StreamSpec, Error> {
        if let Some(id) = &params.tap {
            tap_reports::attach(call, id, &self.subscription)?;
        }
        let usual = if wire.has_dots() {
            limits::DOT_INTERVAL_DEFAULT
        } else {
            call.app.heartbeat
        };
        let options = &mut self.options;
        options.set_heartbeat(Some(params.heartbeat.unwrap_or(usual)));
        let until = params.end_at(&self.log)?;
        if params.timeout.is_some() || params.limit.is_some() || until.is_some() {
            let ends = options.ends_mut();
            (ends.timeout, ends.limit, ends.until) = (params.timeout, params.limit, until);
        }
        if params.pace.is_some() && wire != Wire::Json {
            options.extras().pace_interval = params.pace;
        }
        options.encoder = match wire {
            Wire::Text => Encoder::Text(
                TextStream::new(self.has_names, params.marks).with_colors(params.color),
            ),
            Wire::Html => {
                let is_bare = params.wire == Some(Wire::Html);
                let html = HtmlStream::new(params.marks).bare(is_bare);
                Encoder::Html(html.in_language(call.language))
            }
            Wire::Script => {
                options.ends_mut().bytes = Some(limits::SCRIPT_FRAME_BYTES);
                Encoder::Script(Arc::new(script_frame(params, call)?))
            }
            Wire::Sse => {
                self.comes_back = params.is_of_returning(&call.head);
                Encoder::Sse(SseOptions {
                    retry: params.retry.unwrap_or(limits::SSE_RETRY_MS_DEFAULT),
                    heartbeat_event: params.heartbeat_event,
                    envelope: params.envelope,
                })
            }
            Wire::Ndjson => Encoder::Ndjson,
            Wire::Json => {
                options.set_heartbeat(None);
                options.ends_mut().is_long_poll = true;
                let wait = params.wait.unwrap_or(limits::POLL_WAIT_DEFAULT);
                let wait = jittered(wait, limits::POLL_JITTER);
                let timeout = params.timeout.map_or(wait, |timeout| timeout.min(wait));
                options.ends_mut().timeout = Some(timeout);
                self.seen = params.seen(&call.head);
                Encoder::Json(Box::default())
            }
        };
        Ok(self)
    }

    /// The response; for HEAD its head alone, which follows nothing.
    pub(super) async fn respond(self, call: &Call<'_>) -> Result<Response<Body>, Error> {
        let StreamSpec {
            log,
            subscription,
            since,
            no_later_than,
            comes_back,
            seen,
            has_names: _,
            page,
            mut options,
        } = self;
        let mut start = log.start(&subscription, &since).await?;
        if let Some(seq) = no_later_than {
            start.no_later_than(seq);
        }
        if comes_back && start.is_at_end() {
            return Ok(reply::no_content());
        }
        let mut response = head(&options.encoder, &log.cursor(start.at));
        if let Some(page) = &page {
            reply::tell_language(&mut response, page.language);
        }
        if call.is_head() {
            return Ok(response);
        }
        add_page(&mut options, page, call)?;
        if let Some(life) = call.app.rotate
            && !options.ends().are_near()
        {
            options.ends_mut().rotate = Some(jittered(life, limits::ROTATE_JITTER));
        }
        options.access = call.right_hold().map(Box::new);
        let is_long_poll = options.ends().is_long_poll;
        // A long poll is one of many requests on its connection, and so is a page that ends.
        let is_handed_over = call.app.handover
            && !options.ends().are_near()
            && call.head.version == Version::HTTP_11;
        let place = call.place_of_stream()?;
        let open = OpenStream::new(Arc::clone(&call.app.metrics), options.encoder.wire());
        let open = open.with_place(place);
        let drain = call.app.drain.clone();
        let memory = call.answer_share();
        let stream = ChunkStream::new(&log, start, drain, open, memory, options);
        let mut stream = Box::new(stream);
        // While nothing has been sent, a store that cannot be read is an error like any other.
        stream.prepare().await?;
        // Before HTTP/1.1 nothing but the end of the connection is the end of a stream.
        if is_handed_over || call.head.version < Version::HTTP_11 {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
            // Otherwise hyper adds that the connection is kept, if the client wished that.
            *response.version_mut() = call.head.version;
        }
        *response.body_mut() = if is_handed_over {
            call.connection.handover().give(stream);
            Body::HandedOver(Arc::clone(call.connection))
        } else {
            let body = StreamBody::new(stream, call.connection.phase());
            if is_long_poll {
                return long_poll::answer(response, body, seen).await;
            }
            Body::Stream(body)
        };
        Ok(response)
    }
}

/// The head of a stream, with an empty body.
fn head(encoder: &Encoder, starts: &Cursor) -> Response<Body> {
    let content_type = encoder.wire().content_type();
    let mut response = reply::going_on(StatusCode::OK, content_type);
    if let Encoder::Script(frame) = encoder
        && let Ok(policy) = HeaderValue::from_str(&script_frame_policy(frame))
    {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    let name = HeaderName::from_static("log-cursor");
    reply::add_header(&mut response, name, &starts.to_string());
    response
}

/// Only the frame's own scripts run, and only pages that the frame may talk to can embed it.
fn script_frame_policy(frame: &ScriptFrame) -> String {
    let nonce = frame.nonce();
    let ancestors = frame.origin().unwrap_or("'self'");
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors {ancestors}"
    )
}

/// Puts what comes before and after all messages into the options: a page, or the script frame's
/// document.
fn add_page(options: &mut Options, page: Option<HtmlPage>, call: &Call<'_>) -> Result<(), Error> {
    let headers = &call.head.headers;
    if let Some(page) = page {
        let extras = options.extras();
        extras.prelude = part(browser::pad(page.before, headers), call)?;
        extras.epilogue = part(page.after, call)?;
    } else if let Encoder::Script(frame) = &options.encoder {
        let prelude = browser::pad(frame.prelude(), headers);
        options.extras().prelude = prelude.into();
    }
    Ok(())
}

/// A part of a page, which the stream keeps until it has been written.
fn part(text: String, call: &Call<'_>) -> Result<Bytes, Error> {
    let bytes = Bytes::from(text);
    if bytes.len() <= limits::SMALL_ANSWER_BYTES {
        return Ok(bytes);
    }
    let reserved = call.answer_share().try_reserve(bytes.len());
    Ok(reserved.ok_or(Error::NoAnswerMemory)?.cover(bytes))
}

/// The script frame of a page of this server, or of an origin that is allowed.
fn script_frame(params: &Params, call: &Call<'_>) -> Result<ScriptFrame, Error> {
    let origin = params.origin.as_deref().map(str::to_ascii_lowercase);
    if let Some(origin) = &origin
        && !(is_plain(origin) && call.app.cors.allows(call.endpoint, origin))
    {
        return Err(Error::OriginNotAllowed(origin.clone()));
    }
    let nonce = format!("{:032x}", rand::random::<u128>());
    Ok(ScriptFrame::new(nonce, origin))
}

/// Whether an origin is one plain word: it stands in a `Content-Security-Policy`.
fn is_plain(origin: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_graphic() && !b";,'\"".contains(&b);
    origin.contains("://") && origin.bytes().all(is_allowed)
}

/// A time shorter than `longest` by at most this part of it, so that clients that began together do
/// not come back together.
fn jittered(longest: Duration, part: f64) -> Duration {
    longest.mul_f64(1.0 - part * rand::random::<f64>())
}
