//! Streams as they are read by parsers that other people wrote: from npm and pip, jq, and Chromium.
//!
//! scripts/test installs the packages that `parsers/package-lock.json` and
//! `parsers/requirements.txt` pin; nothing is downloaded here.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::helpers::browser::Browser;
use crate::helpers::programs::{LONG, MISSING, command, output, parsers};
use crate::support::binary::Binary;
use crate::support::client::{append, get};
use crate::support::difficult::{difficult, shown};
use crate::support::wires::Stream;
use crate::support::{TestServer, soon};

/// A script for node that finds the packages of npm.
fn node(script: &str, args: &[&str]) -> Command {
    let mut command = command("node", &["--input-type=module", "--eval", script, "--"]);
    command.args(args).current_dir(parsers());
    command
}

/// Appends all difficult messages to `a`, and gives the cursor, the event's name and the text of each.
pub(crate) async fn send_all(addr: SocketAddr) -> Vec<(String, &'static str, String)> {
    let mut sent = Vec::new();
    for (_, event, text) in difficult() {
        let answer = append(addr, &format!("a?event={event}"), &text).await;
        sent.push((answer["cursor"].as_str().unwrap().to_owned(), event, text));
    }
    sent
}

/// Compares message by message, because a failure with all of them would be hard to read.
fn same(who: &str, seen: &[Value], expected: &[Value]) {
    for (n, (seen, expected)) in seen.iter().zip(expected).enumerate() {
        assert_eq!(seen, expected, "{who}, message {n}");
    }
    assert_eq!(seen.len(), expected.len(), "{who}");
}

fn values(lines: &str) -> Vec<Value> {
    let read = |line| serde_json::from_str(line).unwrap();
    lines.lines().map(read).collect()
}

/// eventsource-parser and sseclient-py read from an event stream what was sent.
#[tokio::test]
async fn sse_read_by_npm_and_pypi_parsers() {
    let server = TestServer::start();
    let sent = send_all(server.addr).await;
    let expected = sent.iter().map(|(cursor, event, text)| {
        // Every reader of event streams has LF for each line end.
        json!([cursor, event, shown("sse", text)])
    });
    let expected: Vec<_> = expected.collect();
    let url = format!("http://{}/c/a?as=sse&limit={}", server.addr, sent.len());
    let script = include_str!("parsers/eventsource-parser.mjs");
    let npm = node(script, &[&url]);
    let python = parsers().join("venv/bin/python");
    let pip = command(python, &["-c", include_str!("parsers/sseclient.py"), &url]);
    for (who, command) in [("eventsource-parser", npm), ("sseclient-py", pip)] {
        let mut seen = values(&output(command).await);
        let end = seen.pop().unwrap();
        same(who, &seen, &expected);
        assert_eq!(
            (&end[0], &end[1]),
            (&expected.last().unwrap()[0], &json!("end")),
            "{who}"
        );
    }
    server.stop().await;
}

/// jq reads from an NDJSON stream what was sent.
#[tokio::test]
async fn ndjson_read_by_jq() {
    let server = TestServer::start();
    let sent = send_all(server.addr).await;
    let url = format!("http://{}/c/a?as=ndjson&limit={}", server.addr, sent.len());
    let filter = "[.type, .cursor, .channel, .event, .data]";
    let pipe = format!("curl -sN --noproxy '*' '{url}' | jq -c '{filter}'");
    let seen = values(&output(command("sh", &["-c", &pipe])).await);
    let messages = sent
        .iter()
        .map(|(cursor, event, text)| json!(["message", cursor, "a", event, text]));
    let (first, last) = (&sent[0].0, &sent.last().unwrap().0);
    let start = first.strip_suffix('1').unwrap().to_owned() + "0";
    let mut expected = vec![json!(["open", start, null, null, null])];
    expected.extend(messages);
    expected.push(json!(["end", last, null, null, null]));
    same("jq", &seen, &expected);
    server.stop().await;
}

/// Chromium shows the characters that were sent.
#[tokio::test]
async fn html_shown_by_chromium() {
    let server = TestServer::start();
    let sent = send_all(server.addr).await;
    let browser = Browser::start().await;
    let path = format!("/c/a?as=html&limit={}", sent.len());
    browser.open(server.addr, &path).await;
    browser.find(".end").await;
    let script = "return [...document.querySelectorAll('.message')].map(p =>
                      [p.dataset.cursor, p.dataset.event, p.textContent])";
    let seen = browser.execute(script).await;
    let expected = sent
        .iter()
        .map(|(cursor, event, text)| json!([cursor, event, shown("html", text)]));
    same(
        "Chromium",
        seen.as_array().unwrap(),
        &expected.collect::<Vec<_>>(),
    );
    assert_eq!(browser.count("script").await, 0);
    browser.close().await;
    server.stop().await;
}

