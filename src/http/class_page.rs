//! `/?class=1`: the home page for a class, in large type: the address as a QR code, who is there, and what
//! everybody says.

use hyper::Response;

use super::cacheable::{self, Freshness};
use super::error::Error;
use super::reply::{self, Body};
use super::{Call, browser, form, log_page};
use crate::authority::HostName;
use crate::limits;
use crate::message::{Channel, Cursor};
use crate::pages;
use crate::translation::Language;

/// The address of the page.
const PATH: &str = "/?class=1";

/// What is said where nobody else can come.
const ALONE: &str = "Only this machine reaches this address. For a class, start the server with \
                     <code>--listen 0.0.0.0:8080 --access open</code>.";

/// Whether the home page is asked for as that of a class.
pub(super) fn is_asked(call: &Call<'_>) -> bool {
    let fields = form::fields(call.query()).unwrap_or_default();
    form::last(&fields, "class") == Some("1")
}

/// The page. `since=now` leads to one that begins here, also when it is loaded again: that clears it.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    let fields = form::fields(call.query())?;
    let since = match form::last(&fields, "since") {
        Some("now") => {
            let (_, last) = call.app.log.bounds();
            let cursor = call.app.log.cursor(last);
            return Ok(reply::see_other(&format!("{PATH}&since={cursor}")));
        }
        since => since.and_then(|since| since.parse::<Cursor>().ok()),
    };
    let usual = || format!("-{}", limits::CLASS_MESSAGES);
    let since = since.map_or_else(usual, |cursor| cursor.to_string());
    let address = address(&call);
    let watching = if call.may_read(&Channel::main()) {
        let followers = log_page::followers(&call, &Channel::main()).await?;
        call.language.sentence(&in_words(followers))
    } else {
        String::new()
    };
    let (notice, address) = match address {
        Some(address) => (String::new(), address),
        None => (alone(call.language), browser::origin(&call)),
    };
    let qr = pages::qr_code(&address).unwrap_or_default();
    let values = [
        ("address", &*address),
        // As people type it.
        ("shown", address.trim_start_matches("http://")),
        ("notice", &notice),
        ("qr", &qr),
        ("since", &since),
        ("watching", &watching),
    ];
    let page = call.page("class.html", &values).await;
    Ok(cacheable::page(&call, page, Freshness::Asked))
}

/// The address under which others come here: the one that was asked for, unless only this machine knows it.
fn address(call: &Call<'_>) -> Option<String> {
    let asked = browser::asked(call);
    let is_here = asked.as_ref().is_none_or(|asked| match &asked.host {
        HostName::Ip(ip) => ip.is_loopback(),
        HostName::Name(_) => asked.host.is_localhost(),
    });
    if !is_here {
        return Some(browser::origin(call));
    }
    let ip = (call.app.own_address)()?;
    let scheme = if call.is_secure() { "https" } else { "http" };
    let port = asked.and_then(|asked| asked.port);
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let base_path = call.app.pages.base_path();
    Some(format!("{scheme}://{}{port}{base_path}", HostName::Ip(ip)))
}

/// The notice where nobody else can come. It has an element in it.
fn alone(language: Language) -> String {
    let text = language.translate(ALONE);
    let text = text.unwrap_or_else(|| ALONE.to_owned());
    format!("<p class=\"notice\">{text}</p>\n")
}

/// How many watch, in words.
fn in_words(followers: usize) -> String {
    match followers {
        0 => "Nobody is watching yet".to_owned(),
        1 => "1 is watching".to_owned(),
        many => format!("{many} are watching"),
    }
}
