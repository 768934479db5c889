//! Clients that other people wrote, with their own ideas of lines, empty messages and coming back:
//! event-source-polyfill and @microsoft/fetch-event-source in Chromium, httpx-sse and requests in
//! Python. None of them may lose, double or make up a message.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::sleep;

use crate::helpers::browser::Browser;
use crate::helpers::programs::{MISSING, command, parsers};
use crate::parsers::send_all;
use crate::support::binary::Binary;
use crate::support::client::append;
use crate::support::difficult::shown;
use crate::support::port::Port;
use crate::support::{TestServer, eventually};

/// The files of the packages that run in Chromium.
const FILES: [&str; 4] = [
    "event-source-polyfill/src/eventsource.js",
    "@microsoft/fetch-event-source/lib/cjs/index.js",
    "@microsoft/fetch-event-source/lib/cjs/fetch.js",
    "@microsoft/fetch-event-source/lib/cjs/parse.js",
];

/// A client in Python, and what it has said.
struct Program {
    said: Arc<Mutex<Vec<Value>>>,
    _child: Child,
}

impl Program {
    fn start(script: &str, url: &str) -> Program {
        let mut python = command(parsers().join("venv/bin/python"), &["-c", script, url]);
        python.kill_on_drop(true).stdout(Stdio::piped());
        let mut child = python.spawn().expect(MISSING);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = Arc::<Mutex<Vec<Value>>>::default();
        let heard = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                heard.lock().push(serde_json::from_str(&line).unwrap());
            }
        });
        Program {
            said,
            _child: child,
        }
    }
}

/// All of the clients, each following the same channel.
struct Clients {
    browser: Browser,
    httpx: Program,
    requests: Program,
}

impl Clients {
    /// Starts the clients. Those in Chromium are in a page of another server.
    async fn start(page: SocketAddr, server: SocketAddr, names: &[&str]) -> Clients {
        let url = format!("http://{server}/c/a?heartbeat=1s");
        let home = parsers().join("node_modules");
        let read = |path: &str| std::fs::read_to_string(home.join(path)).unwrap();
        let files: Value = FILES
            .iter()
            .map(|path| ((*path).to_owned(), json!(read(path))))
            .collect::<serde_json::Map<_, _>>()
            .into();
        let script = include_str!("parsers/clients.js");
        let (address, names) = (json!(format!("{url}&as=sse")), json!(names));
        let script = format!("const files = {files}, url = {address}, names = {names};\n{script}");
        let browser = Browser::start().await;
        browser.open(page, "/healthz").await;
        browser.execute(&script).await;
        let httpx = include_str!("parsers/httpx_sse_client.py");
        let requests = include_str!("parsers/requests_client.py");
        Clients {
            browser,
            httpx: Program::start(httpx, &format!("{url}&as=sse")),
            requests: Program::start(requests, &format!("{url}&as=ndjson")),
        }
    }

    /// What each client has said, but for what the server says of its stream.
    async fn said(&self) -> Vec<(&'static str, Vec<Value>)> {
        let mut page = self.browser.execute("return said").await;
        let mut take = |name| match page[name].take() {
            Value::Array(said) => said,
            other => panic!("{other}"),
        };
        let all = [
            ("event-source-polyfill", take("polyfill")),
            ("fetch-event-source", take("fetch")),
            ("httpx-sse", self.httpx.said.lock().clone()),
            ("requests", self.requests.said.lock().clone()),
        ];
        let is_own = |said: &Value| ["live", "end"].contains(&said[1].as_str().unwrap());
        all.into_iter()
            .map(|(who, mut said)| {
                said.retain(|said| !is_own(said));
                (who, said)
            })
            .collect()
    }

    /// Waits until each client has exactly the messages that were sent.
    async fn have(&self, sent: &[(String, &str, String)]) {
        let expected = |who: &str| -> Vec<Value> {
            let as_read = |text: &String| match who {
                "requests" => text.clone(),
                // This client takes empty lines at the beginning for none, and drops a BOM there.
                "fetch-event-source" => shown("sse", text)
                    .trim_start_matches(['\n', '\u{feff}'])
                    .to_owned(),
                _ => shown("sse", text),
            };
            let message = |(cursor, event, text): &(String, &str, String)| {
                json!([cursor, event, as_read(text)])
            };
            sent.iter().map(message).collect()
        };
        eventually("each client has each message once", async || {
            for (who, said) in self.said().await {
                let expected = expected(who);
                let wrong = said
                    .iter()
                    .zip(&expected)
                    .find(|(said, expected)| said != expected);
                if said != expected {
                    let (said, expected) = (said.len(), expected.len());
                    return Err(format!("{who} has {said} of {expected}; {wrong:?}"));
                }
            }
            Ok(())
        })
        .await;
    }
}

/// A quiet stream brings no empty messages, difficult messages arrive whole, and each message arrives once
/// over a connection that is cut and over a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_clients_have_each_message_once() {
    let directory = TempDir::new().unwrap();
    let store = format!("sqlite:{}", directory.path().join("log.db").display());
    let options = ["--store", &store, "--cors-origin", "*", "--drain", "0s"];
    let page = TestServer::start();
    let port = Port::reserve();
    let mut server = Binary::start_at(&port.listen(), &options).await;
    let mut sent = send_all(server.addr).await;
    let mut names: Vec<_> = sent.iter().map(|(_, event, _)| *event).collect();
    names.push("gap");
    names.sort_unstable();
    names.dedup();
    let clients = Clients::start(page.addr, server.addr, &names).await;
    clients.have(&sent).await;
    // Some heartbeats.
    sleep(Duration::from_secs(3)).await;
    clients.have(&sent).await;
    for (signal, text) in [("-KILL", "after a cut"), ("-TERM", "after a restart")] {
        server.end(signal).await;
        server = Binary::start_at(&port.listen(), &options).await;
        for text in [text, "and one more"] {
            let answer = append(server.addr, "a", text).await;
            let cursor = answer["cursor"].as_str().unwrap().to_owned();
            sent.push((cursor, "message", text.to_owned()));
        }
        clients.have(&sent).await;
    }
    clients.browser.close().await;
    server.end("-TERM").await;
    page.stop().await;
}
