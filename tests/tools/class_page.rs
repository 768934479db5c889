//! The page of a class in Chromium.

use crate::helpers::browser::Browser;
use crate::support::TestServer;
use crate::support::client::{get, post};

/// The page shows what everybody says, and how many others watch, as it changes; and it is cleared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn class_page_shows_everybody() {
    let server = TestServer::start();
    post(server.addr, "/c/main", "before").await;
    let browser = Browser::start().await;
    browser.open(server.addr, "/?class=1").await;
    browser.find(".class-qr svg").await;
    let says = async |what: &str| {
        browser
            .read("#messages", what, |text| text.contains(what))
            .await;
    };
    says("before").await;
    let watching = async |expected: &str| {
        browser
            .read("#watching", expected, |text| text == expected)
            .await;
    };
    watching("Nobody is watching yet").await;
    let first = get(server.addr, "/c/main").await;
    watching("1 is watching").await;
    let second = get(server.addr, "/c/main").await;
    watching("2 are watching").await;
    drop((first, second));
    browser
        .find("#msg")
        .await
        .send_keys("hello, class")
        .await
        .unwrap();
    browser.find("#send button").await.click().await.unwrap();
    says("hello, class").await;
    browser.press(".class-foot a").await;
    browser.find("#messages + .empty").await;
    post(server.addr, "/c/main", "after").await;
    let shown = browser
        .read("#messages", "what is new", |text| text.contains("after"))
        .await;
    assert!(!shown.contains("before"), "{shown}");
    browser.close().await;
    server.stop().await;
}
