//! Servers of either kind are killed, paused and wiped while many publish and follow: nothing that was
//! acknowledged is lost, nothing doubled, no seq means two messages, and each follower sees all of its
//! channels once and in order, whichever servers and transports it has them from.
//!
//! `FAULTS` says how many faults there are, `SEED` which.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep, timeout};

use crate::nats::Nats;
use crate::shared::Shared;
use crate::support::client::try_send;
use crate::support::difficult::shown;
use crate::support::wires::{ALL, StreamEvent, StreamReader};

const PUBLISHERS: u64 = 16;
const FOLLOWERS: u64 = 30;
const CHANNELS: [&str; 3] = ["a", "b.c", "d~"];
const LAST: &str = "that was all";
/// How long a paused server is paused.
const PAUSE: Duration = Duration::from_secs(12);
/// Longer than all that a client waits for while one server is gone.
const PATIENCE: Duration = Duration::from_mins(2);

/// What the tasks share.
struct Run {
    addrs: Vec<SocketAddr>,
    seed: u64,
    is_over: AtomicBool,
    acknowledged: AtomicU64,
    retries: AtomicU64,
    hops: AtomicU64,
}

impl Run {
    fn random(&self, n: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed ^ n)
    }

    fn any(&self, random: &mut StdRng) -> SocketAddr {
        *self.addrs.choose(random).unwrap()
    }
}

