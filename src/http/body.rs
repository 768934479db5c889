//! Request bodies, read within bounds of size, time and memory.
//!
//! The first [`limits::SMALL_BODY_BYTES`] of a body are read at once. What is longer has its memory
//! reserved, all of it, before more is read ([`App::bodies`](super::App::bodies)).

use std::ops::Deref;

use http_body_util::BodyExt;
use hyper::body::Body as _;

use super::error::Error;
use super::{Call, form};
use crate::budget::Reservation;
use crate::limits;

/// The whole body of a request, with its part of the memory for bodies.
#[derive(Debug, Default)]
pub(super) struct RequestBody {
    pub(super) bytes: Vec<u8>,
    /// Held for as long as the bytes, or what was made of them, are needed.
    memory: Option<Reservation>,
}

/// The fields of a form, with their part of the memory for bodies.
#[derive(Debug)]
pub(super) struct FormFields {
    fields: Vec<(String, String)>,
    _memory: Option<Reservation>,
}

impl Deref for FormFields {
    type Target = [(String, String)];

    fn deref(&self) -> &[(String, String)] {
        &self.fields
    }
}

/// Reads a body of at most `max` bytes. A body whose `Content-Length` is larger is refused before
/// any of it is read.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::BodySlow`] and [`Error::BodyBroke`] for the client's part,
/// [`Error::NoBodyMemory`] where the server has no memory for the body, and [`Error::Stopping`] where
/// the server stops before the body is there.
pub(super) async fn read(call: &mut Call<'_>, max: usize) -> Result<RequestBody, Error> {
    read_copies(call, max, 1).await
}

/// Reads a body whose bytes will be in memory several times.
async fn read_copies(call: &mut Call<'_>, max: usize, copies: usize) -> Result<RequestBody, Error> {
    let size = call.body.size_hint();
    if size.lower() > max as u64 {
        return Err(Error::TooLarge(call.app.max_message));
    }
    let announced = size.exact().and_then(|size| usize::try_from(size).ok());
    let expected = announced.unwrap_or(max);
    let timeout = call.app.body_timeout;
    let slow = |_| Error::BodySlow(timeout.as_secs());
    let drain = call.app.drain.clone();
    tokio::select! {
        biased;
        read = tokio::time::timeout(timeout, collect(call, max, expected, copies)) => {
            read.map_err(slow)?
        }
        // Refused in order, where otherwise it would be cut.
        () = drain.over() => Err(Error::Stopping),
    }
}

async fn collect(
    call: &mut Call<'_>,
    max: usize,
    expected: usize,
    copies: usize,
) -> Result<RequestBody, Error> {
    let mut body = RequestBody::default();
    while let Some(frame) = call.body.frame().await {
        let Ok(data) = frame.map_err(Error::BodyBroke)?.into_data() else {
            continue;
        };
        let size = body.bytes.len() + data.len();
        if size > max {
            return Err(Error::TooLarge(call.app.max_message));
        }
        if size > limits::SMALL_BODY_BYTES && body.memory.is_none() {
            let reserved = call.reserve(&call.app.bodies, expected * copies).await?;
            body.memory = Some(reserved.ok_or(Error::NoBodyMemory)?);
            body.bytes.reserve_exact(expected - body.bytes.len());
        }
        body.bytes.extend_from_slice(&data);
    }
    Ok(body)
}

/// Reads the fields of a form whose body has at most `max` bytes.
pub(super) async fn fields(call: &mut Call<'_>, max: usize) -> Result<FormFields, Error> {
    // The form is in memory as it came, and once more as its fields.
    let body = read_copies(call, max, 2)
        .await
        .map_err(|error| match error {
            Error::TooLarge(_) => Error::FormTooLarge(max),
            error => error,
        })?;
    let text = std::str::from_utf8(&body.bytes).map_err(|_| Error::FieldNotUtf8)?;
    Ok(FormFields {
        fields: form::fields(text)?,
        _memory: body.memory,
    })
}

/// Returns the text of a message whose body this is: UTF-8 of at most `max` bytes, without one
/// trailing newline.
pub(super) fn message(bytes: Vec<u8>, max: usize) -> Result<Box<str>, Error> {
    if bytes.is_empty() {
        return Err(Error::EmptyBody);
    }
    let mut text = text(bytes)?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.len() > max {
        return Err(Error::TooLarge(max));
    }
    Ok(text.into_boxed_str())
}

/// Returns the bytes as text.
///
/// # Errors
/// [`Error::NotUtf8`] with the offset of the first byte that is not UTF-8.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|error| Error::NotUtf8(error.utf8_error().valid_up_to()))
}
