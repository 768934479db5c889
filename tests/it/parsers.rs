//! Parsers that are not ours: what other people's programs make of the streams.
//!
//! The packages are installed once, into the target directory, with the machine's own npm and pip.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};

use crate::support::binary::Binary;
use crate::support::browser::Browser;
use crate::support::client::{append, get};
use crate::support::difficult::{difficult, shown};
use crate::support::text::{Reader, Said};
use crate::support::wires::Stream;
use crate::support::{TestServer, soon};

const NPM: [&str; 2] = ["eventsource@3.0.7", "eventsource-parser@3.0.6"];
const PIP: &str = "sseclient-py==1.9.0";

/// Said instead of skipping: a test that did not run has not passed.
pub(crate) const MISSING: &str =
    "these tests need other people's parsers: apt-get install nodejs npm python3-venv jq curl";

/// Longer than what an `EventSource` may be told to wait, and than npm and pip take.
const LONG: Duration = Duration::from_secs(90);

/// Runs a program to its end, and gives what it said.
async fn output(mut command: Command) -> String {
    command.kill_on_drop(true).stdin(Stdio::null());
    let ran = timeout(LONG, command.output())
        .await
        .unwrap_or_else(|_| panic!("{command:?} does not end"));
    let output = ran.unwrap_or_else(|error| panic!("{command:?}: {error}; {MISSING}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {errors}; if it is not there, {MISSING}"
    );
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args);
    command
}

/// Where the packages are.
async fn packages() -> &'static Path {
    static INSTALLED: OnceCell<PathBuf> = OnceCell::const_new();
    INSTALLED.get_or_init(install).await
}

async fn install() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("parsers");
    std::fs::create_dir_all(&home).unwrap();
    // Another run of these tests may do the same now.
    let lock = std::fs::File::create(home.join("lock")).unwrap();
    let waited = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
    let _lock = waited.await.unwrap().unwrap();
    let (done, wanted) = (home.join("done"), format!("{NPM:?} {PIP}"));
    if std::fs::read_to_string(&done).is_ok_and(|found| found == wanted) {
        return home;
    }
    let (dir, venv) = (home.to_str().unwrap(), home.join("venv"));
    let quiet = ["install", "--prefix", dir, "--no-audit", "--no-fund"];
    output(command("npm", &[&quiet[..], &NPM[..]].concat())).await;
    output(command("python3", &["-m", "venv", venv.to_str().unwrap()])).await;
    output(command(venv.join("bin/pip"), &["install", PIP])).await;
    std::fs::write(done, wanted).unwrap();
    home
}

/// A script for node that finds the packages.
async fn node(script: &str, args: &[&str]) -> Command {
    let mut command = command("node", &["--input-type=module", "--eval", script, "--"]);
    command.args(args).current_dir(packages().await);
    command
}

pub(crate) fn curl(url: &str) -> Command {
    command("curl", &["-sN", "--noproxy", "*", url])
}

/// Appends all that is difficult to `a`: the cursor, the event's name and the text of each.
async fn send_all(addr: SocketAddr) -> Vec<(String, &'static str, String)> {
    let mut sent = Vec::new();
    for (_, event, text) in difficult() {
        let answer = append(addr, &format!("a?event={event}"), &text).await;
        sent.push((answer["cursor"].as_str().unwrap().to_owned(), event, text));
    }
    sent
}

/// Compares one by one: all of it in one line would be hard to read.
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

