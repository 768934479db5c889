//! The page `/mailbox` in Chromium.

use serde_json::{Value, json};

use crate::helpers::browser::Browser;
use crate::support::log_dir::LogDir;
use crate::support::mailbox::{ask, letter, wait_for};
use crate::support::port::Port;
use crate::support::{TestServer, eventually, soon};

async fn enter(browser: &Browser, css: &str, text: &str) {
    let input = browser.find(css).await;
    soon(input.clear()).await.unwrap();
    soon(input.send_keys(text)).await.unwrap();
}

async fn click(browser: &Browser, css: &str) {
    soon(browser.find(css).await.click()).await.unwrap();
}

async fn log_in(browser: &Browser, addr: std::net::SocketAddr, me: &str) {
    browser.open(addr, "/mailbox").await;
    enter(browser, "#me", me).await;
    click(browser, "#login button").await;
    waits(browser, me).await;
}

/// Waits until the page waits for a message to this name.
async fn waits(browser: &Browser, me: &str) {
    let waits = format!("waiting for a message to {me}");
    browser
        .read("#state", &waits, |text| text.ends_with(&waits))
        .await;
}

async fn send(browser: &Browser, to: &str, text: &str) {
    enter(browser, "#to", to).await;
    enter(browser, "#text", text).await;
    click(browser, "#post").await;
}

/// Waits until the page shows these senders and texts as received, and no others.
async fn shows(browser: &Browser, expected: &[(&str, &str)]) {
    const ROWS: &str =
        "return [...document.querySelectorAll('#messages li:not(.aside, .gap)')].map(row =>
        [...row.querySelectorAll('.from, .text')].map(part => part.textContent))";
    eventually(&format!("the page shows {expected:?}"), async || {
        let rows = browser.execute(ROWS).await;
        (rows == json!(expected))
            .then_some(())
            .ok_or(rows.to_string())
    })
    .await;
}

/// Two browsers write to each other, and go on when the server is restarted.
#[tokio::test]
async fn mailbox_page_survives_server_restart() {
    let (ada, bob) = ("<b>x</b>", "你好 👋");
    let (log_dir, port) = (LogDir::new(), Port::reserve());
    let args = ["--drain", "0s"];
    let server = log_dir.start_at(&port.listen(), &args).await;
    let (first, second) = (Browser::start().await, Browser::start().await);
    log_in(&first, port.addr, ada).await;
    log_in(&second, port.addr, bob).await;
    send(&first, bob, "<i>1</i> & \"two\"").await;
    shows(&second, &[(ada, "<i>1</i> & \"two\"")]).await;
    send(&second, ada, "👋 <script>alert(1)</script>").await;
    let mut expected = vec![(bob, "👋 <script>alert(1)</script>")];
    shows(&first, &expected).await;
    for browser in [&first, &second] {
        assert_eq!(browser.count("#messages :is(i, script, b b)").await, 0);
    }
    server.end("-TERM").await;
    for browser in [&first, &second] {
        browser
            .read("#state", "that it will ask again", |text| {
                text.starts_with("no answer (") && text.contains("asking again")
            })
            .await;
    }
    let server = log_dir.start_at(&port.listen(), &args).await;
    waits(&second, bob).await;
    send(&second, ada, "after it").await;
    expected.push((bob, "after it"));
    shows(&first, &expected).await;
    server.end("-KILL").await;
    let server = log_dir.start_at(&port.listen(), &args).await;
    waits(&second, bob).await;
    send(&second, ada, "after that").await;
    expected.push((bob, "after that"));
    // A letter that came twice would be another row.
    shows(&first, &expected).await;
    first.close().await;
    second.close().await;
    server.end("-TERM").await;
}

/// The page acknowledges letters, and shows its requests and their answers.
#[tokio::test]
async fn mailbox_page_acknowledges_and_shows_requests() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    letter(server.addr, "bob", "before").await;
    log_in(&browser, server.addr, "bob").await;
    shows(&browser, &[("ada", "before")]).await;
    wait_for(&server, 1).await;
    let id = browser.find("#messages .id").await.text().await.unwrap();
    let ack = format!("action=receive&me=bob&ack={id}&wait=50s");
    let what = "its acknowledgement";
    browser
        .read("#waiting", what, |text| {
            text.contains(&ack) && text.ends_with("no answer yet")
        })
        .await;
    let said = format!("\"Id\":\"{id}\"");
    browser
        .read("#answered", "the message", |text| {
            text.contains("ack=&wait=50s") && text.contains(&said)
        })
        .await;
    assert_eq!(server.metrics.letters.counts(), (1, 0));
    // A page that is logged out receives no more.
    click(&browser, "#logout").await;
    wait_for(&server, 0).await;
    letter(server.addr, "bob", "after").await;
    let answer: Value = ask(server.addr, "action=receive&me=bob").await;
    assert_eq!(answer["Msg"], "after");
    shows(&browser, &[("ada", "before")]).await;
    browser.close().await;
    server.stop().await;
}

/// A name that is refused is reported, and not asked for again.
#[tokio::test]
async fn mailbox_page_bad_name_not_repeated() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    browser.open(server.addr, "/mailbox").await;
    // The script has run: before, the form is the browser's.
    browser.find("#post:disabled").await;
    browser
        .execute(
            "document.querySelector('#me').value = 'a\u{7f}b';
             document.querySelector('#login').requestSubmit()",
        )
        .await;
    browser
        .read("#state", "why not", |text| {
            text.starts_with("not open: me=") && text.contains("control characters")
        })
        .await;
    browser
        .read("#answered", "the answer", |text| {
            text.contains("HTTP/1.1 400")
        })
        .await;
    browser.close().await;
    server.stop().await;
}

/// Without JavaScript the page shows the commands for a terminal.
#[tokio::test]
async fn mailbox_page_without_javascript() {
    let server = TestServer::start();
    let browser = Browser::without_javascript().await;
    browser.open(server.addr, "/mailbox").await;
    let line = format!(
        "curl -d action=receive -d me=Ada http://{}/mailbox",
        server.addr
    );
    browser
        .read("noscript dl", "the commands", |text| text.contains(&line))
        .await;
    browser.close().await;
    server.stop().await;
}
