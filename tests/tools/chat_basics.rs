//! What people expect of any chat: what is read, what is new, drafts, links, and the way back.

use serde_json::json;

use crate::helpers::browser::Browser;
use crate::helpers::chatter::Chatter;
use crate::support::TestServer;
use crate::support::binary::Binary;
use crate::support::client::get;
use crate::support::eventually;
use crate::support::member::Member;

/// Waits until a script gives this value.
async fn becomes(browser: &Browser, script: &str, expected: serde_json::Value) {
    eventually(&format!("{script} is {expected}"), async || {
        let found = browser.execute(&format!("return {script}")).await;
        (found == expected).then_some(()).ok_or(found.to_string())
    })
    .await;
}

/// Two friends, and the first one's browser with the conversation open.
async fn talk(server: &TestServer) -> (Chatter, Chatter) {
    let zoe = Member::register(server.addr, "Zoë").await;
    let ben = Member::register(server.addr, "Ben").await;
    zoe.befriend(&ben).await;
    let (zoe, ben) = (Chatter::of(&zoe).await, Chatter::of(&ben).await);
    zoe.live().await;
    ben.live().await;
    zoe.open("Ben").await;
    ben.open("Zoë").await;
    (zoe, ben)
}

/// A message that was not in sight is not read: it is counted, a button leads to it, a line stands above it.
#[tokio::test]
async fn chat_message_out_of_sight_is_unread() {
    let server = TestServer::start();
    let (zoe, ben) = talk(&server).await;
    for n in 0..40 {
        ben.say(&format!("before {n}")).await;
    }
    ben.all_sent().await;
    let rows = "document.querySelectorAll('#messages li').length";
    becomes(&zoe.browser, rows, json!(40)).await;
    becomes(
        &zoe.browser,
        "document.title",
        json!("Ben · Chat · forever-frame"),
    )
    .await;
    zoe.browser
        .execute("document.querySelector('div.talk').scrollTop = -700")
        .await;
    for n in 0..3 {
        ben.say(&format!("new {n}")).await;
    }
    zoe.browser
        .read("#newer", "how many are new", |text| text == "↓ 3 new")
        .await;
    becomes(
        &zoe.browser,
        "document.title",
        json!("(3) Ben · Chat · forever-frame"),
    )
    .await;
    let unread = "const done = arguments[0]; fetch('/chat/friends', { headers: { Accept: 'application/json' } })
        .then(answer => answer.json()).then(({ friends }) => done(friends[0].unread))";
    assert_eq!(zoe.browser.execute_async(unread).await, json!(3));
    zoe.click("#newer").await;
    becomes(
        &zoe.browser,
        "document.querySelector('#newer').hidden",
        json!(true),
    )
    .await;
    becomes(
        &zoe.browser,
        "document.title",
        json!("Ben · Chat · forever-frame"),
    )
    .await;
    let marked =
        "document.querySelector('.new-since').parentNode.querySelector('.text').textContent";
    becomes(&zoe.browser, marked, json!("new 0")).await;
    eventually("the server knows", async || {
        let left = zoe.browser.execute_async(unread).await;
        (left == json!(0)).then_some(()).ok_or(left.to_string())
    })
    .await;
    // Messages of the same minute show their time once.
    let times = "[...document.querySelectorAll('#messages time')].filter(time => time.offsetParent).length < 10";
    becomes(&zoe.browser, times, json!(true)).await;
    zoe.browser.close().await;
    ben.browser.close().await;
    server.stop().await;
}

