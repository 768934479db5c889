//! A copy that is built from a long log. `MESSAGES` says how long.

use std::time::{Duration, Instant};

use crate::nats::Nats;
use crate::shared::Shared;
use crate::support::at_last;
use crate::support::client::{append, send};
use crate::support::wires::Stream;

/// A new server builds its copy while the others serve, and has all of the log then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn catch_up_from_nothing() {
    let messages = std::env::var("MESSAGES")
        .ok()
        .and_then(|text| text.parse().ok());
    let messages = messages.unwrap_or(20_000);
    let nats = Nats::start(1).await;
    let options = [
        "--cluster-replicas",
        "1",
        "--appends-per-address",
        "1000000",
        "--keep",
        "100000000",
    ];
    let mut ours = Shared::start(&nats, 1, &options).await;
    let began = Instant::now();
    for first in (0..messages).step_by(10_000) {
        let line = |n: u64| format!("message {n} of a log that is copied to another server");
        let lines = (first..messages.min(first + 10_000)).map(line);
        let lines = lines.collect::<Vec<_>>().join("\n");
        let channel = format!("PUT /c/c{}", first / 10_000 % 50);
        let answer = at_last(send(ours.addr(0), &channel, lines.as_bytes())).await;
        assert_eq!(answer.status, 201);
    }
    let wrote = began.elapsed();
    let mut late = Shared::new(&nats, 1, &options);
    let began = Instant::now();
    late.run(0).await;
    let listens = began.elapsed();
    // Meanwhile the other server serves as ever.
    let mut slowest = Duration::ZERO;
    loop {
        let at = Instant::now();
        append(ours.addr(0), "probe", "x").await;
        slowest = slowest.max(at.elapsed());
        let (copied, engine) = (
            late.figure(0, "cluster_copy_last_seq").await,
            late.figure(0, "cluster_engine_last_seq").await,
        );
        #[expect(clippy::cast_precision_loss, reason = "there are fewer")]
        if copied >= messages as f64 && copied >= engine {
            break;
        }
    }
    let took = began.elapsed();
    late.ready(0).await;
    let rate = Duration::from_secs(messages) / u32::try_from(took.as_micros()).unwrap();
    println!(
        "{messages} messages: written in {:.1} s, copied in {:.1} s ({:.0} a second; it listened after {:.2} s); \
         the slowest append meanwhile took {slowest:?}",
        wrote.as_secs_f64(),
        took.as_secs_f64(),
        rate.as_secs_f64() * 1e6,
        listens.as_secs_f64(),
    );
    let stream = Stream::open(late.addr(0), "ndjson", "*", "since=all&until=now").await;
    let stream = stream.whole().await;
    let texts = stream.texts();
    let own: Vec<&str> = texts.into_iter().filter(|text| *text != "x").collect();
    assert_eq!(own.len() as u64, messages);
    assert!(
        own.iter()
            .zip(0..)
            .all(|(text, n)| text.starts_with(&format!("message {n} ")))
    );
    ours.stop(0).await;
}
