//! `PUT /c/CHANNEL` and `PUT /send`: a stream of lines, each a message as soon as its newline has
//! arrived.
//!
//! What has arrived is read on while the lines before it are appended (`line_appends.rs`), so a slow
//! store slows the sender down, and memory holds one piece of the upload, its unfinished line and two
//! batches of lines. After each batch other tasks on the thread have their turn: those that serve the
//! followers of the lines.

use std::pin::pin;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use tokio::task::yield_now;

use super::body_reader::BodyReader;
use super::client_places::LineRate;
use super::error::Error;
use super::line_appends::{LineAppends, UploadProgress};
use super::line_memory::LineMemory;
use super::line_splitter::LineSplitter;
use super::query::{self, Query};
use super::reply::{self, Body};
use super::{App, Call, append, if_match, receipts, refusal};
use crate::log::AppendError;
use crate::message::UploadKey;
use crate::right::{RightEnd, RightHold};

/// Appends the lines of the body as they arrive, and answers when the body has ended, or broken off,
/// with what was appended; or after each batch, if the client wants receipts.
pub(super) async fn upload(call: Call<'_>) -> Result<Response<Body>, Error> {
    let channel = append::channel(&call)?;
    let query = Query::read(call.query(), &[query::APPEND, query::UPLOAD])?;
    let (event, key) = (append::event(&query)?, append::key(&call)?);
    let key = key.map(|key| UploadKey::new(&key, &channel, &event));
    if if_match::precondition(&call.head.headers)?.is_some() {
        return Err(Error::PreconditionWithPut);
    }
    let has_receipts = receipts::are_wanted(&query, &call.head.headers)?;
    let app = Arc::clone(call.app);
    let mut appends = LineAppends::new(&call, channel, event, key);
    appends.closes = append::closes(&query)?;
    let run = UploadRun::new(call, appends);
    Ok(if has_receipts {
        receipts::respond(app, run).await
    } else {
        run.run().await.respond(&app)
    })
}

/// An upload that is being read and appended.
pub(super) struct UploadRun {
    app: Arc<App>,
    body: BodyReader,
    lines: LineSplitter,
    memory: LineMemory,
    rate: LineRate,
    /// The right with which the upload was let in.
    right: Option<RightHold>,
    pub(super) appends: LineAppends,
}

/// How an upload has ended: with an error, or as its sender ended it.
pub(super) struct UploadEnd {
    result: Result<(), Error>,
    progress: UploadProgress,
}

/// The answer to an upload, whether it was complete or broke off.
#[derive(Serialize)]
pub(super) struct Uploaded {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    first: Option<String>,
    last: Option<String>,
    count: u64,
    /// How many of these lines had been appended before, under the same key.
    #[serde(skip_serializing_if = "is_zero")]
    duplicates: u64,
    /// The cursor of the entry that closed the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<String>,
}

impl UploadRun {
    fn new(call: Call<'_>, appends: LineAppends) -> UploadRun {
        UploadRun {
            app: Arc::clone(call.app),
            lines: LineSplitter::new(call.app.max_message),
            memory: LineMemory::new(&call),
            rate: LineRate::new(&call),
            right: call.right_hold(),
            body: call.body,
            appends,
        }
    }

    /// Reads and appends to the end.
    pub(super) async fn run(mut self) -> UploadEnd {
        let read = self.read().await;
        // What was read is appended however the body ends. An error of the store is the earlier one.
        let finished = self.appends.finish().await.map_err(Error::from);
        let result = match finished.and(read) {
            Ok(()) => self.end().await.map_err(Error::from),
            broken => broken,
        };
        UploadEnd {
            result,
            progress: self.appends.progress,
        }
    }

    /// Ends an upload whose body has ended and is in the log.
    async fn end(&mut self) -> Result<(), AppendError> {
        self.appends.close().await?;
        self.appends.check_end()
    }

