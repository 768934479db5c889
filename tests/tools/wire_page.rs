//! The teaching view `/wire` in Chromium: its panels. What else is on it is in `wire_view`.

use serde_json::{Value, json};

use crate::helpers::browser::Browser;
use crate::support::client::post;
use crate::support::{TestServer, eventually, soon};

/// The panels that are open when the page is opened: one connection of a browser's six stays free.
const DEFAULT: [&str; 5] = ["html", "script", "sse", "ndjson", "json"];

/// Opens the page, and waits until these panels have their streams.
pub(crate) async fn open(browser: &Browser, server: &TestServer) {
    browser.open(server.addr, "/wire").await;
    are_open(browser, &DEFAULT).await;
    server.open_streams(5).await;
}

/// Waits until these panels have their streams, and no others.
pub(crate) async fn are_open(browser: &Browser, expected: &[&str]) {
    eventually(&format!("{expected:?} are open"), async || {
        let open = browser
            .execute(
                "return [...document.querySelectorAll('.wire-panel')].map(panel => panel.dataset)
                     .filter(({ state }) => state === 'open' || state === 'waiting')
                     .map(panel => panel.as)",
            )
            .await;
        (open == json!(expected))
            .then_some(())
            .ok_or_else(|| open.to_string())
    })
    .await;
}

/// Sends a message by the page's form.
pub(crate) async fn send(browser: &Browser, message: &str) {
    let input = browser.find("#message").await;
    soon(input.clear()).await.unwrap();
    soon(input.send_keys(message)).await.unwrap();
    soon(browser.find("#send button").await.click())
        .await
        .unwrap();
}

/// Presses a panel's button, which must have this label.
pub(crate) async fn press(browser: &Browser, panel: &str, label: &str) {
    let css = format!("#panel-{panel} .cut");
    browser.read(&css, label, |text| text == label).await;
    soon(browser.find(&css).await.click()).await.unwrap();
}

/// The messages in the bytes that a panel shows, but for those that it marks as seen before.
async fn shown(browser: &Browser, panel: &str) -> Value {
    let script = format!(
        "return [...document.querySelectorAll('#panel-{panel} mark:not(.again)')].map(mark => mark.textContent)"
    );
    browser.execute(&script).await
}

/// Waits until a panel shows these messages, in this order, and no others.
pub(crate) async fn shows(browser: &Browser, panel: &str, expected: &[&str]) {
    eventually(&format!("{panel} shows {expected:?}"), async || {
        let shown = shown(browser, panel).await;
        (shown == json!(expected))
            .then_some(())
            .ok_or_else(|| shown.to_string())
    })
    .await;
}

async fn all_show(browser: &Browser, panels: &[&str], expected: &[&str]) {
    for panel in panels {
        shows(browser, panel, expected).await;
    }
}

async fn cursor(browser: &Browser, panel: &str) -> String {
    let css = format!("#panel-{panel} .cursor");
    browser
        .read(&css, "a cursor", |text| text.contains('-'))
        .await
}

/// The requests of a panel.
async fn asked(browser: &Browser, panel: &str) -> Vec<String> {
    let script = format!(
        "return [...document.querySelectorAll('#panel-{panel} .request')].map(row => row.textContent)
             .filter(text => text.includes('GET'))"
    );
    serde_json::from_value(browser.execute(&script).await).unwrap()
}

/// A message that is sent by the form arrives in each panel, and so does the next one.
#[tokio::test]
async fn wire_page_message_in_every_panel() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    post(server.addr, "/c/wire", "before the page was opened").await;
    open(&browser, &server).await;
    let mut sent = Vec::new();
    // Five streams are open all the time: the form has the sixth connection.
    for message in ["hello 1", "<b>two</b> & \"three\"", "你好 \\ ...", "..."] {
        send(&browser, message).await;
        browser
            .read("#said", "what was appended", |text| {
                text.starts_with(&format!("“{message}” was appended"))
            })
            .await;
        sent.push(message);
        shows(&browser, "sse", &sent).await;
    }
    // In JSON a message is escaped as JSON needs it, in a script also so that no script can end.
    let as_json = [
        "hello 1",
        r#"<b>two</b> & \"three\""#,
        r"你好 \\ ...",
        "...",
    ];
    all_show(&browser, &["ndjson", "json"], &as_json).await;
    let as_script = [
        "hello 1",
        r#"\u003cb\u003etwo\u003c/b\u003e \u0026 \"three\""#,
        r"你好 \\ ...",
        "...",
    ];
    shows(&browser, "script", &as_script).await;
    let as_html = [
        "hello 1",
        "&lt;b&gt;two&lt;/b&gt; &amp; &quot;three&quot;",
        r"你好 \ ...",
        "...",
    ];
    shows(&browser, "html", &as_html).await;
    let last = cursor(&browser, "sse").await;
    assert!(last.ends_with("-5"), "{last}");
    for panel in ["html", "script", "ndjson", "json"] {
        assert_eq!(cursor(&browser, panel).await, last, "{panel}");
    }
    assert_eq!(asked(&browser, "sse").await.len(), 1);
    assert_eq!(browser.count("mark b").await, 0);
    browser.close().await;
    server.stop().await;
}

