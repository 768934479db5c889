//! A simulation of endless streams, which share what is written to them: clients of all manners, and
//! publishers of all manners, all the time. Whatever its clients do, a follower has each message of its
//! channels once and in order.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use forever_frame::config::Config;
use forever_frame::log::Keep;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::support::client::append;
use crate::support::difficult::shown;
use crate::support::raw_stream::{RawStream, SMALL_BUFFER, seq};
use crate::support::sender::{Answer, Sender};
use crate::support::upload::Upload;
use crate::support::wires::{Message, Stream, StreamEvent};
use crate::support::{TestServer, at_last};

const FOLLOWERS: u64 = 60;
const PUBLISHERS: u64 = 6;
const KIB: usize = 1024;
const LAST: &str = "that was all";

/// The last of them has a message now and then, so that its streams show heartbeats before it.
const CHANNELS: [&str; 4] = ["a", "b", "c", "quiet"];

/// How followers ask.
const KINDS: [(&str, &str); 9] = [
    ("text", "names=0"),
    ("text", "names=0&heartbeat=1s"),
    ("html", ""),
    ("html", "heartbeat=1s"),
    ("script", "heartbeat=1s"),
    ("sse", "heartbeat=1s"),
    ("sse", "heartbeat=1s&heartbeat_event=1"),
    ("sse", "envelope=1"),
    ("ndjson", "heartbeat=1s"),
];

/// All messages of the log, by seq.
type Told = Vec<(u64, Message)>;

/// How a client reads on one connection.
#[derive(Clone, Copy, Debug)]
enum Reading {
    AtOnce,
    /// A few bytes at a time from a small buffer, for so many bytes.
    Slowly(usize),
    /// Not at all for so many milliseconds after so many bytes.
    WithPause(usize, u64),
}

/// What a client does on one connection.
#[derive(Debug)]
struct Manner {
    reading: Reading,
    /// The client closes its sending side after its request.
    half_closes: bool,
    /// The numbers of bytes that the client sends after its request.
    garbage: Vec<usize>,
    /// The client leaves after so many bytes.
    leaves: Option<usize>,
    /// The stream ends after so many milliseconds.
    timeout: Option<u32>,
}

impl Manner {
    fn random(random: &mut StdRng) -> Manner {
        let reading = match random.random_range(0..4) {
            0 => Reading::Slowly(random.random_range(1..100 * KIB)),
            1 => Reading::WithPause(
                random.random_range(0..60_000),
                random.random_range(100..1500),
            ),
            _ => Reading::AtOnce,
        };
        let garbage = match random.random_range(0..6) {
            0 => vec![random.random_range(1..20); random.random_range(1..5)],
            1 => vec![random.random_range(1..20_000); random.random_range(1..4)],
            _ => Vec::new(),
        };
        let half_closes = random.random_ratio(1, 5);
        let (leaves, timeout) = match random.random_range(0..5) {
            0 | 1 => (Some(random.random_range(1..300 * KIB)), None),
            2 => (None, Some(random.random_range(50..2000))),
            _ => (None, None),
        };
        Manner {
            reading,
            half_closes,
            garbage,
            leaves,
            timeout,
        }
    }
}

/// A follower that comes back until it has seen the last message of each of its channels.
struct Simulated {
    addr: SocketAddr,
    random: StdRng,
    wire: &'static str,
    query: &'static str,
    channels: Vec<&'static str>,
    /// How it asks for them: by their names, or by patterns.
    asks_for: String,
    cursor: String,
    /// After which seq the first stream began.
    began: Option<u64>,
    seen: Vec<Message>,
    heartbeats: usize,
}

