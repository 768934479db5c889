//! The pages that listen by script, in Chromium: `/events`, `/clock`, `/frame`, and their library,
//! `forever-frame.js`.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::helpers::browser::Browser;
use crate::support::client::post;
use crate::support::{TestServer, eventually};

/// The state of a tab that shares its connection with the other tabs.
const LEADING: &str = "live by SSE, shared by this tab";
const FOLLOWING: &str = "live by SSE, shared by another tab";

/// Waits until the page says that it is live, and gives its words.
async fn live(browser: &Browser) -> String {
    browser
        .read("#state", "live", |text| text.starts_with("live by "))
        .await
}

/// Sends a message as the form of `/events` does, and gives its cursor.
async fn say(addr: SocketAddr, text: &str) -> String {
    let body = json!({ "from": "test", "text": text }).to_string();
    let mut answer = post(addr, "/c/events?event=sentMessage", body).await;
    assert_eq!(answer.status, 201);
    answer.json().await["cursor"].as_str().unwrap().to_owned()
}

/// The texts that a page shows.
async fn texts(browser: &Browser) -> Vec<String> {
    let texts = browser
        .execute("return [...document.querySelectorAll('#messages li:not(.aside) .text')].map(text => text.textContent)")
        .await;
    serde_json::from_value(texts).unwrap()
}

/// Waits until the page shows these texts and no others.
async fn shows(browser: &Browser, expected: &[impl AsRef<str>]) {
    let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
    eventually(&format!("the page shows {expected:?}"), async || {
        let texts = texts(browser).await;
        (texts == expected)
            .then_some(())
            .ok_or(format!("{texts:?}"))
    })
    .await;
}

/// Waits until a counter of the page is as it should be, and gives it.
async fn count(browser: &Browser, css: &str, what: &str, holds: impl Fn(u64) -> bool) -> u64 {
    let holds = |text: &str| text.parse().is_ok_and(&holds);
    browser.read(css, what, holds).await.parse().unwrap()
}

async fn type_into(browser: &Browser, css: &str, text: &str) {
    let input = browser.find(css).await;
    input.send_keys(text).await.unwrap();
}

async fn click(browser: &Browser, css: &str) {
    browser.find(css).await.click().await.unwrap();
}

/// A named event shows its id and origin, and a page that closes and reopens its stream misses
/// nothing.
#[tokio::test]
async fn events_page_named_event_and_reopen() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    browser.open(server.addr, "/events").await;
    assert_eq!(live(&browser).await, LEADING);
    type_into(&browser, "#text", "<b>hello</b> 你好").await;
    click(&browser, "#send button").await;
    shows(&browser, &["<b>hello</b> 你好"]).await;
    let id = browser.read("#messages .id", "a cursor", |id| id.ends_with("-1"));
    let id = id.await;
    let origin = format!("http://{}", server.addr);
    browser
        .read("#messages .origin", "the origin", |text| text == origin)
        .await;

    click(&browser, "#close").await;
    browser
        .read("#state", "that it is closed", |text| text == "closed")
        .await;
    server.open_streams(0).await;
    say(server.addr, "while it was closed").await;
    post(server.addr, "/c/events", "without a name").await;
    post(server.addr, "/c/events?event=other", "not listened for").await;
    click(&browser, "#reopen").await;
    // A message with the event name `error` is no error of the connection.
    post(server.addr, "/c/events?event=error", "not one").await;
    let last = say(server.addr, "and after").await;
    shows(
        &browser,
        &[
            "<b>hello</b> 你好",
            "while it was closed",
            "without a name",
            "and after",
        ],
    )
    .await;
    let ids = browser
        .execute("return [...document.querySelectorAll('#messages .id')].map(id => id.textContent)")
        .await;
    assert_eq!(ids[0], Value::from(id));
    assert_eq!(ids[3], Value::from(last));
    assert_eq!(live(&browser).await, LEADING);
    browser.close().await;
    server.stop().await;
}

