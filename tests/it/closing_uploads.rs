//! Uploads that close their channel when they have come whole.

use crate::closing::{all_say, seq, servers};
use crate::support::TestServer;
use crate::support::client::{append, get, send};
use crate::support::upload::Upload;
use crate::support::wires::Stream;

/// An upload closes its channel when it has come whole: by a mark on a last line without newline, else by
/// an entry of its own. One that breaks off closes nothing.
#[tokio::test]
async fn close_after_upload() {
    let (_directory, servers) = servers();
    for server in servers {
        let addr = server.addr;
        let put = async |path: &str, body: &[u8]| {
            let mut answer = send(addr, &format!("PUT /c/{path}"), body).await;
            (answer.status, answer.json().await)
        };
        let is_closed = async |channel: &str| {
            let list = get(addr, &format!("/c/?as=json&prefix={channel}"))
                .await
                .json()
                .await;
            list["channels"][0]["closed"].as_bool()
        };
        let (status, answer) = put("a?close=1", b"one\ntwo\n").await;
        assert_eq!((status, &answer["count"]), (201, &2.into()), "{answer}");
        assert_eq!(seq(answer["last"].as_str().unwrap()), "2");
        assert_eq!(seq(answer["closed"].as_str().unwrap()), "3");
        all_say(
            &server,
            "a",
            "",
            &["one", "two", "closed a", "live 3", "end 3 closed"],
        )
        .await;
        let (_, answer) = put("a?close=1", b"three\nfour").await;
        assert_eq!(
            (&answer["count"], &answer["closed"]),
            (&2.into(), &answer["last"])
        );
        all_say(
            &server,
            "a",
            "since=3",
            &["three", "four", "closed a", "live 5", "end 5 closed"],
        )
        .await;
        let (status, answer) = put("empty?close=1", b"").await;
        assert_eq!((status, &answer["count"]), (201, &0.into()));
        assert_eq!(is_closed("empty").await, Some(true));
        let (_, answer) = put("open?close=0", b"x\n").await;
        assert!(answer.get("closed").is_none());
        assert_eq!(is_closed("open").await, Some(false));

        // The lines that came are there, the one that did not end is not, and the channel is open.
        let mut upload = Upload::start(addr, "/c/broken?close=1").await;
        upload.send(b"one\ntwo\nthr").await;
        let mut follower = Stream::open(addr, "ndjson", "broken", "").await;
        follower.until(2).await;
        drop(upload);
        append(addr, "broken", "after").await;
        follower.until(3).await;
        assert_eq!(follower.texts(), ["one", "two", "after"]);
        assert_eq!(is_closed("broken").await, Some(false));
        let (status, _) = put("broken?close=1", b"ok\n\xff\n").await;
        assert_eq!((status, is_closed("broken").await), (400, Some(false)));

        let mut refused = send(addr, "PUT /c/a?close=perhaps", b"x\n").await;
        assert_eq!(refused.status, 400);
        assert!(refused.text().await.contains("close"));
        server.stop().await;
    }
}

/// A whole upload that is tried again closes the channel once, however far the try before had come.
#[tokio::test]
async fn close_after_upload_that_is_tried_again() {
    let (_directory, servers) = servers();
    for server in servers {
        let addr = server.addr;
        let put = async |key: &str, query: &str, body: &[u8]| {
            let head = format!("PUT /c/{key}{query}\r\nIdempotency-Key: {key}");
            let mut answer = send(addr, &head, body).await;
            (answer.status, answer.json().await)
        };
        for body in [&b"one\ntwo\n"[..], b"one\ntwo"] {
            let key = if body.ends_with(b"\n") { "k" } else { "m" };
            let headers = format!("Idempotency-Key: {key}\r\n");
            let mut broken = Upload::start_with(addr, &format!("/c/{key}?close=1"), &headers).await;
            broken.send(b"one\ntw").await;
            Stream::open(addr, "ndjson", key, "").await.until(1).await;
            drop(broken);
            let (status, first) = put(key, "?close=1", body).await;
            assert_eq!(
                (status, &first["count"], &first["duplicates"]),
                (201, &2.into(), &1.into()),
                "{first}"
            );
            let (status, again) = put(key, "?close=1", body).await;
            assert_eq!(
                (status, &again["count"], &again["duplicates"]),
                (200, &2.into(), &2.into()),
                "{again}"
            );
            assert_eq!(again["closed"], first["closed"], "{again} {first}");
            // Somebody opens the channel. The try that comes late does not close it.
            append(addr, key, "next").await;
            assert_eq!(put(key, "?close=1", body).await.0, 200);
            let list = get(addr, &format!("/c/?as=json&prefix={key}"))
                .await
                .json()
                .await;
            assert_eq!(list["channels"][0]["closed"], false);
            // Without the close it is another upload.
            assert_eq!(put(key, "", body).await.0, 422);
        }
        server.stop().await;
    }
}

/// Receipts end with that of the close.
#[tokio::test]
async fn close_in_receipts() {
    let server = TestServer::start();
    let mut answer = send(server.addr, "PUT /c/a?close=1&receipts=1", b"one\n").await;
    let text = answer.text().await;
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["count"], seq(last["closed"].as_str().unwrap())),
        (&1.into(), "2"),
        "{text}"
    );
    server.stop().await;
}