    /// Reads the body, and appends its lines as they arrive. When this returns some may still be left to
    /// append.
    async fn read(&mut self) -> Result<(), Error> {
        loop {
            self.appends.begin();
            let has_room = self.appends.room() > 0;
            let frame = tokio::select! {
                // In this order, since a fast client always has a frame.
                biased;
                () = self.app.drain.begun() => return Err(Error::Stopping),
                end = ended(&mut self.right) => return Err(Error::RightEnded(end)),
                appended = self.appends.appended() => {
                    appended?;
                    yield_now().await;
                    continue;
                }
                () = self.memory.overdue() => {
                    return Err(Error::LineSlow(self.app.line_timeout.as_secs()));
                }
                frame = self.body.frame(), if has_room => frame,
            };
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(Error::BodyBroke)?.into_data() else {
                continue;
            };
            self.reserve(self.lines.partial() + data.len()).await?;
            let lines = self.split(&data).await?;
            // Uploads may last for days, and each holds no more than its unfinished line meanwhile. If a
            // line ended in this piece, others have their turn before the line that has begun.
            if self.lines.partial() < data.len() {
                self.memory.release();
                self.reserve(self.lines.partial()).await?;
            }
            self.memory.grow(data.len());
            self.keep_rate(lines).await?;
        }
        // A last line without a newline counts.
        if let Some(line) = self.lines.finish()? {
            self.appends.gather_last(line);
        }
        Ok(())
    }

    /// Waits until the client may send more lines. What is being appended goes on meanwhile.
    async fn keep_rate(&mut self, lines: usize) -> Result<(), Error> {
        let Some(wait) = self.rate.charge(&self.app, lines) else {
            return Ok(());
        };
        let mut waited = pin!(tokio::time::sleep(wait));
        loop {
            self.appends.begin();
            tokio::select! {
                biased;
                () = self.app.drain.begun() => return Err(Error::Stopping),
                appended = self.appends.appended() => appended?,
                () = &mut waited => return Ok(()),
            }
        }
    }

    /// Splits a piece of the body into lines, lets them gather, and returns how many there were.
    async fn split(&mut self, mut piece: &[u8]) -> Result<usize, Error> {
        let mut count = 0;
        while !piece.is_empty() {
            while self.appends.room() == 0 {
                self.appends.begin();
                self.appends.appended().await?;
                yield_now().await;
            }
            let (found, result) = self.lines.take(&mut piece, self.appends.room());
            count += found.len();
            self.appends.gather(found);
            result?;
        }
        Ok(count)
    }

    /// Makes sure that there is memory for an unfinished line of so many bytes. What is being appended
    /// goes on meanwhile, since that may hold the memory.
    async fn reserve(&mut self, line: usize) -> Result<(), Error> {
        loop {
            tokio::select! {
                biased;
                () = self.memory.reserve(line) => return Ok(()),
                appended = self.appends.appended() => appended?,
                () = self.app.drain.begun() => return Err(Error::Stopping),
            }
        }
    }
}

impl UploadEnd {
    /// The answer.
    pub(super) fn answer(&self, app: &App) -> Uploaded {
        let cursor = |seq| app.log.cursor(seq).to_string();
        let progress = &self.progress;
        Uploaded {
            error: self.result.as_ref().err().map(ToString::to_string),
            first: progress.first.map(cursor),
            last: progress.last.map(cursor),
            count: progress.lines + progress.later,
            duplicates: progress.duplicates + progress.later,
            closed: progress.closed.map(cursor),
        }
    }

    /// The response, if none has begun.
    pub(super) fn respond(self, app: &App) -> Response<Body> {
        let answer = self.answer(app);
        let Err(error) = self.result else {
            let is_empty = answer.count == 0 && answer.closed.is_none();
            let is_new =
                is_empty || self.progress.has_new_close || answer.duplicates < answer.count;
            let status = if is_new {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            return reply::json(status, &answer);
        };
        let mut response = reply::json(error.status(), &answer);
        let headers = response.headers_mut();
        refusal::add_headers(&error, &app.drain, headers);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// Waits for the end of a right, for ever if there is none.
async fn ended(right: &mut Option<RightHold>) -> RightEnd {
    match right {
        Some(right) => right.ended().await,
        None => std::future::pending().await,
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