impl Simulated {
    fn new(addr: SocketAddr, number: u64, mut random: StdRng) -> Simulated {
        let (wire, query) = KINDS[usize::try_from(number).unwrap() % KINDS.len()];
        // One channel is what most followers follow, and what is shared.
        let count = *[1, 1, 1, 2, 4].choose(&mut random).unwrap();
        let channels: Vec<_> = CHANNELS.sample(&mut random, count).copied().collect();
        let ask = |channel: &&str| {
            let star = if random.random_ratio(1, 4) { "*" } else { "" };
            format!("{channel}{star}")
        };
        let asks_for = channels.iter().map(ask).collect::<Vec<_>>().join(",");
        Simulated {
            addr,
            wire,
            query,
            channels,
            asks_for,
            cursor: (*["0", "now"].choose(&mut random).unwrap()).to_owned(),
            random,
            began: None,
            seen: Vec::new(),
            heartbeats: 0,
        }
    }

    fn lasts(&self, seen: &[Message]) -> usize {
        let all = self.seen.iter().chain(seen);
        all.filter(|message| message.data == LAST).count()
    }

    async fn run(mut self) -> Simulated {
        sleep(Duration::from_millis(self.random.random_range(0..2000))).await;
        while self.lasts(&[]) < self.channels.len() {
            let manner = Manner::random(&mut self.random);
            self.stream(manner).await;
        }
        self
    }

    /// One stream, to its end, or to that of the client's patience.
    async fn stream(&mut self, manner: Manner) {
        let timeout = manner.timeout.map(|time| format!("&timeout={time}ms"));
        let (kind, since, timeout) = (self.query, &self.cursor, timeout.unwrap_or_default());
        let query = format!("{kind}&since={since}{timeout}");
        let is_slow = matches!(manner.reading, Reading::Slowly(_));
        let buffer = is_slow.then_some(SMALL_BUFFER);
        let stream = RawStream::ask(self.addr, self.wire, &self.asks_for, &query, buffer).await;
        let mut stream = stream.unwrap();
        if manner.half_closes {
            stream.socket.shutdown().await.unwrap();
        }
        let mut said = stream.begin().await.unwrap();
        assert_eq!(stream.status(), "200", "{query}: {:?}", stream.head);
        let (cursor, begins) = stream.cursor();
        if self.began.is_none() {
            (self.cursor, self.began) = (cursor.to_owned(), Some(begins));
        }
        assert_eq!(begins, seq(&self.cursor), "{query}");
        let (mut read, mut pauses, mut garbage) = (0, true, manner.garbage.clone());
        // A `text` stream has no cursors: what it said counts when it has said its end.
        let mut unsure = Vec::new();
        loop {
            for said in said.drain(..) {
                self.take(said, &mut unsure);
            }
            let is_over = stream.is_complete || self.lasts(&unsure) >= self.channels.len();
            if is_over {
                self.seen.append(&mut unsure);
            }
            if is_over || manner.leaves.is_some_and(|most| read >= most) {
                return;
            }
            if !manner.half_closes
                && self.random.random_ratio(1, 3)
                && let Some(count) = garbage.pop()
            {
                // The server reads a part of it only.
                let _ = stream.socket.try_write(&vec![b'G'; count]);
            }
            let most = match manner.reading {
                Reading::Slowly(bytes) if read < bytes => {
                    sleep(Duration::from_millis(1)).await;
                    self.random.random_range(1..800)
                }
                Reading::WithPause(after, time) if read >= after && pauses => {
                    pauses = false;
                    sleep(Duration::from_millis(time)).await;
                    64 * KIB
                }
                Reading::Slowly(_) if pauses => {
                    // From here on as fast as anybody.
                    pauses = false;
                    let socket = SockRef::from(&stream.socket);
                    socket.set_recv_buffer_size(256 * KIB).unwrap();
                    64 * KIB
                }
                _ => 64 * KIB,
            };
            match stream.read(most).await {
                Ok(more) => said = more,
                // What the server has not read when it ends the stream resets the connection, and that may
                // end at any time, since channels are closed.
                Err(_) if !manner.garbage.is_empty() => return,
                Err(error) => panic!("{error}: {} {query} {manner:?}", self.wire),
            }
            read += most;
        }
    }

