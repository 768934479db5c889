//! The examples of `scripts/examples`, as they stand there: they follow, and go on where they were.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::helpers::programs::{MISSING, command, output};
use crate::support::binary::Binary;
use crate::support::client::{append, post};
use crate::support::log_dir::LogDir;
use crate::support::port::Port;
use crate::support::soon;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/examples");

/// An example that runs.
struct Example {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Example {
    fn start(mut command: Command) -> Example {
        command.stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect(MISSING);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Example { child, lines }
    }

    /// Its next line; `None` at its end.
    async fn line(&mut self) -> Option<String> {
        soon(self.lines.next_line()).await.unwrap()
    }
}

/// Lets an example follow over a restart of the server, over its own restart, and to the end of a channel
/// that is closed. It sees each message once.
async fn goes_on(name: &str, start: impl Fn(&Port, &Path) -> Command) {
    let (log_dir, port) = (LogDir::new(), Port::reserve());
    let cursor = log_dir.at("cursor");
    let server = log_dir.start_at(&port.listen(), &["--drain", "0s"]).await;
    append(server.addr, "a", "one").await;
    let mut example = Example::start(start(&port, &cursor));
    assert_eq!(example.line().await.as_deref(), Some("one"), "{name}");
    append(server.addr, "a", "two").await;
    assert_eq!(example.line().await.as_deref(), Some("two"), "{name}");
    server.end("-KILL").await;
    let server: Binary = log_dir.start_at(&port.listen(), &["--drain", "0s"]).await;
    append(server.addr, "a", "three").await;
    assert_eq!(example.line().await.as_deref(), Some("three"), "{name}");
    // It saves the cursor after it has printed: `live` comes after each.
    crate::support::until("the cursor", || {
        std::fs::read_to_string(&cursor).is_ok_and(|cursor| cursor.ends_with("-3"))
    })
    .await;
    soon(example.child.kill()).await.unwrap();

    append(server.addr, "a", "four").await;
    let mut example = Example::start(start(&port, &cursor));
    assert_eq!(example.line().await.as_deref(), Some("four"), "{name}");
    assert_eq!(post(server.addr, "/c/a?close=1", "five").await.status, 201);
    assert_eq!(example.line().await.as_deref(), Some("five"), "{name}");
    assert_eq!(example.line().await, None, "{name}");
    assert!(
        soon(example.child.wait()).await.unwrap().success(),
        "{name}"
    );
}

#[tokio::test]
async fn python_example_goes_on() {
    goes_on("follow.py", |port, cursor| {
        let (example, url) = (
            format!("{EXAMPLES}/follow.py"),
            format!("http://{}/c/a", port.addr),
        );
        let mut python = command("python3", &[&example, &url, cursor.to_str().unwrap()]);
        python.env("no_proxy", "*");
        python
    })
    .await;
}

#[tokio::test]
async fn rust_example_goes_on() {
    let dir = crate::support::directory();
    let program = dir.path().join("follow");
    let (example, out) = (format!("{EXAMPLES}/follow.rs"), program.to_str().unwrap());
    let args = ["--edition", "2024", "-D", "warnings", &example, "-o", out];
    output(command("rustc", &args)).await;
    goes_on("follow.rs", |port, cursor| {
        let addr = port.addr.to_string();
        command(&program, &[&addr, "a", cursor.to_str().unwrap()])
    })
    .await;
}
