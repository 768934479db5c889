//! `/chat`: accounts, friends, conversations. Browsers get pages, everybody else JSON.

mod auth;
mod friends;
mod streams;
mod view;
mod with;

use hyper::{Method, Response};
use serde::Serialize;

use super::error::Error;
use super::negotiate::{self, Form};
use super::reply::{self, Body};
use super::{Call, browser};
use crate::chat::{Account, AccountName, Friend, Session, Standing, Token};
use crate::message::Timestamp;

/// The name of the cookie that says who one is.
const COOKIE: &str = "forever-frame-chat";

/// What a path of the chat leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Home,
    Login,
    Register,
    Logout,
    Password,
    Friends,
    /// `/chat/with/NAME`, a conversation.
    With,
    /// `/chat/read/NAME`, how far it has been read.
    Read,
    /// All that concerns one.
    Stream,
    /// `/chat/frame/NAME`, a conversation as a forever frame.
    Frame,
    Presence,
}

pub(super) async fn answer(endpoint: Endpoint, call: Call<'_>) -> Result<Response<Body>, Error> {
    let changes = call.head.method == Method::POST;
    if changes && let Some(origin) = browser::cross_origin(&call.head.headers) {
        return Err(Error::Foreign(origin));
    }
    match endpoint {
        Endpoint::Home => friends::home(call).await,
        Endpoint::Login if changes => auth::log_in(call).await,
        Endpoint::Login => auth::show(call, auth::LOGIN).await,
        Endpoint::Register if changes => auth::register(call).await,
        Endpoint::Register => auth::show(call, auth::REGISTER).await,
        Endpoint::Logout => auth::log_out(call).await,
        Endpoint::Password if changes => auth::change_password(call).await,
        Endpoint::Password => auth::show_password(call).await,
        Endpoint::Friends if changes => friends::wish(call).await,
        Endpoint::Friends => friends::list(call).await,
        Endpoint::With if changes => with::say(call).await,
        Endpoint::With => with::show(call).await,
        Endpoint::Read => with::read(call).await,
        Endpoint::Stream => streams::stream(call).await,
        Endpoint::Frame => streams::frame(call).await,
        Endpoint::Presence => streams::presence(call).await,
    }
}

/// Who asks, by the cookie and by nothing else.
async fn session(call: &Call<'_>) -> Result<Session, Error> {
    known_session(call).await?.ok_or(Error::NotLoggedIn)
}

async fn known_session(call: &Call<'_>) -> Result<Option<Session>, Error> {
    let token = browser::cookie(&call.head.headers, COOKIE).and_then(Token::new);
    let Some(token) = token else { return Ok(None) };
    let database = &call.app.chat.database;
    Ok(database.session(&token, Timestamp::now()).await?)
}

/// The friend that the path names.
async fn friend(call: &Call<'_>, me: &Account) -> Result<Friend, Error> {
    let nobody = || Error::NoFriend(call.rest.clone());
    let name = AccountName::new(&call.rest)?;
    let database = &call.app.chat.database;
    let (other, _) = database.find(&name).await?.ok_or_else(nobody)?;
    let friend = database.standing(me.id, other.id).await?;
    friend
        .filter(|friend| friend.standing == Standing::Friend)
        .ok_or_else(nobody)
}

/// Is it a browser that shows what it gets?
fn is_browser(call: &Call<'_>) -> bool {
    negotiate::error_form(&call.head) == Form::Html
}

/// A name, as those are told who do not read pages.
#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

/// For browsers another page, for everybody else an answer.
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
