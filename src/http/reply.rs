//! Responses, and the one type of their bodies.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, LOCATION, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::probe_body::ProbeBody;
use super::receipts::ReceiptBody;
use super::stream_body::StreamBody;
use crate::connection::Connection;
use crate::follow::ChunkStream;
use crate::message::Receipt;
use crate::pages::HtmlPage;
use crate::translation::Language;
use crate::wire::to_json;

/// The body of a response.
#[derive(Debug)]
pub enum Body {
    /// A body that is complete.
    Full {
        /// The bytes that hyper has not taken.
        bytes: Bytes,
        /// Whether the bytes cost nothing more, because they are a part of the program, or have
        /// their memory reserved.
        is_covered: bool,
    },
    /// A stream that hyper polls.
    Stream(StreamBody),
    /// The receipts of an upload.
    Receipts(Box<ReceiptBody>),
    /// The lines of a probe.
    Probe(Box<ProbeBody>),
    /// A stream that the connection takes over from hyper when the head of the response has been
    /// written (see [`Handover`](crate::connection::Handover)).
    HandedOver(Arc<Connection<ChunkStream>>),
    /// What is left of a stream that was broken off, when its last bytes have been written.
    BrokenOff,
}

/// The reason why hyper does not end a response, but breaks its connection off.
#[derive(Debug, thiserror::Error)]
#[error("a response was broken off: the log cannot be read, or a task has ended too early")]
pub struct BrokenOff;

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let body = self.get_mut();
        match body {
            Body::Full { bytes, .. } => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Body::Stream(stream) => match ready!(stream.poll(cx)) {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None if stream.is_broken_off() => {
                    // hyper writes what it has before it asks again.
                    *body = Body::BrokenOff;
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                None => Poll::Ready(None),
            },
            Body::Receipts(receipts) => {
                let line = ready!(receipts.poll(cx));
                Poll::Ready(line.map(|line| line.map(Frame::data)))
            }
            Body::Probe(lines) => {
                let text = ready!(lines.poll(cx));
                Poll::Ready(text.map(|text| Ok(Frame::data(text))))
            }
            Body::BrokenOff => Poll::Ready(Some(Err(BrokenOff))),
            Body::HandedOver(connection) => {
                connection.handover().body_polled();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Full { bytes, .. } => bytes.is_empty(),
            Body::Stream(stream) => stream.has_ended() && !stream.is_broken_off(),
            Body::Receipts(receipts) => receipts.is_over(),
            Body::Probe(lines) => lines.is_over(),
            Body::HandedOver(_) | Body::BrokenOff => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Full { bytes, .. } => SizeHint::with_exact(bytes.len() as u64),
            Body::Stream(_)
            | Body::Receipts(_)
            | Body::Probe(_)
            | Body::HandedOver(_)
            | Body::BrokenOff => SizeHint::default(),
        }
    }
}

impl Body {
    fn full(bytes: Bytes, is_covered: bool) -> Body {
        Body::Full { bytes, is_covered }
    }

    /// A body whose bytes cost nothing more, because they are kept for others too.
    pub(super) fn covered(bytes: Bytes) -> Body {
        Body::full(bytes, true)
    }

    /// A body without a byte.
    pub(super) fn empty() -> Body {
        Body::full(Bytes::new(), false)
    }
}

/// The policy of pages: they load from this server, talk to it and send forms to it, and no script
/// runs that stands in the page itself.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'; \
                      script-src 'self'";

/// A response whose body is all there. No cache may keep it: the log has grown by the next request.
pub(super) fn full(
    status: StatusCode,
    content_type: &'static str,
    bytes: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Body::full(bytes.into(), false));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    if content_type.starts_with("text/html") {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    response
}

