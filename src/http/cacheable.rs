//! Answers that a browser may keep: pages and files, which it asks for again with the tag of what it has.
//!
//! | what | `Cache-Control` |
//! |---|---|
//! | a file under the revision in its address | `public, max-age=31536000, immutable` |
//! | a page that is the same for everybody, a file by its own name | `no-cache`, with an `ETag` |
//! | the list of channels, which depends on who asks | `private, no-cache`, with an `ETag` |
//! | a stream, and a page that is somebody's own or does something | `no-store`, in `reply.rs` |
//!
//! The content of a page is another in each language, and so is its tag.
//!
//! They are compressed where the client takes that: nothing in them is secret.

use bytes::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderValue, IF_NONE_MATCH,
};
use hyper::{HeaderMap, Response, StatusCode};

use super::forwarded::items;
use super::reply::{self, Body};
use super::{Call, negotiate};
use crate::pages::{self, HtmlPage};

/// How long a browser may use what it has without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// The browser asks each time whether what it has is good still.
    Asked,
    /// The browser asks each time, and no cache that others use may keep the answer.
    AskedByOne,
    /// The browser never asks: another content has another address.
    Forever,
}

impl Freshness {
    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Freshness::Asked => "no-cache",
            Freshness::AskedByOne => "private, no-cache",
            Freshness::Forever => "public, max-age=31536000, immutable",
        })
    }
}

/// A page that is the same for everybody who reads its language.
pub(super) fn page(call: &Call<'_>, page: HtmlPage, freshness: Freshness) -> Response<Body> {
    let bytes = Bytes::from(page.before);
    let mut answer = reply::full(StatusCode::OK, "text/html; charset=utf-8", bytes.clone());
    reply::tell_language(&mut answer, page.language);
    respond(call, answer, &bytes, freshness)
}

/// Makes an answer with this content one that the client may keep; 304 if it has it.
pub(super) fn respond(
    call: &Call<'_>,
    mut answer: Response<Body>,
    content: &Bytes,
    freshness: Freshness,
) -> Response<Body> {
    let tag = pages::content_tag(content);
    let is_known = has_tag(&call.head.headers, &tag);
    if is_known {
        answer = reply::not_modified(answer);
    } else if is_text(&answer)
        && negotiate::takes_gzip(&call.head.headers)
        && let Some(compressed) = call.app.pages.gzip(&tag, content)
    {
        *answer.body_mut() = Body::covered(compressed);
        let gzip = HeaderValue::from_static("gzip");
        answer.headers_mut().insert(CONTENT_ENCODING, gzip);
    }
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, freshness.header());
    reply::vary(&mut answer, ACCEPT_ENCODING.as_str());
    // Weak, because the bytes depend on the compression.
    reply::add_header(&mut answer, ETAG, &format!("W/\"{tag}\""));
    answer
}

/// Whether the client has the content with this tag (RFC 9110, section 13.1.2).
fn has_tag(headers: &HeaderMap, tag: &str) -> bool {
    let quoted = format!("\"{tag}\"");
    items(headers, IF_NONE_MATCH.as_str())
        .flatten()
        .any(|known| known == "*" || known.trim_start_matches("W/") == quoted)
}

/// Whether an answer is text, which becomes smaller by compression.
fn is_text(answer: &Response<Body>) -> bool {
    let content_type = answer.headers().get(hyper::header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.starts_with("text/") || text.starts_with("image/svg"))
}
