//! An error as a response, in the form that its reader understands.

use std::net::IpAddr;
use std::time::Duration;

use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Response, StatusCode, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use tokio::time::Instant;

use super::App;
use super::answer_memory;
use super::error::Error;
use super::negotiate::{self, Form};
use super::render::PageReader;
use super::reply::{self, Body};
use super::token_login;
use crate::access::Denial;
use crate::connection::HeadFault;
use crate::drain::{Drain, random_seconds};
use crate::limits;
use crate::message::Cursor;
use crate::pages::HtmlPage;
use crate::translation::Language;
use crate::wire::Wire;

/// How a request would be refused, as far as the request decides it.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    form: Form,
    /// Whether the request is a `GET`: an `EventSource` sends no other.
    is_get: bool,
    /// What was asked for, which a browser gets when it has logged in.
    uri: Uri,
    is_secure: bool,
    /// Whether the request shows its token in a cookie.
    has_cookie: bool,
    language: Language,
}

impl Refusal {
    /// How this request would be refused, which came over TLS or did not, in this language if by a page.
    pub(super) fn of(head: &Parts, is_secure: bool, language: Language) -> Refusal {
        Refusal {
            language,
            form: negotiate::error_form(head),
            is_get: head.method == Method::GET,
            uri: head.uri.clone(),
            is_secure,
            has_cookie: token_login::cookie(&head.headers, is_secure).is_some(),
        }
    }

    /// The response that says what was wrong.
    pub(super) async fn reply(self, error: &Error, app: &App, client: IpAddr) -> Response<Body> {
        let count = |error: &Error| app.metrics.refusals.count(error.refusal_reason());
        count(error);
        let share = app.answer_share(client, false);
        let response = self.render(error, app).await;
        answer_memory::cover(response, &share).unwrap_or_else(|error| {
            count(&error);
            // Not even the page of an error has room.
            let mut response = reply::text(error.status(), format!("{error}\n"));
            response.headers_mut().extend(error.header());
            response
        })
    }

    /// For whom the page is that says what was wrong. What the query of a form's address says is for the form
    /// alone, but for that of the login.
    fn reader(&self) -> PageReader<'_> {
        let reader = PageReader::new(self.language, &self.uri);
        if self.is_get || self.uri.path() == token_login::PATH {
            return reader;
        }
        PageReader {
            query: "",
            ..reader
        }
    }

    /// The page on which a browser can show a token, if that would help.
    async fn login_page(&self, error: &Error, app: &App) -> Option<HtmlPage> {
        match error {
            Error::Access(denial) => {
                let next = token_login::next(&self.uri);
                token_login::page_of(app, self.reader(), denial, &next).await
            }
            _ => None,
        }
    }

    async fn render(self, error: &Error, app: &App) -> Response<Body> {
        let status = error.status();
        let wait = retry_after(error, &app.drain);
        let is_for_now = [
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        if self.form == Form::Sse && self.is_get && is_for_now.contains(&status) {
            return sse_retry(error, wait);
        }
        let sentence = error.to_string();
        let mut response = match self.form {
            Form::Html if matches!(error, Error::NotLoggedIn) => {
                reply::see_other(&chat_login(&self.uri))
            }
            Form::Json | Form::Sse => match error {
                Error::OtherLast(last) => {
                    reply::json(status, &OtherLastAnswer::new(&sentence, last.as_ref()))
                }
                _ => reply::json(status, &serde_json::json!({ "error": sentence })),
            },
            Form::Text => reply::text(status, format!("{sentence}\n")),
            Form::Html if let Some(page) = self.login_page(error, app).await => {
                reply::page(status, page)
            }
            Form::Html => {
                let message = as_sentence(&sentence, self.language);
                let status_line = self.language.sentence(&status.to_string());
                let values = [("status", &*status_line), ("message", &*message)];
                let page = app.page(self.reader(), "error.html", "", &values).await;
                reply::page(status, page)
            }
        };
        add_headers(error, &app.drain, response.headers_mut());
        // With a token that is of no use the browser could not even see what is open to all.
        if self.has_cookie && matches!(error, Error::Access(Denial::BadToken(_))) {
            token_login::clear_cookie(&mut response, self.is_secure);
        }
        response
    }
}

