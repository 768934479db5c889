//! Responses, and the one type of their bodies.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::route::Route;
use crate::follow::{Follower, Link};
use crate::message::{Cursor, Receipt};
use crate::wire::{self, Encoder};

/// A response's body.
#[derive(Debug)]
pub enum Body {
    /// All of it is there.
    Full(Full<Bytes>),
    /// It goes on.
    Follower(Box<Follower>),
    /// It goes on, but not here: the connection takes it over when the head is out.
    Elsewhere(Arc<Link>),
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Body::Full(body) => Pin::new(body).poll_frame(cx),
            Body::Follower(body) => Pin::new(&mut **body).poll_frame(cx),
            Body::Elsewhere(link) => {
                link.handover.begin();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Full(body) => body.is_end_stream(),
            Body::Follower(body) => body.is_end_stream(),
            Body::Elsewhere(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Full(body) => body.size_hint(),
            Body::Follower(body) => body.size_hint(),
            Body::Elsewhere(_) => SizeHint::default(),
        }
    }
}

impl Body {
    /// The same stream without anything, for HEAD.
    pub(super) fn empty() -> Body {
        Body::Full(Full::default())
    }
}

/// Pages load what is this server's own, talk to it, and send forms to it; nothing that stands in
/// a page itself runs.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; \
                      connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'self'";

/// A response that is all there. What this server says is true at this moment only.
pub(super) fn full(
    status: StatusCode,
    content_type: &'static str,
    bytes: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(Body::Full(Full::new(bytes.into())));
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

pub(super) fn html(status: StatusCode, page: String) -> Response<Body> {
    full(status, "text/html; charset=utf-8", page)
}

pub(super) fn text(status: StatusCode, text: String) -> Response<Body> {
    full(status, "text/plain; charset=utf-8", text)
}

/// What an append is answered with: it has made something, or had done so before.
pub(super) fn appended(receipt: &Receipt, answer: &impl Serialize) -> Response<Body> {
    let status = if receipt.duplicate {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    json(status, answer)
}

/// Elsewhere there is what the request was for (RFC 9110, section 15.4.4).
pub(super) fn see_other(location: &str) -> Response<Body> {
    let mut response = text(StatusCode::SEE_OTHER, format!("see {location}\n"));
    let location = HeaderValue::from_str(location).ok();
    let location = location.map(|location| (LOCATION, location));
    response.headers_mut().extend(location);
    response
}

/// It is done, and there is nothing to say.
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// JSON in one line.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // What is said here has only string keys, which is all that could fail.
    let text = serde_json::to_string(value).unwrap_or_default();
    full(
        status,
        "application/json",
        text + "
",
    )
}

/// What is possible at a path.
pub(super) fn options(route: &Route) -> Response<Body> {
    let mut response = no_content();
    let allow = HeaderValue::from_str(&route.allow()).ok();
    response
        .headers_mut()
        .extend(allow.map(|allow| (ALLOW, allow)));
    response
}

/// The head of a stream, its body still empty (WIRE.md, "Every stream"): nobody may keep it,
/// change it or hold it back.
pub(super) fn stream(encoder: &Encoder, starts: &Cursor) -> Response<Body> {
    let mut response = full(StatusCode::OK, encoder.wire().content_type(), Bytes::new());
    let headers = response.headers_mut();
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-store, no-transform"),
    );
    // For nginx and those who took it over from there.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    // RFC 10036, section 2: intermediaries pass on each part when it comes.
    headers.insert(
        HeaderName::from_static("incremental"),
        HeaderValue::from_static("?1"),
    );
    let starts = HeaderValue::from_str(&starts.to_string()).ok();
    headers.extend(starts.map(|starts| (HeaderName::from_static("stream-cursor"), starts)));
    if let Encoder::Script(frame) = encoder
        && let Ok(policy) = HeaderValue::from_str(&frame_policy(frame))
    {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Only the frame's own scripts run, and only pages that it may talk to have it in them.
fn frame_policy(frame: &wire::ScriptFrame) -> String {
    let nonce = frame.nonce();
    let ancestors = frame.origin().unwrap_or("'self'");
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors {ancestors}"
    )
}
