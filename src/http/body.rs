//! Request bodies, read within bounds of size, time and memory.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::sync::OwnedSemaphorePermit;

use super::error::Error;
use super::{App, Call, form};

/// A part of the memory for request bodies ([`App::bodies`]), released on drop.
#[derive(Debug, Default)]
pub(super) struct BodyMemory(Option<OwnedSemaphorePermit>);

impl BodyMemory {
    /// Changes the part to this many bytes, more or less than before.
    ///
    /// # Errors
    /// [`Error::Busy`] when so much is not free.
    pub(super) fn set(&mut self, app: &App, bytes: usize) -> Result<(), Error> {
        let held = self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if let Some(less) = held.checked_sub(bytes) {
            drop(self.0.as_mut().and_then(|permit| permit.split(less)));
            return Ok(());
        }
        let more = u32::try_from(bytes - held).map_err(|_| Error::Busy)?;
        let more = Arc::clone(&app.bodies).try_acquire_many_owned(more);
        let more = more.map_err(|_| Error::Busy)?;
        match &mut self.0 {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// The whole body of a request, which holds its part of the memory for bodies.
#[derive(Debug, Default)]
pub(super) struct RequestBody {
    pub(super) bytes: Vec<u8>,
    memory: BodyMemory,
}

/// Reads a body of at most `max` bytes. A body whose `Content-Length` is larger is refused before
/// any of it is read.
pub(super) async fn read(call: &mut Call<'_>, max: usize) -> Result<RequestBody, Error> {
    if call.body.size_hint().lower() > max as u64 {
        return Err(Error::TooLarge(call.app.max_message));
    }
    let timeout = call.app.body_timeout;
    let slow = |_| Error::BodySlow(timeout.as_secs());
    tokio::time::timeout(timeout, collect(call, max))
        .await
        .map_err(slow)?
}

async fn collect(call: &mut Call<'_>, max: usize) -> Result<RequestBody, Error> {
    let mut body = RequestBody::default();
    while let Some(frame) = call.body.frame().await {
        let Ok(data) = frame.map_err(Error::BodyBroke)?.into_data() else {
            continue;
        };
        if body.bytes.len() + data.len() > max {
            return Err(Error::TooLarge(call.app.max_message));
        }
        // The memory is taken before it is used.
        body.memory.set(call.app, body.bytes.len() + data.len())?;
        body.bytes.extend_from_slice(&data);
    }
    Ok(body)
}

/// Reads the fields of a form whose body has at most `max` bytes.
pub(super) async fn fields(
    call: &mut Call<'_>,
    max: usize,
) -> Result<Vec<(String, String)>, Error> {
    let body = read(call, max).await.map_err(|error| match error {
        Error::TooLarge(_) => Error::FormTooLarge(max),
        error => error,
    })?;
    let text = std::str::from_utf8(&body.bytes).map_err(|_| Error::FieldNotUtf8)?;
    form::fields(text)
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