/// A panel that was cut gets what it missed once and in order when it resumes.
#[tokio::test]
async fn wire_page_resume_fills_in_missed() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    send(&browser, "one").await;
    all_show(&browser, &DEFAULT, &["one"]).await;
    for panel in DEFAULT {
        let before = shown(&browser, panel).await;
        let before: Vec<String> = serde_json::from_value(before).unwrap();
        let others: Vec<&str> = DEFAULT.into_iter().filter(|&as_| as_ != panel).collect();
        let requests = asked(&browser, others[1]).await.len();
        press(&browser, panel, "Cut").await;
        server.open_streams(4).await;
        are_open(&browser, &others).await;
        let missed = [format!("{panel} 1"), format!("{panel} 2")];
        let mut all: Vec<&str> = before.iter().map(String::as_str).collect();
        for message in &missed {
            send(&browser, message).await;
            all.push(message);
            all_show(&browser, &others, &all).await;
        }
        let row = format!("#panel-{panel} .missed");
        let says = format!("Missing here: “{}”, “{}”", missed[0], missed[1]);
        browser.read(&row, &says, |text| text == says).await;
        let here: Vec<&str> = before.iter().map(String::as_str).collect();
        shows(&browser, panel, &here).await;

        press(&browser, panel, "Resume").await;
        shows(&browser, panel, &all).await;
        assert_eq!(browser.count(&row).await, 0);
        let live = format!("after {panel}");
        send(&browser, &live).await;
        all.push(&live);
        all_show(&browser, &DEFAULT, &all).await;
        are_open(&browser, &DEFAULT).await;
        // The long poll asks all the time; the other panels have sent no new request.
        assert_eq!(asked(&browser, others[1]).await.len(), requests);
    }
    let last = cursor(&browser, "sse").await;
    for panel in ["script", "ndjson", "json"] {
        assert_eq!(cursor(&browser, panel).await, last, "{panel}");
    }
    // Each panel resumes by the means of its transport.
    let resumed = |as_: &'static str, by: &'static str| {
        let browser = &browser;
        async move {
            let asked = asked(browser, as_).await;
            assert!(asked[1].contains(by), "{asked:?}");
        }
    };
    resumed("sse", "Last-Event-ID: ").await;
    resumed("ndjson", "since=").await;
    browser.close().await;
    server.stop().await;
}

/// A sixth panel replaces another one, and has the same messages.
#[tokio::test]
async fn wire_page_sixth_panel_replaces_another() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    send(&browser, "one <i>").await;
    shows(&browser, "sse", &["one <i>"]).await;
    press(&browser, "text", "Start").await;
    are_open(&browser, &["script", "sse", "ndjson", "json", "text"]).await;
    server.open_streams(5).await;
    send(&browser, "two").await;
    shows(&browser, "text", &["one <i>", "two"]).await;
    let counted = cursor(&browser, "text").await;
    assert!(counted.ends_with("-0, then 2 lines"), "{counted}");
    // It comes back, and skips the lines that it had.
    press(&browser, "text", "Cut").await;
    send(&browser, "three").await;
    press(&browser, "text", "Resume").await;
    shows(&browser, "text", &["one <i>", "two", "three"]).await;
    assert_eq!(browser.count("#panel-text mark.again").await, 2);
    assert!(asked(&browser, "text").await[1].contains("-0&"));
    server.open_streams(5).await;
    // So does the one that was cut to make room, with what it missed.
    press(&browser, "html", "Resume").await;
    shows(&browser, "html", &["one &lt;i&gt;", "two", "three"]).await;
    are_open(&browser, &["html", "sse", "ndjson", "json", "text"]).await;
    browser.close().await;
    server.stop().await;
}

/// The colours of a message are elements in the bytes of HTML, and a part of the message there.
#[tokio::test]
async fn wire_page_colors_in_html() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    post(server.addr, "/c/wire", "a \x1b[31mred\x1b[m one").await;
    let colored = "<span>a <span class=\"fg1\">red</span> one</span>";
    shows(&browser, "html", &[colored]).await;
    post(server.addr, "/c/wire", "plain").await;
    shows(&browser, "html", &[colored, "plain"]).await;
    // A panel that is cut says what it is missing without them.
    press(&browser, "html", "Cut").await;
    post(server.addr, "/c/wire", "\x1b[1mbold\x1b[m").await;
    let missed = |text: &str| text.contains("bold");
    browser
        .read("#panel-html .missed", "what is missing", missed)
        .await;
    browser.close().await;
    server.stop().await;
}

/// The table says what a message costs on each transport.
#[tokio::test]
async fn wire_page_table_of_costs() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    send(&browser, "hello").await;
    all_show(&browser, &DEFAULT, &["hello"]).await;
    let cost = |panel: &str| format!("tr[data-as={panel}] .cost");
    browser
        .read(&cost("sse"), "the message and its framing", |text| {
            text.contains("= 5 + ")
        })
        .await;
    let costs = browser
        .execute(
            "return [...document.querySelectorAll('tr[data-as] .cost')]
                 .map(cell => Number(/[0-9]+/.exec(cell.textContent) ?? 0))",
        )
        .await;
    let costs: Vec<u64> = serde_json::from_value(costs).unwrap();
    let [text, html, script, sse, ndjson, json] = costs[..] else {
        panic!("{costs:?}")
    };
    assert_eq!(text, 0, "not started");
    assert!(
        sse < ndjson && ndjson < html && html < script && script < json,
        "{costs:?}"
    );
    let requests = |panel: &str| format!("tr[data-as={panel}] .requests");
    browser
        .read(&requests("sse"), "one request", |text| {
            text == "1 for 1 message"
        })
        .await;
    browser
        .read(&requests("json"), "a request each", |text| {
            text == "2 for 1 message"
        })
        .await;
    browser.close().await;
    server.stop().await;
}

/// A page that is left closes all its connections.
#[tokio::test]
async fn wire_page_left_closes_connections() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    browser.press("nav a[href='/receiver']").await;
    server.open_streams(0).await;
    browser.close().await;
    server.stop().await;
}
