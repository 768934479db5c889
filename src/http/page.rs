//! `/` and the files that pages need.

use hyper::{Response, StatusCode};

use super::error::Error;
use super::reply::{self, Body};
use super::{Call, browser};
use crate::pages;

/// What this is, and what to type.
pub(super) async fn home(call: Call<'_>) -> Result<Response<Body>, Error> {
    let origin = browser::origin(&call.head.headers);
    let page = call.page("index.html", &[("origin", &origin)]).await;
    Ok(reply::html(StatusCode::OK, page.before))
}

/// A page that is the same for all.
pub(super) async fn show(call: Call<'_>, name: &'static str) -> Result<Response<Body>, Error> {
    let page = call.page(name, &[]).await;
    Ok(reply::html(StatusCode::OK, page.before))
}

/// A file of `pages/`.
pub(super) async fn file(call: Call<'_>) -> Result<Response<Body>, Error> {
    let file = call.app.pages.file(&call.rest).await;
    let file = file.ok_or_else(|| Error::NotFound(call.head.uri.path().to_owned()))?;
    Ok(reply::full(
        StatusCode::OK,
        pages::content_type(&call.rest),
        file,
    ))
}
