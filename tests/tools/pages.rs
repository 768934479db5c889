//! The pages `/`, `/receiver` and `/sender`, and the HTML of streams, in Chromium.

use std::time::Instant;

use fantoccini::error::CmdError;

use crate::helpers::browser::Browser;
use crate::support::client::{get, post, send};
use crate::support::wires::Stream;
use crate::support::{TestServer, eventually, soon};

/// The messages among the lines of a stream, without the dots.
fn messages(lines: &str) -> Vec<&str> {
    lines
        .lines()
        .filter(|line| !line.is_empty() && !is_dots(line))
        .collect()
}

fn dots(lines: &str) -> usize {
    lines
        .lines()
        .filter(|line| is_dots(line))
        .map(str::len)
        .sum()
}

fn is_dots(line: &str) -> bool {
    line.bytes().all(|b| b == b'.')
}

/// Waits until the page shows these messages and no others.
async fn shows(browser: &Browser, expected: &[&str]) {
    // chromedriver takes for hidden what is above the part that is scrolled to.
    let read = "return document.querySelector('.lines')?.innerText ?? ''";
    eventually(&format!("the page shows {expected:?}"), async || {
        let lines = browser.execute(read).await;
        let lines = lines.as_str().unwrap().to_owned();
        (messages(&lines) == expected).then_some(()).ok_or(lines)
    })
    .await;
}

/// Opens `/receiver` and presses its button.
async fn receive(browser: &Browser, server: &TestServer) {
    browser.open(server.addr, "/receiver").await;
    browser.press("#start").await;
    browser.find(".lines").await;
}

/// Waits until the page is loaded completely.
async fn loaded(browser: &Browser) {
    eventually("the page is loaded", async || {
        let state = browser.execute("return document.readyState").await;
        (state == "complete").then_some(()).ok_or(state.to_string())
    })
    .await;
}

async fn append(server: &TestServer, message: &str) {
    assert_eq!(post(server.addr, "/send", message).await.status, 201);
}

/// The texts of all messages in `main`.
async fn log(server: &TestServer) -> Vec<String> {
    let stream = Stream::open(server.addr, "text", "main", "since=all&timeout=100ms").await;
    let stream = stream.whole().await;
    stream.texts().into_iter().map(str::to_owned).collect()
}

fn is_date(message: &str) -> bool {
    message.starts_with("new date: 20")
}

/// The receiver's button leads to a page that grows by a dot each second and is never loaded
/// completely.
#[tokio::test]
async fn receiver_page_grows_a_dot_a_second() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    browser.open(server.addr, "/receiver").await;
    browser
        .read(".greeting", "the greeting", |text| text == "Do on Request!")
        .await;
    assert_eq!(browser.count(".lines").await, 0);
    let pressed = Instant::now();
    browser.press("#start").await;
    for least in 1..=3 {
        let lines = browser
            .read(".lines", "dots", |lines| dots(lines) >= least)
            .await;
        // The first dot comes with the page.
        let most = 1 + pressed.elapsed().as_secs();
        assert!(dots(&lines) as u64 <= most, "{lines:?}, but {most} at most");
        assert_eq!(messages(&lines), [""; 0]);
    }
    assert_eq!(
        browser.execute("return document.readyState").await,
        "loading"
    );
    assert_eq!(server.metrics.open_streams(), 1);
    browser.close().await;
    server.stop().await;
}

/// Another window of the same browser is served while the long request is open.
#[tokio::test]
async fn receiver_page_does_not_block_other_windows() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    receive(&browser, &server).await;
    let receiver = browser.follow("main a.sender").await;
    let one = |lines: &str| matches!(messages(lines)[..], [line] if is_date(line));
    let sent = browser.read(".lines", "a date", one).await;
    browser
        .read("[role=status]", "what was appended", |text| {
            text == format!("Appended “{sent}”.")
        })
        .await;
    browser.press("#reload").await;
    let two = |lines: &str| matches!(messages(lines)[..], [a, b] if is_date(a) && is_date(b));
    let sent = browser.read(".lines", "two dates", two).await;
    browser.look_into(receiver).await;
    shows(&browser, &messages(&sent)).await;
    browser.close().await;
    server.stop().await;
}