/// A program with `EventSource`s, and the events that they have had so far.
enum Client {
    Node(Arc<Mutex<Vec<Value>>>, Child),
    Chromium(Box<Browser>),
}

const WATCH: &str = include_str!("parsers/watch.js");

impl Client {
    /// One client of each kind, each with `count` `EventSource`s at this address. Chromium's are in a page
    /// of another server, so that the watched server may end.
    async fn both(page: SocketAddr, url: &str, count: usize) -> [Client; 2] {
        let names = difficult().into_iter().map(|(_, event, _)| event);
        let mut names: Vec<_> = names.chain(["gap", "end", "heartbeat"]).collect();
        names.sort_unstable();
        names.dedup();
        let script = format!("{}{WATCH}", include_str!("parsers/eventsource.mjs"));
        let count = count.to_string();
        let args = [&[url, &count], &names[..]].concat();
        let mut command = node(&script, &args);
        command.kill_on_drop(true).stdout(Stdio::piped());
        let mut child = command.spawn().expect(MISSING);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = Arc::<Mutex<Vec<Value>>>::default();
        let heard = Arc::clone(&said);
        tokio::spawn(async move {
            while let Some(line) = lines.next_line().await.unwrap() {
                heard.lock().push(serde_json::from_str(&line).unwrap());
            }
        });
        let browser = Browser::start().await;
        browser.open(page, "/healthz").await;
        let (url, names) = (json!(url), json!(names));
        let script = format!(
            "const url = {url}, count = {count}, names = {names};
             window.said = []; const say = heard => said.push(heard); {WATCH}"
        );
        browser.execute(&script).await;
        [
            Client::Node(said, child),
            Client::Chromium(Box::new(browser)),
        ]
    }

    fn name(&self) -> &'static str {
        match self {
            Client::Node(..) => "npm's eventsource",
            Client::Chromium(_) => "Chromium's EventSource",
        }
    }

    /// Waits until the events so far are as they should be, and gives them.
    async fn said(&self, what: &str, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + LONG;
        loop {
            let said = match self {
                Client::Node(said, _) => said.lock().clone(),
                Client::Chromium(browser) => match browser.execute("return said").await {
                    Value::Array(said) => said,
                    other => panic!("{other}"),
                },
            };
            if holds(&said) {
                return said;
            }
            let last = said.iter().rev().take(5).collect::<Vec<_>>();
            assert!(
                Instant::now() < deadline,
                "{}, {what}: {last:?}",
                self.name()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn close(self) {
        match self {
            Client::Node(_, mut child) => soon(child.kill()).await.unwrap(),
            Client::Chromium(browser) => browser.close().await,
        }
    }
}

fn count(said: &[Value], kind: &str) -> usize {
    said.iter().filter(|said| said["kind"] == kind).count()
}

fn has(said: &[Value], data: &str) -> bool {
    said.iter().any(|said| said["data"] == data)
}

/// An `EventSource`, in node and in Chromium, opens once and reads the messages, and heartbeats
/// without an id of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_source_reads_messages_and_heartbeats() {
    let server = TestServer::start();
    let sent = send_all(server.addr).await;
    let query = "as=sse&heartbeat_event=1&heartbeat=1s";
    let url = format!("http://{}/c/a?{query}", server.addr);
    let clients = Client::both(server.addr, &url, 1).await;
    for client in &clients {
        let is_beat = |said: &Value| said["kind"] == "heartbeat";
        let beats = |said: &[Value]| said.len() > sent.len() && said.last().is_some_and(is_beat);
        let mut said = client.said("a heartbeat after all", beats).await;
        let mut last = Value::Null;
        for said in &said {
            if !is_beat(said) {
                last = said["id"].clone();
                continue;
            }
            // A heartbeat has the cursor in its data, and the id of the last message. npm's package
            // deviates from the standard: it gives no id here, and resumes with the right one.
            let npm = matches!(client, Client::Node(..));
            let id = if npm { &json!("") } else { &last };
            assert_eq!(said["id"], *id, "{}", client.name());
            let data: Value = serde_json::from_str(said["data"].as_str().unwrap()).unwrap();
            assert_eq!(data["cursor"], last, "{}", client.name());
        }
        // One heartbeat comes with the first bytes, and one while it is quiet.
        assert!(count(&said, "heartbeat") >= 2, "{}", client.name());
        said.retain(|said| !is_beat(said));
        let mut expected = vec![json!({ "n": 0, "kind": "open" })];
        expected.extend(sent.iter().map(|(cursor, event, text)| {
            json!({ "n": 0, "kind": event, "id": cursor, "data": shown("sse", text) })
        }));
        same(client.name(), &said, &expected);
    }
    append(server.addr, "a", "one more").await;
    for client in clients {
        let said = client.said("a message", |said| has(said, "one more")).await;
        assert_eq!((count(&said, "open"), count(&said, "error")), (1, 0));
        client.close().await;
    }
    server.stop().await;
}

/// An `EventSource` resumes by itself when the server has been restarted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_source_resumes_after_restart() {
    // A log in memory begins anew: the server knows by the cursor, and the client by the gap.
    come_back("memory", 1).await;
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("log.db");
    come_back(&format!("sqlite:{}", path.display()), 0).await;
}

