//! Servers that share a log give the same answers as one server with a log of its own.

use serde_json::Value;

use crate::nats::Nats;
use crate::shared::Shared;
use crate::support::client::{Response, append, get, send};
use crate::support::soon;
use crate::support::wires::{ALL, Stream};

async fn start() -> (Nats, Shared) {
    let nats = Nats::start(3).await;
    let ours = Shared::start(&nats, 3, &[]).await;
    (nats, ours)
}

/// Sends an append to a server, with these header lines.
async fn post(ours: &Shared, n: usize, path: &str, headers: &str, text: &str) -> (u16, Value) {
    let request = format!("POST /c/{path}\r\n{headers}");
    let request = request.trim_end();
    let mut answer = soon(send(ours.addr(n), request, text.as_bytes())).await;
    (answer.status, answer.json().await)
}

async fn put(ours: &Shared, n: usize, path: &str, headers: &str, lines: &[String]) -> (u16, Value) {
    let request = format!("PUT /c/{path}\r\n{headers}");
    let body = lines.join("\n") + "\n";
    let mut answer: Response = send(ours.addr(n), request.trim_end(), body.as_bytes()).await;
    (answer.status, answer.json().await)
}

async fn texts(ours: &Shared, n: usize, channel: &str) -> Vec<String> {
    let path = format!("/c/{channel}?as=ndjson&until=now");
    let text = get(ours.addr(n), &path).await.text().await;
    let items = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let messages = items.filter(|item| item["type"] == "message");
    messages
        .map(|item| item["data"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits until a server has what another one has.
async fn same(ours: &Shared, n: usize, cursor: &str) {
    // A cursor that is ahead of the copy is waited for.
    let path = format!("/c/none?as=json&since={cursor}&wait=1ms");
    assert_eq!(soon(get(ours.addr(n), &path)).await.status, 200);
}

/// Whoever appends reads it at once at the same server, and at any other with its cursor.
#[tokio::test]
async fn appends_are_read_everywhere() {
    let (_nats, ours) = start().await;
    let mut streams = Vec::new();
    for (n, wire) in ALL.iter().enumerate().filter(|(_, wire)| **wire != "json") {
        streams.push(Stream::open(ours.addr(n % 3), wire, "x.y~z", "since=now").await);
    }
    for (n, text) in ["one", "two", "three"].into_iter().enumerate() {
        let answer = append(ours.addr(n), "x.y~z", text).await;
        assert_eq!(answer["seq"], n as u64 + 1);
        assert_eq!(texts(&ours, n, "x.y~z").await.len(), n + 1, "its own write");
        same(&ours, (n + 1) % 3, answer["cursor"].as_str().unwrap()).await;
        assert_eq!(texts(&ours, (n + 1) % 3, "x.y~z").await.len(), n + 1);
    }
    for stream in &mut streams {
        stream.until(3).await;
        assert_eq!(stream.texts(), ["one", "two", "three"]);
    }
    // A position that no server has is a gap, and not waited for.
    let cursor = append(ours.addr(0), "x.y~z", "four").await["cursor"].clone();
    let epoch = cursor
        .as_str()
        .unwrap()
        .split_once('-')
        .unwrap()
        .0
        .to_owned();
    let path = format!("/c/x.y~z?as=json&since={epoch}-1000&wait=1ms");
    let answer = soon(get(ours.addr(1), &path)).await.json().await;
    assert_eq!(answer["gap"]["reason"], "future", "{answer}");
    // Each answer says whose it is, and so does the home page.
    let names = [0, 1].map(|n| (n, ours.addr(n).port().to_string()));
    for (n, port) in names {
        let mut answer = get(ours.addr(n), "/").await;
        let name = answer.header("log-server").to_owned();
        assert!(name.ends_with(&format!(":{port}")), "{name}");
        let page = answer.text().await;
        assert!(
            page.contains(&name) && !page.contains("href=\"/chat\""),
            "{page}"
        );
    }
    // What is not shared is not there.
    for path in ["/mailbox", "/chat/login"] {
        let mut answer = get(ours.addr(0), path).await;
        assert_eq!(answer.status, 404);
        assert!(answer.text().await.contains("shared"));
    }
}

/// A key is one key on all servers: the first answer again, or a refusal of another text.
#[tokio::test]
async fn keys_hold_on_every_server() {
    let (_nats, ours) = start().await;
    let key = "Idempotency-Key: k";
    let (status, first) = post(&ours, 0, "a", key, "text").await;
    assert_eq!(status, 201);
    for n in 0..3 {
        let (status, again) = post(&ours, n, "a", key, "text").await;
        assert_eq!((status, &again["duplicate"]), (200, &Value::Bool(true)));
        assert_eq!(
            (&again["seq"], &again["time"]),
            (&first["seq"], &first["time"])
        );
        assert_eq!(post(&ours, n, "a", key, "other").await.0, 422);
        // In another channel it is another key.
        let channel = format!("b{n}");
        assert_eq!(post(&ours, n, &channel, key, "text").await.0, 201);
    }
    // All at once.
    for round in 0..5 {
        let key = format!("Idempotency-Key: round {round}");
        let (ours, key) = (&ours, &key);
        let tries = (0..12).map(|n| async move {
            let text = if n % 4 == 3 { "other" } else { "text" };
            post(ours, n % 3, "c", key, text).await
        });
        let answers = futures(tries).await;
        let created = answers.iter().filter(|(status, _)| *status == 201).count();
        assert_eq!(created, 1, "{answers:?}");
        let seqs: std::collections::HashSet<_> = answers
            .iter()
            .filter(|(status, _)| *status < 300)
            .map(|(_, answer)| answer["seq"].as_u64())
            .collect();
        assert_eq!(seqs.len(), 1, "{answers:?}");
        assert!(
            answers
                .iter()
                .all(|(status, _)| [200, 201, 422].contains(status)),
            "{answers:?}"
        );
    }
    assert_eq!(texts(&ours, 0, "c").await.len(), 5);
}

/// Runs futures together.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (running, done) in running.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = running.as_mut().poll(cx)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// The cursor of the one append that these answers say is new; each of the others has one of these statuses.
fn only_created(answers: &[(u16, Value)], others: &[u16]) -> String {
    let is_new = |(status, _): &&(u16, Value)| *status == 201;
    let created: Vec<_> = answers.iter().filter(is_new).collect();
    assert_eq!(created.len(), 1, "{answers:?}");
    let is_known = |(status, _): &(u16, _)| *status == 201 || others.contains(status);
    assert!(answers.iter().all(is_known), "{answers:?}");
    created[0].1["cursor"].as_str().unwrap().to_owned()
}

/// Of appends that expect the same last entry one comes first, whichever servers they come to.
#[tokio::test]
async fn preconditions_hold_on_every_server() {
    let (_nats, ours) = start().await;
    let none = "If-None-Match: *";
    let answers = futures((0..9).map(|n| post(&ours, n % 3, "a", none, "first"))).await;
    let mut cursor = only_created(&answers, &[412]);
    for round in 0..5 {
        let is_last = format!("If-Match: \"{cursor}\"\r\nIdempotency-Key: {round}");
        let (ours, is_last, text) = (&ours, &is_last, &format!("round {round}"));
        // With one key between them all are tries of one append.
        let answers =
            futures((0..6).map(|n| async move { post(ours, n % 3, "a", is_last, text).await }))
                .await;
        let now = only_created(&answers, &[200]);
        // Without a key only one of them can be the next.
        let is_last = format!("If-Match: \"{now}\"");
        let (is_last, text) = (&is_last, &format!("race {round}"));
        let answers =
            futures((0..6).map(|n| async move { post(ours, n % 3, "a", is_last, text).await }))
                .await;
        cursor = only_created(&answers, &[412]);
        for (_, answer) in answers.iter().filter(|(status, _)| *status == 412) {
            assert_eq!(answer["cursor"], cursor, "{answer}");
        }
        let old = format!("If-Match: \"{now}\"");
        assert_eq!(post(ours, round % 3, "a", &old, "late").await.0, 412);
    }
    assert_eq!(texts(&ours, 1, "a").await.len(), 11);
}

/// A close is part of the log: its followers end on every server, and the next append opens the channel.
#[tokio::test]
async fn closes_hold_on_every_server() {
    let (_nats, ours) = start().await;
    append(ours.addr(0), "a", "one").await;
    let mut open = Stream::open(ours.addr(1), "ndjson", "a", "since=all").await;
    open.until(1).await;
    let (status, closed) = post(&ours, 2, "a?close=1", "", "two").await;
    assert_eq!(status, 201);
    let open = open.whole().await;
    assert_eq!(open.end().unwrap().1, "closed");
    same(&ours, 0, closed["cursor"].as_str().unwrap()).await;
    let stream = Stream::open(ours.addr(0), "sse", "a", "since=all")
        .await
        .whole()
        .await;
    assert_eq!(
        (stream.texts(), stream.end().unwrap().1),
        (vec!["one", "two"], "closed")
    );
    // Alone, and on an upload.
    let (_, alone) = post(&ours, 0, "b?close=1", "", "").await;
    same(&ours, 1, alone["cursor"].as_str().unwrap()).await;
    let stream = Stream::open(ours.addr(1), "ndjson", "b", "since=all")
        .await
        .whole()
        .await;
    assert_eq!(stream.end().unwrap().1, "closed");
    let (_, upload) = put(&ours, 1, "c?close=1", "", &["x".to_owned()]).await;
    same(&ours, 2, upload["closed"].as_str().unwrap()).await;
    let stream = Stream::open(ours.addr(2), "text", "c", "since=all")
        .await
        .whole()
        .await;
    assert_eq!(
        (stream.texts(), stream.end().unwrap().1),
        (vec!["x"], "closed")
    );
    append(ours.addr(1), "a", "three").await;
    let mut open = Stream::open(ours.addr(1), "ndjson", "a", "since=all").await;
    open.until(3).await;
}

/// The lines of an upload come in their order and next to each other, and a second try at another server
/// appends what was missing.
#[tokio::test]
async fn uploads_go_on_at_another_server() {
    let (_nats, ours) = start().await;
    let lines: Vec<String> = (0..2500).map(|n| format!("line {n}")).collect();
    let key = "Idempotency-Key: u";
    let (status, first) = put(&ours, 0, "a", key, &lines[..1700]).await;
    assert_eq!(
        (status, first["count"].as_u64()),
        (201, Some(1700)),
        "{first}"
    );
    let (status, all) = put(&ours, 1, "a", key, &lines).await;
    assert_eq!(
        (status, all["count"].as_u64(), all["duplicates"].as_u64()),
        (201, Some(2500), Some(1700)),
        "{all}"
    );
    let (status, again) = put(&ours, 2, "a", key, &lines).await;
    assert_eq!(
        (status, again["duplicates"].as_u64()),
        (200, Some(2500)),
        "{again}"
    );
    let mut other = lines.clone();
    other[3] = "another line".to_owned();
    assert_eq!(put(&ours, 0, "a", key, &other).await.0, 422);
    assert_eq!(texts(&ours, 2, "a").await, lines);
    // Two tries at the same moment, and others who append.
    let key = "Idempotency-Key: both";
    let (both, noise) = tokio::join!(
        futures((0..3).map(|n| put(&ours, n, "b", key, &lines))),
        futures((0..20).map(|n| post(&ours, n % 3, "noise", "", "x"))),
    );
    assert!(noise.iter().all(|(status, _)| *status == 201));
    for (status, answer) in &both {
        assert!([200, 201].contains(status), "{answer}");
        assert_eq!(answer["count"], 2500, "{answer}");
    }
    let duplicates: u64 = both
        .iter()
        .filter_map(|(_, answer)| answer["duplicates"].as_u64())
        .sum();
    assert_eq!(duplicates, 2 * 2500, "{both:?}");
    for n in 0..3 {
        same(&ours, n, both[0].1["last"].as_str().unwrap()).await;
        assert_eq!(texts(&ours, n, "b").await, lines);
    }
    // Without a key.
    let (status, answer) = put(&ours, 1, "c", "", &lines).await;
    assert_eq!((status, &answer["count"]), (201, &Value::from(2500)));
    assert_eq!(texts(&ours, 1, "c").await, lines);
}
