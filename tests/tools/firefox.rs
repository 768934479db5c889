//! Firefox, which takes an end of a connection otherwise than Chromium: an `EventSource` that is refused
//! when it comes back has ended for good, and a frame that is cut has been parsed to its end.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::helpers::programs::MISSING;
use crate::support::binary::Binary;
use crate::support::client::{append, get};
use crate::support::eventually;
use crate::support::port::Port;

/// What the page does: it follows the log by an `EventSource` and by a hidden iframe, and appends what
/// it has heard to another channel, once the server is there. There is no driver for Firefox in Debian.
const SCRIPT: &str = "
    let told = Promise.resolve(), number = 0;
    const heard = (by, data) => {
        const headers = { 'Idempotency-Key': `heard-${number += 1}` };
        const report = { method: 'POST', body: JSON.stringify([by, data]), headers };
        const tell = () => fetch('/c/heard', report)
            .catch(() => new Promise(later => setTimeout(later, 100)).then(tell));
        told = told.then(tell);
    };
    const source = new EventSource('/c/main?heartbeat=1s');
    source.onmessage = e => heard('source', e.data);
    source.onerror = () => { if (source.readyState === EventSource.CLOSED) heard('source', 'has ended'); };
    const stream = new ForeverFrame('/c/main', { transports: ['script'], shared: false });
    stream.addEventListener('message', e => heard('frame', e.data));";

/// A copy of the pages in which the script of `/frame` is another one.
fn pages(directory: &Path, script: &str) {
    let pages = concat!(env!("CARGO_MANIFEST_DIR"), "/pages");
    let pages = std::fs::read_dir(pages).unwrap().map(Result::unwrap);
    // The docs, which have a directory, are made by the build.
    for page in pages.filter(|page| page.file_type().unwrap().is_file()) {
        std::fs::copy(page.path(), directory.join(page.file_name())).unwrap();
    }
    std::fs::write(directory.join("frame.js"), script).unwrap();
}

/// Firefox without a window, with a fresh profile, at this address.
fn firefox(profile: &Path, url: &str) -> Child {
    let profile = profile.to_str().unwrap();
    // When the tests are killed, they cannot end Firefox: then the kernel does.
    Command::new("setpriv")
        .args([
            "--pdeathsig",
            "KILL",
            "firefox-esr",
            "--headless",
            "--no-remote",
        ])
        .args(["--profile", profile, url])
        .env("HOME", profile)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect(MISSING)
}

/// Waits until both have told that they have heard these texts and no others.
async fn both_hear(server: SocketAddr, texts: &[&str]) {
    eventually(&format!("both hear {texts:?}"), async || {
        let mut log = get(server, "/c/heard?as=json&wait=0s").await.json().await;
        let Value::Array(messages) = log["messages"].take() else {
            panic!("{log}")
        };
        let by = |name: &str| -> Vec<Value> {
            let said = messages
                .iter()
                .map(|message| message["data"].as_str().unwrap());
            let said = said.map(|said| serde_json::from_str::<Value>(said).unwrap());
            said.filter(|said| said[0] == name)
                .map(|said| said[1].clone())
                .collect()
        };
        let (source, frame) = (by("source"), by("frame"));
        (source == texts && frame == texts)
            .then_some(())
            .ok_or(format!("source {source:?}, frame {frame:?}"))
    })
    .await;
}

/// An `EventSource` survives a restart that takes longer than a second, since the end of its stream says
/// when to come back; a hidden iframe that is cut is loaded again before its heartbeats are missed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn firefox_comes_back_after_restart_and_cut() {
    let directory = TempDir::new().unwrap();
    let own = |name: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir(&path).unwrap();
        path
    };
    let (pages_dir, profile) = (own("pages"), own("profile"));
    pages(&pages_dir, SCRIPT);
    let store = format!("sqlite:{}", directory.path().join("log.db").display());
    let pages_dir = pages_dir.to_str().unwrap();
    let options = ["--store", &store, "--pages", pages_dir, "--drain", "0s"];
    let port = Port::reserve();
    let server = Binary::start_at(&port.listen(), &options).await;
    append(server.addr, "main", "one").await;
    let mut firefox = firefox(&profile, &format!("http://{}/frame", server.addr));
    both_hear(server.addr, &["one"]).await;

    server.end("-TERM").await;
    // Every end says at least two seconds.
    sleep(Duration::from_millis(1500)).await;
    let server = Binary::start_at(&port.listen(), &options).await;
    append(server.addr, "main", "two").await;
    both_hear(server.addr, &["one", "two"]).await;

    server.end("-KILL").await;
    let began = Instant::now();
    let server = Binary::start_at(&port.listen(), &options).await;
    append(server.addr, "main", "three").await;
    both_hear(server.addr, &["one", "two", "three"]).await;
    // Heartbeats that fail to come would tell after 12.5 s.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(12), "{took:?}");
    firefox.kill().await.unwrap();
    server.end("-TERM").await;
}
