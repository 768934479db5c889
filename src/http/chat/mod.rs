//! `/chat`: accounts, friends, conversations. Browsers get pages, other clients get JSON.
//!
//! The handlers read a request, call [`Chat`](crate::chat::Chat), and render what it returns; the
//! policy is there.

mod auth;
mod conversations;
mod friends;
mod streams;
mod view;

use hyper::{Method, Response};
use serde::Serialize;

use crate::chat::{Account, Friend, Session, Token};
use crate::http::error::Error;
use crate::http::negotiate::{self, Form};
use crate::http::reply::{self, Body};
use crate::http::{Call, browser};
use crate::message::Timestamp;

/// The name of the cookie with a session's token.
const COOKIE: &str = "forever-frame-chat";

/// What a path of the chat leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChatEndpoint {
    Home,
    Login,
    Register,
    Logout,
    Password,
    Friends,
    /// `/chat/with/NAME`, a conversation.
    With,
    /// `/chat/read/NAME`, how far a conversation has been read.
    Read,
    /// `/chat/stream`, all that concerns an account.
    Stream,
    /// `/chat/frame/NAME`, a conversation as a forever frame.
    Frame,
    Presence,
}

pub(super) async fn answer(
    endpoint: ChatEndpoint,
    call: Call<'_>,
) -> Result<Response<Body>, Error> {
    let is_post = call.head.method == Method::POST;
    if is_post && let Some(origin) = browser::cross_origin(&call.head.headers) {
        return Err(Error::CrossOrigin(origin));
    }
    match endpoint {
        ChatEndpoint::Home => friends::home(call).await,
        ChatEndpoint::Login if is_post => auth::log_in(call).await,
        ChatEndpoint::Login => auth::show_form(call, auth::LOGIN).await,
        ChatEndpoint::Register if is_post => auth::register(call).await,
        ChatEndpoint::Register => auth::show_form(call, auth::REGISTER).await,
        ChatEndpoint::Logout => auth::log_out(call).await,
        ChatEndpoint::Password if is_post => auth::change_password(call).await,
        ChatEndpoint::Password => auth::show_password_form(call).await,
        ChatEndpoint::Friends if is_post => friends::act(call).await,
        ChatEndpoint::Friends => friends::list(call).await,
        ChatEndpoint::With if is_post => conversations::say(call).await,
        ChatEndpoint::With => conversations::show(call).await,
        ChatEndpoint::Read => conversations::mark_read(call).await,
        ChatEndpoint::Stream => streams::stream(call).await,
        ChatEndpoint::Frame => streams::frame(call).await,
        ChatEndpoint::Presence => streams::presence(call).await,
    }
}

/// Returns the session of the client, which its cookie alone decides.
async fn session(call: &Call<'_>) -> Result<Session, Error> {
    find_session(call).await?.ok_or(Error::NotLoggedIn)
}

/// Returns the session of the client; `None` if it is not logged in.
async fn find_session(call: &Call<'_>) -> Result<Option<Session>, Error> {
    match token(call) {
        Some(token) => Ok(call.app.chat.session(&token, Timestamp::now()).await?),
        None => Ok(None),
    }
}

/// Returns the token in the client's cookie.
fn token(call: &Call<'_>) -> Option<Token> {
    browser::cookie(&call.head.headers, COOKIE).and_then(Token::new)
}

/// Returns the friend that the path names.
async fn friend(call: &Call<'_>, me: &Account) -> Result<Friend, Error> {
    Ok(call.app.chat.friend_named(me, &call.rest).await?)
}

/// Whether the client is a browser that shows what it gets as a page.
fn is_browser(call: &Call<'_>) -> bool {
    negotiate::error_form(&call.head) == Form::Html
}

/// The name of an account, as JSON.
#[derive(Serialize)]
struct AccountObject<'a> {
    name: &'a str,
}

/// The answer to a request that has changed something: browsers are led to a page, other clients get
/// an object.
fn done(
    call: &Call<'_>,
    location: &str,
    answer: impl FnOnce() -> Response<Body>,
) -> Response<Body> {
    if is_browser(call) {
        reply::see_other(location)
    } else {
        answer()
    }
}
