//! What a server does while the NATS servers cannot be used.

use std::time::Duration;

use crate::nats::Nats;
use crate::shared::Shared;
use crate::support::client::{append, get, post, send, try_send};
use crate::support::wires::Stream;
use crate::support::{eventually, soon};

/// Waits until a server says that it is not ready, and returns why.
async fn not_ready(ours: &Shared, n: usize) -> String {
    let addr = ours.addr(n);
    eventually("the server is not ready", async || {
        let mut answer = get(addr, "/healthz/ready").await;
        let text = answer.text().await;
        if answer.status == 503 {
            Ok(text)
        } else {
            Err(text)
        }
    })
    .await
}

/// Without a majority nothing is appended, and all else goes on; with it everything goes on by itself.
#[tokio::test]
async fn quorum_may_be_lost_and_found() {
    let mut nats = Nats::start(3).await;
    let ours = Shared::start(&nats, 2, &[]).await;
    append(ours.addr(0), "a", "before").await;
    let mut stream = Stream::open(ours.addr(1), "sse", "a", "heartbeat=1s").await;
    stream.until(1).await;
    nats.kill(0).await;
    nats.kill(1).await;
    let mut answer = soon(post(ours.addr(0), "/c/a", "lost")).await;
    assert_eq!(answer.status, 503);
    let why = answer.text().await;
    assert!(why.contains("cluster"), "{why}");
    let why = not_ready(&ours, 1).await;
    assert!(
        why.contains("NATS") || why.contains("quorum") || why.contains("lags"),
        "{why}"
    );
    assert_eq!(get(ours.addr(1), "/healthz/live").await.status, 200);
    // The copy is served, and a stream lives.
    let texts = get(ours.addr(0), "/c/a?as=json").await.json().await;
    assert_eq!(texts["messages"][0]["data"], "before");
    let heartbeats = stream.heartbeats();
    while stream.heartbeats() < heartbeats + 2 {
        assert!(stream.read().await.unwrap());
    }
    nats.run(0);
    nats.run(1);
    for n in 0..2 {
        nats.healthy(n).await;
        ours.ready(n).await;
    }
    // The NATS servers that are back may still choose who leads.
    let taken = async || {
        let request = "POST /c/a\r\nIdempotency-Key: after";
        let answer = send(ours.addr(0), request, b"after").await;
        [200, 201].contains(&answer.status)
    };
    eventually("appends are taken again", taken).await;
    stream.until(2).await;
    assert!(stream.texts().ends_with(&["after"]), "{:?}", stream.texts());
    assert!(ours.figure(0, "cluster_connected").await > 0.0);
}

/// A server whose engine is gone serves its copy from its start on, is not ready, and is when the engine
/// comes back.
#[tokio::test]
async fn engine_may_be_away_at_the_start() {
    let mut nats = Nats::start(1).await;
    let mut ours = Shared::start(&nats, 1, &["--cluster-replicas", "1"]).await;
    let cursor = append(ours.addr(0), "a", "before").await["cursor"].clone();
    ours.stop(0).await;
    nats.kill(0).await;
    ours.run(0).await;
    let why = not_ready(&ours, 0).await;
    assert!(why.contains("connection"), "{why}");
    let texts = get(ours.addr(0), "/c/a?as=json").await.json().await;
    assert_eq!(texts["messages"][0]["cursor"], cursor);
    // Nothing was sent, so it is said at once.
    let answer = tokio::time::timeout(Duration::from_secs(5), post(ours.addr(0), "/c/a", "lost"));
    assert_eq!(answer.await.unwrap().status, 503);
    nats.run(0);
    ours.ready(0).await;
    assert_eq!(append(ours.addr(0), "a", "after").await["seq"], 2);
}

