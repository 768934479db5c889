//! The answer of a long poll, which is whole before its head is made: the head has its cursor as the
//! `ETag`, and says 304 to a client that has the answer of this tag if nothing is new (RFC 9110, section
//! 13.1.2).

use std::future::poll_fn;

use hyper::header::{CONTENT_TYPE, ETAG};
use hyper::{Response, StatusCode};

use super::error::Error;
use super::reply::{self, Body};
use super::stream_body::StreamBody;
use crate::log::StoreError;
use crate::message::Cursor;

/// Waits for the answer, and puts it into a response whose other headers are made. `seen` is the cursor
/// that the client had as the tag of an answer, and from which the poll begins.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn answer(
    mut response: Response<Body>,
    mut poll: StreamBody,
    seen: Option<Cursor>,
) -> Result<Response<Body>, Error> {
    let object = poll_fn(|cx| poll.poll(cx)).await;
    let Some(object) = object else {
        return Err(StoreError("its messages cannot be read".to_owned()).into());
    };
    let follower = poll.follower();
    let tag = if let Some(seen) = seen.filter(|_| !follower.has_news()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(CONTENT_TYPE);
        seen
    } else {
        *response.body_mut() = Body::Full {
            bytes: object,
            is_covered: true,
        };
        follower.cursor()
    };
    reply::add_header(&mut response, ETAG, &format!("\"{tag}\""));
    Ok(response)
}
