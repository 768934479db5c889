//! `/`, the pages that are the same for every browser, and the files that pages load.

use bytes::Bytes;
use hyper::Response;

use super::cacheable::{self, Freshness};
use super::error::Error;
use super::reply::{self, Body};
use super::{Call, browser, class_page};
use crate::translation::Language;
use crate::{pages, wire};

/// The home page: what this server is, and the commands to try, with the address to copy.
pub(super) async fn home(call: Call<'_>) -> Result<Response<Body>, Error> {
    if class_page::is_asked(&call) {
        return Box::pin(class_page::show(call)).await;
    }
    let origin = browser::origin(&call);
    let server = match &call.app.server_name {
        Some(name) => {
            let name = name.to_str().unwrap_or_default();
            let template = call.template("shared.html").await;
            template.fill(&[("name", name)])
        }
        None => String::new(),
    };
    let values = [("origin", &*origin), ("server", &server)];
    let mut page = call.page("index.html", &values).await;
    page.before = call.app.without_closed_links(&page.before);
    Ok(cacheable::page(&call, page, Freshness::Asked))
}

/// A page that is the same for every browser.
pub(super) async fn show(call: Call<'_>, name: &'static str) -> Result<Response<Body>, Error> {
    let origin = browser::origin(&call);
    let page = call.page(name, &[("origin", &origin)]).await;
    Ok(cacheable::page(&call, page, Freshness::Asked))
}

/// The page `/wire`, with a recorded stream for those without scripts, and an example from its file.
pub(super) async fn wire(call: Call<'_>) -> Result<Response<Body>, Error> {
    let example = wire::escape_html(include_str!("../../scripts/examples/sixty_lines.rs"));
    let recorded = call.template("wire-recorded.html").await;
    let values = [("example", &*example), ("recorded", &recorded.fill(&[]))];
    let page = call.page("wire.html", &values).await;
    Ok(cacheable::page(&call, page, Freshness::Asked))
}

/// The page of the docs that follows a channel, as a browser gets it from here: its address is that of this server.
/// It is a file to copy, so it is English as the docs are.
pub(super) async fn example(call: Call<'_>) -> Result<Response<Body>, Error> {
    let pages = &call.app.pages;
    let template = pages.template(Language::English, "example.html").await;
    let file = template.fill(&[("origin", &browser::origin(&call))]);
    Ok(file_of_html(&call, &file.into()))
}

/// A file of `pages/` that pages load, by the name in the path.
pub(super) async fn file(call: Call<'_>) -> Result<Response<Body>, Error> {
    let name = call.rest.clone();
    let file = read(&call, &name).await?;
    let content_type = pages::content_type(&name);
    if content_type.starts_with("text/html") {
        return Ok(file_of_html(&call, &file));
    }
    let answer = reply::file(content_type, file.clone());
    Ok(cacheable::respond(&call, answer, &file, Freshness::Asked))
}

/// A built-in file, under the revision of them all. An older page, or one of another server, names
/// another revision and gets the file as it is.
pub(super) async fn revised_file(call: Call<'_>) -> Result<Response<Body>, Error> {
    let not_found = || Error::NotFound(call.head.uri.path().to_owned());
    let (revision, name) = call.rest.split_once('/').ok_or_else(not_found)?;
    let file = read(&call, name).await?;
    let freshness = if call.app.pages.is_revision(revision) {
        Freshness::Forever
    } else {
        Freshness::Asked
    };
    let answer = reply::file(pages::content_type(name), file.clone());
    Ok(cacheable::respond(&call, answer, &file, freshness))
}

/// A file of HTML as its author wrote it: the scripts that stand in it may run.
fn file_of_html(call: &Call<'_>, file: &Bytes) -> Response<Body> {
    let mut answer = reply::file("text/html; charset=utf-8", file.clone());
    let sources = pages::sources_of_inline_scripts(&String::from_utf8_lossy(file));
    reply::allow_scripts(&mut answer, &sources);
    cacheable::respond(call, answer, file, Freshness::Asked)
}

/// Reads a file of `pages/` that is served by its name. One of the directory of `--pages` has its memory
/// reserved.
async fn read(call: &Call<'_>, name: &str) -> Result<Bytes, Error> {
    let pages = &call.app.pages;
    let reserved = match pages.size(name).await {
        Some(size) => Some(call.reserve_answer(size).await?),
        None => None,
    };
    let mut file = pages
        .public_file(name)
        .await
        .ok_or_else(|| Error::NotFound(call.head.uri.path().to_owned()))?;
    if let Some(reserved) = reserved {
        if file.len() > reserved.amount() {
            // It has been written to meanwhile.
            return Err(Error::NoAnswerMemory);
        }
        file = reserved.cover(file);
    }
    Ok(file)
}
