//! The hidden iframe in Chromium: a backlog that makes it rotate, and connections that are cut.

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::helpers::browser::Browser;
use crate::helpers::programs::command;
use crate::support::binary::Binary;
use crate::support::client::append;
use crate::support::port::Port;
use crate::support::{TestServer, eventually, soon};

/// A script that loads `forever-frame.js` into a page that has no scripts, and then runs `then`.
pub(crate) fn with_library(then: &str) -> String {
    format!(
        "const library = document.createElement('script');
         library.src = '/forever-frame.js';
         library.onload = () => {{ {then} }};
         document.head.append(library);"
    )
}

/// Waits until an expression in the page has this value.
pub(crate) async fn becomes(browser: &Browser, expression: &str, expected: Value) {
    eventually(&format!("{expression} is {expected}"), async || {
        let value = browser.execute(&format!("return {expression}")).await;
        (value == expected).then_some(()).ok_or(value.to_string())
    })
    .await;
}

/// Appends numbered messages by one upload.
async fn upload(server: &TestServer, channel: &str, count: usize) {
    let url = format!("http://{}/c/{channel}", server.addr);
    let mut curl: Command = command("curl", &["-sf", "--noproxy", "*", "-T", "-", &url]);
    curl.stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null());
    let mut child = curl.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for n in 0..count {
        let line = format!("message number {n} of the backlog\n");
        input.write_all(line.as_bytes()).await.unwrap();
    }
    drop(input);
    assert!(soon(child.wait()).await.unwrap().success());
}

/// A backlog that takes several frames arrives without one pause between them: the calls that a frame
/// has made when its response is over all count, though its `load` event overtakes them. In a page of
/// another site, which the name `localhost` makes of it, the frame is a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hidden_frame_brings_backlog_without_pause() {
    const MESSAGES: usize = 20_000;
    let server = TestServer::with(|config| {
        config.keep.messages = MESSAGES + 1;
        config.cors_origins = vec!["*".into()];
    });
    upload(&server, "big", MESSAGES).await;
    let addr = server.addr;
    let browser = Browser::start().await;
    for site in [addr.to_string(), format!("localhost:{}", addr.port())] {
        let page = format!("http://{site}/healthz");
        browser.leave(browser.client.goto(&page)).await;
        let follow = format!(
            "window.states = [];
             window.inOrder = 0;
             const how = {{ transports: ['script'], shared: false }};
             const stream = new ForeverFrame('http://{addr}/c/big', how);
             stream.addEventListener('state', e => states.push(e.state));
             stream.addEventListener('message', e => {{
                 inOrder += e.data === `message number ${{inOrder}} of the backlog`;
             }});"
        );
        browser.execute(&with_library(&follow)).await;
        becomes(&browser, "window.inOrder", json!(MESSAGES)).await;
        let states = browser.execute("return states").await;
        assert_eq!(states, json!(["live"]), "{site}");
    }
    browser.close().await;
    server.stop().await;
}

/// A frame whose connection is cut, of which Chromium tells its page nothing, is loaded again when its
/// heartbeats fail to come, and each message arrives once: in `forever-frame.js`, and in the code that
/// the page `/frame` shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hidden_frame_comes_back_after_a_cut() {
    let directory = TempDir::new().unwrap();
    let store = format!("sqlite:{}", directory.path().join("log.db").display());
    let options = ["--store", &store];
    let port = Port::reserve();
    let server = Binary::start_at(&port.listen(), &options).await;
    append(server.addr, "main", "before").await;
    let browser = Browser::start().await;
    browser.open(server.addr, "/healthz").await;
    let follow = "
        window.bySnippet = [];
        window.byLibrary = [];
        const show = ({ data }) => bySnippet.push(data);
        const stream = new ForeverFrame('/c/main', { transports: ['script'], shared: false });
        stream.addEventListener('message', e => byLibrary.push(e.data));
        fetch('/frame').then(page => page.text()).then(text => {
            const page = new DOMParser().parseFromString(text, 'text/html');
            new Function('show', page.querySelector('pre.code').textContent)(show);
        });";
    browser.execute(&with_library(follow)).await;
    let both = "[window.byLibrary, window.bySnippet]";
    becomes(&browser, both, json!([["before"], ["before"]])).await;
    server.end("-KILL").await;
    let server = Binary::start_at(&port.listen(), &options).await;
    append(server.addr, "main", "after").await;
    let all = ["before", "after"];
    becomes(&browser, both, json!([all, all])).await;
    browser.close().await;
    server.end("-TERM").await;
}

