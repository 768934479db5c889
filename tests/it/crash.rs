//! A server that is killed again and again, and stopped now and then, under many senders and many
//! followers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::binary::Binary;
use crate::support::follower::Follower;
use crate::support::log_dir::LogDir;
use crate::support::port::Port;
use crate::support::reference_log::ReferenceLog;
use crate::support::sender::{Answer, Sender};
use crate::support::wires::ALL;
use crate::support::{at_last, soon};

const PUBLISHERS: u64 = 64;
const CHANNELS: [&str; 3] = ["a", "b", "c"];
const LAST: &str = "that was all";

/// What a publisher knows in the end about its messages.
#[derive(Default)]
struct Sent {
    /// The answers, each with its text.
    taken: Vec<(Value, String)>,
    /// The texts during which the connection broke.
    unknown: Vec<String>,
}

/// Publishes until `stop` is set. With keys, a message is sent again until the server takes it;
/// without, each attempt is a message of its own.
async fn publish(
    addr: SocketAddr,
    name: u64,
    keys: bool,
    mut random: StdRng,
    stop: Arc<AtomicBool>,
) -> Sent {
    let (mut sender, mut sent) = (Sender::new(addr), Sent::default());
    let mut n = 0;
    while !stop.load(Relaxed) {
        n += 1;
        let text = format!("{name}.{n} {}", "x".repeat(random.random_range(0..200)));
        let channel = *CHANNELS.choose(&mut random).unwrap();
        if keys {
            let path = format!("/c/{channel}\r\nIdempotency-Key: {name}.{n}");
            sent.taken
                .push((once(&mut sender, &path, &text).await, text));
        } else {
            match sender.post(&format!("/c/{channel}"), &text).await {
                Answer::Reply(201, answer) => sent.taken.push((answer, text)),
                Answer::Unknown => sent.unknown.push(text),
                // A stopping server refuses a message, which then counts as never sent.
                Answer::Reply(503, _) | Answer::Unsent => {}
                Answer::Reply(status, answer) => panic!("{status} {answer}"),
            }
        }
        sleep(Duration::from_millis(random.random_range(0..60))).await;
    }
    sent
}

/// Sends a message again and again until the server takes it.
async fn once(sender: &mut Sender, path: &str, text: &str) -> Value {
    loop {
        match sender.post(path, text).await {
            // 200: an earlier attempt was taken, and its answer was lost.
            Answer::Reply(200 | 201, answer) => return answer,
            Answer::Reply(503, _) | Answer::Unknown | Answer::Unsent => {
                sleep(Duration::from_millis(2)).await;
            }
            Answer::Reply(status, answer) => panic!("{status} {answer}"),
        }
    }
}

/// Kills the server at random moments, some of them before it listens.
async fn kill_often(
    log_dir: &LogDir,
    port: &Port,
    args: &[&str],
    times: u32,
    mut random: StdRng,
) -> Binary {
    let mut kills = 0;
    loop {
        let server = log_dir.start_at(&port.listen(), args).await;
        if kills == times {
            return server;
        }
        sleep(Duration::from_millis(random.random_range(0..300))).await;
        if random.random_bool(0.1) {
            server.end("-TERM").await;
            continue;
        }
        server.end("-KILL").await;
        kills += 1;
        while kills < times && random.random_bool(0.3) {
            let mut command = log_dir.command(&port.listen());
            command
                .args(args)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            let mut early = command.spawn().unwrap();
            sleep(Duration::from_millis(random.random_range(0..40))).await;
            soon(early.kill()).await.unwrap();
            kills += 1;
        }
    }
}

/// What there is at the end of a storm.
struct Storm {
    server: Binary,
    /// The messages that the server has acknowledged.
    told: ReferenceLog,
    /// The texts of messages whose answer was lost.
    unknown: BTreeSet<String>,
    followers: Vec<Follower>,
}