/// Messages by their seq.
type Acknowledged = BTreeMap<u64, (&'static str, String)>;

/// Appends a message with a key, at one server or another, until it is acknowledged. Returns its seq.
async fn append(run: &Run, random: &mut StdRng, channel: &str, text: &str, key: &str) -> u64 {
    let began = Instant::now();
    loop {
        let addr = run.any(random);
        let request = format!("POST /c/{channel}\r\nIdempotency-Key: {key}");
        let asked = async {
            let mut answer = try_send(addr, &request, text.as_bytes()).await.ok()?;
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.ok()? {
                body.extend(chunk);
            }
            Some((answer.status, body))
        };
        match timeout(Duration::from_secs(25), asked).await {
            Ok(Some((200 | 201, body))) => {
                let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
                return answer["seq"].as_u64().unwrap();
            }
            Ok(Some((503, _)) | None) | Err(_) => {}
            Ok(Some((status, body))) => {
                panic!("{status} for {key}: {}", String::from_utf8_lossy(&body))
            }
        }
        assert!(began.elapsed() < PATIENCE, "{key} is never acknowledged");
        run.retries.fetch_add(1, Relaxed);
        sleep(Duration::from_millis(random.random_range(20..200))).await;
    }
}

/// Publishes on random channels until the run is over.
async fn publish(run: Arc<Run>, publisher: u64) -> Acknowledged {
    let mut random = run.random(publisher);
    let mut acknowledged = Acknowledged::new();
    for n in 0.. {
        if run.is_over.load(Relaxed) {
            break;
        }
        let channel = *CHANNELS.choose(&mut random).unwrap();
        let text = format!(
            "{publisher}.{n} {}",
            "<&>ä".repeat(random.random_range(0..30))
        );
        let key = format!("{publisher}.{n}");
        let seq = append(&run, &mut random, channel, &text, &key).await;
        let before = acknowledged.insert(seq, (channel, text));
        assert_eq!(before, None, "seq {seq} is given twice");
        run.acknowledged.fetch_add(1, Relaxed);
        sleep(Duration::from_millis(random.random_range(0..30))).await;
    }
    acknowledged
}

/// What a follower has seen: the channels that it follows, and the seq (where the transport tells it) and
/// the text of each message.
struct Seen {
    channels: Vec<&'static str>,
    messages: Vec<(&'static str, Option<u64>, String)>,
}

/// Follows some channels to their last messages, each time at another server, on another transport, and cut
/// after another byte.
async fn follow(run: Arc<Run>, follower: u64) -> Seen {
    let mut random = run.random(1000 + follower);
    let count = random.random_range(1..=3);
    let channels: Vec<&str> = CHANNELS.sample(&mut random, count).copied().collect();
    let (mut cursor, mut seen) = ("0".to_owned(), Vec::new());
    let mut last_news = Instant::now();
    loop {
        let is_last = |(_, _, text): &&(_, _, String)| text == LAST;
        if seen.iter().filter(is_last).count() == count {
            return Seen {
                channels,
                messages: seen,
            };
        }
        assert!(
            last_news.elapsed() < PATIENCE,
            "nothing comes to follower {follower} after {cursor}"
        );
        let (addr, wire) = (run.any(&mut random), *ALL.choose(&mut random).unwrap());
        let limit = random.random_range(1..150);
        let path = channels.join(",");
        let names = if wire == "text" { "&names=0" } else { "" };
        let request =
            format!("GET /c/{path}?as={wire}&since={cursor}&limit={limit}&timeout=2s{names}");
        let said = read(addr, &request, wire, random.random_range(1..40_000)).await;
        run.hops.fetch_add(1, Relaxed);
        let Some(said) = said else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let has_end = matches!(said.last(), Some(StreamEvent::End(..)));
        if wire == "text" && !has_end {
            continue; // Lines of text have no cursor: a text stream that was cut counts for nothing.
        }
        for event in said {
            match event {
                StreamEvent::Message(message) => {
                    let seq = message.cursor.rsplit_once('-');
                    let seq = seq.map(|(_, seq)| seq.parse().unwrap());
                    if seq.is_some() {
                        cursor = message.cursor;
                    }
                    seen.push((wire, seq, message.data));
                    last_news = Instant::now();
                }
                StreamEvent::End(end, _) => cursor = end,
                StreamEvent::Gap(..) => panic!("{follower}: {event:?} after {cursor}"),
                _ => {}
            }
        }
    }
}

/// Reads a stream to its end, or until so many bytes of it have come, or it breaks off; `None` if there is
/// none.
async fn read(
    addr: SocketAddr,
    request: &str,
    wire: &'static str,
    mut left: usize,
) -> Option<Vec<StreamEvent>> {
    let patience = Duration::from_secs(4);
    let asked = timeout(patience, try_send(addr, request, b"")).await;
    let mut response = asked.ok()?.ok()?;
    if response.status != 200 || response.header("log-cursor").is_empty() {
        assert!(matches!(response.status, 200 | 503), "{}", response.status);
        return None;
    }
    let (mut reader, mut said) = (StreamReader::new(wire), Vec::new());
    while left > 0
        && let Ok(Ok(Some(mut chunk))) = timeout(patience, response.chunk()).await
    {
        chunk.truncate(left);
        left -= chunk.len();
        said.extend(reader.read(&chunk));
    }
    Some(said)
}

/// A fault, with the number of its server.
#[derive(Clone, Copy, Debug)]
enum Fault {
    KillNats(usize),
    PauseNats(usize),
    WipeNats(usize),
    KillOurs(usize),
    PauseOurs(usize),
    WipeOurs(usize),
    KillAllOurs,
    LagOurs(usize),
}

impl Fault {
    /// The `n`-th fault: each kind has its turn, and whom it befalls is chance.
    fn choose(n: usize, random: &mut StdRng) -> Fault {
        let one = random.random_range(0..3);
        match n % 10 {
            0 | 6 => Fault::KillNats(one),
            1 | 7 => Fault::KillOurs(one),
            2 => Fault::PauseNats(one),
            3 | 8 => Fault::WipeOurs(one),
            4 => Fault::PauseOurs(one),
            5 => Fault::WipeNats(one),
            _ if n % 20 == 9 => Fault::KillAllOurs,
            _ => Fault::LagOurs(one),
        }
    }

    async fn befall(self, nats: &mut Nats, ours: &mut Shared, random: &mut StdRng) {
        let moment = Duration::from_millis(random.random_range(100..2000));
        match self {
            Fault::KillNats(n) => {
                nats.kill(n).await;
                sleep(moment).await;
                nats.run(n);
            }
            Fault::WipeNats(n) => {
                nats.kill(n).await;
                nats.wipe(n);
                sleep(moment).await;
                nats.run(n);
            }
            Fault::PauseNats(n) => {
                nats.signal(n, "STOP").await;
                sleep(PAUSE).await;
                nats.signal(n, "CONT").await;
            }
            Fault::KillOurs(n) => {
                ours.kill(n).await;
                sleep(moment).await;
                ours.run(n).await;
            }
            Fault::WipeOurs(n) => {
                ours.kill(n).await;
                ours.wipe(n);
                ours.run(n).await;
            }
            Fault::PauseOurs(n) => {
                ours.binary(n).signal("-STOP").await;
                sleep(PAUSE).await;
                ours.binary(n).signal("-CONT").await;
            }
            Fault::KillAllOurs => {
                for n in 0..3 {
                    ours.kill(n).await;
                }
                for n in 0..3 {
                    ours.run(n).await;
                }
            }
            // A server that comes back much later than it left, and one of NATS away meanwhile.
            Fault::LagOurs(n) => {
                ours.kill(n).await;
                nats.kill(n).await;
                sleep(moment * 2).await;
                ours.run(n).await;
                nats.run(n);
            }
        }
        // At most one NATS server is away at a time: of three, two have to be there.
        for n in 0..3 {
            nats.healthy(n).await;
        }
    }
}

/// Checks that the log has what was acknowledged and nothing else, and that the followers have seen it.
fn check(log: &[(String, String, String)], acknowledged: &Acknowledged, seen: &[Seen]) {
    let epochs: std::collections::HashSet<_> = log
        .iter()
        .map(|(cursor, ..)| cursor.split_once('-').unwrap().0)
        .collect();
    assert_eq!(epochs.len(), 1);
    let by_seq: BTreeMap<u64, (&str, &str)> = log
        .iter()
        .map(|(cursor, channel, text)| {
            let seq = cursor.split_once('-').unwrap().1.parse().unwrap();
            (seq, (channel.as_str(), text.as_str()))
        })
        .collect();
    assert_eq!(by_seq.len(), log.len(), "each seq once");
    for (seq, (channel, text)) in acknowledged {
        assert_eq!(
            by_seq.get(seq),
            Some(&(*channel, text.as_str())),
            "seq {seq}"
        );
    }
    // All publishers have tried until they were answered, so there is nothing else.
    assert_eq!(by_seq.len(), acknowledged.len(), "nothing is doubled");
    let mut by_channels: HashMap<Vec<&str>, Vec<(u64, &str)>> = HashMap::new();
    for Seen { channels, messages } in seen {
        let all = by_channels.entry(channels.clone()).or_insert_with(|| {
            let own = by_seq.iter().filter(|(_, (own, _))| channels.contains(own));
            own.map(|(seq, (_, text))| (*seq, *text)).collect()
        });
        assert_eq!(messages.len(), all.len(), "each exactly once: {channels:?}");
        for ((wire, seq, text), (expected, message)) in messages.iter().zip(all.iter()) {
            assert_eq!(*text, shown(wire, message), "{wire}, in order");
            assert!(
                seq.is_none_or(|seq| seq == *expected),
                "{wire} {seq:?} {expected}"
            );
        }
    }
}

/// Nothing acknowledged is lost, nothing doubled, and every follower sees all, whatever happens to one of
/// the NATS servers at a time and to any of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_lose_and_double_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let faults = number("FAULTS").unwrap_or(10);
    let seed = number("SEED").unwrap_or_else(rand::random::<u64>);
    println!("seed {seed}");
    let mut nats = Nats::start(3).await;
    let mut ours = Shared::start(&nats, 3, &[]).await;
    let run = Arc::new(Run {
        addrs: ours.addrs(),
        seed,
        is_over: AtomicBool::new(false),
        acknowledged: AtomicU64::new(0),
        retries: AtomicU64::new(0),
        hops: AtomicU64::new(0),
    });
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|n| tokio::spawn(publish(Arc::clone(&run), n)))
        .collect();
    let followers: Vec<_> = (0..FOLLOWERS)
        .map(|n| tokio::spawn(follow(Arc::clone(&run), n)))
        .collect();
    let mut random = run.random(1 << 40);
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    for n in 0..usize::try_from(faults).unwrap() {
        let fault = Fault::choose(n, &mut random);
        let before = run.acknowledged.load(Relaxed);
        let at = Instant::now();
        fault.befall(&mut nats, &mut ours, &mut random).await;
        sleep(Duration::from_millis(random.random_range(200..1500))).await;
        println!(
            "{n} {fault:?}: {} acknowledged in {:.1} s",
            run.acknowledged.load(Relaxed) - before,
            at.elapsed().as_secs_f64()
        );
        let has_failed = publishers.iter().any(tokio::task::JoinHandle::is_finished)
            || followers.iter().any(tokio::task::JoinHandle::is_finished);
        assert!(!has_failed, "a publisher or a follower has ended");
    }
    run.is_over.store(true, Relaxed);
    let mut acknowledged = Acknowledged::new();
    for publisher in publishers {
        for (seq, message) in publisher.await.unwrap() {
            let before = acknowledged.insert(seq, message);
            assert_eq!(before, None, "seq {seq} is given twice");
        }
    }
    for channel in CHANNELS {
        let seq = append(&run, &mut random, channel, LAST, &format!("last {channel}")).await;
        acknowledged.insert(seq, (channel, LAST.to_owned()));
    }
    let mut seen = Vec::new();
    for follower in followers {
        seen.push(follower.await.unwrap());
    }
    for n in 0..3 {
        ours.ready(n).await;
    }
    let log = ours.all(0).await;
    for n in 1..3 {
        assert_eq!(ours.all(n).await, log, "the copies are the same");
    }
    check(&log, &acknowledged, &seen);
    println!(
        "{faults} faults in {:.0} s; {} messages acknowledged after {} retries; {FOLLOWERS} followers saw all \
         of theirs over {} streams; seed {seed}",
        began.elapsed().as_secs_f64(),
        acknowledged.len(),
        run.retries.load(Relaxed),
        run.hops.load(Relaxed),
    );
}
