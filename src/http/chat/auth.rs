//! Login, registration, logout, and change of password: their forms, and the session's cookie.

use std::time::Duration;

use hyper::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{AccountObject, COOKIE, done, is_browser, token, view};
use crate::chat::{Account, LogIn, Session, Token};
use crate::http::error::Error;
use crate::http::reply::{self, Body};
use crate::http::{Call, body, cookie, form, token_login};
use crate::limits;
use crate::wire::escape_html;

pub(super) const LOGIN: &str = "chat-login.html";
pub(super) const REGISTER: &str = "chat-register.html";
const PASSWORD: &str = "chat-password.html";

/// Shows the form for login or registration; a client that is logged in is led to the chat.
pub(super) async fn show_form(
    call: Call<'_>,
    session: Option<Session>,
    page: &'static str,
) -> Result<Response<Body>, Error> {
    let fields = form::fields(call.query()).unwrap_or_default();
    let next = next(&fields);
    if session.is_some() {
        return Ok(reply::see_other(next));
    }
    Ok(render_form(&call, page, ("", next), None).await)
}

/// The page of the chat to which somebody is led who is logged in then.
fn next(fields: &[(String, String)]) -> &str {
    let next = form::last(fields, "next");
    next.filter(|next| next.starts_with("/chat") && token_login::is_here(next))
        .unwrap_or("/chat")
}

/// Renders the form for login or registration, with the name that was typed, where the browser goes then,
/// and what was wrong.
async fn render_form(
    call: &Call<'_>,
    page: &'static str,
    (name, next): (&str, &str),
    problem: Option<&Error>,
) -> Response<Body> {
    let status = problem.map_or(StatusCode::OK, Error::status);
    let problem = problem.map(Error::to_string).unwrap_or_default();
    let (name, next) = (escape_html(name), escape_html(next));
    let problem = call.language.sentence(&problem);
    let demo = view::demo_hint(call, &next).await;
    let later = utf8_percent_encode(&next, NON_ALPHANUMERIC).to_string();
    // What is to be typed next has the focus.
    let focus = if name.is_empty() {
        ["autofocus", ""]
    } else {
        ["", "autofocus"]
    };
    let values = [
        ("name", &*name),
        ("next", &next),
        ("later", &later),
        ("problem", &problem),
        ("demo", &demo),
        ("name_focus", focus[0]),
        ("password_focus", focus[1]),
    ];
    reply::page(status, call.page_at(view::PATH, page, &values).await)
}

/// The answer to a login or registration that is refused: browsers get the form again, other clients
/// the error.
async fn refuse(
    call: &Call<'_>,
    page: &'static str,
    name: &str,
    next: &str,
    error: Error,
) -> Result<Response<Body>, Error> {
    if !is_browser(call) {
        return Err(error);
    }
    let mut response = render_form(call, page, (name, next), Some(&error)).await;
    response.headers_mut().extend(error.header());
    Ok(response)
}

pub(super) async fn log_in(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let credentials = Credentials::read(&mut call).await?;
    let Credentials { name, password, .. } = &credentials;
    let (previous, now) = (token(&call), call.app.log.now());
    let chat = &call.app.chat;
    let begun = chat.log_in(name, password, call.client, previous.as_ref(), &now);
    let begun = begun.await.map_err(Error::from);
    answer(&call, LOGIN, &credentials, begun, StatusCode::OK).await
}

pub(super) async fn register(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let credentials = Credentials::read(&mut call).await?;
    let Credentials { name, password, .. } = &credentials;
    let (previous, now) = (token(&call), call.app.log.now());
    let chat = &call.app.chat;
    let begun = chat.register(name, password, call.client, previous.as_ref(), &now);
    let begun = begun.await.map_err(Error::from);
    answer(&call, REGISTER, &credentials, begun, StatusCode::CREATED).await
}

/// The fields of the form for login or registration.
struct Credentials {
    name: String,
    password: String,
    next: String,
}