    fn take(&mut self, said: StreamEvent, unsure: &mut Vec<Message>) {
        match said {
            StreamEvent::Message(mut message) => {
                if self.query == "envelope=1" {
                    let object: serde_json::Value = serde_json::from_str(&message.data).unwrap();
                    assert_eq!(object["cursor"], *message.cursor);
                    object["data"]
                        .as_str()
                        .unwrap()
                        .clone_into(&mut message.data);
                    object["channel"]
                        .as_str()
                        .unwrap()
                        .clone_into(&mut message.channel);
                }
                if message.cursor.is_empty() {
                    unsure.push(message);
                } else {
                    assert!(seq(&message.cursor) > seq(&self.cursor), "{message:?}");
                    self.cursor.clone_from(&message.cursor);
                    self.seen.push(message);
                }
            }
            StreamEvent::Gap(..) => panic!("nothing is missing: {said:?}"),
            StreamEvent::End(cursor, reason) => {
                // A hidden frame ends when it has grown large.
                let is_large = self.wire == "script" && reason == "rotate";
                let is_planned = reason == "timeout" || reason == "closed";
                assert!(is_large || is_planned, "{reason}");
                assert!(seq(&cursor) >= seq(&self.cursor), "{cursor}");
                self.cursor = cursor;
                self.seen.append(unsure);
            }
            StreamEvent::Live(cursor) | StreamEvent::Open(cursor) => {
                assert!(seq(&cursor) >= seq(&self.cursor), "{cursor}");
            }
            StreamEvent::Closed(channel, cursor) => {
                assert!(self.channels.contains(&&*channel), "{channel}");
                assert!(seq(&cursor) >= seq(&self.cursor), "{cursor}");
                self.cursor = cursor;
            }
            StreamEvent::Heartbeat => self.heartbeats += 1,
        }
    }

    /// Checks that everything was seen once and in order.
    fn check(&self, told: &Told) {
        let began = self.began.unwrap();
        let mine = told.iter().filter(|(seq, message)| {
            *seq > began && self.channels.contains(&message.channel.as_str())
        });
        let mine: Vec<_> = mine.collect();
        let wire = if self.query == "envelope=1" {
            "ndjson"
        } else {
            self.wire
        };
        let who = format!("{} {} {:?}", self.wire, self.query, self.channels);
        for ((at, message), seen) in mine.iter().zip(&self.seen) {
            assert_eq!(seen.data, shown(wire, &message.data), "{who}: {at}");
            assert!(seen.cursor.is_empty() || seq(&seen.cursor) == *at, "{who}");
            assert!(
                seen.channel.is_empty() || seen.channel == message.channel,
                "{who}"
            );
        }
        assert_eq!(self.seen.len(), mine.len(), "{who}: each exactly once");
    }
}

/// Publishes in all manners, and returns the channel and the text of each message in order.
async fn publish(addr: SocketAddr, publisher: u64, mut random: StdRng) -> Vec<(String, String)> {
    let mut sender = Sender::new(addr);
    let (mut sent, mut number) = (Vec::new(), 0);
    let mut text = |random: &mut StdRng, noise: &str, most: usize| {
        number += 1;
        format!(
            "{publisher}.{number} {}",
            noise.repeat(random.random_range(0..most))
        )
    };
    for _ in 0..40 {
        let channel = *CHANNELS[..3].choose(&mut random).unwrap();
        let close = random.random_ratio(1, 8);
        let mut post = async |channel: &str, text: String| {
            // Now and then a channel is closed for a while.
            let closes = if close { "?close=1" } else { "" };
            let (path, line) = (format!("/c/{channel}{closes}"), format!("{text}\n"));
            let answer = sender.post(&path, &line).await;
            assert!(matches!(answer, Answer::Reply(201, _)), "{answer:?}");
            sent.push((channel.to_owned(), text));
        };
        match random.random_range(0..10) {
            // A burst.
            0 | 1 => {
                for _ in 0..random.random_range(2..15) {
                    post(channel, text(&mut random, "<&>\r\n\u{1f44b}.", 20)).await;
                }
            }
            // A batch.
            2 => {
                let lines = random.random_range(2..30);
                let lines: Vec<_> = (0..lines)
                    .map(|_| text(&mut random, "#\\<\0\u{1b}", 20))
                    .collect();
                let path = format!("/c/{channel}?close={}", u8::from(close));
                let mut upload = Upload::start(addr, &path).await;
                upload.send((lines.join("\n") + "\n").as_bytes()).await;
                assert_eq!(upload.end().await.status, 201);
                sent.extend(lines.into_iter().map(|line| (channel.to_owned(), line)));
            }
            // A long one.
            3 => post(channel, text(&mut random, "long \u{e9}\n.", 4 * KIB)).await,
            4 if publisher == 0 => post("quiet", text(&mut random, ".", 5)).await,
            _ => post(channel, text(&mut random, "\n<b>.", 10)).await,
        }
        sleep(Duration::from_millis(random.random_range(0..120))).await;
    }
    sent
}

