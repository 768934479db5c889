//! Coming in and going out: login, registration, logout, change of password.

use std::time::Instant;

use hyper::header::{HeaderValue, SET_COOKIE};
use hyper::{Response, StatusCode};

use super::super::error::Error;
use super::super::reply::{self, Body};
use super::super::{Call, body, browser, form};
use super::{COOKIE, Named, done, is_browser, known_session, session, view};
use crate::chat::{Account, AccountName, Hash, LogIn, NewPassword, Token};
use crate::limits;
use crate::message::Timestamp;
use crate::wire::escape_html;

pub(super) const LOGIN: &str = "chat-login.html";
pub(super) const REGISTER: &str = "chat-register.html";
const PASSWORD: &str = "chat-password.html";

/// A page to come in by; whoever is in already is led on.
pub(super) async fn show(call: Call<'_>, page: &'static str) -> Result<Response<Body>, Error> {
    if known_session(&call).await?.is_some() {
        return Ok(reply::see_other("/chat"));
    }
    Ok(again(&call, page, "", None).await)
}

/// The page, with what was typed, and what was wrong with it.
async fn again(
    call: &Call<'_>,
    page: &'static str,
    name: &str,
    problem: Option<&Error>,
) -> Response<Body> {
    let status = problem.map_or(StatusCode::OK, Error::status);
    let problem = problem.map(Error::to_string).unwrap_or_default();
    let demo = view::demo(call).await;
    let (name, problem) = (escape_html(name), escape_html(&problem));
    let values = [("name", &*name), ("problem", &*problem), ("demo", &*demo)];
    reply::html(status, call.app.page(page, "/chat", &values).await.before)
}

/// What went wrong: for browsers the page once more, for everybody else the error.
async fn refuse(
    call: &Call<'_>,
    page: &'static str,
    name: &str,
    error: Error,
) -> Result<Response<Body>, Error> {
    if !is_browser(call) {
        return Err(error);
    }
    let mut response = again(call, page, name, Some(&error)).await;
    response.headers_mut().extend(error.header());
    Ok(response)
}

pub(super) async fn log_in(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let fields = body::fields(&mut call, limits::FORM_BYTES).await?;
    let name = form::field(&fields, "name")?;
    let password = form::field(&fields, "password")?;
    match enter(&call, name, password).await {
        Ok(begun) => Ok(welcome(&call, &begun, StatusCode::OK)),
        Err(error) => refuse(&call, LOGIN, name, error).await,
    }
}

/// Begins a session for whoever knows the password.
async fn enter(call: &Call<'_>, name: &str, password: &str) -> Result<LogIn, Error> {
    let name = AccountName::new(name)?;
    let (account, hash) = verify(call, &name, password).await?;
    begin(call, &account, &hash).await
}

/// The session that the browser had before is over.
async fn begin(call: &Call<'_>, account: &Account, hash: &Hash) -> Result<LogIn, Error> {
    let before = known_session(call).await?;
    let chat = &call.app.chat;
    let begun = chat.log_in(account, hash, before, Timestamp::now()).await?;
    begun.ok_or(Error::WrongPassword)
}

/// The account of a name, for whoever knows its password. It takes as long if there is none.
async fn verify(
    call: &Call<'_>,
    name: &AccountName,
    password: &str,
) -> Result<(Account, Hash), Error> {
    let chat = &call.app.chat;
    let from = browser::client(&call.head.headers, call.connection.peer());
    let attempt = chat.attempts.log_in(name, from, Instant::now())?;
    let found = chat.database.find(name).await?;
    let hash = found.as_ref().map(|(_, hash)| hash.clone());
    let verified = chat.hasher.verify(password, hash).await;
    if verified != Ok(false) {
        chat.attempts.give_back(attempt);
    }
    let right = verified?;
    found.filter(|_| right).ok_or(Error::WrongPassword)
}

pub(super) async fn register(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let fields = body::fields(&mut call, limits::FORM_BYTES).await?;
    let name = form::field(&fields, "name")?;
    let password = form::field(&fields, "password")?;
    match create(&call, name, password).await {
        Ok(begun) => Ok(welcome(&call, &begun, StatusCode::CREATED)),
        Err(error) => refuse(&call, REGISTER, name, error).await,
    }
}

