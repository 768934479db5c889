//! What one types: the lines of one curl, seen by another while they come.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::parsers::{MISSING, command, curl};
use crate::support::binary::Binary;
use crate::support::soon;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_lines_of_one_curl_are_seen_by_another_before_the_last_is_sent() {
    // What 100,000 short messages may cost as long as they are kept, and not a byte each follower
    // or for the upload as such: see `--keep`, "its text and up to 512 bytes", and the tail's 8 MiB
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
    // The last line is sent when somebody says so.
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
