//! The chat without scripts: forms, links, and a forever frame.

use serde_json::Value;

use crate::helpers::browser::Browser;
use crate::helpers::chatter::{Chatter, friend, row};
use crate::support::member::{Member, with};
use crate::support::{TestServer, eventually};

const MARKUP: &str = "<b>x</b>";
const HELLO: &str = "你好 👋";

/// Opens a friend's conversation by its link.
async fn open(chatter: &Chatter, name: &str) {
    chatter.browser.press(&format!("{} a", friend(name))).await;
    chatter
        .browser
        .read("#talk-title", "the friend's name", |title| title == name)
        .await;
}

/// Waits until the frame shows these lines and no others.
async fn shows(chatter: &Chatter, expected: &[&str]) {
    let client = &chatter.browser.client;
    eventually(&format!("the frame shows {expected:?}"), async || {
        let read = async {
            client
                .find(fantoccini::Locator::Css("iframe.talk"))
                .await?
                .enter_frame()
                .await?;
            let script =
                "return [...document.querySelectorAll('.message')].map(p => p.textContent)";
            client.execute(script, Vec::new()).await
        };
        let read = read.await;
        client
            .enter_parent_frame()
            .await
            .map_err(|error| error.to_string())?;
        match read {
            Ok(lines) if lines == Value::from(expected) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

async fn say(chatter: &Chatter, text: &str) {
    chatter.type_into("#msg", text).await;
    chatter.browser.press("#send button").await;
}

/// Reloads the page.
async fn reload(chatter: &Chatter) {
    chatter.browser.reload().await;
    chatter.browser.find("#friends-title").await;
}

/// Two people become friends and talk without JavaScript.
#[tokio::test]
async fn chat_plain_two_people_talk() {
    let server = TestServer::start();
    let [ada, zhang] = [
        Browser::without_javascript().await,
        Browser::without_javascript().await,
    ];
    assert!(!ada.runs_scripts().await);
    let ada = Chatter::register(ada, server.addr, "Ada").await;
    let zhang = Chatter::register(zhang, server.addr, "张三").await;
    ada.type_into("#ask-name", "张三").await;
    ada.browser.press("#ask button").await;
    ada.browser.find(&row("asked", "张三")).await;
    reload(&zhang).await;
    let accept = format!("{} [value=accept]", row("asking", "Ada"));
    zhang.browser.press(&accept).await;
    zhang.browser.find(&friend("Ada")).await;

    reload(&ada).await;
    open(&ada, "张三").await;
    shows(&ada, &[]).await;
    say(&ada, MARKUP).await;
    let first = format!("Ada: {MARKUP}");
    shows(&ada, &[&first]).await;
    reload(&zhang).await;
    // A person with an open frame is online.
    zhang.sees("Ada", "online").await;
    zhang.unread("Ada", "1").await;
    open(&zhang, "Ada").await;
    shows(&zhang, &[&first]).await;
    say(&zhang, HELLO).await;
    let second = format!("张三: {HELLO}");
    // Ada's frame is the same as before.
    shows(&ada, &[&first, &second]).await;
    shows(&zhang, &[&first, &second]).await;
    reload(&ada).await;
    ada.sees("张三", "online").await;
    ada.unread("张三", "").await;
    shows(&ada, &[&first, &second]).await;

    zhang.browser.close().await;
    eventually("he is offline", async || {
        reload(&ada).await;
        let presence = format!("{} [data-state=offline]", friend("张三"));
        (ada.browser.count(&presence).await == 1)
            .then_some(())
            .ok_or("online".to_owned())
    })
    .await;
    say(&ada, "are you there?").await;
    let zhang = Browser::without_javascript().await;
    let zhang = Chatter::log_in(zhang, server.addr, "张三").await;
    zhang.unread("Ada", "1").await;
    open(&zhang, "Ada").await;
    shows(&zhang, &[&first, &second, "Ada: are you there?"]).await;
    ada.browser.close().await;
    zhang.browser.close().await;
    server.stop().await;
}

/// Without JavaScript, earlier messages are pages, and a friendship ends by a form.
#[tokio::test]
async fn chat_plain_history_and_friendship_end() {
    const MESSAGES: usize = 130;
    let server = TestServer::start();
    let ada = Member::register(server.addr, "Ada").await;
    let alan = Member::register(server.addr, "Alan").await;
    ada.befriend(&alan).await;
    for n in 0..MESSAGES {
        alan.say("Ada", &n.to_string()).await;
    }
    let browser = Browser::without_javascript().await;
    let page = Chatter::log_in(browser, server.addr, "Ada").await;
    page.unread("Alan", "99+").await;
    open(&page, "Alan").await;
    let newest: Vec<String> = (MESSAGES - 50..MESSAGES)
        .map(|n| format!("Alan: {n}"))
        .collect();
    let newest: Vec<&str> = newest.iter().map(String::as_str).collect();
    shows(&page, &newest).await;
    let mut seen = Vec::new();
    for last in [MESSAGES - 51, MESSAGES - 101] {
        page.browser
            .press(".turn:has(+ iframe) a, h1 + .turn a")
            .await;
        page.browser
            .read("li:last-child .text", "earlier messages", |text| {
                text == last.to_string()
            })
            .await;
        page.browser
            .read("li:last-child time", "a time", |time| {
                time.ends_with(" UTC")
            })
            .await;
        let mut texts = page.texts_of_older().await;
        texts.append(&mut seen);
        seen = texts;
    }
    let all: Vec<String> = (0..MESSAGES - 50).map(|n| n.to_string()).collect();
    assert_eq!(seen, all);
    assert_eq!(page.browser.count("h1 + .turn").await, 0);
    page.browser.open(server.addr, &with("Alan")).await;
    shows(&page, &newest).await;
    server.open_streams(1).await;
    page.browser.open_window().await;
    page.browser.open(server.addr, "/chat").await;
    page.unread("Alan", "").await;
    page.browser
        .press("form[action='/chat/logout'] button")
        .await;
    // The frame in the other window ends, too.
    server.open_streams(0).await;
    let page = page.enter("Ada").await;
    page.browser.open(server.addr, &with("Alan")).await;
    page.click(".more > summary").await;
    page.click(".sure > summary").await;
    page.browser.press(".sure button").await;
    page.browser.find("#friends:empty").await;
    page.browser
        .press("form[action='/chat/logout'] button")
        .await;
    page.browser.find("form[action='/chat/login']").await;
    page.browser.close().await;
    server.stop().await;
}