/// The whole log as it is told to one who comes late, which must be what was sent.
async fn whole_log(addr: SocketAddr, sent: Vec<Vec<(String, String)>>) -> Told {
    let count = sent.iter().map(Vec::len).sum::<usize>() + CHANNELS.len();
    let query = format!("since=0&limit={count}");
    let stream = Stream::open(addr, "ndjson", &CHANNELS.join(","), &query).await;
    let stream = stream.whole().await;
    let told = stream
        .messages()
        .map(|message| (seq(&message.cursor), message.clone()));
    let told: Told = told.collect();
    for by_one in sent {
        // Each publisher waits for an answer before it sends more.
        let mine: BTreeSet<_> = by_one.iter().map(|(_, text)| text.clone()).collect();
        let in_log = told
            .iter()
            .filter(|(_, message)| mine.contains(&message.data));
        let in_log = in_log.map(|(_, message)| (message.channel.clone(), message.data.clone()));
        assert!(in_log.eq(by_one), "the log has what was sent");
    }
    told
}

async fn simulate(server: TestServer) {
    let seed: u64 = std::env::var("SEED").map_or_else(|_| rand::random(), |s| s.parse().unwrap());
    println!("SEED={seed}");
    let (addr, random) = (server.addr, |n| StdRng::seed_from_u64(seed ^ n));
    let followers: Vec<_> = (0..FOLLOWERS)
        .map(|n| tokio::spawn(Simulated::new(addr, n, random(n)).run()))
        .collect();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|n| tokio::spawn(publish(addr, n, random(n << 32))))
        .collect();
    let mut sent = Vec::new();
    for publisher in publishers {
        sent.push(at_last(publisher).await.unwrap());
    }
    // Everybody who reads at once waits now for what comes last.
    sleep(Duration::from_millis(1500)).await;
    for channel in CHANNELS {
        append(addr, channel, LAST).await;
    }
    let told = whole_log(addr, sent).await;
    let mut heartbeats = 0;
    for follower in followers {
        let follower = at_last(follower).await.unwrap();
        follower.check(&told);
        heartbeats += follower.heartbeats;
    }
    assert!(heartbeats > 0);
    server.stop().await;
}

fn keeps_all(config: &mut Config) {
    config.keep = Keep {
        messages: 1_000_000,
        ..config.keep
    };
}

/// Endless streams lose nothing, with the log in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_streams_lose_nothing_in_memory() {
    simulate(TestServer::with(keeps_all)).await;
}

/// Endless streams lose nothing, with the log on the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_streams_lose_nothing_on_disk() {
    let directory = crate::support::directory();
    let path = directory.path().join("log.db");
    simulate(TestServer::with(|config| {
        keeps_all(config);
        config.store = forever_frame::config::StoreKind::Sqlite(path);
    }))
    .await;
}

/// Endless streams lose nothing while the memory for what clients do not read is used up, so that
/// what was shared is taken back and made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_streams_lose_nothing_in_scarce_memory() {
    simulate(TestServer::with(|config| {
        keeps_all(config);
        config.memory.answers = 64 * KIB;
    }))
    .await;
}
