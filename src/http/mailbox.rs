//! `/mailbox`: the page, and `POST` of `action=send` and `action=receive`, as a form or in the
//! query.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Response, StatusCode};
use serde::Serialize;

use super::error::Error;
use super::params::{self, ParamError};
use super::reply::{self, Body};
use super::{Call, body, browser, client, form};
use crate::limits;
use crate::mailbox::{AckError, Answer, Letter, Mailbox, MailboxName, Missed};
use crate::message::{Cursor, ParseCursorError};

/// The page.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    let origin = browser::origin(&call.head.headers);
    let page = call.page("mailbox.html", &[("origin", &origin)]).await;
    Ok(reply::html(StatusCode::OK, page.before))
}

/// Does what `action` says.
pub(super) async fn act(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let fields = Fields::read(&mut call).await?;
    match fields.get("action") {
        Some("send") => send(&call, &fields).await,
        Some("receive") => {
            let wanted = ReceiveRequest::read(&fields)?;
            // It may wait for long, and needs no memory for that.
            drop(fields);
            receive(&call, wanted).await
        }
        Some(other) => Err(ParamError::new("action", other, "is neither send nor receive").into()),
        None => Err(Error::NoField("action")),
    }
}

/// What the form and the query say. Where both say it, the form counts.
struct Fields(Vec<(String, String)>);

impl Fields {
    async fn read(call: &mut Call<'_>) -> Result<Fields, Error> {
        let most = call.app.max_message * limits::FORM_FACTOR + limits::MAILBOX_FORM;
        let mut fields = form::fields(call.query())?;
        fields.extend(body::fields(call, most).await?);
        Ok(Fields(fields))
    }

    fn get(&self, name: &str) -> Option<&str> {
        form::last(&self.0, name)
    }

    /// A field that must be there.
    fn needed<T>(
        &self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        params::parse(name, self.get(name), read)?.ok_or(Error::NoField(name))
    }

    fn name(&self, field: &'static str) -> Result<MailboxName, Error> {
        self.needed(field, |text| {
            MailboxName::new(text).map_err(|why| why.to_string())
        })
    }
}

async fn send(call: &Call<'_>, fields: &Fields) -> Result<Response<Body>, Error> {
    let (me, to) = (fields.name("me")?, fields.name("toUserName")?);
    let text = fields.needed("msg", |text| match text {
        "" => Err("is empty".to_owned()),
        text => Ok(text.to_owned()),
    })?;
    if text.len() > call.app.max_message {
        return Err(Error::TooLarge(call.app.max_message));
    }
    call.app.mailboxes.send(&me, &to, &text).await?;
    Ok(reply::json(StatusCode::OK, &MailboxAnswer::status("ok")))
}

/// What somebody asks for.
struct ReceiveRequest {
    me: MailboxName,
    wait: Option<Duration>,
    proof: AckMode,
}

/// How it becomes known that a letter has come.
enum AckMode {
    /// The connection shows it.
    Connection,
    /// The client says so with its next request (`ack`). It says here what it got before, if it
    /// got anything.
    Ack(Option<Cursor>),
}

impl ReceiveRequest {
    fn read(fields: &Fields) -> Result<ReceiveRequest, Error> {
        let ack = |text: &str| match text {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|why: ParseCursorError| why.to_string()),
        };
        Ok(ReceiveRequest {
            me: fields.name("me")?,
            wait: params::parse("wait", fields.get("wait"), params::wait)?,
            proof: params::parse("ack", fields.get("ack"), ack)?
                .map_or(AckMode::Connection, AckMode::Ack),
        })
    }
}

async fn receive(call: &Call<'_>, wanted: ReceiveRequest) -> Result<Response<Body>, Error> {
    let app = call.app;
    let mailbox = app.mailboxes.open(&wanted.me);
    if let AckMode::Ack(Some(id)) = &wanted.proof {
        acknowledge(&mailbox, id).await?;
    }
    // What this client got before and has not acknowledged by now is for the next who asks.
    let client = client::of_mailbox(&call.head.headers, wanted.me.as_str());
    call.connection.on_receive(client);
    call.connection.release_lease();
    // No letter is handed out while nobody could note that it was received.
    app.log.health()?;
    let answer = tokio::select! {
        biased;
        () = app.drain.begun() => return Err(Error::Stopping),
        answer = mailbox.receive(wanted.wait) => answer?,
    };
    let response = reply::json(StatusCode::OK, &MailboxAnswer::answer(&answer));
    match (answer.handed, wanted.proof) {
        (None, _) => {}
        (Some(letter), AckMode::Ack(_)) if answer.letter.is_some() => {
            call.connection.hold_lease(Box::new(letter));
        }
        (Some(handed), _) => {
            let on_delivered = Box::new(move || handed.received());
            call.connection.add_delivery(client, on_delivered);
        }
    }
    Ok(response)
}

async fn acknowledge(mailbox: &Arc<Mailbox>, id: &Cursor) -> Result<(), Error> {
    mailbox.acknowledge(id).await.map_err(|bad| match bad {
        AckError::Store(error) => error.into(),
        AckError::NotHere => ParamError::new("ack", &id.to_string(), bad.to_string()).into(),
    })
}

/// What an answer says, in the words of the page that this was made for.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MailboxAnswer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(flatten)]
    letter: Option<LetterObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<Missed>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LetterObject<'a> {
    from_user_name: &'a str,
    msg: &'a str,
    id: String,
}

impl MailboxAnswer<'_> {
    fn status(status: &'static str) -> MailboxAnswer<'static> {
        MailboxAnswer {
            status: Some(status),
            ..MailboxAnswer::default()
        }
    }

    fn answer(answer: &Answer) -> MailboxAnswer<'_> {
        let letter = answer.letter.as_ref();
        MailboxAnswer {
            status: letter.is_none().then_some("empty"),
            letter: letter.map(LetterObject::new),
            missed: answer.missed,
        }
    }
}

impl LetterObject<'_> {
    fn new(letter: &Letter) -> LetterObject<'_> {
        LetterObject {
            from_user_name: &letter.from,
            msg: &letter.text,
            id: letter.id.to_string(),
        }
    }
}
