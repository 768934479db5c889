//! `/docs/`: the pages of the docs, each as a page and as the file that it is made of.

use std::borrow::Cow;

use bytes::Bytes;
use hyper::Response;

use super::Call;
use super::cacheable::{self, Freshness};
use super::error::Error;
use super::reply::{self, Body};
use crate::pages::{self, Doc};
use crate::translation::Language;
use crate::wire;

/// The path of the page that leads to the others.
const PATH: &str = "/docs/";

/// The page of a name; with `.md` at its end, the file. Without the slash at the end of the path, the way to
/// the page that leads to the others.
pub(super) async fn show(call: Call<'_>) -> Result<Response<Body>, Error> {
    if !call.head.uri.path().starts_with(PATH) {
        return Ok(reply::moved(PATH));
    }
    let name = call.rest.strip_suffix(".md");
    let found = pages::doc(name.unwrap_or(&call.rest));
    let doc = found.ok_or_else(|| Error::NotFound(call.head.uri.path().to_owned()))?;
    Ok(match name {
        Some(_) => file(&call, doc),
        None => page(&call, doc).await,
    })
}

async fn page(call: &Call<'_>, doc: &Doc) -> Response<Body> {
    let title = wire::escape_html(doc.title);
    let text = in_page(doc.html, call.language);
    let values = [("title", &*title), ("name", doc.name), ("text", &text)];
    let page = call.page_at(PATH, "docs.html", &values).await;
    cacheable::page(call, page, Freshness::Asked)
}

/// The text of the docs, which is English, in a page of a language.
fn in_page(text: &str, language: Language) -> Cow<'_, str> {
    if language == Language::English {
        return text.into();
    }
    let (note, tag) = (
        language.sentence("The docs are in English."),
        Language::English.tag(),
    );
    format!("<p class=\"muted\">{note}</p>\n<div lang=\"{tag}\">\n{text}</div>").into()
}

fn file(call: &Call<'_>, doc: &Doc) -> Response<Body> {
    let bytes = Bytes::from_static(doc.markdown.as_bytes());
    let answer = reply::file("text/markdown; charset=utf-8", bytes.clone());
    cacheable::respond(call, answer, &bytes, Freshness::Asked)
}
