//! `/sender`: each load of the page appends the date to `main`, and shows the log. A page of another
//! origin that leads its reader here by a link appends nothing.

use hyper::{Response, StatusCode};

use super::error::Error;
use super::reply::{self, Body};
use super::stream::StreamSpec;
use super::{Call, body, form};
use crate::follow::EndAt;
use crate::limits;
use crate::log::Since;
use crate::message::{Channel, Cursor, Draft, Seq};
use crate::pages::HtmlPage;

/// `GET`: appends the date and shows the log. After a `POST` it shows the log with what was sent, and
/// appends nothing.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    let app = call.app;
    if call.is_head() {
        let page = HtmlPage::empty(call.language);
        return Ok(reply::page(StatusCode::OK, page));
    }
    let (_, last) = app.log.bounds();
    if !call.may_act() {
        // A link from elsewhere says nothing of what its user wants.
        let notice = "You came here from another site, so nothing was appended yet.";
        return page(&call, last, notice).await;
    }
    let fields = form::fields(call.query())?;
    let sent = form::last(&fields, "sent").and_then(|sent| sent.parse::<Cursor>().ok());
    if let Some(cursor) = sent {
        let is_own = cursor.epoch == *app.log.epoch() && cursor.seq <= last;
        let notice = if is_own {
            format!("Appended your message; its seq is {}.", cursor.seq)
        } else {
            String::new()
        };
        return page(&call, last, &notice).await;
    }
    let line = format!(
        "new date: {}",
        jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S")
    );
    let receipt = app
        .log
        .append(Draft::new(Channel::main(), line.as_str()))
        .await?;
    page(&call, receipt.seq, &format!("Appended “{line}”.")).await
}

/// `POST`: appends a message, and redirects to a page that can be reloaded without appending it again.
pub(super) async fn send(mut call: Call<'_>) -> Result<Response<Body>, Error> {
    let max = call.app.max_message;
    let fields = body::fields(&mut call, max * limits::FORM_ENCODING_FACTOR + "msg=".len()).await?;
    call.check_right()?;
    let msg = form::field(&fields, "msg")?;
    let data = body::message(msg.into(), max)?;
    let message = call
        .app
        .log
        .append(Draft::new(Channel::main(), data))
        .await?;
    let location = format!("/sender?sent={}", call.app.log.cursor(message.seq));
    Ok(reply::see_other(&location))
}

/// The page with the log up to the seq `until`. It is streamed, because the log may be large.
async fn page(call: &Call<'_>, until: Seq, notice: &str) -> Result<Response<Body>, Error> {
    let notice = call.language.sentence(notice);
    let page = call.page("sender.html", &[("notice", &notice)]).await;
    // Whoever may only write is not shown what others wrote.
    let since = if call.may_read(&Channel::main()) {
        Since::Last(limits::SENDER_MESSAGES)
    } else {
        Since::Now
    };
    let mut spec = StreamSpec::in_page(&call.app.log, since, page);
    let ends = spec.options.ends_mut();
    (ends.until, ends.is_page) = (Some(EndAt::Seq(until)), true);
    spec.respond(call).await
}
