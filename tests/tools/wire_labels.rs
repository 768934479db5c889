//! The labels that `/wire` puts on the bytes of an answer, against parsers that others wrote: http.client, json
//! and html.parser of Python, and sseclient-py.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::helpers::programs::{command, output, parsers};
use crate::parsers::send_all;
use crate::support::client::append;
use crate::support::difficult::shown;
use crate::support::{TestServer, directory, soon};

const LABELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pages/wire-labels.js");
const TERMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pages/wire-terms.js");

/// All that a client of the socket gets.
pub(crate) async fn raw(addr: SocketAddr, path: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    soon(socket.read_to_end(&mut bytes)).await.unwrap();
    bytes
}

/// The parts of an answer, by the labels of the page.
pub(crate) async fn parts(transport: &str, file: &Path) -> String {
    let script = include_str!("parsers/labels.mjs");
    let args = [
        "--input-type=module",
        "--eval",
        script,
        "--",
        LABELS,
        transport,
        file.to_str().unwrap(),
    ];
    output(command("node", &args)).await
}

/// Every byte has a label, and what is labelled as the head, the body and the messages is what others
/// read there; with all difficult messages, cut into pieces anywhere.
#[tokio::test]
async fn wire_labels_agree_with_other_parsers() {
    let server = TestServer::start();
    let sent = send_all(server.addr).await;
    let directory = directory();
    let (bytes, labels) = (
        directory.path().join("bytes"),
        directory.path().join("labels"),
    );
    for transport in ["text", "html", "script", "sse", "ndjson", "json"] {
        let limit = sent.len();
        let path = format!("/c/a?as={transport}&limit={limit}");
        std::fs::write(&bytes, raw(server.addr, &path).await).unwrap();
        std::fs::write(&labels, parts(transport, &bytes).await).unwrap();
        let python = parsers().join("venv/bin/python");
        let args = [
            "-c",
            include_str!("parsers/labels.py"),
            transport,
            bytes.to_str().unwrap(),
            labels.to_str().unwrap(),
        ];
        let read = output(command(python, &args)).await;
        let read: Vec<Value> = read
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let [parsed, labelled] = &read[..] else {
            panic!("{read:?}")
        };
        assert_eq!(labelled[3], true, "{transport}: bytes are missing");
        assert_eq!(parsed[0], labelled[0], "{transport}");
        assert!(parsed[1] == labelled[1], "{transport}: the bodies differ");
        let messages = labelled[2].as_array().unwrap();
        let expected = sent.iter().map(|(_, _, text)| shown(transport, text));
        // In JSON and in text an empty message has no byte of its own.
        let expected =
            expected.filter(|text| ["html", "sse"].contains(&transport) || !text.is_empty());
        let expected: Vec<String> = expected.collect();
        for (n, (labelled, sent)) in messages.iter().zip(&expected).enumerate() {
            assert_eq!(labelled, sent, "{transport}, message {n}");
        }
        assert!(
            messages.len() >= expected.len().min(5),
            "{transport}: {}",
            messages.len()
        );
        if transport != "text" {
            let parsed = parsed[2].as_array().unwrap().iter();
            let parsed: Vec<&Value> = parsed
                .filter(|text| ["html", "sse"].contains(&transport) || *text != "")
                .collect();
            assert_eq!(parsed, messages.iter().collect::<Vec<_>>(), "{transport}");
        }
    }
    server.stop().await;
}

/// The stream that the page shows to those without scripts: two messages, a heartbeat between them, and
/// the end.
async fn record(addr: SocketAddr) -> String {
    let mut socket = TcpStream::connect(addr).await.unwrap();
    let request = "GET /c/wire?as=sse&since=now&limit=2&heartbeat=5s HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    for (seen, message) in [
        ("event: live", Some("hello 1")),
        ("\r\n:\n", Some("hello 2")),
        ("0\r\n\r\n", None),
    ] {
        while !String::from_utf8_lossy(&bytes).contains(seen) {
            let read = soon(socket.read_buf(&mut bytes)).await.unwrap();
            assert!(read > 0, "{bytes:?}");
        }
        if let Some(message) = message {
            append(addr, "wire", message).await;
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The recorded stream on the page is what the server sends, but for the name of the log and the time.
#[tokio::test]
async fn wire_recorded_stream_is_true() {
    let server = TestServer::start();
    let recorded = record(server.addr).await;
    let line = |name: &str| {
        recorded
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
    };
    let (cursor, date) = (line("log-cursor: "), line("date: "));
    let epoch = cursor.rsplit_once('-').unwrap().0;
    let recorded = recorded
        .replace(epoch, "k3f9x2qa0b")
        .replace(date, "Sat, 28 Nov 2026 09:00:00 GMT");
    let directory = directory();
    let file = directory.path().join("bytes");
    std::fs::write(&file, recorded).unwrap();
    let script = include_str!("parsers/recorded.mjs");
    let args = [
        "--input-type=module",
        "--eval",
        script,
        "--",
        LABELS,
        TERMS,
        "sse",
        file.to_str().unwrap(),
    ];
    let table = output(command("node", &args)).await;
    let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wire-recorded.html");
    std::fs::write(&new, &table).unwrap();
    let shown = include_str!("../../pages/wire-recorded.html");
    assert!(
        shown == table,
        "pages/wire-recorded.html lies; what is true is {}",
        new.display()
    );
    server.stop().await;
}