/// The head of a response that goes on, with an empty body: no cache may keep it, and no intermediary may
/// change it or hold it back.
pub(super) fn going_on(status: StatusCode, content_type: &'static str) -> Response<Body> {
    let mut response = full(status, content_type, Bytes::new());
    let headers = response.headers_mut();
    let no_cache = HeaderValue::from_static("no-store, no-transform");
    headers.insert(CACHE_CONTROL, no_cache);
    // nginx does not buffer such a response, and other proxies have taken the header over.
    let no_buffer = HeaderName::from_static("x-accel-buffering");
    headers.insert(no_buffer, HeaderValue::from_static("no"));
    // RFC 10036, section 2: intermediaries pass on each part when it comes.
    let incremental = HeaderName::from_static("incremental");
    headers.insert(incremental, HeaderValue::from_static("?1"));
    response
}

/// A file, whose bytes are a part of the program or have their memory reserved.
pub(super) fn file(content_type: &'static str, bytes: Bytes) -> Response<Body> {
    let mut response = full(StatusCode::OK, content_type, Bytes::new());
    *response.body_mut() = Body::full(bytes, true);
    response
}

/// A page that has no stream in it.
pub(super) fn page(status: StatusCode, page: HtmlPage) -> Response<Body> {
    let language = page.language;
    let mut response = full(status, "text/html; charset=utf-8", page.before);
    tell_language(&mut response, language);
    response
}

/// Adds to a page in which language it is, and by what that was chosen (`language_choice.rs`).
pub(super) fn tell_language(response: &mut Response<Body>, language: Language) {
    let headers = response.headers_mut();
    let tag = HeaderValue::from_static(language.tag());
    headers.insert(CONTENT_LANGUAGE, tag);
    vary(response, "accept-language, cookie");
}

/// Adds headers of requests to those on which an answer depends.
pub(super) fn vary(response: &mut Response<Body>, names: &str) {
    let before = response.headers().get(VARY);
    let before = before.and_then(|value| value.to_str().ok());
    let all = before.map_or_else(|| names.to_owned(), |before| format!("{before}, {names}"));
    response.headers_mut().remove(VARY);
    add_header(response, VARY, &all);
}

/// Lets the scripts with these sources run that stand in the page itself.
pub(super) fn allow_scripts(response: &mut Response<Body>, sources: &str) {
    if let Ok(policy) = HeaderValue::from_str(&format!("{POLICY}{sources}")) {
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
}

/// Turns an answer into one that says that the client has it already (304, RFC 9110, section 15.4.5).
pub(super) fn not_modified(mut response: Response<Body>) -> Response<Body> {
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.body_mut() = Body::empty();
    response.headers_mut().remove(CONTENT_TYPE);
    response
}

pub(super) fn text(status: StatusCode, text: String) -> Response<Body> {
    full(status, "text/plain; charset=utf-8", text)
}

/// The answer to an append: 201, or 200 for a message that had been appended before under the same
/// key.
pub(super) fn appended(receipt: &Receipt, answer: &impl Serialize) -> Response<Body> {
    let status = if receipt.duplicate {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    json(status, answer)
}

/// Sends the client to the page that shows the result of its request (303, RFC 9110, section 15.4.4).
pub(super) fn see_other(location: &str) -> Response<Body> {
    let mut response = text(StatusCode::SEE_OTHER, format!("see {location}\n"));
    add_header(&mut response, LOCATION, location);
    response
}

/// Sends the client to where this is for good (308, RFC 9110, section 15.4.9).
pub(super) fn moved(location: &str) -> Response<Body> {
    let mut response = text(StatusCode::PERMANENT_REDIRECT, format!("see {location}\n"));
    add_header(&mut response, LOCATION, location);
    response
}

/// The answer to a request that is done and has nothing to say (204).
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A JSON value in one line.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    full(status, "application/json", to_json(value) + "\n")
}

/// The answer to `OPTIONS`: the methods that there are.
pub(super) fn options(allow: &str) -> Response<Body> {
    let mut response = no_content();
    add_header(&mut response, ALLOW, allow);
    response
}

/// Adds a header to a response, unless the value has characters that no header may have.
pub(super) fn add_header(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(name, value);
    }
}