/// Eight tabs are live on one connection, and another tab takes it over when its owner closes.
#[tokio::test]
async fn tabs_share_one_connection() {
    const TABS: usize = 8;
    let server = TestServer::start();
    let browser = Browser::start().await;
    let mut expected = Vec::new();
    let mut tabs = Vec::new();
    for number in 0..TABS {
        if number > 0 {
            browser.open_window().await;
        }
        browser.open(server.addr, "/events").await;
        let state = if number == 0 { LEADING } else { FOLLOWING };
        assert_eq!(live(&browser).await, state);
        tabs.push(browser.client.window().await.unwrap());
        // Tabs that are opened later are to have this message, too.
        let text = format!("{} tabs", number + 1);
        say(server.addr, &text).await;
        expected.push(text);
    }
    for tab in &tabs {
        browser.look_into(tab.clone()).await;
        shows(&browser, &expected).await;
        live(&browser).await;
    }
    server.open_streams(1).await;

    // The leader is closed while many messages come.
    let addr = server.addr;
    let talking = tokio::spawn(async move {
        let mut said = Vec::new();
        for number in 0..100 {
            said.push(format!("while it changes {number}"));
            say(addr, &said[number]).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        said
    });
    browser.look_into(tabs.remove(0)).await;
    shows_at_least(&browser, "while it changes 10").await;
    browser.client.close_window().await.unwrap();
    expected.extend(talking.await.unwrap());
    let mut states = Vec::new();
    for tab in &tabs {
        browser.look_into(tab.clone()).await;
        shows(&browser, &expected).await;
        states.push(live(&browser).await);
    }
    states.sort_unstable();
    assert_eq!(states.pop().as_deref(), Some(LEADING));
    assert_eq!(
        BTreeSet::from_iter(states),
        BTreeSet::from([FOLLOWING.to_owned()])
    );
    server.open_streams(1).await;
    browser.close().await;
    server.stop().await;
}

async fn shows_at_least(browser: &Browser, text: &str) {
    eventually(&format!("the page shows {text:?}"), async || {
        let texts = texts(browser).await;
        let there = texts.iter().any(|shown| shown == text);
        there.then_some(()).ok_or(format!("{texts:?}"))
    })
    .await;
}

/// A tab that missed messages of the leading tab asks the server for them.
#[tokio::test]
async fn tab_asks_server_for_missed_messages() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    browser.open(server.addr, "/events").await;
    assert_eq!(live(&browser).await, LEADING);
    let leader = browser.open_window().await;
    browser.open(server.addr, "/events").await;
    assert_eq!(live(&browser).await, FOLLOWING);
    browser
        .execute(
            "window.BroadcastChannel = class extends BroadcastChannel {
                 set onmessage(hear) { super.onmessage = e => { if (!window.deaf) hear(e); }; }
             };
             document.querySelector('#close').click();
             document.querySelector('#reopen').click();",
        )
        .await;
    assert_eq!(live(&browser).await, FOLLOWING);
    say(server.addr, "heard").await;
    shows(&browser, &["heard"]).await;
    browser.execute("window.deaf = true").await;
    for text in ["missed", "missed, too"] {
        say(server.addr, text).await;
    }
    let follower = browser.client.window().await.unwrap();
    browser.look_into(leader).await;
    shows(&browser, &["heard", "missed", "missed, too"]).await;
    browser.look_into(follower).await;
    shows(&browser, &["heard"]).await;
    browser.execute("window.deaf = false").await;
    say(server.addr, "heard again").await;
    shows(&browser, &["heard", "missed", "missed, too", "heard again"]).await;
    assert_eq!(live(&browser).await, FOLLOWING);
    browser.close().await;
    server.stop().await;
}

/// The part of a response that a proxy lets through before it has all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lets {
    Nothing,
    TheHead,
}

/// A proxy that holds responses back.
async fn holding_proxy(server: SocketAddr, lets: Lets) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // A client that has left is no error.
            tokio::spawn(async move { hold(client, server, lets).await.ok() });
        }
    });
    addr
}

