//! The page of the chat when a connection breaks, a session ends, or messages have expired.

use forever_frame::config::StoreKind;
use tempfile::TempDir;

use crate::helpers::browser::Browser;
use crate::helpers::chatter::{Chatter, ada_and_alan};
use crate::support::member::{Member, with};
use crate::support::person::PASSWORD;
use crate::support::{TestServer, eventually};

/// A script that loses the first answer to a message on its way.
const LOSE_AN_ANSWER: &str = "
    const ask = window.fetch;
    let lost = false;
    window.fetch = async (path, how) => {
        const answer = await ask(path, how);
        if (how?.method !== 'POST' || lost || !path.startsWith('/chat/with/')) return answer;
        lost = true;
        throw new TypeError('the answer is lost');
    };";

/// A message whose answer was lost is sent again, and is still one message.
#[tokio::test]
async fn chat_page_resends_lost_message_once() {
    let server = TestServer::start();
    let (page, alan) = ada_and_alan(&server).await;
    page.open("Alan").await;
    page.browser.execute(LOSE_AN_ANSWER).await;
    page.say("once").await;
    page.say("and then").await;
    page.shows(&["once", "and then"]).await;
    page.all_sent().await;
    let said = alan.get(&with("Ada")).await;
    let texts: Vec<&str> = said["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["once", "and then"]);
    page.shows(&["once", "and then"]).await;
    page.browser.close().await;
    server.stop().await;
}

/// Over a restart of the server the page loses no message and shows none twice.
#[tokio::test]
async fn chat_page_survives_server_restart() {
    let directory = TempDir::new().unwrap();
    let server = TestServer::stored(&directory);
    let addr = server.addr;
    let (page, alan) = ada_and_alan(&server).await;
    page.open("Alan").await;
    page.say("before").await;
    page.all_sent().await;
    alan.say("Ada", "I hear you").await;
    page.shows(&["before", "I hear you"]).await;
    server.stop().await;
    page.browser
        .read("#state", "that it waits", |text| {
            text.starts_with("not connected")
        })
        .await;
    page.say("meanwhile").await;
    page.browser
        .read("#pending time", "that it is tried again", |text| {
            text == "not sent, trying again"
        })
        .await;
    let server = TestServer::with(|config| {
        config.listen = addr.into();
        config.store = StoreKind::Sqlite(directory.path().join("log.db"));
    });
    page.live().await;
    page.all_sent().await;
    alan.say("Ada", "after").await;
    page.shows(&["before", "I hear you", "meanwhile", "after"])
        .await;
    page.browser.reload().await;
    page.shows(&["before", "I hear you", "meanwhile", "after"])
        .await;
    page.browser.close().await;
    server.stop().await;
}

/// A logout in one tab ends the session in the others.
#[tokio::test]
async fn chat_page_logout_ends_other_tabs() {
    let server = TestServer::start();
    let (page, _alan) = ada_and_alan(&server).await;
    let first = page.another_tab(&with("Alan")).await;
    page.browser
        .press("form[action='/chat/logout'] button")
        .await;
    page.browser.find("form[action='/chat/login']").await;
    page.browser.look_into(first).await;
    page.browser.find("form[action='/chat/login']").await;
    server.open_streams(0).await;

    // The address of the conversation leads to the login, too.
    page.browser.open(server.addr, &with("Alan")).await;
    page.browser.find("form[action='/chat/login']").await;
    page.browser.close().await;
    server.stop().await;
}

/// The password can be changed, and the page says what is wrong.
#[tokio::test]
async fn chat_page_changes_password() {
    let server = TestServer::start();
    let (page, _alan) = ada_and_alan(&server).await;
    page.browser.press(".chat-bar a").await;
    let change = async |old: &str, new: &str| {
        page.type_into("#old", old).await;
        page.type_into("#new", new).await;
        page.browser.press("main form button").await;
    };
    change("not the old one", "another horse").await;
    page.browser
        .read(".problem", "a sentence", |text| !text.is_empty())
        .await;
    change(PASSWORD, "another horse").await;
    page.browser
        .read(".notice", "a sentence", |text| !text.is_empty())
        .await;
    page.browser.open(server.addr, "/chat").await;
    page.live().await;
    page.browser
        .press("form[action='/chat/logout'] button")
        .await;
    page.type_into("#name", "Ada").await;
    page.type_into("#password", PASSWORD).await;
    page.browser.press("main form button").await;
    page.browser
        .read(".problem", "a sentence", |text| !text.is_empty())
        .await;
    // The name that was typed is still there.
    assert_eq!(
        page.browser
            .execute("return document.querySelector('#name').value")
            .await,
        "Ada"
    );
    page.type_into("#password", "another horse").await;
    page.browser.press("main form button").await;
    page.live().await;
    page.browser.close().await;
    server.stop().await;
}

/// When another account logs in in the same browser, no tab mixes the two.
#[tokio::test]
async fn chat_page_other_account_in_same_browser() {
    let server = TestServer::start();
    let [ada, alan, grace] =
        ["Ada", "Alan", "Grace"].map(|name| Member::register(server.addr, name));
    let (ada, alan, grace) = (ada.await, alan.await, grace.await);
    alan.befriend(&ada).await;
    alan.befriend(&grace).await;
    let browser = Browser::start().await;
    // The second window is opened before the login, and still shows the form.
    browser.open(server.addr, "/chat/login").await;
    let second = browser.open_window().await;
    let page = Chatter::log_in(browser, server.addr, "Ada").await;
    page.open("Alan").await;
    // A stream that has had a message is resumed at once when it has ended.
    alan.say("Ada", "for Ada").await;
    page.shows(&["for Ada"]).await;
    let first = page.browser.client.window().await.unwrap();

    page.browser.look_into(second).await;
    let page = page.enter("Alan").await;
    page.live().await;
    grace.say("Alan", "for Alan").await;
    page.unread("Grace", "1").await;
    page.browser.look_into(first).await;
    page.browser
        .read(".me .name", "who is logged in now", |me| me == "Alan")
        .await;
    page.unread("Grace", "1").await;
    page.browser.close().await;
    server.stop().await;
}

/// When messages have expired, the page begins anew with those that are left.
#[tokio::test]
async fn chat_page_reloads_after_gap() {
    const KEPT: usize = 20;
    let directory = TempDir::new().unwrap();
    let start = |listen: std::net::SocketAddr| {
        TestServer::with(|config| {
            config.listen = listen.into();
            config.store = StoreKind::Sqlite(directory.path().join("log.db"));
            config.keep.messages = KEPT;
        })
    };
    let server = start(([127, 0, 0, 1], 0).into());
    let addr = server.addr;
    let (page, mut alan) = ada_and_alan(&server).await;
    page.open("Alan").await;
    alan.say("Ada", "seen").await;
    page.shows(&["seen"]).await;
    server.stop().await;

    // The server listens at another address, where the page does not find it.
    let elsewhere = start(([127, 0, 0, 1], 0).into());
    alan.person.addr = elsewhere.addr;
    let all: Vec<String> = (0..KEPT * 3).map(|n| n.to_string()).collect();
    for text in &all {
        alan.say("Ada", text).await;
    }
    elsewhere.stop().await;
    let server = start(addr);
    let shown = eventually("the newest are shown, and no hole", async || {
        let texts = page.texts().await;
        let rest = all.ends_with(&texts).then(|| texts.clone());
        rest.filter(|rest| rest.len() >= KEPT)
            .ok_or(format!("{texts:?}"))
    })
    .await;
    page.live().await;
    alan.person.addr = addr;
    alan.say("Ada", "new").await;
    page.shows(&[&shown[..], &["new".to_owned()]].concat())
        .await;
    let start = "return document.querySelector('#start').textContent";
    let start = page.browser.execute(start).await;
    assert!(start.as_str().unwrap().contains("expired"), "{start}");
    page.browser.close().await;
    server.stop().await;
}
