//! What a request asks of the connection that the server cannot do: refused, or a body would be taken
//! for something that it is not.
//!
//! hyper refuses the rest of it (RFC 9112, section 6.3): lengths that contradict each other, a last
//! coding that is not `chunked`, and codings in HTTP/1.0. A request with both a length and a coding is
//! read by the coding, and the connection is closed after it (section 6.1).

use hyper::Version;
use hyper::header::{CONTENT_ENCODING, EXPECT, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;

use super::error::Error;
use super::forwarded::items;
use crate::limits;

/// Checks the length of a request's head, the codings of its body, and its expectations.
pub(super) fn check(head: &Parts) -> Result<(), Error> {
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > limits::URL_BYTES_MAX {
        return Err(Error::UrlTooLong(limits::URL_BYTES_MAX));
    }
    // What comes in one piece is parsed before its length is looked at.
    let line = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    if target + head.headers.iter().map(line).sum::<usize>() > limits::HEAD_BYTES_MAX {
        return Err(Error::HeadTooLarge(limits::HEAD_BYTES_MAX));
    }
    let codings: Vec<_> = items(&head.headers, TRANSFER_ENCODING.as_str())
        .map(|coding| coding.unwrap_or("?"))
        .collect();
    let is_known = match codings[..] {
        [] => true,
        [coding] => coding.eq_ignore_ascii_case("chunked"),
        _ => false,
    };
    if !is_known {
        return Err(Error::TransferEncoding(codings.join(", ")));
    }
    if let Some(coding) = other_than(head, &CONTENT_ENCODING, "identity") {
        return Err(Error::ContentEncoding(coding));
    }
    if head.version > Version::HTTP_10
        && let Some(expected) = other_than(head, &EXPECT, "100-continue")
    {
        return Err(Error::Expectation(expected));
    }
    Ok(())
}

/// Returns the first item of a list that is not `known`.
fn other_than(head: &Parts, name: &HeaderName, known: &str) -> Option<String> {
    let mut others = items(&head.headers, name.as_str())
        .map(|item| item.unwrap_or("?"))
        .filter(|item| !item.eq_ignore_ascii_case(known));
    others.next().map(str::to_owned)
}
