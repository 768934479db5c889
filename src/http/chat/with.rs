//! `/chat/with/NAME`: a conversation, what was said in it, and saying something.

use hyper::{Response, StatusCode};
use serde::Serialize;

use super::super::error::Error;
use super::super::params::ParamError;
use super::super::reply::{self, Body};
use super::super::{Call, body, form, params};
use super::{done, friend, is_browser, session, view};
use crate::chat::ChatText;
use crate::limits;
use crate::log::{History, Log, Stored};
use crate::message::{Cursor, IdempotencyKey, Seq};

/// For browsers the page of the conversation, or one with what was said before a place; for
/// everybody else what was said.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    let session = session(&call).await?;
    let me = &session.account;
    let friend = friend(&call, me).await?.account;
    let chat = &call.app.chat;
    let (before, limit) = range(&call)?;
    let most = limit.unwrap_or(limits::HISTORY_MESSAGES_DEFAULT);
    if !is_browser(&call) {
        let through = before.map_or(chat.log.bounds().1, Seq::before);
        let span = chat.said(me, &friend, through, most).await?;
        return Ok(reply::json(StatusCode::OK, &history(&chat.log, &span)));
    }
    let overview = chat.overview(me).await?;
    let through = before.map_or(overview.since.seq, Seq::before);
    let span = chat.said(me, &friend, through, most).await?;
    let page = match before {
        Some(before) => view::older(&call, me, &friend, before, &span).await,
        None => view::page(&call, me, &overview, "", Some((&friend, &span))).await,
    };
    Ok(reply::html(StatusCode::OK, page))
}

/// What of the conversation is asked for: what stands before this place, at most so many.
fn range(call: &Call<'_>) -> Result<(Option<Seq>, Option<usize>), Error> {
    let fields = form::fields(call.query())?;
    let get = |name| form::last(&fields, name);
    let before = params::parse("before", get("before"), |text| place(call, text))?;
    let limit = params::parse("limit", get("limit"), |text| {
        let limit = text
            .parse()
            .ok()
            .filter(|n| (1..=limits::HISTORY_MESSAGES_MAX).contains(n));
        limit.ok_or_else(|| format!("is not a number from 1 to {}", limits::HISTORY_MESSAGES_MAX))
    })?;
    Ok((before, limit))
}

/// A place in this log.
fn place(call: &Call<'_>, text: &str) -> Result<Seq, String> {
    let cursor: Option<Cursor> = text.parse().ok();
    let cursor = cursor.ok_or_else(|| "is not a cursor".to_owned())?;
    if cursor.epoch != *call.app.chat.log.epoch() {
        return Err("is of another log than this; load the page again".to_owned());
    }
    Ok(cursor.seq)
}

/// What was said, for scripts.
#[derive(Serialize)]
struct HistoryObject {
    messages: Vec<Line>,
    /// Before this there is more.
    before: Option<String>,
    /// So many before these are gone.
    missed: Option<u64>,
}

#[derive(Serialize)]
struct Line {
    cursor: String,
    time: String,
    #[serde(flatten)]
    said: ChatText,
}

fn history(log: &Log, span: &History) -> HistoryObject {
    let line = |item: &Stored| match item {
        Stored::Message(message) => Some(Line {
            cursor: log.cursor(message.seq).to_string(),
            time: message.time.to_string(),
            said: ChatText::read(message)?,
        }),
        Stored::Gap(_) => None,
    };
    let messages: Vec<Line> = span.items.iter().filter_map(line).collect();
    let first = span.items.first().filter(|_| span.more);
    HistoryObject {
        before: first.map(|item| log.cursor(item.seq()).to_string()),
        missed: span.missed(),
        messages,
    }
}

/// What the sender is told.
#[derive(Serialize)]
struct Sent {
    cursor: String,
    time: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

/// `POST`: says something to a friend.
pub(super) async fn say(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let session = session(&call).await?;
    let most = limits::CHAT_TEXT_BYTES * limits::FORM_FACTOR + limits::FORM_BYTES;
    let fields = body::fields(&mut call, most).await?;
    let text = form::field(&fields, "msg")?;
    if text.trim().is_empty() {
        return Err(ParamError::new("msg", text, "is empty; say something").into());
    }
    if text.len() > limits::CHAT_TEXT_BYTES {
        return Err(Error::TooLarge(limits::CHAT_TEXT_BYTES));
    }
    let header = call.header("idempotency-key");
    let key = header
        .or(form::last(&fields, "key"))
        .filter(|key| !key.is_empty());
    let key = key
        .map(IdempotencyKey::new)
        .transpose()
        .map_err(Error::BadKey)?;
    let friend = friend(&call, &session.account).await?.account;
    // Browsers end the lines of a form with CRLF.
    let text = text.replace("\r\n", "\n");
    let chat = &call.app.chat;
    let receipt = chat.say(&session.account, &friend, &text, key).await?;
    Ok(done(&call, &view::with(&friend), || {
        let sent = Sent {
            cursor: chat.log.cursor(receipt.seq).to_string(),
            time: receipt.time.to_string(),
            duplicate: receipt.duplicate,
        };
        reply::appended(&receipt, &sent)
    }))
}

/// `/chat/read/NAME`: has been read up to a place.
pub(super) async fn read(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let session = session(&call).await?;
    let fields = body::fields(&mut call, limits::FORM_BYTES).await?;
    let through = params::parse("through", form::last(&fields, "through"), |text| {
        place(&call, text)
    })?;
    let through = through.ok_or(Error::NoField("through"))?;
    let friend = friend(&call, &session.account).await?.account;
    let chat = &call.app.chat;
    chat.read_through(&session.account, &friend, through)
        .await?;
    Ok(done(&call, &view::with(&friend), reply::no_content))
}
