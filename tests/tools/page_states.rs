//! What pages say of a server that does not answer, with and without scripts.

use std::net::SocketAddr;

use crate::helpers::browser::Browser;
use crate::helpers::site::{self, PAGES};
use crate::support::log_dir::LogDir;
use crate::support::port::Port;
use crate::support::{TestServer, eventually};

/// Whether the page shows, after its last line, that nothing comes any more.
async fn shows_silence(browser: &Browser, expected: bool) {
    const SIZE: &str = "const all = document.querySelectorAll('.new > *');
        const { content, fontSize } = getComputedStyle(all[all.length - 1], '::after');
        return content === 'none' ? '0px' : fontSize";
    eventually("what the page says of its silence", async || {
        let size = browser.execute(SIZE).await;
        ((size != "0px") == expected)
            .then_some(())
            .ok_or(size.to_string())
    })
    .await;
}

/// A page without scripts notices that its stream has died, and that it has only been quiet for a while.
#[tokio::test]
async fn stream_notices_its_death_without_javascript() {
    let (log_dir, port) = (LogDir::new(), Port::reserve());
    let server = log_dir.start_at(&port.listen(), &["--drain", "0s"]).await;
    let browser = Browser::without_javascript().await;
    for path in ["/receiver/live", "/c/main?as=html", "/c/main"] {
        browser.open(port.addr, path).await;
        browser.find(".lines i").await;
        shows_silence(&browser, false).await;
    }
    // The process is stopped, and goes on: the connection is still there.
    server.signal("-STOP").await;
    shows_silence(&browser, true).await;
    server.signal("-CONT").await;
    shows_silence(&browser, false).await;
    server.end("-KILL").await;
    shows_silence(&browser, true).await;
    // The page leads on: a reload has the new server's stream.
    let server = log_dir.start_at(&port.listen(), &["--drain", "0s"]).await;
    browser.reload().await;
    browser.find(".lines i").await;
    // A server that stops in order says so, with a way to go on.
    server.end("-TERM").await;
    browser
        .read(".end", "the end", |text| {
            text.contains("stopping") && text.contains("Go on from here")
        })
        .await;
    shows_silence(&browser, false).await;
    browser.close().await;
}

async fn state(browser: &Browser, what: &str, holds: impl Fn(&str) -> bool) -> String {
    browser.read("#state", what, holds).await
}

/// A page that knows how often something is due says for how long nothing has come; then it counts down to its
/// next try, which a button makes at once; and when the server is back, nothing old is left.
#[tokio::test]
async fn state_is_honest() {
    let (log_dir, port) = (LogDir::new(), Port::reserve());
    let server = log_dir.start_at(&port.listen(), &["--drain", "0s"]).await;
    let browser = Browser::start().await;
    browser.open(port.addr, "/clock").await;
    state(&browser, "live", |text| text.starts_with("live by SSE")).await;
    let kind = "return document.querySelector('#state').dataset.state";
    assert_eq!(browser.execute(kind).await, "live");
    server.signal("-STOP").await;
    state(&browser, "for how long it was silent", |text| {
        text.contains("but silent for ")
    })
    .await;
    assert_eq!(browser.execute(kind).await, "silent");
    state(&browser, "that it is lost", |text| {
        text.starts_with("not connected")
    })
    .await;
    assert_eq!(browser.execute(kind).await, "waiting");
    server.signal("-CONT").await;
    state(&browser, "live", |text| {
        text.starts_with("live by") && !text.contains("silent")
    })
    .await;

    browser.open(port.addr, "/events").await;
    state(&browser, "live", |text| text.starts_with("live by")).await;
    server.end("-KILL").await;
    state(&browser, "when it tries again", |text| {
        text.contains("the server does not answer")
            && text.contains("trying again")
            && text.contains("Try now")
    })
    .await;
    browser
        .find("#text")
        .await
        .send_keys("hello")
        .await
        .unwrap();
    browser.find("#send button").await.click().await.unwrap();
    let problem = "the server does not answer";
    browser
        .read("#problem", problem, |text| {
            text == "Not sent: the server does not answer."
        })
        .await;
    let server = log_dir.start_at(&port.listen(), &["--drain", "0s"]).await;
    let began = std::time::Instant::now();
    state(&browser, "live", |text| text.starts_with("live by")).await;
    assert!(began.elapsed().as_secs() < 8, "{:?}", began.elapsed());
    browser
        .read("#problem", "nothing old", |text| {
            !text.contains("does not answer.")
        })
        .await;
    assert_eq!(
        browser
            .execute("return document.querySelector('#text').value")
            .await,
        "hello"
    );
    browser.close().await;
    server.end("-TERM").await;
}