/// Drafts are kept for each friend and over a reload, addresses are links, the menu closes with Escape, and a
/// friendship ends after a question only; what was said can be read then.
#[tokio::test]
async fn chat_small_things() {
    let server = TestServer::start();
    let (zoe, ben) = talk(&server).await;
    zoe.say("see https://example.org/a?b=c.").await;
    let link = "document.querySelector('#messages a')?.href";
    becomes(&zoe.browser, link, json!("https://example.org/a?b=c")).await;
    becomes(&ben.browser, link, json!("https://example.org/a?b=c")).await;
    zoe.type_into("#msg", "a draft").await;
    zoe.browser.reload().await;
    zoe.live().await;
    becomes(
        &zoe.browser,
        "document.querySelector('#msg')?.value",
        json!("a draft"),
    )
    .await;
    // A long text is not cut.
    let long = "x".repeat(6000);
    zoe.browser
        .execute("document.querySelector('#msg').value = ''")
        .await;
    zoe.type_into("#msg", &long).await;
    becomes(
        &zoe.browser,
        "document.querySelector('#msg').value.length",
        json!(6000),
    )
    .await;
    zoe.browser
        .execute("document.querySelector('#msg').value = ''")
        .await;

    zoe.click(".more > summary").await;
    zoe.browser.execute("document.querySelector('.more').dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))").await;
    becomes(
        &zoe.browser,
        "document.querySelector('.more').open",
        json!(false),
    )
    .await;
    zoe.click(".more > summary").await;
    assert!(
        !zoe.browser
            .find(".sure button")
            .await
            .is_displayed()
            .await
            .unwrap()
    );
    zoe.click(".sure > summary").await;
    zoe.click(".sure button").await;
    zoe.click("#problem a").await;
    zoe.browser
        .read("h1", "whose", |text| text == "What was said with Ben")
        .await;
    zoe.browser
        .read(".messages", "what was said", |text| {
            text.contains("https://example.org/a?b=c")
        })
        .await;
    zoe.browser.close().await;
    ben.browser.close().await;
    server.stop().await;
}

/// Names that cannot be typed everywhere can be clicked; the login leads to what was asked for.
#[tokio::test]
async fn chat_demo_accounts_are_buttons() {
    let server = Binary::start(&["--demo-accounts"]).await;
    let browser = Browser::start().await;
    browser.open(server.addr, "/chat/with/liger_zql").await;
    browser.press("button[value='漠然']").await;
    browser
        .read("#talk-title", "the friend", |text| text == "liger_zql")
        .await;
    // The line is not said to be live, but that it is broken is.
    browser.find("#state.fine").await;
    assert!(!browser.find("#state").await.is_displayed().await.unwrap());
    // The way back to the list is a step back.
    browser.open(server.addr, "/chat").await;
    browser.find("#state.fine").await;
    let entries = browser
        .execute("return history.length")
        .await
        .as_u64()
        .unwrap();
    browser.find("#friends a").await.click().await.unwrap();
    browser.find("#msg").await;
    browser.client.set_window_size(390, 844).await.unwrap();
    browser.find(".back").await.click().await.unwrap();
    becomes(&browser, "location.pathname", json!("/chat")).await;
    assert_eq!(
        browser.execute("return history.length").await.as_u64(),
        Some(entries + 1)
    );
    assert_eq!(get(server.addr, "/chat/login").await.status, 200);
    server.end("-KILL").await;
    browser
        .read("#state", "that it is broken", |text| {
            text.contains("not connected")
        })
        .await;
    becomes(
        &browser,
        "document.querySelector('#friends .presence').textContent",
        json!("unknown"),
    )
    .await;
    browser.close().await;
}

/// The writer sees that a message has been read, when it was in sight and not before, and still after a reload.
#[tokio::test]
async fn chat_writer_sees_what_was_seen() {
    let server = TestServer::start();
    let (zoe, ben) = talk(&server).await;
    ben.say("hello").await;
    let seen = "document.querySelector('#messages .seen')?.closest('li').querySelector('.text').textContent ?? null";
    becomes(&ben.browser, seen, json!("hello")).await;
    for n in 0..40 {
        ben.say(&format!("line {n}")).await;
    }
    becomes(&ben.browser, seen, json!("line 39")).await;
    zoe.browser
        .execute("document.querySelector('div.talk').scrollTop = -700")
        .await;
    ben.say("out of sight").await;
    zoe.browser
        .read("#newer", "that it is new", |text| text == "↓ 1 new")
        .await;
    assert_eq!(
        ben.browser.execute(&format!("return {seen}")).await,
        "line 39"
    );
    zoe.click("#newer").await;
    becomes(&ben.browser, seen, json!("out of sight")).await;
    ben.browser.reload().await;
    becomes(&ben.browser, seen, json!("out of sight")).await;
    zoe.browser.close().await;
    ben.browser.close().await;
    server.stop().await;
}
