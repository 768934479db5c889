//! Streams that are cut at any byte and resumed on any transport, while many publish.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::support::client::append;
use crate::support::difficult::shown;
use crate::support::wires::{ALL, Message, Stream};
use crate::support::{TestServer, at_last, soon};

const PUBLISHERS: u64 = 64;
const FOLLOWERS: u64 = 200;
const LAST: &str = "that was all";

/// Publishes on random channels, and gives the channel and the text of each message by position.
async fn publish(addr: SocketAddr, publisher: u64, mut random: StdRng) -> Sent {
    let mut sent = Sent::new();
    for n in 0..20 {
        let channel = *["a", "b", "c"].choose(&mut random).unwrap();
        let noise = "<&>\r\n\u{1f44b}.".repeat(random.random_range(0..30));
        let text = format!("{publisher}.{n} {noise}");
        let answer = append(addr, channel, &text).await;
        sent.insert(answer["seq"].as_u64().unwrap(), (channel, text));
    }
    sent
}

type Sent = BTreeMap<u64, (&'static str, String)>;

/// Follows some channels to their last message, each time on another transport and cut after another
/// byte. Checks what it has seen, and gives the number of cuts by transport.
async fn follow(addr: SocketAddr, mut random: StdRng, sent: Arc<OnceCell<Sent>>) -> [u32; 6] {
    let count = random.random_range(1..=3);
    let channels: Vec<&str> = ["a", "b", "c"]
        .sample(&mut random, count)
        .copied()
        .collect();
    let (mut cursor, mut cuts) = ("0".to_owned(), [0; 6]);
    let mut seen: Vec<(&str, Message)> = Vec::new();
    while seen
        .iter()
        .filter(|(_, message)| message.data == LAST)
        .count()
        < count
    {
        let which = random.random_range(0..6);
        let (wire, limit) = (ALL[which], random.random_range(1..150));
        let query = format!("since={cursor}&limit={limit}&timeout=500ms");
        let mut stream = Stream::open(addr, wire, &channels.join(","), &query).await;
        // The cut is mostly within the stream, and at times after its end.
        let mut left = random.random_range(1..40_000);
        while left > 0
            && let Some(mut chunk) = soon(stream.response.chunk()).await.unwrap()
        {
            cuts[which] += u32::from(chunk.len() > left);
            chunk.truncate(left);
            left -= chunk.len();
            stream.said.extend(stream.reader.read(&chunk));
        }
        assert_eq!(stream.gaps().len(), 0, "nothing is missing");
        if wire == "text" && stream.end().is_none() {
            continue; // Lines of text have no cursor: a text stream that was cut counts for nothing.
        }
        let last = stream.messages().last().map(|message| &message.cursor);
        let end = stream.end().map(|(end, _)| end);
        if let Some(reached) = end.or(last.map(String::as_str)) {
            reached.clone_into(&mut cursor);
        }
        seen.extend(stream.messages().map(|message| (wire, message.clone())));
    }
    at_last(async {
        while sent.get().is_none() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let mine = sent
        .get()
        .unwrap()
        .iter()
        .filter(|(_, (channel, _))| channels.contains(channel));
    let mine: Vec<_> = mine.collect();
    assert_eq!(seen.len(), mine.len(), "each exactly once: {channels:?}");
    for ((wire, message), (seq, (_, text))) in seen.iter().zip(mine) {
        assert_eq!(message.data, shown(wire, text), "{wire}, in order");
        assert!(message.cursor.is_empty() || message.cursor.ends_with(&format!("-{seq}")));
    }
    cuts
}

/// A follower that is cut anywhere and resumes on another transport sees each message once and in
/// order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resume_after_cut_sees_each_message_once() {
    cut_anywhere(TestServer::start()).await;
    let directory = crate::support::directory();
    cut_anywhere(TestServer::stored(&directory)).await;
}

async fn cut_anywhere(server: TestServer) {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let (addr, random) = (server.addr, |n| StdRng::seed_from_u64(seed ^ n));
    let sent = Arc::new(OnceCell::new());
    let followers =
        (0..FOLLOWERS).map(|n| tokio::spawn(follow(addr, random(n), Arc::clone(&sent))));
    let followers: Vec<_> = followers.collect();
    let publishers = (0..PUBLISHERS).map(|n| tokio::spawn(publish(addr, n, random(n << 32))));
    let mut all = Sent::new();
    for publisher in publishers.collect::<Vec<_>>() {
        all.extend(at_last(publisher).await.unwrap());
    }
    for channel in ["a", "b", "c"] {
        let seq = append(addr, channel, LAST).await["seq"].as_u64().unwrap();
        all.insert(seq, (channel, LAST.to_owned()));
    }
    sent.set(all).unwrap();
    let mut cuts = [0; 6];
    for follower in followers {
        let more = at_last(follower).await.unwrap();
        cuts.iter_mut()
            .zip(more)
            .for_each(|(sum, more)| *sum += more);
    }
    println!("cuts: {ALL:?} {cuts:?}");
    assert!(cuts.iter().all(|cuts| *cuts > 0), "{cuts:?}");
    server.stop().await;
}