impl Credentials {
    async fn read(call: &mut Call<'_>) -> Result<Credentials, Error> {
        let fields = body::fields(call, limits::FORM_BYTES_MAX).await?;
        Ok(Credentials {
            name: form::field(&fields, "name")?.to_owned(),
            password: form::field(&fields, "password")?.to_owned(),
            next: next(&fields).to_owned(),
        })
    }
}

/// The answer to a login or registration: `status` and the session's cookie, or what was wrong.
async fn answer(
    call: &Call<'_>,
    page: &'static str,
    Credentials { name, next, .. }: &Credentials,
    begun: Result<LogIn, Error>,
    status: StatusCode,
) -> Result<Response<Body>, Error> {
    match begun {
        Ok(begun) => Ok(signed_in(call, &begun, next, status)),
        Err(error) => refuse(call, page, name, next, error).await,
    }
}

/// The answer to a client that is logged in now: its cookie, and the way to where it wanted to go.
fn signed_in(call: &Call<'_>, begun: &LogIn, next: &str, status: StatusCode) -> Response<Body> {
    let name = begun.account.name.as_str();
    let mut response = done(call, next, || reply::json(status, &AccountObject { name }));
    set_cookie(call, &mut response, Some(&begun.token));
    response
}

pub(super) async fn log_out(
    call: Call<'_>,
    session: Option<Session>,
) -> Result<Response<Body>, Error> {
    if let Some(session) = session {
        call.app.chat.log_out(session).await?;
    }
    let mut response = done(&call, "/chat/login", reply::no_content);
    set_cookie(&call, &mut response, None);
    Ok(response)
}

/// Shows the form for a change of the password, or, after one, that it is changed.
pub(super) async fn show_password_form(
    call: Call<'_>,
    session: Session,
) -> Result<Response<Body>, Error> {
    let changed = form::last(&form::fields(call.query())?, "changed").is_some();
    let notice = if changed {
        "Your password has been changed. You have been logged out everywhere else."
    } else {
        ""
    };
    Ok(render_password_form(&call, &session.account, notice, None).await)
}

async fn render_password_form(
    call: &Call<'_>,
    me: &Account,
    notice: &str,
    problem: Option<&Error>,
) -> Response<Body> {
    let status = problem.map_or(StatusCode::OK, Error::status);
    let problem = problem.map(Error::to_string).unwrap_or_default();
    let say = |english: &str| call.language.sentence(english);
    let (me, problem, notice) = (escape_html(me.name.as_str()), say(&problem), say(notice));
    let values = [("me", &*me), ("problem", &problem), ("notice", &notice)];
    reply::page(status, call.page_at(view::PATH, PASSWORD, &values).await)
}

pub(super) async fn change_password(
    mut call: Call<'_>,
    session: Session,
) -> Result<Response<Body>, Error> {
    let me = session.account;
    let fields = body::fields(&mut call, limits::FORM_BYTES_MAX).await?;
    let (old, new) = (form::field(&fields, "old")?, form::field(&fields, "new")?);
    let chat = &call.app.chat;
    let now = chat.log().now();
    let begun = chat.change_password(&me, old, new, call.client, &now);
    match begun.await.map_err(Error::from) {
        Ok(begun) => {
            let location = "/chat/password?changed";
            let mut response = done(&call, location, reply::no_content);
            set_cookie(&call, &mut response, Some(&begun.token));
            Ok(response)
        }
        Err(error) if is_browser(&call) => {
            let mut page = render_password_form(&call, &me, "", Some(&error)).await;
            page.headers_mut().extend(error.header());
            Ok(page)
        }
        Err(error) => Err(error),
    }
}

/// Sets the cookie with the session's token, or removes it.
fn set_cookie(call: &Call<'_>, response: &mut Response<Body>, token: Option<&Token>) {
    // The server decides when a session ends, so the browser keeps the cookie for as long as it may.
    let (token, age) = match token {
        Some(token) => (token.as_str(), limits::LOGIN_COOKIE_AGE),
        None => ("", Duration::ZERO),
    };
    cookie::set(call, response, COOKIE, token, Some(age));
}