#[tokio::test]
async fn eventsource_parser_and_sseclient_read_what_was_sent() {
    let server = TestServer::start();
    let sent = send_all(server.addr).await;
    let expected = sent.iter().map(|(cursor, event, text)| {
        // Line ends are LF to all that read event streams.
        json!([cursor, event, shown("sse", text)])
    });
    let expected: Vec<_> = expected.collect();
    let url = format!("http://{}/c/a?as=sse&limit={}", server.addr, sent.len());
    let script = include_str!("parsers/eventsource-parser.mjs");
    let npm = node(script, &[&url]).await;
    let python = packages().await.join("venv/bin/python");
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

#[tokio::test]
async fn jq_reads_what_was_sent() {
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

#[tokio::test]
async fn curl_shows_what_was_sent_a_line_a_message() {
    let server = TestServer::start();
    let sent = send_all(server.addr).await;
    let url = format!("http://{}/c/a?limit={}", server.addr, sent.len());
    let shown = output(curl(&url)).await;
    assert_eq!(shown.lines().count(), sent.len() + 1);
    let mut expected: Vec<_> = sent
        .iter()
        .map(|sent| Said::Message(sent.2.clone()))
        .collect();
    expected.push(Said::End(sent.last().unwrap().0.clone()));
    assert_eq!(Reader::default().read(shown.as_bytes()), expected);
    server.stop().await;
}

#[tokio::test]
async fn chromium_shows_the_characters_that_were_sent_in_html() {
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

/// Native `EventSource`s: what they have heard so far.
enum Client {
    Node(Arc<Mutex<Vec<Value>>>, Child),
    Chromium(Box<Browser>),
}

const WATCH: &str = include_str!("parsers/watch.js");

impl Client {
    /// One of each kind, each with so many `EventSource`s at that address. Chromium's are in a page
    /// of another server, which need not be there any more when the one watched is.
    async fn both(page: SocketAddr, url: &str, count: usize) -> [Client; 2] {
        let names = difficult().into_iter().map(|(_, event, _)| event);
        let mut names: Vec<_> = names.chain(["gap", "end", "heartbeat"]).collect();
        names.sort_unstable();
        names.dedup();
        let script = format!("{}{WATCH}", include_str!("parsers/eventsource.mjs"));
        let count = count.to_string();
        let args = [&[url, &count], &names[..]].concat();
        let mut command = node(&script, &args).await;
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

    /// All that it has said, once that is as it should be.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_sources_open_once_and_hear_what_was_sent_and_heartbeats_that_have_no_id() {
    let server = TestServer::start();
    let sent = send_all(server.addr).await;
    let query = "as=sse&heartbeat_event=1&heartbeat=1s";
    let url = format!("http://{}/c/a?{query}", server.addr);
    let clients = Client::both(server.addr, &url, 1).await;
    for client in &clients {
        let is_beat = |said: &Value| said["kind"] == "heartbeat";
        let beats = |said: &[Value]| said.len() > sent.len() && said.last().is_some_and(is_beat);
        let mut said = client.said("a heartbeat behind all", beats).await;
        let mut last = Value::Null;
        for said in &said {
            if !is_beat(said) {
                last = said["id"].clone();
                continue;
            }
            // The cursor is in its data; the id is still that of the last message. Where npm's
            // package deviates from the standard, it says none, and goes on with the right one.
            let npm = matches!(client, Client::Node(..));
            let id = if npm { &json!("") } else { &last };
            assert_eq!(said["id"], *id, "{}", client.name());
            let data: Value = serde_json::from_str(said["data"].as_str().unwrap()).unwrap();
            assert_eq!(data["cursor"], last, "{}", client.name());
        }
        // One with the first bytes, and one when it was quiet.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_sources_come_back_by_themselves_when_the_server_has_been_started_again() {
    // A log in memory began anew, which the cursor told the server and the gap the client.
    come_back("memory", 1).await;
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("log.db");
    come_back(&format!("sqlite:{}", path.display()), 0).await;
}

async fn come_back(store: &str, gaps: usize) {
    let page = TestServer::start();
    let open = ["--drain", "0s", "--cors-origin", "*", "--store", store];
    // An address that nobody else here takes a port of while the server is away.
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
        // 2 would be closed: given up.
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_sources_that_there_is_no_room_for_come_back_when_there_is() {
    // Of several the first comes back sooner than one alone, which may be told to wait for 30 s.
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
    let retry = refused.retry().expect("when to come back");
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
