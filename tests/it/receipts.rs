//! Receipts of an upload: what it has appended, told while it runs.

use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::support::client::{Response, get, post};
use crate::support::upload::{Upload, chunk};
use crate::support::{TestServer, at_last, soon};

/// Reads lines of JSON until one of them is as wanted; gives it.
async fn until(response: &mut Response, is_it: impl Fn(&Value) -> bool) -> Value {
    let mut partial = Vec::new();
    loop {
        let chunk = soon(response.chunk()).await.unwrap();
        partial.extend(chunk.expect("it ended too soon"));
        while let Some(end) = partial.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = partial.drain(..=end).collect();
            let line = serde_json::from_slice(&line).unwrap();
            if is_it(&line) {
                return line;
            }
        }
    }
}

/// Sends a piece of the upload that a response answers while it runs.
async fn send(response: &mut Response, bytes: &[u8]) {
    response.socket().write_all(&chunk(bytes)).await.unwrap();
}

/// Each line is confirmed while its upload runs, and the last line is the answer that any upload gets.
#[tokio::test]
async fn receipts_come_while_upload_runs() {
    let server = TestServer::start();
    for (path, headers) in [
        ("/c/a?receipts=1", ""),
        ("/c/b", "Accept: application/x-ndjson\r\n"),
        ("/c/c?event=e", "Accept: application/jsonl\r\n"),
    ] {
        let mut upload = Upload::start_with(server.addr, path, headers).await;
        upload.send(b"one\n").await;
        let mut running = upload.answer().await;
        let kind = running.header("content-type").to_owned();
        assert_eq!((running.status, &*kind), (201, "application/x-ndjson"));
        assert_eq!(running.header("connection"), "close");
        let first = until(&mut running, |_| true).await;
        assert_eq!(first["count"], 1);
        send(&mut running, b"two\nthree\nfo").await;
        let third = until(&mut running, |line| line["count"] == 3).await;
        assert_ne!(first["cursor"], third["cursor"]);
        send(&mut running, b"ur").await;
        send(&mut running, b"").await;
        let last = until(&mut running, |line| line.get("last").is_some()).await;
        assert_eq!(
            (&last["first"], &last["count"]),
            (&first["cursor"], &4.into())
        );
        assert_eq!(last.get("error"), None);
        assert_eq!(soon(running.chunk()).await.unwrap(), None);
    }
    server.stop().await;
}

/// An upload that breaks off after its first commit says so in its last line.
#[tokio::test]
async fn receipts_end_with_error() {
    let server = TestServer::with(|config| config.max_message = 10);
    let mut upload = Upload::start(server.addr, "/c/a?receipts=1").await;
    upload.send(b"one\n").await;
    let mut running = upload.answer().await;
    until(&mut running, |line| line["count"] == 1).await;
    send(&mut running, b"two\n0123456789x\nthree\n").await;
    let last = until(&mut running, |line| line.get("error").is_some()).await;
    let error = last["error"].as_str().unwrap();
    assert!(
        error.contains("longer than the limit of 10 bytes"),
        "{error}"
    );
    assert_eq!(last["count"], 2);
    assert!(last["first"].is_string() && last["first"] != last["last"]);
    assert_eq!(soon(running.chunk()).await.unwrap(), None);
    let mut upload = Upload::start(server.addr, "/c/a?receipts=1").await;
    upload.send(b"one\n").await;
    let mut running = upload.answer().await;
    until(&mut running, |line| line["count"] == 1).await;
    let stopped = tokio::spawn(server.stop());
    let last = until(&mut running, |line| line.get("error").is_some()).await;
    assert_eq!(last["error"], "the server is stopping");
    assert_eq!(soon(running.chunk()).await.unwrap(), None);
    soon(stopped).await.unwrap();
}

/// An upload of which nothing was appended is answered as any other.
#[tokio::test]
async fn receipts_of_nothing_are_usual_answer() {
    let server = TestServer::with(|config| config.max_message = 10);
    let mut upload = Upload::start(server.addr, "/c/a?receipts=1").await;
    upload.send(b"0123456789x\n").await;
    let mut refused = upload.answer().await;
    assert_eq!(
        (refused.status, refused.header("content-type")),
        (413, "application/json")
    );
    assert_eq!(refused.json().await["count"], 0);
    let upload = Upload::start(server.addr, "/c/a?receipts=1").await;
    let mut empty = upload.end().await;
    assert_eq!(empty.status, 201);
    assert_eq!(
        empty.text().await,
        "{\"first\":null,\"last\":null,\"count\":0}\n"
    );
    let mut upload = Upload::start_with(
        server.addr,
        "/c/a?receipts=0",
        "Accept: application/x-ndjson\r\n",
    )
    .await;
    upload.send(b"one\n").await;
    let mut whole = upload.end().await;
    assert_eq!(whole.header("content-type"), "application/json");
    assert_eq!(whole.json().await["count"], 1);
    for (path, says) in [
        ("/c/a?receipts=yes", "must be 1 or 0"),
        ("/c/a?receipt=1", "receipts"),
    ] {
        let mut refused = Upload::start(server.addr, path).await.end().await;
        assert_eq!(refused.status, 400);
        assert!(refused.text().await.contains(says));
    }
    assert_eq!(post(server.addr, "/c/a?receipts=1", "x").await.status, 400);
    server.stop().await;
}

/// A client that reads none of its receipts has its lines appended all the same, holds up nobody, and
/// is told the newest state when it reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_unread_cost_nothing() {
    const LINES: usize = 20_000;
    let server = TestServer::start();
    let addr = server.addr;
    let mut upload = Upload::start(addr, "/c/a?receipts=1").await;
    let sending = tokio::spawn(async move {
        for n in 0..LINES {
            upload.send(format!("{n}\n").as_bytes()).await;
        }
        upload.send(b"").await;
        upload
    });
    let upload = at_last(sending).await.unwrap();
    let mut other = Upload::start(addr, "/c/b?receipts=1").await;
    other.send(b"one\n").await;
    let mut other = other.end().await;
    until(&mut other, |line| line["last"].is_string()).await;
    // All is appended before a single receipt has been read.
    let mut whole = get(addr, &format!("/c/a?limit={LINES}&as=ndjson")).await;
    let whole = at_last(whole.text()).await;
    let messages = whole
        .lines()
        .filter(|line| line.contains("\"type\":\"message\""));
    assert_eq!(messages.count(), LINES);
    let mut response = upload.answer().await;
    let said = at_last(response.text()).await;
    let said: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let counts: Vec<u64> = said
        .iter()
        .map(|line| line["count"].as_u64().unwrap())
        .collect();
    assert!(counts.is_sorted() && said.last().unwrap()["last"].is_string());
    assert_eq!(counts.last(), Some(&(LINES as u64)));
    server.stop().await;
}
