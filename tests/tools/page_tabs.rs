//! Our own pages in one browser: none takes connections that another one needs, and Back leads back.

use std::net::SocketAddr;

use serde_json::json;

use crate::helpers::browser::Browser;
use crate::support::binary::Binary;
use crate::support::client::{get, post};
use crate::support::{TestServer, eventually};

/// The walk that a class makes: each page of it in a tab of its own, all at once, over the six connections
/// that a browser has for a server. All of them work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_pages_work_at_once() {
    let server = Binary::start(&["--demo-accounts"]).await;
    let addr = server.addr;
    let browser = Browser::on_screen().await;
    browser.open(addr, "/wire").await;
    browser.find(".wire-panel[data-state=open]").await;
    let wire = browser.client.window().await.unwrap();

    let receiver = browser.open_tab(addr, "/receiver").await;
    browser.press("#start").await;
    browser.find(".lines i").await;
    // The page that is hidden now has none; it had five.
    streams(addr, 1).await;

    browser.open_tab(addr, "/events").await;
    browser
        .read("#state", "live", |text| text.starts_with("live by"))
        .await;
    browser
        .find("#text")
        .await
        .send_keys("hello")
        .await
        .unwrap();
    browser.find("#send button").await.click().await.unwrap();
    browser
        .read("#messages .text", "it", |text| text == "hello")
        .await;

    browser.open_tab(addr, "/mailbox").await;
    browser.find("#me").await.send_keys("Ada").await.unwrap();
    browser.find("#enter").await.click().await.unwrap();
    browser
        .read("#state", "that it waits", |text| {
            text.contains("waiting for")
        })
        .await;
    browser.find("#to").await.send_keys("Ada").await.unwrap();
    browser
        .find("#text")
        .await
        .send_keys("a letter")
        .await
        .unwrap();
    browser.find("#post").await.click().await.unwrap();
    browser
        .read("#messages li:not(.aside) .text", "it", |text| {
            text == "a letter"
        })
        .await;

    browser.open_tab(addr, "/chat").await;
    browser.find(".demo button").await.click().await.unwrap();
    browser.find("#state.fine").await;
    browser.find("#friends a").await.click().await.unwrap();
    browser.find("#msg").await.send_keys("hi").await.unwrap();
    browser.find("#send button").await.click().await.unwrap();
    browser
        .read("#messages .text", "it", |text| text == "hi")
        .await;

    browser.open_tab(addr, "/sender").await;
    let sent = browser
        .read("[role=status]", "a date", |text| text.contains("new date"))
        .await;
    let date = sent.split(['“', '”']).nth(1).unwrap().to_owned();
    browser.look_into(receiver).await;
    browser
        .read(".lines .message", "the date", |text| text == date)
        .await;

    // A hidden page goes on from where it was when it is seen again.
    browser.look_into(wire).await;
    let rows = browser.count(".wire-panel .request").await;
    assert!(rows > 6, "it was cut when it was hidden: {rows}");
    browser.close().await;
    server.end("-TERM").await;
}

/// The long request survives Back and Reload: no question of the browser's, no empty page.
#[tokio::test]
async fn receiver_survives_back_and_reload() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    for text in ["one", "two"] {
        post(server.addr, "/send", text).await;
    }
    browser.open(server.addr, "/receiver").await;
    browser.press("#start").await;
    browser
        .read(".lines", "both", |text| {
            text.contains("one") && text.contains("two")
        })
        .await;
    browser.find(".lines i").await;
    browser
        .leave(async { browser.find("nav a[href='/events']").await.click().await })
        .await;
    browser.find("#messages").await;
    server.open_streams(1).await;
    post(server.addr, "/send", "three").await;
    browser.leave(browser.client.back()).await;
    let in_order = |text: &str| {
        let places = ["one", "two", "loaded again", "three"].map(|part| text.find(part));
        places.iter().all(Option::is_some) && places.is_sorted()
    };
    browser
        .read(".lines", "what it was, a rule, and what is new", in_order)
        .await;
    browser.find(".lines i").await;
    browser.reload().await;
    let all = |text: &str| text.contains("three") && text.contains("loaded again");
    browser.read(".lines", "it again", all).await;
    let url = browser.client.current_url().await.unwrap();
    assert_eq!(url.path(), "/receiver/live");
    browser.close().await;
    server.stop().await;
}

/// Back brings a page back as it was left: what was typed there is still there, and its stream goes on.
#[tokio::test]
async fn pages_come_back_as_they_were() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    for path in ["/", "/events", "/clock", "/c/"] {
        browser.open(server.addr, path).await;
        browser
            .read("#state, #status", "live", |text| {
                text.starts_with("live by")
            })
            .await;
        browser.execute("window.mark = 'mine'").await;
        browser.open(server.addr, "/healthz").await;
        browser.leave(browser.client.back()).await;
        eventually("the page is the one that was left", async || {
            let mark = browser.execute("return window.mark ?? null").await;
            (mark == "mine")
                .then_some(())
                .ok_or(format!("{path}: {mark}"))
        })
        .await;
        browser
            .read("#state, #status", "live", |text| {
                text.starts_with("live by")
            })
            .await;
    }
    browser.close().await;
    server.stop().await;
}

/// A mailbox that is loaded again has what it had, which the server does not know any more.
#[tokio::test]
async fn mailbox_keeps_what_was_acknowledged() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    browser.open(server.addr, "/mailbox").await;
    browser.find("#me").await.send_keys("bob").await.unwrap();
    browser.find("#enter").await.click().await.unwrap();
    crate::support::mailbox::letter(server.addr, "bob", "kept").await;
    browser
        .read("#messages .text", "it", |text| text == "kept")
        .await;
    browser
        .read("#waiting", "the acknowledgement", |text| {
            text.contains("&ack=") && !text.contains("&ack=&")
        })
        .await;
    browser.reload().await;
    browser
        .read("#messages .text", "it again", |text| text == "kept")
        .await;
    browser
        .read("#state", "that it waits", |text| {
            text.contains("waiting for a message to bob")
        })
        .await;
    let rows = browser
        .execute("return document.querySelectorAll('#messages li').length")
        .await;
    assert_eq!(rows, json!(1));
    browser.close().await;
    server.stop().await;
}

/// Waits until so many streams are open.
async fn streams(addr: SocketAddr, expected: u64) {
    eventually(&format!("{expected} streams are open"), async || {
        let metrics = get(addr, "/metrics").await.text().await;
        let open = metrics
            .lines()
            .filter(|line| line.starts_with("forever_frame_open_streams{"))
            .filter_map(|line| line.split(' ').nth(1)?.parse::<u64>().ok())
            .sum::<u64>();
        (open == expected)
            .then_some(())
            .ok_or(format!("{open} are open"))
    })
    .await;
}
