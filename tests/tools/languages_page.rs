//! The pages in Chinese, in Chromium: what scripts write, and the switch.

use crate::helpers::browser::Browser;
use crate::support::TestServer;
use crate::support::client::post;

/// The switch leads to the same page in the other language, which is remembered; what scripts write is in the
/// language of the page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn languages_are_switched() {
    let server = TestServer::start();
    post(server.addr, "/c/build", "a line").await;
    let browser = Browser::start().await;
    browser.open(server.addr, "/events?from=class").await;
    let state = async |expected: &str| {
        browser
            .read("#state", expected, |text| text.contains(expected))
            .await;
    };
    state("live by").await;
    browser.press(".language").await;
    browser
        .read("h1", "命名事件", |text| text == "命名事件")
        .await;
    state("实时").await;
    let address = browser.client.current_url().await.unwrap();
    assert_eq!(address.query(), Some("from=class&lang=zh"));
    // What is remembered is the language of all pages.
    browser.open(server.addr, "/c/build").await;
    browser
        .read(".log-links .copy", "复制", |text| text == "复制")
        .await;
    state("实时").await;
    browser.open(server.addr, "/wire").await;
    browser
        .read("#panel-sse .state", "a Chinese state", |text| {
            text.contains("已打开")
        })
        .await;
    browser.open(server.addr, "/mailbox").await;
    browser
        .read("#state", "未打开", |text| !text.is_ascii())
        .await;
    browser.find("#me").await.send_keys("Ada").await.unwrap();
    browser.find("#enter").await.click().await.unwrap();
    state("等待").await;
    browser.press(".language").await;
    browser
        .read("h1", "Mailbox", |text| text == "Mailbox")
        .await;
    browser.open(server.addr, "/c/build").await;
    state("live").await;
    browser
        .read(".log-links .copy", "Copy", |text| text == "Copy")
        .await;
    browser.close().await;
    server.stop().await;
}

/// A browser whose user reads Chinese gets Chinese pages, also those without scripts, and the marks in streams.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn languages_follow_the_browser() {
    let server = TestServer::start();
    let browser = Browser::in_chinese().await;
    browser.open(server.addr, "/receiver").await;
    browser.read("h1", "接收端", |text| text == "接收端").await;
    post(server.addr, "/c/over?close=1", "the last line").await;
    browser.open(server.addr, "/c/over").await;
    browser
        .read(".end", "a Chinese end", |text| text.contains("关闭"))
        .await;
    browser.open(server.addr, "/nothing").await;
    browser
        .read("h1", "a Chinese status", |text| text.starts_with("404 "))
        .await;
    let status = browser.find("h1").await.text().await.unwrap();
    assert!(!status.is_ascii(), "{status}");
    browser.close().await;
    server.stop().await;
}