/// A line is in the page at once, and does not wait for the next dot.
#[tokio::test]
async fn receiver_page_shows_line_before_next_dot() {
    const LINES: usize = 120;
    let server = TestServer::start();
    let browser = Browser::start().await;
    receive(&browser, &server).await;
    // Each line has to be in the page before the next one is asked for. A receiver that looked at the
    // log once a second, when it writes its dots, would need four times as long as patience lasts.
    let all = async {
        for line in 1..=LINES {
            assert_eq!(get(server.addr, "/sender").await.status, 200);
            eventually("the line is in the page", async || {
                let lines = browser.count(".lines p").await;
                (lines == line).then_some(()).ok_or(lines.to_string())
            })
            .await;
        }
    };
    soon(all).await;
    browser.close().await;
    server.stop().await;
}

/// A reload goes on with new messages, and the button begins anew.
#[tokio::test]
async fn receiver_page_reload_resumes() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    append(&server, "one").await;
    append(&server, "two").await;
    receive(&browser, &server).await;
    shows(&browser, &["one", "two"]).await;
    append(&server, "three").await;
    append(&server, "four").await;
    shows(&browser, &["one", "two", "three", "four"]).await;

    // What was shown last is shown again, a rule, and then what is new.
    let rule = "This page was loaded again. What comes from here on is new.";
    browser.reload().await;
    shows(&browser, &["one", "two", "three", "four", rule]).await;
    append(&server, "five").await;
    shows(&browser, &["one", "two", "three", "four", rule, "five"]).await;

    browser.leave(browser.client.goto("about:blank")).await;
    server.open_streams(0).await;
    append(&server, "while nobody looked").await;
    browser.leave(browser.client.back()).await;
    let before = ["one", "two", "three", "four", "five", rule];
    shows(&browser, &[&before[..], &["while nobody looked"]].concat()).await;

    receive(&browser, &server).await;
    let all = ["one", "two", "three", "four", "five", "while nobody looked"];
    shows(&browser, &all).await;
    browser.close().await;
    server.stop().await;
}

const MARKUP: &str = "<script>alert(1)</script><b>x</b>";
const ENTITIES: &str = "&lt;i&gt; &amp; \"quoted\" 'so'</p></div>";

async fn shows_markup_as_text(browser: &Browser) {
    browser
        .read(".lines", "the characters", |lines| {
            messages(lines).starts_with(&[MARKUP, ENTITIES])
        })
        .await;
    assert_eq!(browser.count(".lines b, .lines i, script").await, 0);
    let alert = browser.client.get_alert_text().await;
    assert!(
        alert.as_ref().is_err_and(CmdError::is_no_such_alert),
        "{alert:?}"
    );
}

/// Markup in a message is shown as its characters.
#[tokio::test]
async fn html_stream_shows_markup_as_text() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    append(&server, MARKUP).await;
    append(&server, ENTITIES).await;
    receive(&browser, &server).await;
    shows_markup_as_text(&browser).await;
    browser.open(server.addr, "/c/main?as=html").await;
    shows_markup_as_text(&browser).await;
    browser.open(server.addr, "/sender").await;
    shows_markup_as_text(&browser).await;
    browser.close().await;
    server.stop().await;
}

/// The receiver needs no JavaScript.
#[tokio::test]
async fn receiver_page_without_javascript() {
    let server = TestServer::start();
    let browser = Browser::without_javascript().await;
    assert!(!browser.runs_scripts().await);
    receive(&browser, &server).await;
    browser
        .read(".lines", "a dot", |lines| dots(lines) > 0)
        .await;
    append(&server, "without a script").await;
    shows(&browser, &["without a script"]).await;
    browser
        .read(".lines", "dots after the message", |lines| {
            lines
                .split_once("without a script")
                .is_some_and(|(_, after)| dots(after) > 1)
        })
        .await;
    browser.close().await;
    server.stop().await;
}