/// The address of a stream may say where it begins, how often it shows that it is alive, and by which
/// transport it comes; after a reconnection the cursor says where it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn address_gives_the_defaults_of_a_stream() {
    let server = TestServer::start();
    let first = append(server.addr, "x", "one").await;
    append(server.addr, "x", "two").await;
    append(server.addr, "x", "three").await;
    let browser = Browser::start().await;
    browser.open(server.addr, "/healthz").await;
    let cursor = first["cursor"].as_str().unwrap();
    let follow = format!(
        "window.asked = [];
         window.heard = {{}};
         const ask = window.fetch;
         window.fetch = (url, how) => {{ asked.push(url); return ask(url, how); }};
         const follow = (name, query, options) => {{
             heard[name] = [];
             const stream = new ForeverFrame(`/c/x${{query}}`, {{ shared: false, ...options }});
             stream.addEventListener('message', e => heard[name].push(e.data));
         }};
         follow('now', '?since=now&heartbeat=2s&timeout=700ms&limit=9&as=ndjson');
         follow('last', '?since=-2&as=json&wait=1s');
         follow('polyfill', '?since=now&lastEventId={cursor}');
         follow('empty', '?since=&as=script');
         follow('option', '?since=now&as=sse', {{ since: '-1', transports: ['ndjson'] }});"
    );
    browser.execute(&with_library(&follow)).await;
    let before = json!({
        "now": [],
        "last": ["two", "three"],
        "polyfill": ["two", "three"],
        "empty": ["one", "two", "three"],
        "option": ["three"],
    });
    becomes(&browser, "window.heard", before).await;
    // By now the stream that ends after a while has come back.
    let asked = "asked.map(url => new URL(url).search)";
    let came_back = format!("{asked}.filter(query => query.includes('timeout=700ms')).length > 2");
    becomes(&browser, &came_back, json!(true)).await;
    append(server.addr, "x", "four").await;
    let after = json!({
        "now": ["four"],
        "last": ["two", "three", "four"],
        "polyfill": ["two", "three", "four"],
        "empty": ["one", "two", "three", "four"],
        "option": ["three", "four"],
    });
    becomes(&browser, "window.heard", after).await;
    let asked = browser.execute(&format!("return {asked}")).await;
    let asked: Vec<String> = serde_json::from_value(asked).unwrap();
    let ends: Vec<_> = asked
        .iter()
        .filter(|query| query.contains("timeout=700ms"))
        .collect();
    assert!(ends[0].contains("since=now"), "{ends:?}");
    for query in &ends {
        assert!(
            query.contains("heartbeat=2s") && query.contains("limit=9"),
            "{query}"
        );
    }
    let last = ends.last().unwrap();
    assert!(last.contains(&cursor.replace("-1", "-")), "{last}");
    assert!(
        asked.iter().any(|query| query.contains("wait=1s")),
        "{asked:?}"
    );
    assert!(
        !asked.iter().any(|query| query.contains("lastEventId")),
        "{asked:?}"
    );
    browser.close().await;
    server.stop().await;
}

/// A page whose stream ends because the server stops comes back when the server said, and not before,
/// when it would be refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_comes_back_when_a_stopped_server_said() {
    let directory = TempDir::new().unwrap();
    let store = format!("sqlite:{}", directory.path().join("log.db").display());
    let options = ["--store", &store, "--drain", "0s"];
    let port = Port::reserve();
    let server = Binary::start_at(&port.listen(), &options).await;
    append(server.addr, "main", "before").await;
    let browser = Browser::start().await;
    browser.open(server.addr, "/healthz").await;
    let transports = ["sse", "ndjson", "script"];
    let follow = format!(
        "window.waited = {{}};
         window.heard = {{}};
         for (const name of {transports:?}) {{
             heard[name] = [];
             let began = null;
             const stream = new ForeverFrame('/c/main', {{ events: [], transports: [name], shared: false }});
             stream.addEventListener('message', e => heard[name].push(e.data));
             stream.addEventListener('state', ({{ state }}) => {{
                 if (state === 'waiting') began ??= performance.now();
                 if (state === 'connecting') waited[name] ??= performance.now() - began;
             }});
         }}"
    );
    browser.execute(&with_library(&follow)).await;
    let all = |texts: &[&str]| json!({ "sse": texts, "ndjson": texts, "script": texts });
    becomes(&browser, "window.heard", all(&["before"])).await;
    server.end("-TERM").await;
    let server = Binary::start_at(&port.listen(), &options).await;
    append(server.addr, "main", "after").await;
    becomes(&browser, "window.heard", all(&["before", "after"])).await;
    let waited = browser.execute("return waited").await;
    for name in transports {
        // The server says two seconds or more.
        let waited = waited[name].as_f64().unwrap();
        assert!(waited > 1900.0, "{name}: {waited}");
    }
    browser.close().await;
    server.end("-TERM").await;
}
