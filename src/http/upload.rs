//! `PUT /c/CHANNEL`: a stream of lines, each a message as soon as its newline has come.
//!
//! What has come is appended before more is read, so a slow store slows the sender down, and
//! memory holds one piece of the upload and its unfinished line.

use http_body_util::BodyExt;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::error::Error;
use super::reply::{self, Body};
use super::{Call, append, body};
use crate::limits;
use crate::message::{Channel, Draft, EventName, Seq};

pub(super) async fn upload(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let (channel, event) = (append::channel(&call)?, append::event(&call)?);
    if call.head.headers.contains_key("idempotency-key") {
        return Err(Error::KeyWithPut);
    }
    let mut upload = Upload {
        channel,
        event,
        done: Done::default(),
    };
    let result = upload.run(&mut call).await;
    let Done { span, count } = upload.done;
    let cursor = |seq| call.app.log.cursor(seq).to_string();
    let answer = Uploaded {
        error: result.as_ref().err().map(ToString::to_string),
        first: span.map(|(first, _)| cursor(first)),
        last: span.map(|(_, last)| cursor(last)),
        count,
    };
    let status = result
        .as_ref()
        .map_or_else(Error::status, |()| StatusCode::CREATED);
    let mut response = reply::json(status, &answer);
    if result.is_err() {
        call.connection.leave_body_unread();
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// What the sender is told in the end, whatever the end was.
#[derive(Serialize)]
struct Uploaded {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    first: Option<String>,
    last: Option<String>,
    count: u64,
}

/// What has been appended.
#[derive(Debug, Default)]
struct Done {
    span: Option<(Seq, Seq)>,
    count: u64,
}

struct Upload {
    channel: Channel,
    event: EventName,
    done: Done,
}

impl Upload {
    async fn run(&mut self, call: &mut Call<'_>) -> Result<(), Error> {
        let most = call.app.max_message;
        let mut lines = Lines::new(most);
        let mut share = body::Share::default();
        loop {
            let frame = tokio::select! {
                frame = call.body.frame() => frame,
                () = call.app.drain.begun() => return Err(Error::Stopping),
            };
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(Error::BodyBroke)?.into_data() else {
                continue;
            };
            let mut rest = &data[..];
            while !rest.is_empty() {
                let (found, result) = lines.take(&mut rest, limits::UPLOAD_LINES);
                self.append(call, found).await?;
                result?;
            }
            // Uploads may last for days: what each holds meanwhile is its unfinished line.
            share.set(call.app, lines.partial.len())?;
        }
        // A last line without a newline counts.
        let last = lines.finish()?;
        self.append(call, last.into_iter().collect()).await
    }

    async fn append(&mut self, call: &Call<'_>, lines: Vec<Box<str>>) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        let draft = |data| Draft {
            event: self.event.clone(),
            ..Draft::new(self.channel.clone(), data)
        };
        let receipts = call
            .app
            .log
            .append_all(lines.into_iter().map(draft).collect())
            .await?;
        for receipt in receipts {
            let (first, _) = self.done.span.unwrap_or((receipt.seq, receipt.seq));
            self.done.span = Some((first, receipt.seq));
            self.done.count += 1;
        }
        Ok(())
    }
}

/// Cuts bytes into lines. Pure.
struct Lines {
    /// The unfinished line.
    partial: Vec<u8>,
    most: usize,
}

impl Lines {
    fn new(most: usize) -> Lines {
        Lines {
            partial: Vec::new(),
            most,
        }
    }

    /// Takes whole lines from the front of `rest`, at most so many; what was found counts even if
    /// what comes then is wrong.
    fn take(&mut self, rest: &mut &[u8], count: usize) -> (Vec<Box<str>>, Result<(), Error>) {
        let mut found = Vec::new();
        while found.len() < count && !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n');
            let part = &rest[..end.unwrap_or(rest.len())];
            if self.partial.len() + part.len() > self.most {
                return (found, Err(Error::TooLarge(self.most)));
            }
            self.partial.extend_from_slice(part);
            *rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
            if end.is_some() {
                match body::text(std::mem::take(&mut self.partial)) {
                    Ok(line) => found.push(line.into_boxed_str()),
                    Err(error) => return (found, Err(error)),
                }
            }
        }
        (found, Ok(()))
    }

    /// The last line, if it has no newline.
    fn finish(self) -> Result<Option<Box<str>>, Error> {
        if self.partial.is_empty() {
            Ok(None)
        } else {
            body::text(self.partial).map(|line| Some(line.into_boxed_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of an upload that comes in pieces of this size.
    fn cut(text: &[u8], size: usize) -> Vec<String> {
        let mut lines = Lines::new(10);
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

    #[test]
    fn lines_are_the_same_however_they_come() {
        for size in 1..20 {
            assert_eq!(
                cut("one\n\ntwo\r\n你好\nlast".as_bytes(), size),
                ["one", "", "two\r", "你好", "last"]
            );
            assert_eq!(cut(b"\n\n", size), ["", ""]);
        }
    }

    #[test]
    fn what_came_before_the_fault_counts() {
        let mut lines = Lines::new(3);
        let (found, result) = lines.take(&mut &b"one\nfour\n"[..], 9);
        assert_eq!(
            (found, matches!(result, Err(Error::TooLarge(3)))),
            (vec!["one".into()], true)
        );
        let (found, result) = Lines::new(9).take(&mut &b"a\n\xff\nb\n"[..], 9);
        assert_eq!(
            (found, matches!(result, Err(Error::NotUtf8(0)))),
            (vec!["a".into()], true)
        );
    }
}
