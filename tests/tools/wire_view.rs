//! What `/wire` has around its panels, in Chromium: the view of the socket, the time line, the requests to
//! copy, and the guided two minutes.

use std::process::Stdio;
use std::time::Duration;

use fantoccini::key::Key;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::helpers::browser::Browser;
use crate::helpers::programs::{MISSING, command};
use crate::support::client::post;
use crate::support::{TestServer, eventually, soon};
use crate::wire_page::{open, press, send, shows};

/// Shows what the sockets were written, and waits until the server tells of all five streams.
pub(crate) async fn view_socket(browser: &Browser) {
    click(browser, "#views [value=socket]").await;
    eventually("all panels have writes", async || {
        let with = "return document.querySelectorAll('.writes:has(.part)').length";
        // The long poll has none before its answer.
        let count = browser.execute(with).await;
        (count.as_u64() >= Some(4))
            .then_some(())
            .ok_or_else(|| count.to_string())
    })
    .await;
}

pub(crate) async fn click(browser: &Browser, css: &str) {
    soon(browser.find(css).await.click()).await.unwrap();
}

/// What a script says, when it says this.
async fn says(browser: &Browser, script: &str, expected: &Value) {
    eventually(&format!("{script} is {expected}"), async || {
        let said = browser.execute(script).await;
        (said == *expected)
            .then_some(())
            .ok_or_else(|| said.to_string())
    })
    .await;
}

/// The labels of the last write that has a message.
const LAST: &str = "
    const rows = document.querySelectorAll('#panel-sse .writes [data-kind=message]');
    return [...(rows[rows.length - 1]?.querySelectorAll('.part') ?? [])].map(part => [part.dataset.label, part.textContent]);";

/// A message is shown as it was written to the socket, each byte with its label, which is explained at a
/// press or by the keyboard.
#[tokio::test]
async fn wire_view_of_the_socket() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    view_socket(&browser).await;
    send(&browser, "hello 你").await;
    let cursor = browser
        .read("#panel-sse .cursor", "the message", |text| {
            text.ends_with("-1")
        })
        .await;
    // The id line, the data line and the blank one, in hexadecimal.
    let size = format!("id: {cursor}\ndata: hello 你\n\n").len();
    let expected = json!([
        ["chunk-size", format!("{size:X}CRLF")],
        ["field", "id: "],
        ["cursor", cursor],
        ["line-end", "LF"],
        ["field", "data: "],
        ["payload", "hello 你"],
        ["line-end", "LF"],
        ["dispatch", "LF"],
        ["chunk-end", "CRLF"],
    ]);
    says(&browser, LAST, &expected).await;
    says(
        &browser,
        "return document.querySelectorAll('#panel-html .part.payload').length",
        &json!(1),
    )
    .await;
    // The head of the answer was told, too, and of the request all but who asked.
    let heads = "return [...document.querySelectorAll('#panel-sse .part.http')].map(part => part.textContent)[0]";
    says(&browser, heads, &json!("HTTP/1.1 200 OKCRLF")).await;

    // One label of each panel is a stop of the Tab key; the arrow keys lead to the others.
    let stops = "return [...document.querySelectorAll('.writes')].map(list => list.querySelectorAll('.part[tabindex=\"0\"]').length)";
    says(&browser, stops, &json!([1, 1, 1, 1, 1, 0])).await;
    browser
        .execute("document.querySelector('#panel-sse .part[tabindex=\"0\"]').focus()")
        .await;
    let focused = async || soon(browser.client.active_element()).await.unwrap();
    soon(focused().await.send_keys(&Key::End.to_string()))
        .await
        .unwrap();
    let last = "return document.activeElement.dataset.label";
    says(&browser, last, &json!("chunk-end")).await;
    for _ in 0..8 {
        soon(focused().await.send_keys(&Key::Left.to_string()))
            .await
            .unwrap();
    }
    says(&browser, last, &json!("chunk-size")).await;
    browser
        .read("#explained", "the standard and the number", |text| {
            text.contains("RFC 9112, section 7.1") && text.contains(&format!("is {size}."))
        })
        .await;
    let name = "return document.activeElement.getAttribute('aria-label')";
    says(&browser, name, &json!(format!("chunk size: {size:X}CRLF"))).await;
    soon(focused().await.send_keys(&Key::Escape.to_string()))
        .await
        .unwrap();
    says(
        &browser,
        "return document.querySelector('#explained').hidden",
        &json!(true),
    )
    .await;
    says(&browser, last, &json!("chunk-size")).await;

    // Back to the scripts; the messages are all there.
    click(&browser, "#views [value=script]").await;
    shows(&browser, "sse", &["hello 你"]).await;
    browser.close().await;
    server.stop().await;
}

