//! `/chat/with/NAME` and `/chat/read/NAME`: reading a conversation, and saying something in it.

use hyper::{Response, StatusCode};
use serde::Serialize;

use super::{done, friend, is_browser, view};
use crate::chat::{Account, ChatText, LookupError, Session};
use crate::http::error::{Error, ParamError};
use crate::http::query::{self, Query};
use crate::http::reply::{self, Body};
use crate::http::{Call, body, form, params};
use crate::limits;
use crate::log::{History, Log, Stored};
use crate::message::{Cursor, IdempotencyKey, ParseCursorError, Seq};

/// `GET /chat/with/NAME`: for browsers the page of the conversation, or with `?before=` a page of
/// earlier messages; for other clients messages as JSON.
pub(super) async fn show(call: Call<'_>, session: Session) -> Result<Response<Body>, Error> {
    let me = &session.account;
    let (friend, is_over) = match friend(&call, me).await {
        Ok((friend, _)) => (friend, false),
        Err(Error::Lookup(LookupError::NoFriend(_))) if is_browser(&call) => {
            (former_friend(&call, me).await?, true)
        }
        Err(error) => return Err(error),
    };
    let chat = &call.app.chat;
    let (before, limit) = history_params(&call)?;
    let before = before.or(is_over.then(|| chat.log().bounds().1.next()));
    let max = limit.unwrap_or(limits::HISTORY_MESSAGES_DEFAULT);
    // What is read is in memory until the answer has been made of it.
    let reserved = call.reserve_answer(limits::HISTORY_BYTES).await?;
    if !is_browser(&call) {
        let through = before.map_or(chat.log().bounds().1, Seq::before);
        let history = chat.history(me, &friend, through, max).await?;
        let object = history_object(chat.log(), &history);
        drop(reserved);
        return Ok(reply::json(StatusCode::OK, &object));
    }
    let overview = chat.overview(me).await?;
    let through = before.map_or(overview.since.seq, Seq::before);
    let history = chat.history(me, &friend, through, max).await?;
    let page = match before {
        Some(before) => view::history_page(&call, me, &friend, before, &history, is_over).await,
        None => view::page(&call, me, &overview, "", Some((&friend, &history))).await,
    };
    drop(reserved);
    Ok(reply::page(StatusCode::OK, page))
}

/// The account that the path names, if I have talked with it: what was said can be read when we are no
/// longer friends.
///
/// # Errors
/// As if there were no such account, where nothing was said or nothing of it is kept.
async fn former_friend(call: &Call<'_>, me: &Account) -> Result<Account, Error> {
    let chat = &call.app.chat;
    let no_friend = || Error::Lookup(LookupError::NoFriend(call.rest.clone()));
    let other = match chat.account_named(&call.rest).await {
        Err(LookupError::NoAccount(_)) => return Err(no_friend()),
        other => other?,
    };
    let said = chat.history(me, &other, chat.log().bounds().1, 1).await?;
    let is_message = |item: &Stored| matches!(item, Stored::Message(_));
    said.items
        .iter()
        .any(is_message)
        .then_some(other)
        .ok_or_else(no_friend)
}

/// Reads `?before=`, the position before which messages are asked for, and `?limit=`, their number.
fn history_params(call: &Call<'_>) -> Result<(Option<Seq>, Option<usize>), Error> {
    let query = Query::read(call.query(), &[query::HISTORY, call.page_params()])?;
    let get = |name| query.get(name);
    let before = params::parse("before", get("before"), |text| position(call, text))?;
    let limit = params::parse("limit", get("limit"), |text| {
        let limit = text
            .parse()
            .ok()
            .filter(|n| (1..=limits::HISTORY_MESSAGES_MAX).contains(n));
        limit.ok_or_else(|| format!("is not a number from 1 to {}", limits::HISTORY_MESSAGES_MAX))
    })?;
    Ok((before, limit))
}

