//! `/mailbox`: its page, and `POST` with `action=send` or `action=receive`, as a form or in the
//! query.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::body::FormFields;
use super::cacheable::{self, Freshness};
use super::error::{Error, ParamError};
use super::negotiate::{self, Form};
use super::params;
use super::query::{self, Query};
use super::reply::{self, Body};
use super::{Call, answer_memory, body, browser, client, form};
use crate::connection::Client;
use crate::limits;
use crate::mailbox::{AckError, Answer, Letter, Mailbox, MailboxName, Missed};
use crate::message::{Cursor, ParseCursorError};
use crate::wire::escape_html;

/// Answers a GET with the mailbox page. What a form of a browser without scripts has sent stands in the
/// query.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    let fields = form::fields(call.query()).unwrap_or_default();
    let given = |name| form::last(&fields, name).unwrap_or_default();
    let (me, to) = (escape_html(given("me")), escape_html(given("to")));
    let notice = match form::last(&fields, "sent") {
        Some(_) => call.language.sentence(&format!("Sent to {}.", given("to"))),
        None => String::new(),
    };
    let origin = browser::origin(&call);
    let values = [
        ("origin", &*origin),
        ("me", &me),
        ("to", &to),
        ("notice", &notice),
        ("ack", ""),
    ];
    let page = call.page("mailbox.html", &values).await;
    Ok(cacheable::page(&call, page, Freshness::Asked))
}

/// Whether a browser without scripts has sent the form, which shows the answer as a page.
fn is_of_form(call: &Call<'_>) -> bool {
    negotiate::error_form(&call.head) == Form::Html
}

/// The page of an answer, from which the next letter can be asked for, and this one is acknowledged then.
async fn letter_page(call: &Call<'_>, me: &MailboxName, answer: &Answer) -> Response<Body> {
    let say = |english| call.language.sentence(english);
    let (letter, ack) = match &answer.letter {
        Some(letter) => {
            let (from, text) = (escape_html(&letter.from), escape_html(&letter.text));
            let shown = format!(
                "<p class=\"letter\"><b dir=\"auto\">{from}</b> <span dir=\"auto\">{text}</span></p>\n"
            );
            (shown, letter.id.to_string())
        }
        None => (
            format!("<p>{}</p>\n", say("No message has come yet.")),
            String::new(),
        ),
    };
    let missed = match answer.missed {
        Some(_) => {
            let expired = say("Some messages expired before anyone received them.");
            format!("<p class=\"problem\">{expired}</p>\n")
        }
        None => String::new(),
    };
    let letter = format!("{missed}{letter}");
    let me = escape_html(me.as_str());
    let values = [("letter", &*letter), ("me", &me), ("ack", &ack)];
    let page = call.page("mailbox-letter.html", &values).await;
    reply::page(StatusCode::OK, page)
}

/// Answers a POST: sends or receives a letter, as the field `action` says.
pub(super) async fn act(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let fields = Fields::read(&mut call).await?;
    match fields.get("action") {
        Some("send") => send(&call, &fields).await,
        Some("receive") => {
            let request = ReceiveRequest::read(&fields)?;
            // The request may wait for long, and needs no memory for the form meanwhile.
            drop(fields);
            receive(&call, request).await
        }
        Some(other) => Err(ParamError::new("action", other, "is neither send nor receive").into()),
        None => Err(Error::NoField("action")),
    }
}

/// The fields of the query and of the form. If both have a field, the form's counts.
struct Fields {
    form: FormFields,
    query: Query,
}

impl Fields {
    /// Reads the query and the body of a request.
    async fn read(call: &mut Call<'_>) -> Result<Fields, Error> {
        let max =
            call.app.max_message * limits::FORM_ENCODING_FACTOR + limits::MAILBOX_FORM_BYTES_MAX;
        let query = Query::read(call.query(), &[query::MAILBOX, call.page_params()])?;
        let form = body::fields(call, max).await?;
        query::check_names(form.iter().map(|(name, _)| name.as_str()), query::MAILBOX)?;
        Ok(Fields { form, query })
    }

    /// Returns the value of a field; `None` if the request does not have the field.
    fn get(&self, name: &str) -> Option<&str> {
        form::last(&self.form, name).or_else(|| self.query.get(name))
    }

    /// Reads a field that the request must have.
    fn required<T>(
        &self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        params::parse(name, self.get(name), read)?.ok_or(Error::NoField(name))
    }

    /// Reads a required field that is a mailbox's name.
    fn name(&self, field: &'static str) -> Result<MailboxName, Error> {
        self.required(field, |text| {
            MailboxName::new(text).map_err(|why| why.to_string())
        })
    }
}