/// Every part in the view of the socket has an explanation, with the address of a standard.
#[tokio::test]
async fn wire_view_explains_every_part() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    view_socket(&browser).await;
    send(&browser, "hello").await;
    shows(&browser, "json", &["hello"]).await;
    says(
        &browser,
        "return document.querySelectorAll('#panel-json .writes .part.payload').length",
        &json!(1),
    )
    .await;
    let script = "
        const without = [];
        for (const part of document.querySelectorAll('.part')) {
            part.click();
            const [name, text, link] = ['b', '.text', 'a'].map(css => document.querySelector(`#explained ${css}`));
            if (!name.textContent || text.textContent.length < 10 || !/^(https:|[/])/.test(link.getAttribute('href'))) without.push(part.dataset.label);
        }
        return without;";
    assert_eq!(browser.execute(script).await, json!([]));
    browser.close().await;
    server.stop().await;
}

/// The time line has one request for a stream and many for the long poll, and is saved as a picture that
/// stands alone.
#[tokio::test]
async fn wire_view_time_line() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    for message in ["one", "two", "three"] {
        send(&browser, message).await;
        browser
            .read("#said", message, |text| text.contains(message))
            .await;
    }
    let label = "return document.querySelector('.timeline').getAttribute('aria-label')";
    eventually("the time line has it all", async || {
        let label = browser.execute(label).await.as_str().unwrap().to_owned();
        let holds = [
            "SSE: 1 request,",
            "Long poll: 4 requests,",
            "Plain text: not asked",
            "POST: 3 sent",
        ];
        holds
            .iter()
            .all(|text| label.contains(text))
            .then_some(())
            .ok_or(label)
    })
    .await;
    let saved = browser
        .execute_async(
            "const done = arguments[arguments.length - 1];
             URL.createObjectURL = blob => { blob.text().then(done); return 'data:,'; };
             document.querySelector('#timeline .save').click();",
        )
        .await;
    let saved = saved.as_str().unwrap();
    assert!(
        saved.contains("xmlns=\"http://www.w3.org/2000/svg\""),
        "{saved}"
    );
    assert!(!saved.contains("var("), "{saved}");
    let errors = "
        const picture = new DOMParser().parseFromString(arguments[0], 'image/svg+xml');
        return [picture.querySelectorAll('parsererror').length, picture.querySelectorAll('.message').length > 3];";
    let parsed = soon(browser.client.execute(errors, vec![json!(saved)]))
        .await
        .unwrap();
    assert_eq!(parsed, json!([0, true]));
    browser.close().await;
    server.stop().await;
}

/// The commands that the page has to copy work as they stand there.
#[tokio::test]
async fn wire_view_commands_work() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    for panel in ["sse", "ndjson", "json", "html", "text"] {
        click(&browser, &format!("#panel-{panel} .copy-as")).await;
        for (name, program) in [
            ("curl", "sh"),
            ("nc", ""),
            ("Python", "python3"),
            ("JavaScript", ""),
        ] {
            let css = format!("#copy pre[aria-label={name}]");
            let text = browser.read(&css, name, |text| !text.is_empty()).await;
            if program.is_empty() {
                assert!(text.contains("/c/wire?as="), "{text}");
                continue;
            }
            let mut command = command(program, &["-c", &text]);
            command
                .env("no_proxy", "*")
                .kill_on_drop(true)
                .stdout(Stdio::piped())
                .stderr(Stdio::null());
            let mut child = command.spawn().expect(MISSING);
            let message = format!("for {panel} {name}");
            post(server.addr, "/c/wire", &message).await;
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            loop {
                let line = soon(lines.next_line()).await.unwrap();
                let line = line.unwrap_or_else(|| panic!("{text} ends without {message}"));
                if line.contains(&message) {
                    break;
                }
            }
        }
        soon(
            browser
                .client
                .active_element()
                .await
                .unwrap()
                .send_keys(&Key::Escape.to_string()),
        )
        .await
        .unwrap();
    }
    browser.close().await;
    server.stop().await;
}

