//! A request's body, read within its bounds.

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Body as _;
use tokio::sync::OwnedSemaphorePermit;

use super::error::Error;
use super::{App, Call};
use crate::limits;

/// A body, and its share of the memory for bodies while it lives.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    /// Given back on drop.
    share: Option<OwnedSemaphorePermit>,
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
    let mut read = Read {
        bytes: Vec::new(),
        share: None,
    };
    while let Some(frame) = call.body.frame().await {
        let Ok(data) = frame.map_err(Error::BodyBroke)?.into_data() else {
            continue;
        };
        if read.bytes.len() + data.len() > most {
            return Err(Error::TooLarge(call.app.max_message));
        }
        let more = reserve(call.app, data.len())?;
        match &mut read.share {
            Some(share) => share.merge(more),
            none => *none = Some(more),
        }
        read.bytes.extend_from_slice(&data);
    }
    Ok(read)
}

fn reserve(app: &App, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
    const _: () = assert!(limits::BODIES_BYTES <= u32::MAX as usize);
    let permits = u32::try_from(bytes).map_err(|_| Error::Busy)?;
    Arc::clone(&app.bodies)
        .try_acquire_many_owned(permits)
        .map_err(|_| Error::Busy)
}

/// A message's text out of a body: UTF-8, within the limit, without its one trailing newline.
pub(super) fn message(bytes: Vec<u8>, most: usize) -> Result<Box<str>, Error> {
    if bytes.is_empty() {
        return Err(Error::EmptyBody);
    }
    let mut text = String::from_utf8(bytes)
        .map_err(|error| Error::NotUtf8(error.utf8_error().valid_up_to()))?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.len() > most {
        return Err(Error::TooLarge(most));
    }
    Ok(text.into_boxed_str())
}
