//! Friends: the page of them, the list, and what one wants of somebody.

use hyper::{Response, StatusCode};
use serde::Serialize;

use super::super::error::Error;
use super::super::reply::{self, Body};
use super::super::{Call, body, form, params};
use super::{done, is_browser, session, view};
use crate::chat::{Account, AccountName, Contact, FriendAction, Overview, Session};
use crate::limits;

/// `/chat`: the friends, and no conversation yet.
pub(super) async fn home(call: Call<'_>) -> Result<Response<Body>, Error> {
    let session = session(&call).await?;
    page(&call, &session, StatusCode::OK, "").await
}

async fn page(
    call: &Call<'_>,
    session: &Session,
    status: StatusCode,
    problem: &str,
) -> Result<Response<Body>, Error> {
    let overview = call.app.chat.overview(&session.account).await?;
    let page = view::page(call, &session.account, &overview, problem, None).await;
    Ok(reply::html(status, page))
}

/// What a page shows of the friends, for scripts.
#[derive(Serialize)]
struct List<'a> {
    me: &'a str,
    since: String,
    presence: String,
    friends: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    standing: &'static str,
    online: bool,
    unread: usize,
}

impl<'a> Entry<'a> {
    fn of(one: &'a Contact) -> Entry<'a> {
        Entry {
            name: one.friend.account.name.as_str(),
            standing: one.friend.standing.as_str(),
            online: one.online,
            unread: one.unread,
        }
    }
}

pub(super) async fn list(call: Call<'_>) -> Result<Response<Body>, Error> {
    let session = session(&call).await?;
    let Overview {
        since,
        presence,
        friends,
    } = call.app.chat.overview(&session.account).await?;
    let list = List {
        me: session.account.name.as_str(),
        since: since.to_string(),
        presence: presence.to_string(),
        friends: friends.iter().map(Entry::of).collect(),
    };
    Ok(reply::json(StatusCode::OK, &list))
}

/// How somebody stands to one now.
#[derive(Serialize)]
struct Stands<'a> {
    name: &'a str,
    standing: Option<&'static str>,
}

/// `POST`: asks somebody, accepts, declines, or removes.
pub(super) async fn wish(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let session = session(&call).await?;
    let fields = body::fields(&mut call, limits::FORM_BYTES).await?;
    let wish = params::parse("action", form::last(&fields, "action"), read_wish)?;
    let wish = wish.ok_or(Error::NoField("action"))?;
    let name = form::field(&fields, "name")?;
    match grant(&call, &session.account, name, wish).await {
        Ok((other, standing)) => Ok(done(&call, "/chat", || {
            let name = other.name.as_str();
            reply::json(StatusCode::OK, &Stands { name, standing })
        })),
        Err(error) if is_browser(&call) => {
            page(&call, &session, error.status(), &error.to_string()).await
        }
        Err(error) => Err(error),
    }
}

async fn grant(
    call: &Call<'_>,
    me: &Account,
    name: &str,
    wish: FriendAction,
) -> Result<(Account, Option<&'static str>), Error> {
    let chat = &call.app.chat;
    let nobody = || Error::Nobody(name.to_owned());
    let name = AccountName::new(name)?;
    let (other, _) = chat.database.find(&name).await?.ok_or_else(nobody)?;
    chat.wish(me, &other, wish).await??;
    let friend = chat.database.standing(me.id, other.id).await?;
    let standing = friend.map(|friend| friend.standing.as_str());
    Ok((other, standing))
}

fn read_wish(text: &str) -> Result<FriendAction, String> {
    match text {
        "ask" => Ok(FriendAction::Ask),
        "accept" => Ok(FriendAction::Accept),
        "decline" => Ok(FriendAction::Decline),
        "remove" => Ok(FriendAction::Remove),
        _ => Err("is none of ask, accept, decline, remove".to_owned()),
    }
}
