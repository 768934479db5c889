//! HTTP/2 in Chromium: the streams of all tabs share one connection, so that it does not run out of them.

use serde_json::json;

use crate::helpers::browser::Browser;
use crate::hidden_frame::becomes;
use crate::support::certificates::Certificates;
use crate::support::{TestServer, soon};

/// Three times what a browser has connections for.
const TABS: usize = 20;

const LISTEN: &str = "
    window.heard = [];
    const source = new EventSource('/c/events');
    source.addEventListener('live', () => heard.push('live'));
    source.onmessage = e => heard.push(e.data);
";

/// Twenty tabs, each with a stream of its own, are live at the same time, and there is room for more. Over
/// HTTP/1.1 the seventh would wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_tabs_are_live_over_h2() {
    let certificates = Certificates::new();
    let server = TestServer::with(|config| config.certificate = Some(certificates.files()));
    let browser = Browser::start().await;
    let mut tabs = Vec::new();
    for tab in 0..TABS {
        if tab > 0 {
            browser.open_window().await;
        }
        let url = format!("https://{}/healthz/live", server.addr);
        browser.leave(browser.client.goto(&url)).await;
        browser.execute(LISTEN).await;
        becomes(&browser, "heard", json!(["live"])).await;
        tabs.push(soon(browser.client.window()).await.unwrap());
    }
    server.open_streams(20).await;
    let append = "fetch('/c/events', { method: 'POST', body: 'to all' })
        .then(answer => { window.answered = answer.status; })";
    browser.execute(append).await;
    becomes(&browser, "window.answered ?? null", json!(201)).await;
    for tab in tabs.into_iter().rev() {
        browser.look_into(tab).await;
        becomes(&browser, "heard", json!(["live", "to all"])).await;
    }
    let protocols =
        "[...new Set(performance.getEntriesByType('resource').map(e => e.nextHopProtocol))]";
    becomes(&browser, protocols, json!(["h2"])).await;
    browser.close().await;
    server.stop().await;
}