/// Lets many publish, with keys where `keys` says so, and some follow, while the server is killed
/// `kills` times.
async fn storm(log_dir: &LogDir, args: &[&str], kills: u32, keys: fn(u64) -> bool) -> Storm {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let random = |n: u64| StdRng::seed_from_u64(seed ^ n);
    let (port, stop) = (Port::reserve(), Arc::new(AtomicBool::new(false)));
    let publisher = |n| publish(port.addr, n, keys(n), random(n), Arc::clone(&stop));
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|n| tokio::spawn(publisher(n)))
        .collect();
    let follower = |n: usize| {
        // A long poll tells one gap for all its channels, which can be checked for one channel only.
        let count = if ALL[n % 6] == "json" { 1 } else { n / 6 + 1 };
        let channels = CHANNELS.sample(&mut random(n as u64), count);
        let channels: Vec<&str> = channels.copied().collect();
        tokio::spawn(Follower::new(port.addr, ALL[n % 6], &channels).until(LAST))
    };
    let followers: Vec<_> = (0..18).map(follower).collect();
    let server = kill_often(log_dir, &port, args, kills, random(u64::MAX)).await;
    stop.store(true, Relaxed);
    let mut storm = Storm {
        server,
        told: ReferenceLog::default(),
        unknown: BTreeSet::new(),
        followers: Vec::new(),
    };
    for publisher in publishers {
        let sent = at_last(publisher).await.unwrap();
        for (answer, text) in sent.taken {
            storm.told.enter(&answer, &text);
        }
        storm.unknown.extend(sent.unknown);
    }
    for channel in CHANNELS {
        storm.told.append(port.addr, channel, LAST).await;
    }
    for follower in followers {
        storm.followers.push(at_last(follower).await.unwrap());
    }
    let breaks = |wire: &str| -> usize {
        let followers = storm
            .followers
            .iter()
            .filter(|follower| follower.wire == wire);
        followers.map(|follower| follower.breaks).sum()
    };
    let breaks = ALL.map(|wire| (wire, breaks(wire)));
    println!(
        "{} taken, {} unknown, {breaks:?}",
        storm.told.entries.len(),
        storm.unknown.len()
    );
    // A long poll is answered as soon as there is something: it is seldom there to be broken.
    let was_tried = |(wire, breaks): &(&str, usize)| *wire == "json" || *breaks > 0;
    assert!(breaks.iter().all(was_tried), "{breaks:?}");
    storm
}

/// A server that is killed fifty times keeps all that it acknowledged, and each follower sees it
/// once and in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_keeps_acknowledged_messages() {
    let log_dir = LogDir::new();
    let storm = storm(&log_dir, &["--keep", "1000000"], 50, |n| n % 2 == 0).await;
    let whole = ReferenceLog::read(storm.server.addr, "a,b,c", storm.told.last()).await;
    assert_eq!(whole.epoch, storm.told.epoch, "one epoch");
    assert!(whole.is_contiguous(), "no position is left out");
    for (seq, entry) in &storm.told.entries {
        let stored = whole.entries.get(seq);
        assert_eq!(stored, Some(entry), "{seq} was acknowledged");
    }
    for (seq, entry) in &whole.entries {
        let sent = storm.told.entries.contains_key(seq) || storm.unknown.contains(&entry.text);
        assert!(sent, "nobody sent {seq}: {entry:?}");
    }
    let texts: BTreeSet<_> = whole
        .entries
        .values()
        .map(|entry| (&entry.channel, &entry.text))
        .collect();
    assert_eq!(texts.len(), whole.entries.len(), "nothing is there twice");
    for follower in &storm.followers {
        assert_eq!(
            (whole.check(follower), follower.gaps()),
            (0, 0),
            "nothing is missing"
        );
    }
    assert!(!storm.server.end("-TERM").await.contains("panicked"));
}

