//! The pages, in Chromium.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fantoccini::error::CmdError;
use serde_json::Value;

use crate::support::TestServer;
use crate::support::browser::{Browser, eventually};
use crate::support::client::{get, post, send};
use crate::support::text::{Reader, Said};

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
    browser
        .read(".lines", &format!("{expected:?}"), |lines| {
            messages(lines) == expected
        })
        .await;
}

/// Opens `/receiver` and presses its button.
async fn receive(browser: &Browser, server: &TestServer) {
    browser.open(server.addr, "/receiver").await;
    browser.press("#start").await;
    browser.find(".lines").await;
}

/// Waits until the page has come to its end.
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

/// All that is in `main`.
async fn log(server: &TestServer) -> Vec<String> {
    let mut stream = get(server.addr, "/c/main?as=text&since=all&timeout=100ms").await;
    let said = Reader::default().read(stream.text().await.as_bytes());
    said.into_iter()
        .filter_map(|said| match said {
            Said::Message(message) => Some(message),
            Said::Gap(_) | Said::End(_) => None,
        })
        .collect()
}

fn is_date(message: &str) -> bool {
    message.starts_with("new date: 20")
}

#[tokio::test]
async fn the_receivers_button_leads_to_a_page_that_grows_a_dot_a_second_and_is_never_loaded() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    browser.open(server.addr, "/receiver").await;
    browser
        .read("main .lead", "the greeting", |text| {
            text == "Do on Request!"
        })
        .await;
    assert_eq!(browser.count(".lines").await, 0);
    let pressed = Instant::now();
    browser.press("#start").await;
    for least in 1..=3 {
        let lines = browser
            .read(".lines", "dots", |lines| dots(lines) >= least)
            .await;
        // The first comes with the page.
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

#[tokio::test]
async fn another_window_of_the_same_browser_is_served_while_the_long_request_is_open() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    receive(&browser, &server).await;
    let receiver = browser.follow("main a[href='/sender']").await;
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

#[tokio::test]
async fn a_line_is_in_the_page_within_a_tenth_of_a_second() {
    const ROUNDS: usize = 5;
    let server = TestServer::start();
    let browser = Browser::start().await;
    receive(&browser, &server).await;
    browser
        .execute(
            "window.arrivals = [];
             new MutationObserver(changes => {
                 for (const change of changes)
                     for (const node of change.addedNodes)
                         if (node.nodeName === 'P') arrivals.push(Date.now());
             }).observe(document.querySelector('.lines'), { childList: true });",
        )
        .await;
    // Just behind a dot: who looks at the log once a second will not look soon.
    let before = dots(&browser.read(".lines", "anything", |_| true).await);
    browser
        .read(".lines", "one dot more", |lines| dots(lines) > before)
        .await;
    let mut delays = Vec::new();
    for round in 0..ROUNDS {
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert_eq!(get(server.addr, "/sender").await.status, 200);
        let arrived = eventually("the line is in the page", async || {
            let arrivals = browser.execute("return arrivals").await;
            let arrived = arrivals.get(round).and_then(Value::as_u64);
            arrived.ok_or_else(|| arrivals.to_string())
        })
        .await;
        // The page's clock is the same one, but counts whole milliseconds.
        delays.push(Duration::from_millis(arrived + 1).saturating_sub(asked));
    }
    // The best of them: the others are the machine's, which may be busy with other tests.
    let best = delays.iter().min().unwrap();
    assert!(*best < Duration::from_millis(100), "{delays:?}");
    browser.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_reload_goes_on_with_what_is_new_and_the_button_begins_anew() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    append(&server, "one").await;
    append(&server, "two").await;
    receive(&browser, &server).await;
    shows(&browser, &["one", "two"]).await;
    append(&server, "three").await;
    append(&server, "four").await;
    shows(&browser, &["one", "two", "three", "four"]).await;

    browser.reload().await;
    // A dot comes behind all that is shown again, if anything is.
    let lines = browser
        .read(".lines", "a dot", |lines| dots(lines) > 0)
        .await;
    assert_eq!(messages(&lines), [""; 0]);
    append(&server, "five").await;
    shows(&browser, &["five"]).await;

    browser.leave(browser.client.goto("about:blank")).await;
    server.open_streams(0).await;
    append(&server, "while nobody looked").await;
    // Chromium does not send a form again by going back, but by the reload after it.
    browser.leave(browser.client.back()).await;
    browser.reload().await;
    shows(&browser, &["while nobody looked"]).await;

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

#[tokio::test]
async fn markup_in_a_message_is_shown_as_the_characters_that_it_is() {
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

#[tokio::test]
async fn the_receiver_needs_no_javascript() {
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
        .read(".lines", "dots behind the message", |lines| {
            lines
                .split_once("without a script")
                .is_some_and(|(_, behind)| dots(behind) > 1)
        })
        .await;
    browser.close().await;
    server.stop().await;
}

/// Otherwise the test above would say nothing.
#[tokio::test]
async fn the_browser_of_the_other_tests_runs_scripts() {
    let browser = Browser::start().await;
    assert!(browser.runs_scripts().await);
    browser.close().await;
}

#[tokio::test]
async fn the_senders_form_appends_once_however_often_its_answer_is_reloaded() {
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

#[tokio::test]
async fn every_link_of_the_first_page_leads_somewhere() {
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
        // Where one must be known, one is led to where one can say who one is.
        if answer.status == 303 {
            answer = go(answer.header("location")).await;
        }
        assert_eq!(answer.status, 200, "{link}");
    }
    browser.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_page_of_two_channels_says_which_is_which_and_where_it_ends() {
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