/// A cursor of another server waits for a copy that lags; and a copy of another stream is built anew, with
/// its followers told of it.
#[tokio::test]
async fn copies_catch_up() {
    let mut nats = Nats::start(1).await;
    let options = ["--cluster-replicas", "1"];
    let mut ours = Shared::start(&nats, 2, &options).await;
    append(ours.addr(0), "a", "one").await;
    ours.binary(1).signal("-STOP").await;
    let cursor = append(ours.addr(0), "a", "two").await["cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    let request = format!("GET /c/a?as=ndjson&since={cursor}");
    let asked = tokio::spawn({
        let (addr, request) = (ours.addr(1), request.clone());
        async move { try_send(addr, &request, b"").await.unwrap().status }
    });
    ours.binary(1).signal("-CONT").await;
    assert_eq!(soon(asked).await.unwrap(), 200);
    // The stream is deleted with all NATS servers: what comes is another log.
    ours.stop(1).await;
    nats.kill(0).await;
    nats.wipe(0);
    nats.run(0);
    nats.healthy(0).await;
    // The server that runs sees it, and ends so that its followers go elsewhere.
    let answer = nats.ask("$JS.API.STREAM.INFO.forever-frame", "").await;
    assert_eq!(answer["error"]["err_code"], 10059, "{answer}");
    ours.run(1).await;
    ours.ready(1).await;
    let mut stream = Stream::open(ours.addr(1), "ndjson", "a", &format!("since={cursor}")).await;
    append(ours.addr(1), "a", "new").await;
    stream.until(1).await;
    assert_eq!(
        stream.gaps().len(),
        1,
        "the epoch is another one: {:?}",
        stream.said
    );
    assert_eq!(stream.texts(), ["new"]);
    eventually("the other server ends", async || {
        !ours.binary(0).is_running()
    })
    .await;
    let said = ours.binary(0).log();
    assert!(said.contains("another one"), "{said}");
    ours.run(0).await;
    ours.ready(0).await;
    assert_eq!(ours.all(0).await, ours.all(1).await);
}

/// A copy in memory is built at each start, and serves as one in a file does.
#[tokio::test]
async fn copy_may_be_in_memory() {
    let nats = Nats::start(1).await;
    let options = ["--cluster-replicas", "1", "--keep-bytes", "1GB"];
    let on_disk = Shared::start(&nats, 1, &options).await;
    let options = [&options[..], &["--store", "memory"]].concat();
    let mut in_memory = Shared::start(&nats, 1, &options).await;
    let cursor = append(on_disk.addr(0), "a", "one").await["cursor"].clone();
    let query = format!("since={}", cursor.as_str().unwrap());
    let mut stream = Stream::open(in_memory.addr(0), "sse", "a", &query).await;
    assert_eq!(append(in_memory.addr(0), "a", "two").await["seq"], 2);
    stream.until(1).await;
    assert_eq!(stream.texts(), ["two"]);
    in_memory.kill(0).await;
    append(on_disk.addr(0), "a", "three").await;
    in_memory.run(0).await;
    in_memory.ready(0).await;
    let mut stream = Stream::open(in_memory.addr(0), "sse", "a", &query).await;
    stream.until(2).await;
    assert_eq!(stream.texts(), ["two", "three"]);
    assert_eq!(in_memory.all(0).await, on_disk.all(0).await);
}

/// What the engine has deleted is gone from a copy that was away too long, and its followers are told.
#[tokio::test]
async fn head_may_be_cut_while_a_copy_is_away() {
    let nats = Nats::start(1).await;
    let options = ["--cluster-replicas", "1", "--keep-for", "3s"];
    let mut ours = Shared::start(&nats, 2, &options).await;
    let cursor = append(ours.addr(0), "a", "one").await["cursor"].clone();
    ours.stop(1).await;
    append(ours.addr(0), "a", "two").await;
    append(ours.addr(0), "b", "three").await;
    eventually("the copy that is there forgets, too", async || {
        ours.figure(0, "log_first_seq").await == 0.0
    })
    .await;
    append(ours.addr(0), "a", "four").await;
    ours.run(1).await;
    ours.ready(1).await;
    let cursor = cursor.as_str().unwrap();
    let path = format!("/c/a?as=json&since={cursor}");
    let answer = get(ours.addr(1), &path).await.json().await;
    assert_eq!(answer["gap"]["reason"], "expired", "{answer}");
    assert_eq!(append(ours.addr(1), "a", "five").await["seq"], 5);
}
