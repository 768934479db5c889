//! `/`, the pages that are the same for every browser, and the files that pages load.

use hyper::{Response, StatusCode};

use super::error::Error;
use super::reply::{self, Body};
use super::{Call, browser};
use crate::pages;

/// The home page: what this server is, and the commands to try, with the address to copy.
pub(super) async fn home(call: Call<'_>) -> Result<Response<Body>, Error> {
    let origin = browser::origin(&call);
    let page = call.page("index.html", &[("origin", &origin)]).await;
    Ok(reply::html(StatusCode::OK, page.before))
}

/// A page that is the same for every browser.
pub(super) async fn show(call: Call<'_>, name: &'static str) -> Result<Response<Body>, Error> {
    let page = call.page(name, &[]).await;
    Ok(reply::html(StatusCode::OK, page.before))
}

/// A file of `pages/` that pages load, by the name in the path.
pub(super) async fn file(call: Call<'_>) -> Result<Response<Body>, Error> {
    let (pages, name) = (&call.app.pages, &*call.rest);
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
    Ok(reply::file(pages::content_type(name), file))
}
