//! How the chat's page is used, and what it does when something breaks.

use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use fantoccini::key::Key;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::TestServer;
use crate::support::browser::eventually;
use crate::support::chatter::{Account, Chatter, PASSWORD, friend, with};

/// Ada in a browser, and her friend without one.
async fn ada_and_alan(server: &TestServer) -> (Chatter, Account) {
    let ada = Account::register(server.addr, "Ada").await;
    let alan = Account::register(server.addr, "Alan").await;
    ada.befriend(&alan).await;
    let page = Chatter::of(&ada).await;
    page.live().await;
    (page, alan)
}

/// The keys go to whatever has the focus.
async fn press_keys(page: &Chatter, keys: &str) {
    let focused = page.browser.client.active_element().await.unwrap();
    focused.send_keys(keys).await.unwrap();
}

/// Presses Tab until that has the focus.
async fn tab_to(page: &Chatter, css: &str) {
    let reached = format!(
        "return document.activeElement.matches({})",
        Value::from(css)
    );
    for _ in 0..40 {
        if page.browser.execute(&reached).await == true {
            return;
        }
        press_keys(page, &Key::Tab.to_string()).await;
    }
    panic!("no Tab leads to {css}");
}

#[tokio::test]
async fn the_keyboard_alone_is_enough() {
    let server = TestServer::start();
    let (page, alan) = ada_and_alan(&server).await;
    alan.say("Ada", "hello").await;
    page.unread("Alan", "1").await;
    tab_to(&page, &format!("{} a", friend("Alan"))).await;
    press_keys(&page, &Key::Enter.to_string()).await;
    page.opened("Alan").await;
    page.shows(&["hello"]).await;
    // The focus is where one writes.
    press_keys(&page, "by keys").await;
    press_keys(&page, &Key::Enter.to_string()).await;
    page.shows(&["hello", "by keys"]).await;
    press_keys(
        &page,
        &format!(
            "one{}two{}",
            Key::Shift + &Key::Enter.to_string() + &Key::Null.to_string(),
            Key::Enter
        ),
    )
    .await;
    page.shows(&["hello", "by keys", "one\ntwo"]).await;
    let grace = Account::register(server.addr, "Grace").await;
    grace.friends("ask", "Ada").await;
    tab_to(&page, "#asking [value=accept]").await;
    press_keys(&page, &Key::Enter.to_string()).await;
    page.sees("Grace", "offline").await;
    page.browser.leave(page.browser.client.refresh()).await;
    page.shows(&["hello", "by keys", "one\ntwo"]).await;
    page.browser.client.back().await.unwrap();
    eventually("no conversation is open", async || {
        let open = page.browser.count("#talk-title").await;
        (open == 0).then_some(()).ok_or(open.to_string())
    })
    .await;
    page.browser.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_double_click_opens_a_conversation_once_and_the_ways_back_work() {
    let server = TestServer::start();
    let (page, alan) = ada_and_alan(&server).await;
    alan.say("Ada", "hello").await;
    let link = page.browser.find(&format!("{} a", friend("Alan"))).await;
    let click = |down| {
        let button = fantoccini::actions::MOUSE_BUTTON_LEFT;
        if down {
            PointerAction::Down { button }
        } else {
            PointerAction::Up { button }
        }
    };
    let over = PointerAction::MoveToElement {
        element: link,
        duration: None,
        x: 0.,
        y: 0.,
    };
    let twice = [true, false, true, false].into_iter().fold(
        MouseActions::new("mouse".to_owned()).then(over),
        |actions, down| actions.then(click(down)),
    );
    page.browser.client.perform_actions(twice).await.unwrap();
    page.opened("Alan").await;
    page.shows(&["hello"]).await;
    let address = page.browser.client.current_url().await.unwrap();
    assert_eq!(address.path(), with("Alan"));
    // One step back, although it was clicked twice.
    page.browser.client.back().await.unwrap();
    eventually("the list alone is shown", async || {
        let open = page.browser.count("#talk-title").await;
        (open == 0).then_some(()).ok_or(open.to_string())
    })
    .await;
    page.browser.client.forward().await.unwrap();
    page.opened("Alan").await;
    page.shows(&["hello"]).await;
    page.browser.close().await;
    server.stop().await;
}

#[tokio::test]
async fn earlier_messages_come_by_scrolling_up_and_nothing_moves() {
    const MESSAGES: usize = 170;
    let server = TestServer::start();
    let (page, alan) = ada_and_alan(&server).await;
    let all: Vec<String> = (0..MESSAGES).map(|n| format!("message {n}")).collect();
    for text in &all {
        alan.say("Ada", text).await;
    }
    page.open("Alan").await;
    page.shows(&all[MESSAGES - 50..]).await;
    let top_of = |n: usize| {
        format!(
            "return [...document.querySelectorAll('#messages .text')]
                 .find(text => text.textContent === 'message {n}')
                 .getBoundingClientRect().top"
        )
    };
    let moved = |before: &Value, after: &Value| {
        let moved = after.as_f64().unwrap() - before.as_f64().unwrap();
        assert!(moved.abs() < 1., "moved by {moved}");
    };
    for shown in [50, 100, 150] {
        let oldest = MESSAGES - shown;
        page.browser
            .execute("const view = document.querySelector('div.talk'); view.scrollTop = -view.scrollHeight")
            .await;
        let before = page.browser.execute(&top_of(oldest)).await;
        let more = oldest.saturating_sub(50);
        page.shows(&all[more..]).await;
        let after = page.browser.execute(&top_of(oldest)).await;
        moved(&before, &after);
    }
    // Out of sight, so it is not read like other texts.
    let start = "return document.querySelector('#start').textContent";
    assert_eq!(page.browser.execute(start).await, "Here it begins.");
    // Who reads above is left alone by what comes below.
    page.browser
        .execute("document.querySelector('div.talk').scrollTop = -1500")
        .await;
    let before = page.browser.execute(&top_of(100)).await;
    alan.say("Ada", "new").await;
    page.shows(&[&all[..], &["new".to_owned()]].concat()).await;
    let after = page.browser.execute(&top_of(100)).await;
    moved(&before, &after);
    page.browser.close().await;
    server.stop().await;
}

/// The first answer to a message is lost on its way.
const LOSE_AN_ANSWER: &str = "
    const ask = window.fetch;
    let lost = false;
    window.fetch = async (path, how) => {
        const answer = await ask(path, how);
        if (how?.method !== 'POST' || lost || !path.startsWith('/chat/with/')) return answer;
        lost = true;
        throw new TypeError('the answer is lost');
    };";

#[tokio::test]
async fn a_message_whose_answer_is_lost_is_sent_again_and_is_still_one() {
    let server = TestServer::start();
    let (page, alan) = ada_and_alan(&server).await;
    page.open("Alan").await;
    page.browser.execute(LOSE_AN_ANSWER).await;
    page.say("once").await;
    page.say("and then").await;
    page.shows(&["once", "and then"]).await;
    eventually("nothing waits", async || {
        let pending = page.browser.count("#pending li").await;
        (pending == 0).then_some(()).ok_or(pending.to_string())
    })
    .await;
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

#[tokio::test]
async fn a_restart_of_the_server_loses_and_doubles_nothing() {
    let directory = TempDir::new().unwrap();
    let server = TestServer::stored(&directory);
    let addr = server.addr;
    let (page, alan) = ada_and_alan(&server).await;
    page.open("Alan").await;
    page.say("before").await;
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
        config.listen = addr;
        config.store = forever_frame::config::StoreKind::Sqlite(directory.path().join("log.db"));
    });
    page.live().await;
    page.browser.find("#pending:empty").await;
    alan.say("Ada", "after").await;
    page.shows(&["before", "I hear you", "meanwhile", "after"])
        .await;
    page.browser.reload().await;
    page.shows(&["before", "I hear you", "meanwhile", "after"])
        .await;
    page.browser.close().await;
    server.stop().await;
}

#[tokio::test]
async fn to_log_out_in_one_tab_ends_the_others() {
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

    // Back to what was open leads to the login, too.
    page.browser.open(server.addr, &with("Alan")).await;
    page.browser.find("form[action='/chat/login']").await;
    page.browser.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_password_is_changed_and_what_is_wrong_is_said() {
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
    // What was typed as the name is still there.
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
