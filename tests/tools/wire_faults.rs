//! What becomes of the panels of `/wire` where something between the server and them breaks.

use crate::helpers::browser::Browser;
use crate::support::TestServer;
use crate::support::client::post;
use crate::wire_page::{open, press, send, shows};
use crate::wire_view::click;

/// A proxy that holds bytes lets a long poll through, and nothing else; what it held comes later.
#[tokio::test]
async fn wire_proxy_that_holds() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    send(&browser, "one").await;
    shows(&browser, "sse", &["one"]).await;
    click(&browser, "#faults summary").await;
    click(&browser, "#faults [value=hold]").await;
    send(&browser, "two").await;
    shows(&browser, "json", &["one", "two"]).await;
    for panel in ["html", "script", "sse", "ndjson"] {
        shows(&browser, panel, &["one"]).await;
        let seen = format!("#broken tr[data-as={panel}] td:last-child");
        browser
            .read(&seen, "that it waits", |text| {
                text.contains("1 message missing here")
            })
            .await;
    }
    click(&browser, "#faults [value=hold]").await;
    for panel in ["html", "script", "sse", "ndjson"] {
        shows(&browser, panel, &["one", "two"]).await;
    }
    // 4 KiB are passed on.
    click(&browser, "#faults [value=hold]").await;
    let long = "x".repeat(5000);
    post(server.addr, "/c/wire", &long).await;
    browser
        .read("#panel-sse .cursor", "what was long enough", |text| {
            text.ends_with("-3")
        })
        .await;
    browser.close().await;
    server.stop().await;
}

/// Behind a proxy that answers 503, an event stream stops for good, and the others come back.
#[tokio::test]
async fn wire_answers_of_503() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    click(&browser, "#faults summary").await;
    click(&browser, "#faults [value=refuse]").await;
    for (panel, state) in [
        ("sse", "ended"),
        ("html", "ended"),
        ("ndjson", "broken"),
        ("json", "broken"),
    ] {
        browser
            .find(&format!("#panel-{panel}[data-state={state}]"))
            .await;
    }
    post(server.addr, "/c/wire", "missed").await;
    click(&browser, "#faults [value=refuse]").await;
    for panel in ["ndjson", "json", "script"] {
        shows(&browser, panel, &["missed"]).await;
    }
    browser.find("#panel-sse[data-state=ended]").await;
    // By hand it goes on where it was.
    press(&browser, "sse", "Resume").await;
    shows(&browser, "sse", &["missed"]).await;
    browser.close().await;
    server.stop().await;
}

/// A proxy that cuts after ten seconds stops the plain page; who keeps a cursor misses nothing. Readers that
/// stop get all when they go on, and a delay delays.
#[tokio::test]
async fn wire_cut_stop_and_delay() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    click(&browser, "#faults summary").await;
    click(&browser, "#faults [value=delay]").await;
    send(&browser, "late").await;
    shows(&browser, "sse", &["late"]).await;
    let took = browser
        .read(
            "#broken tr[data-as=sse] td:last-child",
            "how late",
            |text| text.contains("took"),
        )
        .await;
    let took: u64 = took
        .rsplit("took ")
        .next()
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(took >= 300, "{took} ms");
    click(&browser, "#faults [value=delay]").await;
    click(&browser, "#faults [value=stop]").await;
    send(&browser, "unread").await;
    click(&browser, "#faults [value=cut]").await;
    for (panel, state) in [("html", "ended"), ("ndjson", "broken"), ("sse", "broken")] {
        browser
            .find(&format!("#panel-{panel}[data-state={state}]"))
            .await;
    }
    click(&browser, "#faults [value=cut]").await;
    click(&browser, "#faults [value=stop]").await;
    for panel in ["script", "sse", "ndjson", "json"] {
        shows(&browser, panel, &["late", "unread"]).await;
    }
    browser.find("#panel-html[data-state=ended]").await;
    browser.close().await;
    server.stop().await;
}
