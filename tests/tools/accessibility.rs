//! All pages and their states as axe-core sees them, in light and in dark, and in Chinese.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::helpers::browser::Browser;
use crate::helpers::programs::parsers;
use crate::helpers::site::{self, PAGES};
use crate::support::binary::Binary;
use crate::support::client::post;
use crate::support::eventually;

/// What axe finds wrong: the rules, each with an element that breaks it.
const RUN: &str = "
    const done = arguments[arguments.length - 1];
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => done(violations.map(
        ({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`)));";

struct Eye {
    browser: Browser,
    axe: String,
    server: Binary,
}

impl Eye {
    async fn new(browser: Browser) -> Eye {
        let axe: PathBuf = parsers().join("node_modules/axe-core/axe.min.js");
        let server = Binary::start(&["--demo-accounts"]).await;
        site::fill(server.addr).await;
        Eye {
            browser,
            axe: std::fs::read_to_string(axe).unwrap(),
            server,
        }
    }

    /// Looks at each page, at rest.
    async fn look_at_all(&self) {
        for path in PAGES {
            self.open(path).await;
            self.browser.settles(path).await;
            self.look(path).await;
        }
    }

    /// Looks at the page as it is.
    async fn look(&self, what: &str) {
        self.browser.execute(&self.axe).await;
        let found = self.browser.execute_async(RUN).await;
        assert_eq!(found, json!([]), "{what}");
    }

    async fn open(&self, path: &str) {
        self.browser.open(self.server.addr, path).await;
        self.browser.find("main").await;
    }

    async fn click(&self, css: &str) {
        eventually(&format!("{css} is clicked"), async || {
            let element = self.browser.find(css).await;
            element.click().await.map_err(|error| error.to_string())
        })
        .await;
    }

    async fn type_into(&self, css: &str, text: &str) {
        self.browser.find(css).await.send_keys(text).await.unwrap();
    }

    async fn state(&self, begin: &str) {
        self.browser
            .read("#state", begin, |text| text.contains(begin))
            .await;
    }
}

/// Each page, at rest and in the states that it can be in.
async fn all_states(browser: Browser) {
    let eye = Eye::new(browser).await;
    eye.look_at_all().await;
    states_of_lists(&eye).await;
    states_of_the_wire(&eye).await;
    states_of_the_chat(&eye).await;

    eye.open("/clock").await;
    eye.state("live by").await;
    let Eye {
        browser,
        axe,
        server,
    } = eye;
    server.end("-KILL").await;
    browser
        .read("#state", "that it is lost", |text| {
            text.contains("trying again")
        })
        .await;
    browser.execute(&axe).await;
    assert_eq!(
        browser.execute_async(RUN).await,
        Value::Array(Vec::new()),
        "a clock without a server"
    );
    browser.close().await;
}

/// Pages with lists that fill.
async fn states_of_lists(eye: &Eye) {
    eye.open("/c/long").await;
    eye.state("live by").await;
    eye.browser
        .execute("document.querySelector('.stream').scrollTop = -500")
        .await;
    post(eye.server.addr, "/c/long", "new").await;
    eye.browser
        .read("#newer", "what is new", |text| text == "1 new ↓")
        .await;
    eye.type_into("#search", "99").await;
    eye.browser
        .read("#count", "how many", |text| text.contains(" of "))
        .await;
    eye.look("a log page with something new, and a search")
        .await;

    eye.open("/events").await;
    eye.type_into("#text", "hello").await;
    eye.click("#send button").await;
    eye.browser.find("#messages li").await;
    eye.click("#close").await;
    eye.state("closed").await;
    eye.look("events, closed").await;

    eye.open("/mailbox").await;
    eye.type_into("#me", "Ada").await;
    eye.click("#enter").await;
    eye.state("waiting").await;
    eye.look("a mailbox that is open").await;
}

/// The wire: the socket, with an explanation; something that is broken; a step of the tour; what can be copied.
async fn states_of_the_wire(eye: &Eye) {
    eye.open("/wire").await;
    crate::wire_view::view_socket(&eye.browser).await;
    post(eye.server.addr, "/c/wire", "hello").await;
    eye.click("#panel-sse .part.payload").await;
    eye.look("the socket, and an explanation").await;
    eye.click("#explained button").await;
    eye.click("#tour .next").await;
    eye.click("#faults summary").await;
    eye.click("#faults [value=refuse]").await;
    eye.browser.find("#panel-sse[data-state=ended]").await;
    eye.look("answers of 503").await;
    eye.click("#panel-sse .copy-as").await;
    eye.look("what can be copied").await;
}

/// The chat, from a login that is refused to a friendship that is over.
async fn states_of_the_chat(eye: &Eye) {
    eye.open("/chat/login").await;
    eye.type_into("#name", "nobody").await;
    eye.type_into("#password", "wrong password").await;
    eye.browser.press("main form button").await;
    eye.browser.find(".problem:not(:empty)").await;
    eye.look("a login that is refused").await;
    eye.browser.press(".demo button").await;
    eye.browser.find("#state.fine").await;
    eye.look("the friends").await;
    eye.click("#friends a").await;
    eye.browser.find("#start:not(:empty)").await;
    eye.type_into("#msg", "see https://example.org/").await;
    eye.click("#send button").await;
    eye.browser.find("#messages a").await;
    eye.look("a conversation").await;
    eye.click(".more > summary").await;
    eye.click(".sure > summary").await;
    eye.look("the question before a friendship ends").await;
    eye.click(".sure button").await;
    eye.browser.find("#problem a").await;
    eye.look("a friendship that is over").await;
    eye.click("#problem a").await;
    eye.browser.find(".older .messages").await;
    eye.look("what was said").await;
    eye.open("/chat/password").await;
    eye.look("the password").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_accessible_in_light() {
    all_states(Browser::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_accessible_in_dark() {
    let browser = Browser::dark().await;
    assert_eq!(
        browser
            .execute("return matchMedia('(prefers-color-scheme: dark)').matches")
            .await,
        true
    );
    browser.client.set_window_size(390, 844).await.unwrap();
    all_states(browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_accessible_in_chinese() {
    let eye = Eye::new(Browser::in_chinese().await).await;
    eye.look_at_all().await;
    let language = "return document.documentElement.lang";
    assert_eq!(eye.browser.execute(language).await, "zh-Hans");
    eye.browser.close().await;
}
