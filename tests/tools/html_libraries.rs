//! Libraries that put into a page what a server sends, for those who write no JavaScript: the pages and the
//! commands of the docs, in Chromium, over a cut and a restart.

use std::path::Path;
use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::helpers::browser::Browser;
use crate::helpers::programs::{MISSING, command, output, parsers};
use crate::support::binary::Binary;
use crate::support::port::Port;
use crate::support::{eventually, soon};

const DOC: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/pages/docs/page.md"));

/// The text that the commands of the docs send.
const SENT: &str = "tests pass";

/// The page and the command that the docs print after these words.
fn printed(words: &str) -> (&'static str, &'static str) {
    let (_, after) = DOC.split_once(&format!("\n{words}")).expect(words);
    let block = |language: &str| {
        let (_, block) = after.split_once(&format!("\n```{language}\n")).unwrap();
        block.split_once("\n```\n").unwrap().0
    };
    (block("html"), block("sh"))
}

/// A library: the words with which its part of the docs begins, and the files of its packages.
struct Library {
    words: &'static str,
    files: &'static [&'static str],
    /// Whether it comes back after a stream that the server has ended.
    returns: bool,
    /// Whether its page comes from a server of its own.
    is_elsewhere: bool,
}

/// A server of files, which is Python's, and its origin.
async fn serve_files(directory: &Path) -> (Child, String) {
    let directory = directory.to_str().unwrap();
    let args = [
        "-u",
        "-m",
        "http.server",
        "0",
        "--bind",
        "127.0.0.1",
        "--directory",
        directory,
    ];
    let mut python = command("python3", &args);
    python
        .kill_on_drop(true)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = python.spawn().expect(MISSING);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = soon(lines.next_line()).await.unwrap().unwrap();
    // Serving HTTP on 127.0.0.1 port 40123 (http://127.0.0.1:40123/) ...
    let (_, origin) = line.split_once('(').expect(&line);
    let (origin, _) = origin.split_once("/)").expect(&line);
    (child, origin.to_owned())
}

/// The page shows the messages that were there, each new one as it comes, and, after a connection that is
/// cut and a server that is stopped and started, each that came meanwhile, once.
async fn shows_messages(library: Library) {
    let (page, send) = printed(library.words);
    let (pages, log) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for file in library.files {
        let (_, name) = file.rsplit_once('/').unwrap();
        assert!(
            page.contains(&format!("\"/{name}\"")),
            "{name} is not in {page}"
        );
        let from = parsers().join("node_modules").join(file);
        std::fs::copy(&from, pages.path().join(name)).unwrap();
    }
    let (_files, elsewhere) = serve_files(pages.path()).await;
    let store = format!("sqlite:{}", log.path().join("log.db").display());
    let mut options = vec!["--store", &store, "--drain", "0s"];
    if library.is_elsewhere {
        options.extend(["--cors-origin", &elsewhere]);
    } else {
        options.extend(["--pages", pages.path().to_str().unwrap()]);
    }
    let port = Port::reserve();
    let mut server = Binary::start_at(&port.listen(), &options).await;
    let here = |printed: &str| printed.replace("localhost:8080", &server.addr.to_string());
    let (page, send) = (here(page), here(send));
    std::fs::write(pages.path().join("board.html"), page).unwrap();
    let own = format!("http://{}", server.addr);
    let origin = if library.is_elsewhere {
        &elsewhere
    } else {
        &own
    };
    let send = async |text: &str| {
        let mut curl = command("sh", &["-c", &send.replace(SENT, text)]);
        curl.stderr(Stdio::piped());
        let answer = output(curl).await;
        assert!(answer.contains("\"cursor\""), "{answer}");
    };
    send("before").await;
    let browser = Browser::start().await;
    let page = format!("{origin}/board.html");
    browser.leave(browser.client.goto(&page)).await;
    let mut expected = vec!["before".to_owned()];
    shown(&browser, &expected).await;
    for text in [SENT, "a <b>second</b> one"] {
        send(text).await;
        expected.push(text.replace("<b>", "").replace("</b>", ""));
        shown(&browser, &expected).await;
    }
    for signal in ["-KILL", "-TERM"] {
        if signal == "-TERM" && !library.returns {
            continue;
        }
        server.end(signal).await;
        server = Binary::start_at(&port.listen(), &options).await;
        for n in 1..=3 {
            let text = format!("{n} after {signal}");
            send(&text).await;
            expected.push(text);
        }
        shown(&browser, &expected).await;
        send("live").await;
        expected.push("live".to_owned());
        shown(&browser, &expected).await;
    }
    browser.close().await;
    server.end("-TERM").await;
}

/// Waits until the page shows these texts, and no others.
async fn shown(browser: &Browser, expected: &[String]) {
    eventually(&format!("the page shows {expected:?}"), async || {
        let texts = browser
            .execute("return [...document.querySelectorAll('li')].map(li => li.textContent)")
            .await;
        (texts == json!(expected))
            .then_some(())
            .ok_or(texts.to_string())
    })
    .await;
}

#[tokio::test]
async fn htmx_2_shows_messages() {
    shows_messages(Library {
        words: "htmx 2 ",
        files: &["htmx.org/dist/htmx.min.js", "htmx-ext-sse/sse.js"],
        returns: true,
        is_elsewhere: false,
    })
    .await;
}

#[tokio::test]
async fn htmx_4_shows_messages() {
    shows_messages(Library {
        words: "htmx 4 ",
        files: &["htmx4/dist/htmx.min.js", "htmx4/dist/ext/hx-sse.min.js"],
        returns: true,
        is_elsewhere: false,
    })
    .await;
}

#[tokio::test]
async fn turbo_shows_messages() {
    shows_messages(Library {
        words: "Turbo ",
        files: &["@hotwired/turbo/dist/turbo.es2017-umd.js"],
        returns: true,
        is_elsewhere: false,
    })
    .await;
}

#[tokio::test]
async fn datastar_shows_messages() {
    shows_messages(Library {
        words: "Datastar ",
        files: &["@starfederation/datastar/dist/datastar.js"],
        returns: false,
        is_elsewhere: true,
    })
    .await;
}