async fn come_back(store: &str, gaps: usize) {
    let page = TestServer::start();
    let open = ["--drain", "0s", "--cors-origin", "*", "--store", store];
    // At this address no other test takes the port while the server is down.
    let server = Binary::start_at("127.0.77.1:0", &open).await;
    let addr = server.addr;
    append(addr, "a", "before").await;
    let url = format!("http://{addr}/c/a?as=sse&retry=300");
    let clients = Client::both(page.addr, &url, 1).await;
    for client in &clients {
        client.said("a message", |said| has(said, "before")).await;
    }
    server.end("-TERM").await;
    for client in &clients {
        let said = client
            .said("the end", |said| count(said, "error") > 0)
            .await;
        assert_eq!(count(&said, "end"), 1, "{}: {said:?}", client.name());
    }
    let server = Binary::start_at(&addr.to_string(), &open).await;
    let after = append(addr, "a", "after").await;
    for client in clients {
        let said = client.said("a message", |said| has(said, "after")).await;
        let name = client.name();
        // The state 2, closed, would mean that it has given up.
        let gave_up = said.iter().any(|said| said["state"] == 2);
        assert!(!gave_up && count(&said, "open") >= 2, "{name}: {said:?}");
        assert_eq!(count(&said, "gap"), gaps, "{name}: {said:?}");
        let messages = said.iter().filter(|said| said["kind"] == "message");
        let messages: Vec<_> = messages.collect();
        assert_eq!(messages.len(), 2, "{name}: {messages:?}");
        assert_eq!(messages[1]["id"], after["cursor"], "{name}");
        client.close().await;
    }
    server.end("-TERM").await;
    page.stop().await;
}

/// `EventSource`s for which there is no room come back when there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_source_without_room_comes_back() {
    // The first of several comes back sooner than a single one, which may be told to wait for 30 s.
    const SOURCES: usize = 4;
    let page = TestServer::start();
    let server = TestServer::with(|config| {
        config.max_connections = Some(10);
        config.cors_origins = vec!["*".into()];
    });
    append(server.addr, "a", "there is room").await;
    let mut held = Vec::new();
    // The sender's connection may still be closing.
    soon(async {
        while held.len() < 10 {
            let stream = get(server.addr, "/c/quiet?as=text").await;
            held.extend((stream.status == 200).then_some(stream));
        }
    })
    .await;
    let refused = Stream::open(server.addr, "sse", "a", "since=all").await;
    let refused = refused.whole().await;
    let retry = refused.reader.retry().expect("when to come back");
    assert!((5_000..31_000).contains(&retry), "{retry}");
    assert_eq!(refused.messages().count(), 0);
    let url = format!("http://{}/c/a?as=sse", server.addr);
    let clients = Client::both(page.addr, &url, SOURCES).await;
    for client in &clients {
        let refused = |said: &[Value]| count(said, "error") >= SOURCES;
        let said = client.said("no room for any", refused).await;
        let gave_up = said.iter().any(|said| said["state"] == 2);
        assert!(!gave_up, "{}: {said:?}", client.name());
        assert!(!has(&said, "there is room"));
    }
    drop(held);
    for client in clients {
        client
            .said("it is back", |said| has(said, "there is room"))
            .await;
        client.close().await;
    }
    server.stop().await;
    page.stop().await;
}