/// Passes on one request and its response, and closes both connections, so that the end of the
/// response is easily seen.
async fn hold(mut client: TcpStream, server: SocketAddr, lets: Lets) -> io::Result<()> {
    let mut request = Vec::new();
    let end = loop {
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if client.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
    let length = head
        .split_once("content-length: ")
        .and_then(|(_, rest)| rest.lines().next()?.parse::<usize>().ok());
    while request.len() < end + length.unwrap_or(0) {
        client.read_buf(&mut request).await?;
    }
    let line = head.find("\r\n").unwrap() + 2;
    let mut server = TcpStream::connect(server).await?;
    server.write_all(&request[..line]).await?;
    server.write_all(b"Connection: close\r\n").await?;
    let rest = String::from_utf8_lossy(&request[line..]).replace("Connection: keep-alive\r\n", "");
    server.write_all(rest.as_bytes()).await?;
    let mut response = Vec::new();
    while lets == Lets::TheHead && !response.ends_with(b"\r\n\r\n") {
        response.push(server.read_u8().await?);
    }
    client.write_all(&response).await?;
    response.clear();
    tokio::select! {
        read = server.read_to_end(&mut response) => read?,
        _ = client.read_u8() => return Ok(()),
    };
    client.write_all(&response).await?;
    client.shutdown().await
}

/// Behind a proxy that holds responses back, the page is live within ten seconds by long polls.
#[tokio::test]
async fn buffering_proxy_falls_back_to_long_poll() {
    for lets in [Lets::Nothing, Lets::TheHead] {
        let server = TestServer::start();
        let proxy = holding_proxy(server.addr, lets).await;
        let browser = Browser::start().await;
        say(server.addr, "before").await;
        let began = Instant::now();
        browser.open(proxy, "/events").await;
        let state = live(&browser).await;
        let took = began.elapsed();
        assert_eq!(state, "live by long poll, shared by this tab");
        assert!(took < Duration::from_secs(10), "{took:?}");
        println!("it lets {lets:?} through: live by long poll after {took:?}");
        say(server.addr, "one").await;
        say(server.addr, "two").await;
        shows(&browser, &["before", "one", "two"]).await;
        server.open_streams(1).await;

        // A reload begins with the transport that has worked here.
        let began = Instant::now();
        browser.reload().await;
        live(&browser).await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        shows(&browser, &["before", "one", "two"]).await;
        browser.close().await;
        server.stop().await;
    }
}

/// The hidden frame passes text on unchanged, and is replaced again and again without loss.
#[tokio::test]
async fn script_frame_page_rotates_without_loss() {
    const MESSAGES: usize = 60;
    let server = TestServer::start();
    let browser = Browser::start().await;
    browser.open(server.addr, "/frame").await;
    assert_eq!(live(&browser).await, "live by hidden iframe");
    let text = "</script><b>not bold</b><script>alert(1)</script> \u{2028} & &amp;";
    post(server.addr, "/send", text).await;
    shows(&browser, &[text]).await;
    type_into(&browser, "#text", "by the form").await;
    click(&browser, "#send button").await;
    shows(&browser, &[text, "by the form"]).await;
    assert_eq!(browser.count("#messages .text *").await, 0);
    count(&browser, "#ended", "no end", |ended| ended == 0).await;
    browser
        .read("#messages li", "the first call", |text| {
            text.starts_with("open")
        })
        .await;

    // A frame ends after a MiB: this is three times that.
    let filler = "x".repeat(48_000);
    let expected = (0..MESSAGES).map(|number| format!("{number}:{filler}"));
    for message in expected.clone() {
        assert_eq!(post(server.addr, "/send", message).await.status, 201);
    }
    let shown = expected.map(|message| {
        let (start, length) = (&message[..400], message.len());
        format!("{start} … ({length} characters)")
    });
    let all: Vec<String> = [text.to_owned(), "by the form".to_owned()]
        .into_iter()
        .chain(shown)
        .collect();
    shows(&browser, &all).await;
    let ended = count(&browser, "#ended", "ends", |ended| ended >= 2).await;
    count(&browser, "#begun", "a frame more", |begun| {
        begun == ended + 1
    })
    .await;
    server.open_streams(1).await;
    browser.close().await;
    server.stop().await;
}

/// The clock ticks in two tabs on one connection, which is opened once.
#[tokio::test]
async fn clock_page_ticks_on_one_connection() {
    let server = TestServer::start();
    let browser = Browser::start().await;
    browser.open(server.addr, "/clock").await;
    count(&browser, "#ticks", "ticks", |ticks| ticks >= 2).await;
    let first = browser.open_window().await;
    browser.open(server.addr, "/clock").await;
    count(&browser, "#ticks", "ticks", |ticks| ticks >= 3).await;
    assert_eq!(live(&browser).await, FOLLOWING);
    for _ in 0..2 {
        let time = browser
            .execute("return document.querySelector('#time').dateTime")
            .await;
        let time = time.as_str().unwrap();
        assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
        for (css, expected) in [("#opens", 1), ("#missed", 0), ("#twice", 0)] {
            count(&browser, css, "as expected", |count| count == expected).await;
        }
        browser.look_into(first.clone()).await;
    }
    server.open_streams(1).await;
    browser.close().await;
    server.stop().await;
}

/// A page reconnects by itself, and says that the log has begun anew.
#[tokio::test]
async fn events_page_reconnects_to_new_epoch() {
    let server = TestServer::start();
    let addr = server.addr;
    let browser = Browser::start().await;
    browser.open(addr, "/events").await;
    live(&browser).await;
    browser.open_window().await;
    browser.open(addr, "/events").await;
    live(&browser).await;
    say(addr, "one life").await;
    shows(&browser, &["one life"]).await;
    server.stop().await;
    browser
        .read("#state", "that it waits", |text| {
            text.starts_with("not connected")
        })
        .await;

    let server = TestServer::with(|config| config.listen = addr.into());
    for window in browser.client.windows().await.unwrap() {
        browser.look_into(window).await;
        browser
            .read("#messages .gap", "that there is a gap", |text| {
                text.contains("begun a new log")
            })
            .await;
        live(&browser).await;
    }
    say(addr, "another life").await;
    for window in browser.client.windows().await.unwrap() {
        browser.look_into(window).await;
        shows(&browser, &["one life", "another life"]).await;
        assert_eq!(browser.count("#messages .gap").await, 1);
    }
    server.open_streams(1).await;
    browser.close().await;
    server.stop().await;
}