/// Sends the letter that the form has.
async fn send(call: &Call<'_>, fields: &Fields) -> Result<Response<Body>, Error> {
    let (me, to) = (fields.name("me")?, fields.name("toUserName")?);
    let text = fields.required("msg", |text| match text {
        "" => Err("is empty".to_owned()),
        text => Ok(text.to_owned()),
    })?;
    if text.len() > call.app.max_message {
        return Err(Error::TooLarge(call.app.max_message));
    }
    call.app.mailboxes.send(&me, &to, &text).await?;
    if is_of_form(call) {
        let encode =
            |name: &MailboxName| utf8_percent_encode(name.as_str(), NON_ALPHANUMERIC).to_string();
        let location = format!("/mailbox?me={}&to={}&sent=1", encode(&me), encode(&to));
        return Ok(reply::see_other(&location));
    }
    Ok(reply::json(StatusCode::OK, &MailboxAnswer::status("ok")))
}

/// A receiver's request for a letter.
struct ReceiveRequest {
    me: MailboxName,
    /// How long to wait for a letter; `None` waits without a limit.
    wait: Option<Duration>,
    ack_mode: AckMode,
}

/// How the server learns that a letter has arrived.
enum AckMode {
    /// The request has no field `ack`: the connection proves receipt.
    Implicit,
    /// The request has a field `ack`: the receiver acknowledges each letter by its id, in a later
    /// request. Here is the id that this request acknowledges, if it has one.
    Explicit(Option<Cursor>),
}

impl ReceiveRequest {
    /// Reads the request's fields `me`, `wait` and `ack`.
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
            ack_mode: params::parse("ack", fields.get("ack"), ack)?
                .map_or(AckMode::Implicit, AckMode::Explicit),
        })
    }
}

/// Waits for a letter, and gives its delivery to the connection that the answer goes to.
async fn receive(call: &Call<'_>, request: ReceiveRequest) -> Result<Response<Body>, Error> {
    let app = call.app;
    let mailbox = app.mailboxes.open(&request.me);
    if let AckMode::Explicit(Some(id)) = &request.ack_mode {
        acknowledge(&mailbox, id).await?;
    }
    // This request may prove that the client has what this connection delivered before.
    let client = client::of_mailbox(&call.head, request.me.as_str());
    call.connection.on_receive(client);
    // A letter that this connection got before and that is not acknowledged by now returns to its
    // mailbox.
    call.connection.release_lease();
    // No letter is delivered while its acknowledgement could not be written to the log.
    app.log.health()?;
    let answer = tokio::select! {
        biased;
        () = app.drain.begun() => return Err(Error::Stopping),
        answer = mailbox.receive(request.wait) => answer?,
        // A client that sends nothing more may have left, and a letter that is sent to it would come back.
        () = call.connection.half_closed() => {
            return Ok(reply::json(StatusCode::OK, &MailboxAnswer::status("empty")));
        }
    };
    let response = if is_of_form(call) {
        letter_page(call, &request.me, &answer).await
    } else {
        reply::json(StatusCode::OK, &MailboxAnswer::answer(&answer))
    };
    // Without memory the answer is an error, and the letter returns to its mailbox.
    let response = answer_memory::cover(response, &call.answer_share())?;
    // A number of missed letters has no id: in either mode the connection proves that it arrived.
    match (answer.delivery, request.ack_mode) {
        (None, _) => {}
        (Some(delivery), AckMode::Explicit(_)) if answer.letter.is_some() => {
            call.connection.hold_lease(Box::new(delivery));
        }
        (Some(delivery), _) => {
            // A proxy that mixes the requests of its clients could return the same letter for ever,
            // and no other would be delivered. So that happens to a letter once.
            let client = if delivery.is_redelivery() {
                Client::Direct
            } else {
                client
            };
            let on_delivered = Box::new(move || delivery.acknowledge());
            call.connection.add_delivery(client, on_delivered);
        }
    }
    Ok(response)
}

/// Acknowledges the letter that the request's field `ack` names.
async fn acknowledge(mailbox: &Arc<Mailbox>, id: &Cursor) -> Result<(), Error> {
    mailbox.acknowledge(id).await.map_err(|error| match error {
        AckError::Store(error) => error.into(),
        AckError::NoSuchLetter => ParamError::new("ack", &id.to_string(), error.to_string()).into(),
    })
}

/// The JSON object of an answer. Its fields have the names that the mailbox's first page expected.
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

/// The fields of a letter in the JSON object of an answer.
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