/// The address of the chat's login, which leads back to the conversation that was asked for.
fn chat_login(uri: &Uri) -> String {
    let path = uri.path();
    if path.starts_with("/chat/with/") {
        let next = utf8_percent_encode(path, NON_ALPHANUMERIC);
        format!("/chat/login?next={next}")
    } else {
        "/chat/login".to_owned()
    }
}

/// An error as a sentence of this language, as people write one, for a page.
fn as_sentence(text: &str, language: Language) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| match language {
        Language::English => c.to_uppercase().to_string(),
        // What stands first may be a value, which has its own letters.
        Language::Chinese => c.to_string(),
    });
    let end = if text.ends_with(['.', '?', '!']) {
        ""
    } else {
        "."
    };
    let sentence = format!("{}{}{end}", first.unwrap_or_default(), letters.as_str());
    language.sentence(&sentence)
}

/// The answer to an append whose precondition does not hold.
#[derive(Serialize)]
struct OtherLastAnswer<'a> {
    error: &'a str,
    /// The channel's last entry, for a client that tries again.
    cursor: Option<String>,
}

impl OtherLastAnswer<'_> {
    fn new<'a>(error: &'a str, last: Option<&Cursor>) -> OtherLastAnswer<'a> {
        OtherLastAnswer {
            error,
            cursor: last.map(Cursor::to_string),
        }
    }
}

/// Adds the headers that go with an error: when to come back, what else is allowed, and whether the
/// connection is closed.
pub(super) fn add_headers(error: &Error, drain: &Drain, headers: &mut HeaderMap) {
    headers.extend(error.header());
    if let Some(wait) = retry_after(error, drain) {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    if error.closes_connection() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// The whole response to a request whose head did not come to its end as it should. There is none on a
/// connection that was only idle.
#[must_use]
pub fn answer_to_fault(fault: HeadFault) -> Option<String> {
    let error = match fault {
        HeadFault::Idle => return None,
        HeadFault::Slow => Error::HeadSlow(limits::HEAD_TIMEOUT.as_secs()),
        HeadFault::UrlTooLong => Error::UrlTooLong(limits::URL_BYTES_MAX),
        HeadFault::TooLarge => Error::HeadTooLarge(limits::HEAD_BYTES_MAX),
    };
    Some(whole_response(&error))
}

/// The whole response to a request in plain HTTP where TLS is spoken.
#[must_use]
pub fn answer_to_plain_http() -> String {
    whole_response(&Error::PlainHttp)
}

/// An error as the bytes of the last response on its connection.
fn whole_response(error: &Error) -> String {
    let body = format!("{}\n", serde_json::json!({ "error": error.to_string() }));
    format!(
        "HTTP/1.1 {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        error.status(),
        body.len()
    )
}

/// When a client that was refused for want of room, or because the server stops, is to come back:
/// spread, or all of them come back together.
fn retry_after(error: &Error, drain: &Drain) -> Option<Duration> {
    match error {
        Error::Full | Error::ManyConnections | Error::ManyRequests(_) => {
            Some(random_seconds(limits::RETRY_AFTER_FULL_SECONDS))
        }
        Error::Stopping => Some(drain.retry_after(Instant::now())),
        _ => None,
    }
}

/// An answer for an `EventSource`, which any status but 200 would end for good: it is over at once,
/// and says when to come back.
fn sse_retry(error: &Error, wait: Option<Duration>) -> Response<Body> {
    let wait = wait
        .filter(|_| matches!(error, Error::Stopping))
        .unwrap_or_else(|| random_seconds(limits::SSE_RETRY_REFUSED_SECONDS));
    // No blank line: some clients would hand it on as an empty message.
    let text = format!(": {error}\nretry: {}\n", wait.as_millis());
    let mut response = reply::full(StatusCode::OK, Wire::Sse.content_type(), text);
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