/// The two minutes: each step waits for its reader, and answers its question.
#[tokio::test]
async fn wire_view_guided_two_minutes() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    open(&browser, &server).await;
    let answer = async |says: &str| {
        browser
            .read("#tour .answer", says, |text| text.contains(says))
            .await;
    };
    let next = async || {
        // Until the thing is done there is no way on.
        let act = browser.read("#tour .act", "what to do", |_| true).await;
        click(&browser, "#tour .next").await;
        browser
            .read("#tour .act", "what to do next", |text| text != act)
            .await;
        says(
            &browser,
            "return document.querySelector('#tour .next').disabled",
            &json!(true),
        )
        .await;
    };
    click(&browser, "#tour .next").await;
    send(&browser, "hello 1").await;
    answer("The long poll alone: it has asked 2 times").await;
    next().await;
    view_socket(&browser).await;
    click(&browser, "#panel-sse .part[data-label=chunk-size]").await;
    answer("bytes follow").await;
    next().await;
    click(&browser, "#explained button").await;
    press(&browser, "sse", "Cut").await;
    for message in ["hello 2", "hello 3"] {
        send(&browser, message).await;
        browser
            .read("#said", message, |text| text.contains(message))
            .await;
    }
    press(&browser, "sse", "Resume").await;
    answer("Last-Event-ID: ").await;
    next().await;
    click(&browser, "#faults summary").await;
    click(&browser, "#faults [value=hold]").await;
    send(&browser, "hello 4").await;
    answer("The long poll: its answer ends").await;
    next().await;
    click(&browser, "#faults [value=hold]").await;
    answer("every panel has them all").await;
    click(&browser, "#tour .next").await;
    says(
        &browser,
        "return document.querySelector('#tour').dataset.step",
        &json!("0"),
    )
    .await;
    browser.close().await;
    server.stop().await;
}

/// Nothing moves under the reader while messages come and views change, and nothing is wider than the
/// window.
#[tokio::test]
async fn wire_view_stands_still() {
    const WATCH: &str = "
        window.shift = 0;
        new PerformanceObserver(list => {
            for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) shift += value;
        }).observe({ type: 'layout-shift', buffered: true });";
    let server = TestServer::start();
    let browser = Browser::start().await;
    for (width, height) in [(1280, 800), (390, 844)] {
        soon(browser.client.set_window_size(width, height))
            .await
            .unwrap();
        open(&browser, &server).await;
        browser.execute(WATCH).await;
        for n in 0..3 {
            post(server.addr, "/c/wire", format!("message {n}")).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        view_socket(&browser).await;
        post(server.addr, "/c/wire", "the last").await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        let shift = browser.execute("return shift").await.as_f64().unwrap();
        assert!(shift < 0.1, "{shift} at {width}");
        let wide = browser
            .execute("return document.documentElement.scrollWidth - innerWidth")
            .await;
        assert!(wide.as_i64().unwrap() <= 0, "{wide} px at {width}");
    }
    browser.close().await;
    server.stop().await;
}

/// Without JavaScript there is a recorded stream, byte by byte, and a form that sends.
#[tokio::test]
async fn wire_view_without_scripts() {
    let server = TestServer::start();
    let browser = Browser::without_javascript().await;
    browser.open(server.addr, "/wire").await;
    browser
        .read(
            "#recorded + p + .wire-scroll",
            "the recorded stream",
            |text| {
                text.contains("chunk size") && text.contains("hello 2") && text.contains("RFC 9112")
            },
        )
        .await;
    let seen = browser
        .execute("return getComputedStyle(document.querySelector('#explained')).display")
        .await;
    assert_eq!(seen, "none");
    browser.close().await;
    server.stop().await;
}
