//! The page that lists the channels, in Chromium.

use crate::helpers::browser::Browser;
use crate::support::client::{append, post};
use crate::support::{TestServer, eventually};

/// The page shows the last message of each channel, as it comes, and how many follow; a channel that
/// comes later gets its place.
#[tokio::test]
async fn channels_page_is_live() {
    let server = TestServer::start();
    let addr = server.addr;
    for (channel, text) in [("b", "one"), ("d", "two")] {
        append(addr, channel, text).await;
    }
    let browser = Browser::start().await;
    browser.open(addr, "/c/").await;
    let rows = async || {
        let rows = browser
            .execute(
                "return [...document.querySelectorAll('.channels tbody tr')].map(row => \
                 [...row.cells].filter(cell => cell.className !== 'time').map(cell => cell.textContent.trim()).join(' '))",
            )
            .await;
        serde_json::from_value::<Vec<String>>(rows).unwrap()
    };
    let shows = async |expected: &[&str]| {
        eventually(&format!("{expected:?}"), async || {
            let rows = rows().await;
            (rows == expected).then_some(()).ok_or(format!("{rows:?}"))
        })
        .await;
    };
    // The page itself follows them all.
    shows(&["b one 1 1", "d two 1 1"]).await;
    append(addr, "c", "\x1b[31mthree\x1b[m").await;
    append(addr, "b", "<i>four</i>").await;
    shows(&["b <i>four</i> 2 1", "c three 1 1", "d two 1 1"]).await;
    let closed = post(addr, "/c/d?close=1", "bye").await;
    assert_eq!(closed.status, 201);
    shows(&["b <i>four</i> 2 1", "c three 1 1", "d closed bye 2 1"]).await;
    post(addr, "/c/b?close=1", "").await;
    append(addr, "d", "again").await;
    shows(&["b closed <i>four</i> 2 1", "c three 1 1", "d again 3 1"]).await;
    assert_eq!(browser.count(".channels .last .fg1").await, 1);
    let is_colored = browser
        .execute(
            "const color = element => getComputedStyle(element).color; \
             const red = document.querySelector('.channels .fg1'); \
             return color(red) !== color(red.parentElement)",
        )
        .await;
    assert_eq!(is_colored, true);
    browser.close().await;
    server.stop().await;
}