/// Without scripts what is typed into a form arrives, and is shown.
#[tokio::test]
async fn forms_lose_nothing_without_javascript() {
    let server = TestServer::start();
    let browser = Browser::without_javascript().await;
    for (path, field, channel) in [
        ("/", "#msg", "main"),
        ("/events", "#text", "events"),
        ("/frame", "#text", "main"),
        ("/c/x", "#msg", "x"),
    ] {
        browser.open(server.addr, path).await;
        if path == "/events" {
            browser.find("#from").await.send_keys("Ada").await.unwrap();
        }
        let text = format!("typed at {path}");
        browser.find(field).await.send_keys(&text).await.unwrap();
        browser.press("#send button").await;
        let url = browser.client.current_url().await.unwrap();
        assert_eq!(url.path(), path);
        has(server.addr, channel, &text).await;
    }
    // The frame shows what was sent.
    browser.open(server.addr, "/events").await;
    browser.find("iframe.frame").await;
    let frame = browser
        .client
        .find(fantoccini::Locator::Css("iframe.frame"))
        .await
        .unwrap();
    frame.enter_frame().await.unwrap();
    browser
        .read(".lines", "it", |text| text.contains("typed at /events"))
        .await;
    assert_eq!(browser.count("nav").await, 1);
    browser.client.enter_parent_frame().await.unwrap();
    // The mailbox, too.
    browser.open(server.addr, "/mailbox").await;
    for (field, text) in [("#sender", "Ada"), ("#to", "Bob"), ("#text", "a letter")] {
        browser.find(field).await.send_keys(text).await.unwrap();
    }
    browser.press("#post").await;
    browser
        .read("[role=status]", "that it was sent", |text| {
            text == "Sent to Bob."
        })
        .await;
    browser.find("#me").await.clear().await.unwrap();
    browser.find("#me").await.send_keys("Bob").await.unwrap();
    browser.find("#enter").await.click().await.unwrap();
    let frame = browser.find("iframe[name=letters]").await;
    frame.enter_frame().await.unwrap();
    browser
        .read(".letter", "the letter", |text| text == "Ada a letter")
        .await;
    browser.close().await;
    server.stop().await;
}

/// Waits until a channel has a message with this text in it.
async fn has(addr: SocketAddr, channel: &str, text: &str) {
    let path = format!("/c/{channel}?as=text&until=now");
    eventually(&format!("{channel} has {text:?}"), async || {
        let log = crate::support::client::get(addr, &path).await.text().await;
        log.contains(text).then_some(()).ok_or(log)
    })
    .await;
}

/// Pages do not move under their readers while they load, and the same links are at the same place on all.
#[tokio::test]
async fn pages_stand_still() {
    const WATCH: &str = "
        window.shift = 0;
        window.count = entries => {
            for (const { value, hadRecentInput } of entries) if (!hadRecentInput) shift += value;
        };
        window.watcher = new PerformanceObserver(list => count(list.getEntries()));
        watcher.observe({ type: 'layout-shift', buffered: true });";
    let server = TestServer::start();
    site::fill(server.addr).await;
    let browser = Browser::start().await;
    browser.client.set_window_size(390, 844).await.unwrap();
    let mut places = Vec::new();
    // The example is a page of somebody else's, without links to ours.
    for path in PAGES.into_iter().filter(|path| *path != "/example") {
        browser.open(server.addr, path).await;
        browser.find("main").await;
        browser.execute(WATCH).await;
        browser.settles(path).await;
        let shift = browser
            .execute("count(watcher.takeRecords()); return window.shift")
            .await
            .as_f64()
            .unwrap();
        assert!(shift < 0.02, "{path}: {shift}");
        let place = "const { x, y, height } = document.querySelector('nav').getBoundingClientRect(); return [x, y, height].map(Math.round)";
        places.push((path, browser.execute(place).await));
        let sideways = "return document.documentElement.scrollWidth > innerWidth";
        assert_eq!(browser.execute(sideways).await, false, "{path}");
    }
    let (_, first) = &places[0];
    assert!(places.iter().all(|(_, place)| place == first), "{places:?}");
    browser.close().await;
    server.stop().await;
}
