//! Somebody who chats: in a browser, or by requests alone.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::TestServer;
use super::browser::{Browser, eventually};
use super::client::Response;
use super::person::{PASSWORD, Person, encoded};

/// The path of a conversation.
pub(crate) fn with(name: &str) -> String {
    format!("/chat/with/{}", encoded(name))
}

/// An account without a browser, which gets all that it asks for.
pub(crate) struct Account {
    /// Whoever asks.
    pub(crate) person: Person,
    pub(crate) name: String,
}

impl Account {
    pub(crate) async fn register(addr: SocketAddr, name: &str) -> Account {
        Account {
            person: Person::new(addr, name).await,
            name: name.to_owned(),
        }
    }

    /// Asks somebody, who says yes.
    pub(crate) async fn befriend(&self, other: &Account) {
        self.friends("ask", &other.name).await;
        other.friends("accept", &self.name).await;
    }

    pub(crate) async fn friends(&self, action: &str, name: &str) {
        let answer = self.person.clone().befriend(action, name).await;
        assert_eq!(answer.status, 200, "{action} {name:?}");
    }

    pub(crate) async fn say(&self, to: &str, text: &str) {
        let said = [("msg", text)];
        let answer = self.person.clone().post(&with(to), &said).await;
        assert_eq!(answer.status, 201, "{text:?}");
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.follow(path).await.json().await
    }

    /// A stream that is theirs.
    pub(crate) async fn follow(&self, path: &str) -> Response {
        let stream = self.person.get(path).await;
        assert_eq!(stream.status, 200, "{path}");
        stream
    }
}

/// A browser in which somebody is logged in.
pub(crate) struct Chatter {
    pub(crate) browser: Browser,
    pub(crate) addr: SocketAddr,
}

impl Chatter {
    /// By the pages, as people do it; ends on the page of the friends.
    pub(crate) async fn register(browser: Browser, addr: SocketAddr, name: &str) -> Chatter {
        browser.open(addr, "/chat/register").await;
        Chatter { browser, addr }.enter(name).await
    }

    pub(crate) async fn log_in(browser: Browser, addr: SocketAddr, name: &str) -> Chatter {
        browser.open(addr, "/chat/login").await;
        Chatter { browser, addr }.enter(name).await
    }

    /// Fills the form that is shown.
    pub(crate) async fn enter(self, name: &str) -> Chatter {
        self.type_into("#name", name).await;
        self.type_into("#password", PASSWORD).await;
        self.browser.press("main form button").await;
        self.browser
            .read(".me .name", "who is logged in", |me| me == name)
            .await;
        self
    }

    /// Logged in with an account that requests have made.
    pub(crate) async fn of(account: &Account) -> Chatter {
        Chatter::log_in(Browser::start().await, account.person.addr, &account.name).await
    }

    /// Another window of the same browser; the handle leads back.
    pub(crate) async fn another_tab(&self, path: &str) -> fantoccini::wd::WindowHandle {
        let before = self.browser.open_window().await;
        self.browser.open(self.addr, path).await;
        self.live().await;
        before
    }

    /// Waits until the page has its stream.
    pub(crate) async fn live(&self) {
        let live = |text: &str| text.starts_with("live by ");
        self.browser.read("#state", "live", live).await;
    }

    /// Puts in what keys could: chromedriver itself has none for emoji.
    pub(crate) async fn type_into(&self, css: &str, text: &str) {
        self.browser.find(css).await;
        let script = format!(
            "document.querySelector({}).focus(); document.execCommand('insertText', false, {})",
            json!(css),
            json!(text)
        );
        self.browser.execute(&script).await;
    }

    pub(crate) async fn click(&self, css: &str) {
        eventually(&format!("{css} is clicked"), async || {
            // What is shown again may be another element than what was found.
            let element = self.browser.find(css).await;
            element.click().await.map_err(|error| error.to_string())
        })
        .await;
    }

    pub(crate) async fn ask(&self, name: &str) {
        self.type_into("#ask-name", name).await;
        self.click("#ask button").await;
    }

    /// Opens the conversation with a friend, by a click.
    pub(crate) async fn open(&self, name: &str) {
        self.click(&format!("{} a", friend(name))).await;
        self.opened(name).await;
    }

    pub(crate) async fn opened(&self, name: &str) {
        self.browser
            .read("#talk-title", "the friend's name", |title| title == name)
            .await;
        self.browser.find("#start:not(:empty), #earlier").await;
    }

    pub(crate) async fn say(&self, text: &str) {
        self.type_into("#msg", text).await;
        self.click("#send button").await;
    }

    /// Waits until the server has all that was said here.
    pub(crate) async fn all_sent(&self) {
        self.browser.find("#pending:empty").await;
    }

    /// Waits until a friend is said to be online, or offline.
    pub(crate) async fn sees(&self, name: &str, state: &str) {
        let presence = format!("{} .presence", friend(name));
        self.browser
            .read(&presence, state, |shown| shown == state)
            .await;
    }

    /// Waits until so many messages of a friend are said to be unread.
    pub(crate) async fn unread(&self, name: &str, count: &str) {
        let unread = format!("{} .unread", friend(name));
        self.browser
            .read(&unread, count, |shown| shown == count)
            .await;
    }

    /// The texts that the conversation shows, in their order, also those that wait to be sent.
    pub(crate) async fn texts(&self) -> Vec<String> {
        let texts = self
            .browser
            .execute(
                "return [...document.querySelectorAll('#messages .text, #pending .text')]
                     .map(text => text.textContent)",
            )
            .await;
        serde_json::from_value(texts).unwrap()
    }

    /// The texts of a page of what was said before.
    pub(crate) async fn texts_of_older(&self) -> Vec<String> {
        let texts = self
            .browser
            .execute("return [...document.querySelectorAll('.messages .text')].map(text => text.textContent)")
            .await;
        serde_json::from_value(texts).unwrap()
    }

    /// Waits until the conversation shows these texts and no others.
    pub(crate) async fn shows(&self, expected: &[impl AsRef<str>]) {
        let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
        eventually(
            &format!("the conversation shows {expected:?}"),
            async || {
                let texts = self.texts().await;
                (texts == expected)
                    .then_some(())
                    .ok_or(format!("{texts:?}"))
            },
        )
        .await;
    }
}

/// Ada in a browser, and her friend without one.
pub(crate) async fn ada_and_alan(server: &TestServer) -> (Chatter, Account) {
    let ada = Account::register(server.addr, "Ada").await;
    let alan = Account::register(server.addr, "Alan").await;
    ada.befriend(&alan).await;
    let page = Chatter::of(&ada).await;
    page.live().await;
    (page, alan)
}

/// The row of a friend.
pub(crate) fn friend(name: &str) -> String {
    row("friends", name)
}

/// Somebody's row in a list.
pub(crate) fn row(list: &str, name: &str) -> String {
    let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("#{list} li[data-name=\"{quoted}\"]")
}