/// Parses a cursor of the log.
fn position(call: &Call<'_>, text: &str) -> Result<Seq, String> {
    let cursor: Cursor = text
        .parse()
        .map_err(|why: ParseCursorError| why.to_string())?;
    if cursor.epoch != *call.app.chat.log().epoch() {
        return Err("is a cursor of another log; load the page again".to_owned());
    }
    Ok(cursor.seq)
}

/// A part of a conversation, as JSON.
#[derive(Serialize)]
struct HistoryObject {
    messages: Vec<ChatMessageObject>,
    /// The cursor before which there are more messages; `None` if there are none.
    before: Option<String>,
    /// How many messages before these retention has removed; `None` if it has removed none, or the
    /// number is not known.
    missed: Option<u64>,
}

#[derive(Serialize)]
struct ChatMessageObject {
    cursor: String,
    time: String,
    #[serde(flatten)]
    text: ChatText,
}

fn history_object(log: &Log, history: &History) -> HistoryObject {
    let message = |item: &Stored| match item {
        Stored::Message(message) => Some(ChatMessageObject {
            cursor: log.cursor(message.seq).to_string(),
            time: message.time.to_string(),
            text: ChatText::from_message(message)?,
        }),
        Stored::Gap(_) | Stored::Close(_) => None,
    };
    let messages: Vec<ChatMessageObject> = history.items.iter().filter_map(message).collect();
    let first = history.items.first().filter(|_| history.more);
    HistoryObject {
        before: first.map(|item| log.cursor(item.seq()).to_string()),
        missed: history.missed(),
        messages,
    }
}

/// What the sender of a chat message is told, as JSON.
#[derive(Serialize)]
struct SentObject {
    cursor: String,
    time: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

/// `POST /chat/with/NAME`: says something to a friend.
pub(super) async fn say(mut call: Call<'_>, session: Session) -> Result<Response<Body>, Error> {
    let max = limits::CHAT_TEXT_BYTES_MAX * limits::FORM_ENCODING_FACTOR + limits::FORM_BYTES_MAX;
    let fields = body::fields(&mut call, max).await?;
    let text = form::field(&fields, "msg")?;
    if text.trim().is_empty() {
        return Err(ParamError::new("msg", text, "is empty; write something").into());
    }
    if text.len() > limits::CHAT_TEXT_BYTES_MAX {
        return Err(Error::TooLarge(limits::CHAT_TEXT_BYTES_MAX));
    }
    let header = call.header("idempotency-key");
    let key = header
        .or(form::last(&fields, "key"))
        .filter(|key| !key.is_empty());
    let key = key
        .map(IdempotencyKey::new)
        .transpose()
        .map_err(Error::BadKey)?;
    // Browsers end the lines of a form with CRLF.
    let text = text.replace("\r\n", "\n");
    let chat = &call.app.chat;
    let (friend, receipt) = chat.say(&session, &call.rest, &text, key).await?;
    let location = view::conversation_path(&friend.account);
    Ok(done(&call, &location, || {
        let sent = SentObject {
            cursor: chat.log().cursor(receipt.seq).to_string(),
            time: receipt.time.to_string(),
            duplicate: receipt.duplicate,
        };
        reply::appended(&receipt, &sent)
    }))
}

/// `POST /chat/read/NAME`: marks a conversation as read up to a position.
pub(super) async fn mark_read(
    mut call: Call<'_>,
    session: Session,
) -> Result<Response<Body>, Error> {
    let fields = body::fields(&mut call, limits::FORM_BYTES_MAX).await?;
    let through = params::parse("through", form::last(&fields, "through"), |text| {
        position(&call, text)
    })?;
    let through = through.ok_or(Error::NoField("through"))?;
    let _act = session.act().await?;
    let (friend, _) = friend(&call, &session.account).await?;
    let chat = &call.app.chat;
    chat.mark_read(&session.account, &friend, through).await?;
    let location = view::conversation_path(&friend);
    Ok(done(&call, &location, reply::no_content))
}
