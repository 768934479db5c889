//! `PUT /c/CHANNEL` and `PUT /send`: a stream of lines, each a message as soon as its newline has
//! arrived.
//!
//! What has arrived is read on while the lines before it are appended (`line_appends.rs`), so a slow
//! store slows the sender down, and memory holds one piece of the upload, its unfinished line and two
//! batches of lines. What stands in front of a line's LF is dropped if it is a CR: programs on Windows,
//! and many protocols, end lines so.

use http_body_util::BodyExt;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::error::Error;
use super::line_appends::{LineAppends, UploadProgress};
use super::line_memory::LineMemory;
use super::reply::{self, Body};
use super::{Call, append, body, if_match, refusal};

/// Appends the lines of the body as they arrive, and answers when the body has ended, or broken off,
/// with what was appended.
pub(super) async fn upload(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let (channel, event) = (append::channel(&call)?, append::event(&call)?);
    if call.head.headers.contains_key("idempotency-key") {
        return Err(Error::KeyWithPut);
    }
    if if_match::precondition(&call.head.headers)?.is_some() {
        return Err(Error::PreconditionWithPut);
    }
    let mut appends = LineAppends::new(&call, channel, event);
    let read = read(&mut call, &mut appends).await;
    // What was read is appended however the body ends. An error of the store is the earlier one.
    let result = appends.finish().await.map_err(Error::from).and(read);
    let UploadProgress {
        first_and_last,
        count,
    } = appends.progress;
    let cursor = |seq| call.app.log.cursor(seq).to_string();
    let answer = Uploaded {
        error: result.as_ref().err().map(ToString::to_string),
        first: first_and_last.map(|(first, _)| cursor(first)),
        last: first_and_last.map(|(_, last)| cursor(last)),
        count,
    };
    let status = result
        .as_ref()
        .map_or_else(Error::status, |()| StatusCode::CREATED);
    let mut response = reply::json(status, &answer);
    if let Err(error) = &result {
        let headers = response.headers_mut();
        refusal::add_headers(error, &call.app.drain, headers);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// The answer to an upload, whether it was complete or broke off.
#[derive(Serialize)]
struct Uploaded {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    first: Option<String>,
    last: Option<String>,
    count: u64,
}

/// Reads the body, and appends its lines as they arrive. When this returns some may still be left to
/// append.
async fn read(call: &mut Call<'_>, appends: &mut LineAppends) -> Result<(), Error> {
    let mut lines = LineSplitter::new(call.app.max_message);
    let mut memory = LineMemory::new(call);
    loop {
        appends.begin();
        let has_room = appends.room() > 0;
        let frame = tokio::select! {
            // In this order, since a fast client always has a frame.
            biased;
            () = call.app.drain.begun() => return Err(Error::Stopping),
            appended = appends.appended() => {
                appended?;
                continue;
            }
            () = memory.overdue() => return Err(Error::LineSlow(call.app.line_timeout.as_secs())),
            frame = call.body.frame(), if has_room => frame,
        };
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(Error::BodyBroke)?.into_data() else {
            continue;
        };
        reserve(call, &mut memory, lines.partial.len() + data.len(), appends).await?;
        let mut rest = &data[..];
        while !rest.is_empty() {
            while appends.room() == 0 {
                appends.begin();
                appends.appended().await?;
            }
            let (found, result) = lines.take(&mut rest, appends.room());
            appends.gather(found);
            result?;
        }
        // Uploads may last for days, and each holds no more than its unfinished line meanwhile. If a
        // line ended in this piece, others have their turn before the line that has begun.
        if lines.partial.len() < data.len() {
            memory.release();
            reserve(call, &mut memory, lines.partial.len(), appends).await?;
        }
        memory.grow(data.len());
    }
    // A last line without a newline counts.
    appends.gather(lines.finish()?.into_iter().collect());
    Ok(())
}

/// Makes sure that there is memory for an unfinished line of so many bytes. What is being appended goes
/// on meanwhile, since that may hold the memory.
async fn reserve(
    call: &Call<'_>,
    memory: &mut LineMemory,
    line: usize,
    appends: &mut LineAppends,
) -> Result<(), Error> {
    loop {
        tokio::select! {
            biased;
            () = memory.reserve(line) => return Ok(()),
            appended = appends.appended() => appended?,
            () = call.app.drain.begun() => return Err(Error::Stopping),
        }
    }
}

/// Splits bytes into lines. Pure.
struct LineSplitter {
    /// The unfinished line.
    partial: Vec<u8>,
    /// The longest line, in bytes.
    max: usize,
}

impl LineSplitter {
    fn new(max: usize) -> LineSplitter {
        LineSplitter {
            partial: Vec::new(),
            max,
        }
    }

    /// Takes at most `count` whole lines from the front of `rest`. The lines that were found are
    /// valid even if the bytes after them are refused.
    fn take(&mut self, rest: &mut &[u8], count: usize) -> (Vec<Box<str>>, Result<(), Error>) {
        let mut found = Vec::new();
        while found.len() < count && !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n');
            let part = &rest[..end.unwrap_or(rest.len())];
            let last = part.last().or(self.partial.last());
            // A CR is no part of the line if its LF follows, which may be in the next piece.
            let text = self.partial.len() + part.len() - usize::from(last == Some(&b'\r'));
            if text > self.max {
                return (found, Err(Error::TooLarge(self.max)));
            }
            self.partial.extend_from_slice(part);
            *rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
            if end.is_some() {
                self.partial.truncate(text);
                match body::text(std::mem::take(&mut self.partial)) {
                    Ok(line) => found.push(line.into_boxed_str()),
                    Err(error) => return (found, Err(error)),
                }
            }
        }
        (found, Ok(()))
    }

    /// Returns the last line, if it has no newline. A CR at its end is a part of it.
    fn finish(self) -> Result<Option<Box<str>>, Error> {
        if self.partial.is_empty() {
            Ok(None)
        } else if self.partial.len() > self.max {
            Err(Error::TooLarge(self.max))
        } else {
            body::text(self.partial).map(|line| Some(line.into_boxed_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of an upload that arrives in pieces of this size.
    fn split(text: &[u8], size: usize) -> Vec<String> {
        let mut lines = LineSplitter::new(10);
        let mut all = Vec::new();
        for piece in text.chunks(size) {
            let mut rest = piece;
            while !rest.is_empty() {
                let (found, result) = lines.take(&mut rest, 2);
                result.unwrap();
                all.extend(found);
            }
        }
        all.extend(lines.finish().unwrap());
        all.into_iter().map(String::from).collect()
    }

    /// The lines are the same, whatever the pieces in which they arrive.
    #[test]
    fn upload_lines_in_pieces_of_any_size() {
        for size in 1..20 {
            assert_eq!(
                split("one\n\ntwo\r\n你好\nlast".as_bytes(), size),
                ["one", "", "two", "你好", "last"]
            );
            // One CR goes with its LF; any other is a part of the line. A line may be as long as the
            // longest message, and its CR does not count.
            assert_eq!(
                split(b"\r\n\r\r\na\rb\r\n0123456789\r\nlast\r", size),
                ["", "\r", "a\rb", "0123456789", "last\r"]
            );
            assert_eq!(split(b"\n\n", size), ["", ""]);
        }
    }

    /// A CR that is a part of a line counts, wherever it stands.
    #[test]
    fn upload_line_too_long_by_a_cr() {
        for text in ["0123456789\r\r\n", "0123456789\rx\n", "0123456789\r"] {
            for size in 1..=text.len() {
                let mut lines = LineSplitter::new(10);
                let taken = text.as_bytes().chunks(size).try_for_each(|mut piece| {
                    let (found, result) = lines.take(&mut piece, 9);
                    assert!(found.is_empty(), "{text:?} in pieces of {size}");
                    result
                });
                let ended = taken.and_then(|()| lines.finish());
                assert!(
                    matches!(ended, Err(Error::TooLarge(10))),
                    "{text:?} in pieces of {size}"
                );
            }
        }
    }

    /// The lines before one that is too long or not UTF-8 are kept.
    #[test]
    fn upload_fault_keeps_leading_lines() {
        let mut lines = LineSplitter::new(3);
        let (found, result) = lines.take(&mut &b"one\nfour\n"[..], 9);
        assert_eq!(
            (found, matches!(result, Err(Error::TooLarge(3)))),
            (vec!["one".into()], true)
        );
        let (found, result) = LineSplitter::new(9).take(&mut &b"a\n\xff\nb\n"[..], 9);
        assert_eq!(
            (found, matches!(result, Err(Error::NotUtf8(0)))),
            (vec!["a".into()], true)
        );
    }
}
