//! The page `/probe` in Chromium.

use std::net::SocketAddr;

use crate::helpers::browser::Browser;
use crate::helpers::proxy::{Kind, Proxy};
use crate::support::TestServer;

/// What the page says when it has probed, and what it says besides.
async fn verdict(browser: &Browser, addr: SocketAddr) -> (String, String) {
    browser.open(addr, "/probe").await;
    browser.find("#verdict[data-fine]").await;
    let all = "return [...document.querySelectorAll('#findings, #remedies')].map(e => e.textContent).join(' ')";
    let text = browser.find("#verdict").await.text().await.unwrap();
    let all = browser.execute(all).await;
    (text, all.as_str().unwrap().to_owned())
}

/// The page says that nothing is wrong where nothing is, who is in between, and what to write where something
/// is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_page_says_the_verdict() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    let (text, all) = verdict(&browser, server.addr).await;
    assert!(
        text.contains("Nothing between here and the server"),
        "{text} {all}"
    );
    assert!(all.contains("nothing that shows itself"), "{all}");
    assert!(
        all.contains("not tried"),
        "HTTP/1.1 lets no page send line by line: {all}"
    );
    assert_eq!(browser.count("#track-text .came").await, 9);

    let apache = Proxy::by_default(Kind::Apache, "", server.addr).await;
    let (text, all) = verdict(&browser, apache.addr).await;
    assert!(
        text.contains("Apache, which is in between, compresses"),
        "{text} {all}"
    );
    assert!(all.contains("SetEnv no-gzip 1"), "{all}");
    browser.close().await;
    server.stop().await;
}

/// Without scripts the lines stand in the page as they come, each with its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_page_works_without_javascript() {
    let server = TestServer::start();
    let browser = Browser::without_javascript().await;
    browser.open(server.addr, "/probe").await;
    let frame = browser.find("iframe.frame").await;
    frame.enter_frame().await.unwrap();
    browser
        .read(".lines", "the lines so far", |text| {
            text.contains("line 2 of 9, sent after 0.5") && !text.contains("line 8")
        })
        .await;
    browser
        .read(".lines", "the end", |text| {
            text.contains("end of the probe")
        })
        .await;
    browser.close().await;
    server.stop().await;
}

/// Over HTTP/2 the page sends lines one by one, too.
#[cfg(feature = "secure")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_page_sends_lines_over_h2() {
    let certificates = crate::support::certificates::Certificates::new();
    let server = TestServer::with(|config| config.certificate = Some(certificates.files()));
    let browser = Browser::start().await;
    let url = format!("https://{}/probe", server.addr);
    browser.leave(browser.client.goto(&url)).await;
    browser
        .read("#verdict[data-fine]", "that all passes", |text| {
            text.contains("holds lines back")
        })
        .await;
    assert_eq!(browser.count("#track-up .came").await, 9);
    browser.close().await;
    server.stop().await;
}
