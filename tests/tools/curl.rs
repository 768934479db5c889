//! What one does in a terminal: the output of curl, its exit code, and an upload from a pipe.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::helpers::programs::{MISSING, command, curl, output};
use crate::parsers::send_all;
use crate::support::binary::Binary;
use crate::support::client::post;
use crate::support::wires::{Message, StreamEvent, StreamReader};
use crate::support::{TestServer, soon};

/// curl shows what was sent, each message as one line.
#[tokio::test]
async fn curl_shows_a_line_for_each_message() {
    let server = TestServer::start();
    let sent = send_all(server.addr).await;
    let url = format!("http://{}/c/a?limit={}", server.addr, sent.len());
    let shown = output(curl(&url)).await;
    assert_eq!(shown.lines().count(), sent.len() + 1);
    let message = |text: &String| {
        StreamEvent::Message(Message {
            data: text.clone(),
            ..Message::default()
        })
    };
    let mut expected: Vec<_> = sent.iter().map(|sent| message(&sent.2)).collect();
    let last = sent.last().unwrap().0.clone();
    expected.push(StreamEvent::End(last, "limit".to_owned()));
    let read = StreamReader::new("text").read(shown.as_bytes());
    assert_eq!(read, expected);
    server.stop().await;
}

/// curl ends with 0 when the server stops, and with 18, a partial transfer, when it is killed.
#[tokio::test]
async fn curl_exit_code_tells_stop_from_kill() {
    for (signal, code) in [("-TERM", 0), ("-INT", 0), ("-KILL", 18)] {
        let server = Binary::start(&["--drain", "0s"]).await;
        let url = format!("http://{}/stream", server.addr);
        let mut curl = curl(&url)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect(MISSING);
        post(server.addr, "/send", "hello").await;
        let mut out = curl.stdout.take().unwrap();
        let mut shown = String::new();
        while !shown.contains("hello\n") {
            let mut bytes = [0; 100];
            let n = soon(out.read(&mut bytes)).await.unwrap();
            shown += std::str::from_utf8(&bytes[..n]).unwrap();
        }
        server.signal(signal).await;
        soon(out.read_to_string(&mut shown)).await.unwrap();
        assert_eq!(
            soon(curl.wait()).await.unwrap().code(),
            Some(code),
            "{signal}"
        );
        assert_eq!(shown.contains("\n# end "), code == 0, "{signal}: {shown}");
        let ended = server.ended().await;
        assert_eq!(ended.code(), (signal != "-KILL").then_some(0), "{signal}");
    }
}

/// A hundred thousand lines that one curl uploads are seen by another before the last one is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_upload_seen_by_another_curl() {
    // What 100,000 short messages may cost as long as they are kept, with nothing for a follower or
    // for the upload as such: see `--keep`, "its text and up to 512 bytes", and the tail's 8 MiB
    // with an encoding of each message.
    const MOST: u64 = 64 * 1024;
    let server = Binary::start(&["--keep", "200000"]).await;
    let before = server.memory();
    let url = format!("http://{}/c/lines", server.addr);
    let mut watcher = curl(&format!("{url}?as=ndjson&since=now&limit=100000"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect(MISSING);
    let mut seen = BufReader::new(watcher.stdout.take().unwrap()).lines();
    let mut next = async || -> Value {
        let line = soon(seen.next_line()).await.unwrap();
        serde_json::from_str(&line.expect("it ended too soon")).unwrap()
    };
    let open = next().await;
    assert_eq!(open["type"], "open");
    assert_eq!(next().await["type"], "live");
    // The last line is sent when the test says so.
    let script =
        format!("{{ seq 1 99999; read go; echo 100000; }} | curl -s --noproxy '*' -T - {url}");
    let mut uploader = command("sh", &["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut message = async |n: u64| {
        let said = next().await;
        assert_eq!(said["type"], "message", "{said}");
        assert_eq!(
            said["data"],
            n.to_string(),
            "none is missing, none is twice"
        );
        said
    };
    for n in 1..100_000 {
        message(n).await;
    }
    assert!(
        uploader.try_wait().unwrap().is_none(),
        "it still has a line to send"
    );
    let mut go = uploader.stdin.take().unwrap();
    go.write_all(b"go\n").await.unwrap();
    let last = message(100_000).await;
    let end = next().await;
    assert_eq!(
        (&end["type"], &end["cursor"]),
        (&"end".into(), &last["cursor"])
    );
    assert_eq!(soon(watcher.wait()).await.unwrap().code(), Some(0));
    let mut answer = String::new();
    let mut out = uploader.stdout.take().unwrap();
    soon(out.read_to_string(&mut answer)).await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (&answer["count"], &answer["last"]),
        (&100_000.into(), &last["cursor"])
    );
    let grown = server.memory().saturating_sub(before);
    println!("grown by {grown} KiB");
    assert!(grown < MOST, "{grown} KiB");
    server.end("-TERM").await;
}