/// The browser of the other tests runs scripts; otherwise the tests without JavaScript would prove
/// nothing.
#[tokio::test]
async fn browser_runs_scripts_by_default() {
    let browser = Browser::start().await;
    assert!(browser.runs_scripts().await);
    browser.close().await;
}

/// The sender's form appends once, however often its answer is reloaded.
#[tokio::test]
async fn sender_page_reload_appends_once() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    receive(&browser, &server).await;
    let receiver = browser.open_window().await;
    browser.open(server.addr, "/sender").await;
    let text = "50% + ½ & more=less 你好";
    browser.find("#msg").await.send_keys(text).await.unwrap();
    browser.press("#send").await;
    for _ in 0..3 {
        browser
            .read("[role=status]", "what was appended", |text| {
                text == "Appended your message; its seq is 2."
            })
            .await;
        let url = browser.client.current_url().await.unwrap();
        assert!(url.query().unwrap().starts_with("sent="), "{url}");
        let both = |lines: &str| matches!(messages(lines)[..], [a, b] if is_date(a) && b == text);
        browser.read(".lines", "the date and the text", both).await;
        browser.reload().await;
    }
    let log = log(&server).await;
    assert!(
        matches!(&log[..], [a, b] if is_date(a) && b == text),
        "{log:?}"
    );
    browser.look_into(receiver).await;
    shows(&browser, &[&log[0], &log[1]]).await;
    browser.close().await;
    server.stop().await;
}

/// Each link of the first page leads to a page.
#[tokio::test]
async fn first_page_links_lead_somewhere() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    browser.open(server.addr, "/").await;
    loaded(&browser).await;
    let links = browser
        .execute("return [...document.querySelectorAll('a')].map(a => a.href)")
        .await;
    let links: Vec<String> = serde_json::from_value(links).unwrap();
    let origin = format!("http://{}", server.addr);
    for expected in ["/receiver", "/sender", "/stream"] {
        assert!(links.contains(&format!("{origin}{expected}")), "{links:?}");
    }
    for link in &links {
        let path = link.strip_prefix(&origin).expect(link);
        let go = async |path: &str| {
            let head = format!("GET {path}\r\nAccept: text/html");
            send(server.addr, &head, b"").await
        };
        let mut answer = go(path).await;
        // A page for accounts leads to its login.
        if answer.status == 303 {
            answer = go(answer.header("location")).await;
        }
        assert_eq!(answer.status, 200, "{link}");
    }
    browser.close().await;
    server.stop().await;
}

/// A page of two channels shows the channel of each message, and where the stream ends.
#[tokio::test]
async fn html_stream_of_two_channels() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    post(server.addr, "/c/a", "from a").await;
    post(server.addr, "/c/elsewhere", "not from here").await;
    browser.open(server.addr, "/c/a,b?as=html&limit=2").await;
    shows(&browser, &["from a"]).await;
    assert_eq!(browser.count(".end").await, 0);
    post(server.addr, "/c/b", "from b").await;
    browser
        .read(".end", "the end and its cursor", |text| {
            text.contains("ends here") && text.ends_with("-3.")
        })
        .await;
    let shown = browser
        .execute(
            "return [...document.querySelectorAll('.message')].map(p =>
                 [getComputedStyle(p, '::before').content, p.dataset.channel, p.textContent])",
        )
        .await;
    let expected = serde_json::json!([["\"a\"", "a", "from a"], ["\"b\"", "b", "from b"]]);
    assert_eq!(shown, expected);
    loaded(&browser).await;
    browser.close().await;
    server.stop().await;
}
