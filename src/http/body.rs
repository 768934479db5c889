//! A request's body, read within its bounds.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::sync::OwnedSemaphorePermit;

use super::error::Error;
use super::{App, Call, form};

/// A share of the memory for bodies, given back on drop.
#[derive(Debug, Default)]
pub(super) struct Share(Option<OwnedSemaphorePermit>);

impl Share {
    /// Makes it so many bytes, more or less than it was.
    pub(super) fn set(&mut self, app: &App, bytes: usize) -> Result<(), Error> {
        let held = self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if let Some(less) = held.checked_sub(bytes) {
            drop(self.0.as_mut().and_then(|share| share.split(less)));
            return Ok(());
        }
        let more = u32::try_from(bytes - held).map_err(|_| Error::Busy)?;
        let more = Arc::clone(&app.bodies).try_acquire_many_owned(more);
        let more = more.map_err(|_| Error::Busy)?;
        match &mut self.0 {
            Some(share) => share.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// A body, and its share of the memory for bodies while it lives.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    share: Share,
}

/// Reads a body of at most `most` bytes. What is too long by its own account costs nothing.
pub(super) async fn read(call: &mut Call<'_>, most: usize) -> Result<Read, Error> {
    if call.body.size_hint().lower() > most as u64 {
        return Err(Error::TooLarge(call.app.max_message));
    }
    let patience = call.app.body_timeout;
    let slow = |_| Error::BodySlow(patience.as_secs());
    tokio::time::timeout(patience, collect(call, most))
        .await
        .map_err(slow)?
}

async fn collect(call: &mut Call<'_>, most: usize) -> Result<Read, Error> {
    let mut read = Read::default();
    while let Some(frame) = call.body.frame().await {
        let Ok(data) = frame.map_err(Error::BodyBroke)?.into_data() else {
            continue;
        };
        if read.bytes.len() + data.len() > most {
            return Err(Error::TooLarge(call.app.max_message));
        }
        read.share.set(call.app, read.bytes.len() + data.len())?;
        read.bytes.extend_from_slice(&data);
    }
    Ok(read)
}

/// The fields of a form, whose body is at most so long.
pub(super) async fn fields(
    call: &mut Call<'_>,
    most: usize,
) -> Result<Vec<(String, String)>, Error> {
    let read = read(call, most).await.map_err(|error| match error {
        Error::TooLarge(_) => Error::FormTooLarge(most),
        error => error,
    })?;
    let text = std::str::from_utf8(&read.bytes).map_err(|_| Error::FieldNotUtf8)?;
    form::fields(text)
}

/// A message's text out of a body: UTF-8, within the limit, without its one trailing newline.
pub(super) fn message(bytes: Vec<u8>, most: usize) -> Result<Box<str>, Error> {
    if bytes.is_empty() {
        return Err(Error::EmptyBody);
    }
    let mut text = text(bytes)?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.len() > most {
        return Err(Error::TooLarge(most));
    }
    Ok(text.into_boxed_str())
}

/// Bytes as text, or the place of the first that is none.
pub(super) fn text(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|error| Error::NotUtf8(error.utf8_error().valid_up_to()))
}
