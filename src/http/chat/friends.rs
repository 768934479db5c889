//! Friends: their page, their list, and friend requests.

use hyper::{Response, StatusCode};
use serde::Serialize;

use super::{done, is_browser, view};
use crate::chat::{Account, Contact, FriendAction, Overview, Session, Standing};
use crate::http::error::Error;
use crate::http::reply::{self, Body};
use crate::http::{Call, body, form, params};
use crate::limits;
use crate::log::Log;

/// `/chat`: the page of the friends, with no conversation open.
pub(super) async fn home(call: Call<'_>, session: Session) -> Result<Response<Body>, Error> {
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
    Ok(reply::page(status, page))
}

/// What the page shows of the friends, as JSON.
#[derive(Serialize)]
struct OverviewObject<'a> {
    me: &'a str,
    since: String,
    presence: String,
    friends: Vec<ContactObject<'a>>,
}

#[derive(Serialize)]
struct ContactObject<'a> {
    name: &'a str,
    standing: &'static str,
    online: bool,
    unread: usize,
    /// The cursor up to which the friend has read the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
}

impl<'a> ContactObject<'a> {
    fn new(contact: &'a Contact, log: &Log) -> ContactObject<'a> {
        let is_friend = contact.friend.standing == Standing::Friend;
        ContactObject {
            name: contact.friend.account.name.as_str(),
            standing: contact.friend.standing.as_str(),
            online: contact.online,
            unread: contact.unread,
            seen: is_friend.then(|| log.cursor(contact.friend.seen_through).to_string()),
        }
    }
}

/// `GET /chat/friends`: the overview of the account, as JSON.
pub(super) async fn list(call: Call<'_>, session: Session) -> Result<Response<Body>, Error> {
    let Overview {
        since,
        presence,
        friends,
    } = call.app.chat.overview(&session.account).await?;
    let log = call.app.chat.log();
    let overview = OverviewObject {
        me: session.account.name.as_str(),
        since: since.to_string(),
        presence: presence.to_string(),
        friends: friends
            .iter()
            .map(|contact| ContactObject::new(contact, log))
            .collect(),
    };
    Ok(reply::json(StatusCode::OK, &overview))
}

/// How another account stands to the client's now, as JSON.
#[derive(Serialize)]
struct StandingObject<'a> {
    name: &'a str,
    standing: Option<&'static str>,
}

/// `POST /chat/friends`: sends, accepts or declines a friend request, ends a friendship, or blocks an
/// account.
pub(super) async fn act(mut call: Call<'_>, session: Session) -> Result<Response<Body>, Error> {
    let fields = body::fields(&mut call, limits::FORM_BYTES_MAX).await?;
    let action = params::parse("action", form::last(&fields, "action"), parse_action)?;
    let action = action.ok_or(Error::NoField("action"))?;
    let name = form::field(&fields, "name")?;
    match act_on(&call, &session, name, action).await {
        Ok((other, standing)) => Ok(done(&call, "/chat", || {
            let name = other.name.as_str();
            reply::json(StatusCode::OK, &StandingObject { name, standing })
        })),
        Err(error) if is_browser(&call) => {
            let page = page(&call, &session, error.status(), &error.to_string()).await;
            page.map(|mut page| {
                page.headers_mut().extend(error.header());
                page
            })
        }
        Err(error) => Err(error),
    }
}

/// Does a friend action; returns the other account, and how it stands to the client's now.
async fn act_on(
    call: &Call<'_>,
    session: &Session,
    name: &str,
    action: FriendAction,
) -> Result<(Account, Option<&'static str>), Error> {
    let chat = &call.app.chat;
    let other = chat.account_named(name).await?;
    chat.act(session, &other, action).await??;
    let friend = chat.standing(&session.account, &other).await?;
    let standing = friend.map(|friend| friend.standing.as_str());
    Ok((other, standing))
}

fn parse_action(text: &str) -> Result<FriendAction, String> {
    match text {
        "ask" => Ok(FriendAction::Ask),
        "accept" => Ok(FriendAction::Accept),
        "decline" => Ok(FriendAction::Decline),
        "remove" => Ok(FriendAction::Remove),
        "block" => Ok(FriendAction::Block),
        "unblock" => Ok(FriendAction::Unblock),
        _ => Err("must be one of ask, accept, decline, remove, block, unblock".to_owned()),
    }
}
