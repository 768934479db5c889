//! The use of the chat's page: by keys, by a double click, by scrolling.

use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use fantoccini::key::Key;
use serde_json::Value;

use crate::helpers::chatter::{Chatter, ada_and_alan, friend};
use crate::support::member::{Member, with};
use crate::support::person::{PASSWORD, Person};
use crate::support::{TestServer, eventually};

/// Presses keys, which go to the element that has the focus.
async fn press_keys(page: &Chatter, keys: &str) {
    let focused = page.browser.client.active_element().await.unwrap();
    focused.send_keys(keys).await.unwrap();
}

/// Presses Tab until an element has the focus.
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

/// The keyboard alone is enough to use the page.
#[tokio::test]
async fn chat_page_by_keyboard_alone() {
    let server = TestServer::start();
    let (page, alan) = ada_and_alan(&server).await;
    alan.say("Ada", "hello").await;
    page.unread("Alan", "1").await;
    tab_to(&page, &format!("{} a", friend("Alan"))).await;
    press_keys(&page, &Key::Enter.to_string()).await;
    page.opened("Alan").await;
    page.shows(&["hello"]).await;
    // The focus is in the field for the message.
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
    // This Enter ends a word in an input method, and does not send the message.
    page.browser
        .execute(
            "document.querySelector('#msg').value = 'ni hao';
             const enter = { key: 'Enter', isComposing: true, bubbles: true };
             document.querySelector('#msg').dispatchEvent(new KeyboardEvent('keydown', enter))",
        )
        .await;
    let value = "return document.querySelector('#msg').value";
    assert_eq!(page.browser.execute(value).await, "ni hao");
    page.browser
        .execute("document.querySelector('#msg').value = ''")
        .await;
    let grace = Member::register(server.addr, "Grace").await;
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

/// A double click opens a conversation once, and the ways back and forward work.
#[tokio::test]
async fn chat_page_double_click_and_history() {
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
    // One step back is enough, although the link was clicked twice.
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

/// Earlier messages come by scrolling up, and what is shown does not move.
#[tokio::test]
async fn chat_page_scroll_loads_earlier_messages() {
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
    // This text is out of sight, where chromedriver reads none.
    let start = "return document.querySelector('#start').textContent";
    assert_eq!(
        page.browser.execute(start).await,
        "The conversation begins here."
    );
    // A new message below does not move the earlier ones that are being read.
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

/// A text that the server refuses goes back into the field.
#[tokio::test]
async fn chat_page_refused_text_returns_to_field() {
    let server = TestServer::start();
    let (page, _alan) = ada_and_alan(&server).await;
    page.open("Alan").await;
    let long = "你".repeat(6000);
    let put = format!("document.querySelector('#msg').value = '{long}'");
    page.browser.execute(&put).await;
    page.click("#send button").await;
    page.browser
        .read("#problem", "why", |text| text.contains("16384 bytes"))
        .await;
    let value = "return document.querySelector('#msg').value";
    assert_eq!(page.browser.execute(value).await, Value::from(long));
    page.shows(&[""; 0]).await;
    page.browser
        .execute("document.querySelector('#msg').value = ''")
        .await;
    page.say("short").await;
    page.shows(&["short"]).await;
    page.browser
        .read("#problem", "nothing", str::is_empty)
        .await;
    page.browser.close().await;
    server.stop().await;
}

/// Each field has a name for a screen reader.
#[tokio::test]
async fn chat_page_fields_have_accessible_names() {
    let server = TestServer::start();
    let (page, _alan) = ada_and_alan(&server).await;
    let nameless = "return document.readyState === 'loading' ? 'not there yet'
        : [...document.querySelectorAll('input:not([type=hidden], [aria-hidden]), textarea, button, section, [role=log]')]
        .filter(field => field.checkVisibility() && ![field.labels?.[0]?.textContent, field.ariaLabel, field.textContent,
            document.getElementById(field.getAttribute('aria-labelledby'))?.textContent].some(name => name?.trim()))
        .map(field => field.outerHTML)";
    let all_have_names = async |page: &Chatter| {
        eventually("all fields have names", async || {
            let found = page.browser.execute(nameless).await;
            (found == Value::Array(Vec::new()))
                .then_some(())
                .ok_or(found.to_string())
        })
        .await;
    };
    page.open("Alan").await;
    all_have_names(&page).await;
    page.browser.open(server.addr, "/chat/password").await;
    all_have_names(&page).await;
    page.browser.open(server.addr, "/chat").await;
    page.live().await;
    all_have_names(&page).await;
    page.browser
        .press("form[action='/chat/logout'] button")
        .await;
    all_have_names(&page).await;
    page.browser.open(server.addr, "/chat/register").await;
    all_have_names(&page).await;
    page.browser.close().await;
    server.stop().await;
}

/// A page that is open for long keeps a thousand messages, and loads the others by scrolling.
#[tokio::test]
async fn chat_page_keeps_a_thousand_messages() {
    const MOST: usize = 1000;
    let server = TestServer::start();
    let (page, alan) = ada_and_alan(&server).await;
    page.open("Alan").await;
    let all: Vec<String> = (0..MOST + 30).map(|n| n.to_string()).collect();
    // Each of the two says half of it: nobody may say more at once.
    let mut ada = Person::nobody(server.addr);
    assert_eq!(ada.enter("login", "Ada", PASSWORD).await.status, 200);
    for two in all.chunks(2) {
        alan.say("Ada", &two[0]).await;
        let said = ada.post(&with("Alan"), &[("msg", &two[1])]).await;
        assert_eq!(said.status, 201, "{two:?}");
    }
    page.shows(&all[30..]).await;
    page.browser
        .execute(
            "const view = document.querySelector('div.talk'); view.scrollTop = -view.scrollHeight",
        )
        .await;
    page.shows(&all).await;
    page.unread("Alan", "").await;
    page.browser.close().await;
    server.stop().await;
}

/// The name in the address may be spelled otherwise, and is corrected.
#[tokio::test]
async fn chat_page_address_with_other_spelling() {
    let server = TestServer::start();
    let (page, alan) = ada_and_alan(&server).await;
    alan.say("Ada", "hello").await;
    page.browser.open(server.addr, "/chat/with/ALAN").await;
    page.live().await;
    page.shows(&["hello"]).await;
    let address = page.browser.client.current_url().await.unwrap();
    assert_eq!(address.path(), with("Alan"));
    page.browser.close().await;
    server.stop().await;
}
