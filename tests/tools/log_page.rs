//! The live log page in Chromium.

use std::time::Instant;

use serde_json::{Value, json};

use crate::helpers::browser::Browser;
use crate::support::client::{post, send};
use crate::support::{TestServer, eventually};

/// Waits until a script gives this value.
async fn becomes(browser: &Browser, script: &str, expected: Value) {
    eventually(&format!("{script} is {expected}"), async || {
        let found = browser.execute(&format!("return {script}")).await;
        (found == expected).then_some(()).ok_or(found.to_string())
    })
    .await;
}

async fn live(browser: &Browser) {
    browser
        .read("#state", "live", |text| text.starts_with("live by NDJSON"))
        .await;
}

/// Each line has its time, which links to it; colours and channels are shown; what is sent there arrives.
#[tokio::test]
async fn log_page_lines() {
    let server = TestServer::start();
    let addr = server.addr;
    post(addr, "/c/build", "\x1b[31mred\x1b[0m and plain").await;
    post(addr, "/c/deploy?event=release", "out").await;
    let browser = Browser::start().await;
    browser.open(addr, "/c/build,deploy").await;
    live(&browser).await;
    becomes(
        &browser,
        "document.querySelectorAll('.message > a.at').length",
        json!(2),
    )
    .await;
    let times = browser.read(".at", "a time", |text| {
        text.len() == 8 && text.matches(':').count() == 2
    });
    times.await;
    assert_eq!(browser.count(".message .fg1").await, 1);
    let label = "getComputedStyle(document.querySelector('.message'), '::before').flexBasis ===
        getComputedStyle(document.querySelector('.message + .message'), '::before').flexBasis";
    becomes(&browser, label, json!(true)).await;
    let link =
        "document.querySelector('.at').hash.slice(1) === document.querySelector('.message').id";
    becomes(&browser, link, json!(true)).await;

    browser.open(addr, "/c/build").await;
    live(&browser).await;
    browser
        .find("#msg")
        .await
        .send_keys("by the form")
        .await
        .unwrap();
    browser.find("#send button").await.click().await.unwrap();
    browser
        .read(".lines", "it", |text| text.contains("by the form"))
        .await;
    becomes(&browser, "document.querySelector('#msg').value", json!("")).await;
    browser
        .read("#count", "how many", |text| text == "2 lines")
        .await;
    // One connection for all windows, and none that the page itself keeps.
    browser.open_window().await;
    browser.open(addr, "/c/build").await;
    live(&browser).await;
    server.open_streams(1).await;
    browser
        .read("#watching", "who watches", |text| {
            text.ends_with("watching")
        })
        .await;
    browser
        .find("#search")
        .await
        .send_keys("FORM")
        .await
        .unwrap();
    browser
        .read("#count", "how many are shown", |text| {
            text == "1 of 2 lines"
        })
        .await;
    becomes(
        &browser,
        "document.querySelectorAll('.message:not([hidden])').length",
        json!(1),
    )
    .await;
    browser.close().await;
    server.stop().await;
}

/// Whoever reads above keeps the place, is told how much is new, and is led there.
#[tokio::test]
async fn log_page_says_what_is_new_below() {
    let server = TestServer::start();
    let addr = server.addr;
    let lines: Vec<String> = (0..200).map(|n| format!("line {n}")).collect();
    send(addr, "PUT /c/x", lines.join("\n").as_bytes()).await;
    let browser = Browser::start().await;
    browser.open(addr, "/c/x").await;
    live(&browser).await;
    assert_eq!(browser.count("#newer:not([hidden])").await, 0);
    let up = "const view = document.querySelector('.stream'); view.scrollTop = -1000; return view.scrollTop";
    assert_eq!(browser.execute(up).await, -1000);
    let seen = "(({ x, y }) => document.elementFromPoint(x + 40, y + 40).closest('p').id)(
        document.querySelector('.stream').getBoundingClientRect())";
    let before = browser.execute(&format!("return {seen}")).await;
    for n in 0..12 {
        post(addr, "/c/x", format!("new {n}")).await;
    }
    browser
        .read("#newer", "how much is new", |text| text == "12 new ↓")
        .await;
    becomes(&browser, "document.title", json!("(12) x · forever-frame")).await;
    becomes(&browser, seen, before).await;
    browser.find("#newer").await.click().await.unwrap();
    becomes(
        &browser,
        "document.querySelector('.stream').scrollTop",
        json!(0),
    )
    .await;
    becomes(
        &browser,
        "document.querySelector('#newer').hidden",
        json!(true),
    )
    .await;
    browser.close().await;
    server.stop().await;
}

/// A channel that is closed says so, with what to do next; sending to it opens it again.
#[tokio::test]
async fn log_page_of_a_closed_channel() {
    let server = TestServer::start();
    let addr = server.addr;
    post(addr, "/c/job", "one").await;
    let browser = Browser::start().await;
    browser.open(addr, "/c/job").await;
    live(&browser).await;
    post(addr, "/c/job?close=1", "two").await;
    browser
        .read(".end", "the end", |text| {
            text.contains("Nothing more comes")
        })
        .await;
    browser
        .read(".log-after", "what to do next", |text| {
            text.contains("save it as a file")
        })
        .await;
    // Who comes later is told the same.
    browser.reload().await;
    browser
        .read(".log-after", "what to do next", |text| {
            text.contains("save it as a file")
        })
        .await;
    browser
        .read("#state", "that it is closed", |text| text == "closed")
        .await;
    browser.find("#msg").await.send_keys("three").await.unwrap();
    browser.find("#send button").await.click().await.unwrap();
    browser
        .read(".lines", "it", |text| text.contains("three"))
        .await;
    live(&browser).await;
    browser.close().await;
    server.stop().await;
}

/// Very many lines are there soon, and can be searched.
#[tokio::test]
async fn log_page_of_many_lines() {
    const LINES: usize = 20_000;
    let server = TestServer::start();
    let addr = server.addr;
    let lines: Vec<String> = (0..LINES)
        .map(|n| format!("line {n} of very many"))
        .collect();
    send(addr, "PUT /c/long", lines.join("\n").as_bytes()).await;
    let browser = Browser::start().await;
    let began = Instant::now();
    browser.open(addr, "/c/long").await;
    browser
        .read("#count", "all lines", |text| text == "20,000 lines")
        .await;
    live(&browser).await;
    println!("{LINES} lines after {:?}", began.elapsed());
    post(addr, "/c/long", "one more").await;
    browser
        .read(".message:last-of-type", "it", |text| {
            text.contains("one more")
        })
        .await;
    // The oldest made room.
    browser
        .read("#count", "all lines", |text| text == "20,000 lines")
        .await;
    let began = Instant::now();
    browser
        .find("#search")
        .await
        .send_keys("19999")
        .await
        .unwrap();
    browser
        .read("#count", "one", |text| text == "1 of 20,000 lines")
        .await;
    println!("searched after {:?}", began.elapsed());
    browser.close().await;
    server.stop().await;
}