/// A server that is killed while it trims old messages tells each follower exactly which are
/// missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_while_trimming_tells_gaps() {
    const KEEP: usize = 50;
    let log_dir = LogDir::new();
    // All messages have keys, so that in the end the message at each position is known.
    let mut storm = storm(&log_dir, &["--keep", &KEEP.to_string()], 15, |_| true).await;
    let (addr, told) = (storm.server.addr, &storm.told);
    assert!(
        told.is_contiguous(),
        "no position is left out, and none is used twice"
    );
    for wire in ALL {
        for channel in CHANNELS {
            let late = Follower::new(addr, wire, &[channel]).until(LAST);
            let late = soon(late).await;
            assert_eq!(late.said.len(), 1 + KEEP, "{wire}: a gap, and what is kept");
            storm.followers.push(late);
        }
    }
    let missing: usize = storm
        .followers
        .iter()
        .map(|follower| told.check(follower))
        .sum();
    println!("{missing} were trimmed before a follower came to them");
    assert!(!storm.server.end("-TERM").await.contains("panicked"));
}

/// Uploads lines until `stop` is set, with a new upload when one has broken off, and gives the number
/// of uploads.
async fn upload(addr: SocketAddr, name: u64, stop: Arc<AtomicBool>) -> u64 {
    let mut uploads = 0;
    while !stop.load(Relaxed) {
        let Ok(mut socket) = TcpStream::connect(addr).await else {
            sleep(Duration::from_millis(2)).await;
            continue;
        };
        let head = "PUT /c/lines HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut written = socket.write_all(head.as_bytes()).await;
        let mut lines = 0;
        while written.is_ok() && !stop.load(Relaxed) {
            let line = |n: u64| format!("{name} {uploads} {n}\n");
            let some = (lines..lines + 20).map(line).collect::<Vec<_>>().concat();
            let chunk = format!("{:x}\r\n{some}\r\n", some.len());
            written = socket.write_all(chunk.as_bytes()).await;
            lines += 20;
            sleep(Duration::from_millis(5)).await;
        }
        uploads += 1;
    }
    uploads
}

/// Of an upload that breaks off, a first part of the lines is in the log, and none after a missing
/// one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_cut_keeps_leading_lines() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let (log_dir, port) = (LogDir::new(), Port::reserve());
    let stop = Arc::new(AtomicBool::new(false));
    let uploading = |n| tokio::spawn(upload(port.addr, n, Arc::clone(&stop)));
    let uploading: Vec<_> = (0..8).map(uploading).collect();
    let args = ["--keep", "1000000"];
    let _server = kill_often(&log_dir, &port, &args, 10, StdRng::seed_from_u64(seed)).await;
    stop.store(true, Relaxed);
    let mut uploads = 0;
    for uploading in uploading {
        uploads += at_last(uploading).await.unwrap();
    }
    let mut last = ReferenceLog::default();
    last.append(port.addr, "lines", LAST).await;
    let mut whole = ReferenceLog::read(port.addr, "lines", last.last()).await;
    assert!(whole.is_contiguous());
    whole.entries.retain(|_, entry| entry.text != LAST);
    let mut next: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in whole.entries.values() {
        let (upload, n) = entry.text.rsplit_once(' ').unwrap();
        let next = next.entry(upload).or_default();
        assert_eq!(n.parse(), Ok(*next), "of the upload {upload}");
        *next += 1;
    }
    let lines = whole.entries.len();
    println!("{lines} lines of {} uploads out of {uploads}", next.len());
    assert!(next.len() > 8, "{next:?}");
}

/// A server that is killed while it creates its file starts again without complaint.
#[tokio::test]
async fn kill_while_creating_file_starts_anew() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut found = BTreeSet::new();
    for _ in 0..40 {
        let log_dir = LogDir::new();
        for _ in 0..2 {
            let mut command = log_dir.command("127.0.0.1:0");
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let mut early = command.spawn().unwrap();
            sleep(Duration::from_micros(random.random_range(0..12_000))).await;
            soon(early.kill()).await.unwrap();
            found.insert(log_dir.names());
        }
        let server = log_dir.start(&[]).await;
        let mut told = ReferenceLog::default();
        told.append(server.addr, "a", "first").await;
        assert_eq!(told.last(), 1);
        server.end("-KILL").await;
        let server = log_dir.start(&[]).await;
        let whole = ReferenceLog::read(server.addr, "a", 1).await;
        assert_eq!((whole.epoch, whole.entries), (told.epoch, told.entries));
    }
    println!("{found:?}");
}
