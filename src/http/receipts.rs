//! Receipts of an upload while it runs: a line of JSON after each commit, and then the answer as the last
//! line.
//!
//! The upload is a task of its own, which goes on while its client does not read. Of the receipts that
//! wait only the newest is kept, since it counts all lines so far: a client that reads none costs a line
//! here and what its buffers hold ([`limits::HTTP_BUFFER_BYTES`], [`limits::SEND_BUFFER_BYTES`]), and is
//! given up when those have been full for [`limits::STALL_TIMEOUT`].
//!
//! [`limits::HTTP_BUFFER_BYTES`]: crate::limits::HTTP_BUFFER_BYTES
//! [`limits::SEND_BUFFER_BYTES`]: crate::limits::SEND_BUFFER_BYTES
//! [`limits::STALL_TIMEOUT`]: crate::limits::STALL_TIMEOUT

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use parking_lot::Mutex;
use serde::Serialize;
use tokio::task::JoinHandle;

use super::error::Error;
use super::line_appends::UploadProgress;
use super::query::Query;
use super::reply::{self, Body, BrokenOff};
use super::upload::{UploadEnd, UploadRun};
use super::{App, negotiate, params};
use crate::wire::{Wire, to_json};

/// Whether the client wants receipts: `?receipts=` says it, or else whether it accepts lines of JSON.
pub(super) fn are_wanted(query: &Query, headers: &HeaderMap) -> Result<bool, Error> {
    let asked = params::parse("receipts", query.get("receipts"), params::parse_bool)?;
    Ok(asked.unwrap_or_else(|| negotiate::wire(headers) == Wire::Ndjson))
}

/// Runs an upload, and answers with its receipts from the first commit on. If nothing has been appended
/// when the upload ends, the answer is that of any upload.
pub(super) async fn respond(app: Arc<App>, mut run: UploadRun) -> Response<Body> {
    let newest = NewestReceipt::default();
    run.appends.give_receipts(newest.clone());
    let mut body = ReceiptBody {
        app,
        newest,
        task: UploadTask(tokio::spawn(run.run())),
        end: None,
        is_over: false,
    };
    if let Some(end) = poll_fn(|cx| body.poll_begin(cx)).await {
        return end.respond(&body.app);
    }
    let mut response = reply::going_on(StatusCode::CREATED, Wire::Ndjson.content_type());
    // The upload may break off when the head has been sent.
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    *response.body_mut() = Body::Receipts(Box::new(body));
    response
}

/// The newest receipt of an upload, until it is taken. Clones are handles on the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct NewestReceipt(Arc<Mutex<WaitingReceipt>>);

#[derive(Debug, Default)]
struct WaitingReceipt {
    progress: Option<UploadProgress>,
    reader: Option<Waker>,
}

impl NewestReceipt {
    /// Puts a receipt into the place of one that has not been taken.
    pub(super) fn put(&self, progress: UploadProgress) {
        let mut waiting = self.0.lock();
        waiting.progress = Some(progress);
        let reader = waiting.reader.take();
        drop(waiting);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Whether there is a receipt. The task is woken when there is one.
    fn is_there(&self, cx: &mut Context<'_>) -> bool {
        let mut waiting = self.0.lock();
        if waiting.progress.is_none() {
            waiting.reader = Some(cx.waker().clone());
        }
        waiting.progress.is_some()
    }

    fn take(&self) -> Option<UploadProgress> {
        self.0.lock().progress.take()
    }
}

/// The task of an upload, which ends when this is dropped.
struct UploadTask(JoinHandle<UploadEnd>);

impl Drop for UploadTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The receipts of an upload, and its answer, as the body of a response.
pub struct ReceiptBody {
    app: Arc<App>,
    newest: NewestReceipt,
    task: UploadTask,
    /// How the upload has ended, until that is said.
    end: Option<Result<UploadEnd, BrokenOff>>,
    /// Whether the last line has been said.
    is_over: bool,
}

/// The line after a commit: how far the upload has come.
#[derive(Serialize)]
struct UploadReceipt {
    cursor: String,
    count: u64,
}

impl ReceiptBody {
    /// Ready when there is something to say: a receipt, or the end.
    fn poll_task(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The task is looked at first: before it ends it puts its last receipt.
        if self.end.is_none()
            && let Poll::Ready(end) = Pin::new(&mut self.task.0).poll(cx)
        {
            self.end = Some(end.map_err(|_| BrokenOff));
        }
        if self.newest.is_there(cx) || self.end.is_some() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Ready when it is known how the answer begins: with the end of the upload if nothing has been
    /// appended.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Option<UploadEnd>> {
        ready!(self.poll_task(cx));
        if self.newest.is_there(cx) {
            return Poll::Ready(None);
        }
        let end = self.end.take_if(|end| end.is_ok());
        Poll::Ready(end.and_then(Result::ok))
    }

    /// The next line, or `None` after the last.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        ready!(self.poll_task(cx));
        let line = if let Some(progress) = self.newest.take() {
            let last = progress.last.unwrap_or_default();
            Ok(to_json(&UploadReceipt {
                cursor: self.app.log.cursor(last).to_string(),
                count: progress.lines,
            }))
        } else {
            self.is_over = true;
            let end = self.end.take().unwrap_or(Err(BrokenOff));
            end.map(|end| to_json(&end.answer(&self.app)))
        };
        Poll::Ready(Some(line.map(|line| Bytes::from(line + "\n"))))
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}

impl fmt::Debug for ReceiptBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiptBody")
            .field("newest", &self.newest)
            .finish_non_exhaustive()
    }
}