async fn create(call: &Call<'_>, name: &str, password: &str) -> Result<LogIn, Error> {
    let chat = &call.app.chat;
    let (name, password) = (AccountName::new(name)?, NewPassword::new(password)?);
    let from = browser::client(&call.head.headers, call.connection.peer());
    chat.attempts.register(from, Instant::now())?;
    if chat.database.find(&name).await?.is_some() {
        return Err(Error::RegisterError(crate::chat::RegisterError::Taken(
            name,
        )));
    }
    let hash = chat.hasher.hash(password).await?;
    let now = Timestamp::now();
    let account = chat.database.create(name, hash.clone(), now).await??;
    begin(call, &account, &hash).await
}

/// Leads in whoever has begun a session.
fn welcome(call: &Call<'_>, begun: &LogIn, status: StatusCode) -> Response<Body> {
    let name = begun.session.account.name.as_str();
    let mut response = done(call, "/chat", || reply::json(status, &Named { name }));
    set_cookie(call, &mut response, Some(&begun.token));
    response
}

pub(super) async fn log_out(call: Call<'_>) -> Result<Response<Body>, Error> {
    if let Some(session) = known_session(&call).await? {
        call.app.chat.log_out(session).await?;
    }
    let mut response = done(&call, "/chat/login", reply::no_content);
    set_cookie(&call, &mut response, None);
    Ok(response)
}

pub(super) async fn show_password(call: Call<'_>) -> Result<Response<Body>, Error> {
    let session = session(&call).await?;
    let changed = form::last(&form::fields(call.query())?, "changed").is_some();
    let notice = if changed {
        "Your password is changed. Everywhere else you are logged out."
    } else {
        ""
    };
    Ok(password_page(&call, &session.account, notice, None).await)
}

async fn password_page(
    call: &Call<'_>,
    me: &Account,
    notice: &str,
    problem: Option<&Error>,
) -> Response<Body> {
    let status = problem.map_or(StatusCode::OK, Error::status);
    let problem = problem.map(Error::to_string).unwrap_or_default();
    let (me, problem) = (escape_html(me.name.as_str()), escape_html(&problem));
    let values = [("me", &*me), ("problem", &*problem), ("notice", notice)];
    reply::html(
        status,
        call.app.page(PASSWORD, "/chat", &values).await.before,
    )
}

pub(super) async fn change_password(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let session = session(&call).await?;
    let fields = body::fields(&mut call, limits::FORM_BYTES).await?;
    let (old, new) = (form::field(&fields, "old")?, form::field(&fields, "new")?);
    match change(&call, &session.account, old, new).await {
        Ok(begun) => {
            let location = "/chat/password?changed";
            let mut response = done(&call, location, reply::no_content);
            set_cookie(&call, &mut response, Some(&begun.token));
            Ok(response)
        }
        Err(error) if is_browser(&call) => {
            let mut page = password_page(&call, &session.account, "", Some(&error)).await;
            page.headers_mut().extend(error.header());
            Ok(page)
        }
        Err(error) => Err(error),
    }
}

async fn change(call: &Call<'_>, me: &Account, old: &str, new: &str) -> Result<LogIn, Error> {
    let chat = &call.app.chat;
    let new = NewPassword::new(new)?;
    let (account, verified) = verify(call, &me.name, old).await?;
    let hash = chat.hasher.hash(new).await?;
    let begun = chat
        .change_password(&account, &verified, hash, Timestamp::now())
        .await?;
    begun.ok_or(Error::WrongPassword)
}

/// Gives the browser its token, or takes it away. Scripts cannot read it, and pages of other sites
/// cannot send it along with what they post (RFC 6265bis, section 5.6.7).
fn set_cookie(call: &Call<'_>, response: &mut Response<Body>, token: Option<&Token>) {
    let (token, seconds) = match token {
        // How long it is good for is known here: the browser keeps it for as long as it may.
        Some(token) => (token.as_str(), limits::COOKIE_AGE.as_secs()),
        None => ("", 0),
    };
    let secure = if browser::is_secure(&call.head.headers) {
        "; Secure"
    } else {
        ""
    };
    let cookie =
        format!("{COOKIE}={token}; Path=/chat; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let cookie = HeaderValue::from_str(&cookie).ok();
    response
        .headers_mut()
        .extend(cookie.map(|cookie| (SET_COOKIE, cookie)));
}
