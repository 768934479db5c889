//! A person who chats in a browser.

use std::net::SocketAddr;

use serde_json::json;

use super::browser::Browser;
use crate::support::member::Member;
use crate::support::person::PASSWORD;
use crate::support::{TestServer, eventually};

/// A browser in which a person is logged in.
pub(crate) struct Chatter {
    pub(crate) browser: Browser,
    pub(crate) addr: SocketAddr,
}

impl Chatter {
    /// Registers by the pages, as people do it; ends on the page of the friends.
    pub(crate) async fn register(browser: Browser, addr: SocketAddr, name: &str) -> Chatter {
        browser.open(addr, "/chat/register").await;
        Chatter { browser, addr }.enter(name).await
    }

    pub(crate) async fn log_in(browser: Browser, addr: SocketAddr, name: &str) -> Chatter {
        browser.open(addr, "/chat/login").await;
        Chatter { browser, addr }.enter(name).await
    }

    /// Fills in the form that is shown, and sends it.
    pub(crate) async fn enter(self, name: &str) -> Chatter {
        self.type_into("#name", name).await;
        self.type_into("#password", PASSWORD).await;
        self.browser.press("main form button").await;
        self.browser
            .read(".me .name", "who is logged in", |me| me == name)
            .await;
        self
    }

    /// Logs in with an account that requests have made.
    pub(crate) async fn of(member: &Member) -> Chatter {
        Chatter::log_in(Browser::start().await, member.person.addr, &member.name).await
    }

    /// Opens a page in another window of the same browser; the handle leads back.
    pub(crate) async fn another_tab(&self, path: &str) -> fantoccini::wd::WindowHandle {
        let before = self.browser.open_window().await;
        self.browser.open(self.addr, path).await;
        self.live().await;
        before
    }

    /// Waits until the page has its stream.
    pub(crate) async fn live(&self) {
        // Nothing is said of it while all is well.
        self.browser.find("#state.fine").await;
    }

    /// Inserts a text as keys would: chromedriver itself has no keys for emoji.
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
            // The list may have been drawn anew, so that the element that was found is gone.
            let element = self.browser.find(css).await;
            element.click().await.map_err(|error| error.to_string())
        })
        .await;
    }

    pub(crate) async fn ask(&self, name: &str) {
        self.type_into("#ask-name", name).await;
        self.click("#ask button").await;
    }

    /// Opens the conversation with a friend by a click.
    pub(crate) async fn open(&self, name: &str) {
        self.click(&format!("{} a", friend(name))).await;
        self.opened(name).await;
    }

    /// Waits until the conversation with a friend is shown.
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

    /// Waits until the server has all messages that were said here.
    pub(crate) async fn all_sent(&self) {
        self.browser.find("#pending:empty").await;
    }

    /// Waits until the page says that a friend is `online` or `offline`.
    pub(crate) async fn sees(&self, name: &str, state: &str) {
        let presence = format!("{} .presence", friend(name));
        self.browser
            .read(&presence, state, |shown| shown == state)
            .await;
    }

    /// Waits until the page says that this many messages of a friend are unread.
    pub(crate) async fn unread(&self, name: &str, count: &str) {
        let unread = format!("{} .unread", friend(name));
        self.browser
            .read(&unread, count, |shown| shown == count)
            .await;
    }

    /// The texts that the conversation shows, in their order, with those that wait to be sent.
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

    /// The texts that a page of earlier messages shows.
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

/// Ada in a browser, and her friend Alan without one.
pub(crate) async fn ada_and_alan(server: &TestServer) -> (Chatter, Member) {
    let ada = Member::register(server.addr, "Ada").await;
    let alan = Member::register(server.addr, "Alan").await;
    ada.befriend(&alan).await;
    let page = Chatter::of(&ada).await;
    page.live().await;
    (page, alan)
}

/// The row of a friend, as a selector.
pub(crate) fn friend(name: &str) -> String {
    row("friends", name)
}

/// A person's row in a list, as a selector.
pub(crate) fn row(list: &str, name: &str) -> String {
    let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("#{list} li[data-name=\"{quoted}\"]")
}
