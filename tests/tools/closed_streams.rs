//! Closed channels in Chromium and for curl: streams that end, and that nobody asks for again.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::helpers::browser::Browser;
use crate::helpers::programs::{MISSING, command, curl};
use crate::hidden_frame::{becomes, with_library};
use crate::support::client::{append, post};
use crate::support::{TestServer, eventually, soon};

/// What each stream of the page has heard: the texts, and the channels that are closed.
const FOLLOW: &str = "
    window.heard = {};
    window.streams = {};
    window.follow = (name, path, options) => {
        heard[name] = [];
        const stream = streams[name] = new ForeverFrame(path, { shared: false, ...options });
        stream.addEventListener('message', e => heard[name].push(e.data));
        stream.addEventListener('closed', e => heard[name].push(`closed ${e.channel}`));
    };
    follow('sse', '/c/x', { events: [], transports: ['sse'] });
    follow('ndjson', '/c/x', { transports: ['ndjson'] });
    follow('script', '/c/x', { transports: ['script'] });
    follow('json', '/c/x', { transports: ['json'] });
    follow('shared', '/c/x', { shared: true });
    follow('other', '/c/x', { shared: true });
    window.source = new EventSource('/c/x');
    heard.source = [];
    source.onmessage = e => heard.source.push(e.data);
    source.addEventListener('closed', e => heard.source.push(`closed ${JSON.parse(e.data).channel}`));
";

/// Whoever follows a closed channel hears so once, on every transport and in every tab, and does not ask
/// again. An `EventSource` is stopped by the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_channels_end_the_streams_of_pages() {
    let server = TestServer::start();
    let addr = server.addr;
    append(addr, "x", "one").await;
    let browser = Browser::start().await;
    browser.open(addr, "/healthz").await;
    browser.execute(&with_library(FOLLOW)).await;
    // As many as a browser has connections.
    let all = |texts: Value| {
        let names = [
            "sse", "ndjson", "script", "json", "shared", "other", "source",
        ];
        Value::from_iter(names.map(|name| (name, texts.clone())))
    };
    becomes(&browser, "window.heard", all(json!(["one"]))).await;
    post(addr, "/c/x?close=1", "two").await;
    becomes(
        &browser,
        "window.heard",
        all(json!(["one", "two", "closed x"])),
    )
    .await;
    let states = "Object.values(streams).map(({ state }) => state)";
    becomes(&browser, states, json!(vec!["closed"; 6])).await;
    // It comes back once, and is told to stop.
    becomes(&browser, "source.readyState", json!(2)).await;
    server.open_streams(0).await;

    let follow =
        "follow('two', '/c/x,y', { since: '1' }); follow('pattern', '/c/x*', { since: '1' })";
    browser.execute(follow).await;
    becomes(&browser, "heard.two", json!(["two", "closed x"])).await;
    becomes(&browser, "heard.pattern", json!(["two", "closed x"])).await;
    post(addr, "/c/y?close=1", "").await;
    becomes(&browser, "streams.two.state", json!("closed")).await;
    append(addr, "x", "three").await;
    becomes(
        &browser,
        "heard.pattern",
        json!(["two", "closed x", "three"]),
    )
    .await;
    let heard = browser.execute("return heard.two").await;
    assert_eq!(heard, json!(["two", "closed x", "closed y"]));
    // A stream that begins where a channel is closed ends at once.
    post(addr, "/c/x?close=1", "").await;
    browser
        .execute("streams.late = new ForeverFrame('/c/x', { since: 'now', shared: false })")
        .await;
    becomes(&browser, "streams.late.state", json!("closed")).await;
    browser.close().await;
    server.stop().await;
}

/// An upload from a pipe ends those who watch: their curl exits with 0, as does that of who comes later.
#[tokio::test]
async fn closed_channel_ends_curl() {
    let server = TestServer::start();
    let url = format!("http://{}/c/build", server.addr);
    let mut watching = curl(&url).stdout(Stdio::piped()).spawn().expect(MISSING);
    server.open_streams(1).await;
    let close = format!("{url}?close=1");
    let mut upload = command("curl", &["-sfN", "--noproxy", "*", "-T", "-", &close]);
    let mut upload = upload
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect(MISSING);
    let mut pipe = upload.stdin.take().unwrap();
    pipe.write_all(b"one\ntwo\n").await.unwrap();
    drop(pipe);
    assert!(soon(upload.wait()).await.unwrap().success());
    let watched = soon(watching.wait()).await.unwrap();
    assert_eq!(watched.code(), Some(0));
    let watching = soon(watching.wait_with_output()).await.unwrap();
    let later = soon(curl(&url).output()).await.expect(MISSING);
    assert_eq!(later.status.code(), Some(0));
    let ends = |shown: &[u8]| {
        let shown = String::from_utf8(shown.to_vec()).unwrap();
        assert!(
            shown.contains("one\ntwo\n# end ") && shown.ends_with("-3 reason=closed\n"),
            "{shown}"
        );
    };
    ends(&watching.stdout);
    ends(&later.stdout);
    // An upload that is killed closes nothing.
    let open = format!("http://{}/c/killed", server.addr);
    let mut killed = command(
        "curl",
        &[
            "-sfN",
            "--noproxy",
            "*",
            "-T",
            "-",
            &format!("{open}?close=1"),
        ],
    );
    let mut killed = killed
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect(MISSING);
    killed
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"one\n")
        .await
        .unwrap();
    eventually("the line is there", async || {
        let shown = soon(curl(&format!("{open}?until=now")).output())
            .await
            .unwrap()
            .stdout;
        shown
            .starts_with(b"one\n")
            .then_some(())
            .ok_or(format!("{shown:?}"))
    })
    .await;
    killed.kill().await.unwrap();
    let shown = soon(curl(&format!("{open}?timeout=1s")).output())
        .await
        .unwrap()
        .stdout;
    assert!(
        String::from_utf8(shown)
            .unwrap()
            .ends_with("reason=timeout\n")
    );
    server.stop().await;
}
