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

use crate::chat::{Account, Session, Token};
use crate::http::error::Error;
use crate::http::negotiate::{self, Form};
use crate::http::reply::{self, Body};
use crate::http::{Call, cookie};
use crate::right::Right;

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
    let session = find_session(&call).await?;
    let right = session.as_ref().map(|session| session.right.clone());
    let needed = || session.clone().ok_or(Error::NotLoggedIn);
    let response = match endpoint {
        ChatEndpoint::Home => friends::home(call, needed()?).await?,
        ChatEndpoint::Login if is_post => auth::log_in(call).await?,
        ChatEndpoint::Login => auth::show_form(call, session, auth::LOGIN).await?,
        ChatEndpoint::Register if is_post => auth::register(call).await?,
        ChatEndpoint::Register => auth::show_form(call, session, auth::REGISTER).await?,
        ChatEndpoint::Logout => auth::log_out(call, session).await?,
        ChatEndpoint::Password if is_post => auth::change_password(call, needed()?).await?,
        ChatEndpoint::Password => auth::show_password_form(call, needed()?).await?,
        ChatEndpoint::Friends if is_post => friends::act(call, needed()?).await?,
        ChatEndpoint::Friends => friends::list(call, needed()?).await?,
        ChatEndpoint::With if is_post => conversations::say(call, needed()?).await?,
        ChatEndpoint::With => conversations::show(call, needed()?).await?,
        ChatEndpoint::Read => conversations::mark_read(call, needed()?).await?,
        ChatEndpoint::Stream => return streams::stream(call, needed()?).await,
        ChatEndpoint::Frame => return streams::frame(call, needed()?).await,
        ChatEndpoint::Presence => return streams::presence(call, needed()?).await,
    };
    // What was read after the session had ended is not told. A stream looks by itself, and a change has
    // been made before the session could end.
    if !is_post && right.is_some_and(|right| !right.is_held()) {
        return Err(Error::NotLoggedIn);
    }
    Ok(response)
}

/// Returns the session of the client, which its cookie alone decides; `None` if it is not logged in.
async fn find_session(call: &Call<'_>) -> Result<Option<Session>, Error> {
    match token(call) {
        Some(token) => Ok(call.app.chat.session(&token, &call.app.log.now()).await?),
        None => Ok(None),
    }
}

/// Returns the token in the client's cookie.
fn token(call: &Call<'_>) -> Option<Token> {
    cookie::find(call, COOKIE).and_then(Token::new)
}

/// Returns the friend that the path names, and the right to the conversation.
async fn friend(call: &Call<'_>, me: &Account) -> Result<(Account, Right), Error> {
    let (friend, right) = call.app.chat.friend_named(me, &call.rest).await?;
    Ok((friend.account, right))
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
