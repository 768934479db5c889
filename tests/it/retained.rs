//! Retention of a log on the disk: by count, by age, and the size of the file.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::time::sleep;

use crate::support::client::{append, get};
use crate::support::follower::Follower;
use crate::support::log_dir::LogDir;
use crate::support::reference_log::ReferenceLog;
use crate::support::upload::Upload;
use crate::support::wires::{ALL, Stream, StreamEvent};
use crate::support::{at_last, eventually, soon};

const LAST: &str = "that was all";

/// The number of messages in these channels.
async fn kept(addr: SocketAddr, channel: &str) -> usize {
    let (mut since, mut count) = ("all".to_owned(), 0);
    loop {
        let path = format!("/c/{channel}?as=json&wait=1s&since={since}");
        let answer = get(addr, &path).await.json().await;
        let messages = answer["messages"].as_array().unwrap().len();
        if messages == 0 {
            return count;
        }
        count += messages;
        answer["cursor"].as_str().unwrap().clone_into(&mut since);
    }
}

/// Uploads lines of this many bytes.
async fn upload(addr: SocketAddr, lines: usize, bytes: usize) {
    let mut upload = Upload::start(addr, "/c/a").await;
    for first in (0..lines).step_by(100) {
        let line = |n| format!("{n:0bytes$}\n");
        let piece: Vec<String> = (first..lines.min(first + 100)).map(line).collect();
        soon(upload.send(piece.concat().as_bytes())).await;
    }
    let mut answer = upload.end().await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json().await["count"], lines);
}

/// A follower that is slower than retention is told exactly which messages are missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_by_count_tells_slow_followers() {
    const KEEP: usize = 100;
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&["--keep", &KEEP.to_string()]).await;
    let addr = server.addr;
    for n in 0..100 {
        told.append(addr, "a", &n.to_string()).await;
    }
    let mut followers = Vec::new();
    for (n, wire) in ALL.into_iter().cycle().take(18).enumerate() {
        // A long poll tells one gap for all its channels, which can be checked for one channel only.
        let both = if wire == "json" {
            &["a"][..]
        } else {
            &["a", "b"]
        };
        let channels = [&["a"], &["b"], both][n / 6];
        let mut follower = Follower::new(addr, wire, channels);
        follower.query = format!("&limit={}", 10 + n);
        // A long poll gets one of these long messages at a time.
        let rest = if wire == "json" { 25 } else { 250 };
        follower.rest = Duration::from_millis(rest);
        followers.push(tokio::spawn(follower.until(LAST)));
    }
    // This follower does not read, and is stalled in the middle of its stream by its own buffers.
    let mut stalled = Stream::open(addr, "ndjson", "a,b", "since=0").await;
    let socket = SockRef::from(&*stalled.response.socket());
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    // This is more than the tail holds, in less time than a stalled follower is given.
    for n in 100..600 {
        let text = format!("{n} {}", "x".repeat(24_000));
        told.append(addr, ["a", "a", "b"][n % 3], &text).await;
    }
    for channel in ["a", "b"] {
        told.append(addr, channel, LAST).await;
    }
    // The stalled follower reads on before its time is over; the others go on by themselves.
    while stalled.texts().iter().filter(|text| **text == LAST).count() < 2 {
        assert!(stalled.read().await.unwrap());
    }
    let mut missing = [0; 2];
    for follower in followers {
        let follower = at_last(follower).await.unwrap();
        let gone = told.check(&follower);
        missing[0] += gone;
        assert!(follower.said.len() > follower.gaps(), "some came");
    }
    let mut said = stalled.said.clone();
    said.retain(|said| matches!(said, StreamEvent::Message(_) | StreamEvent::Gap(..)));
    missing[1] = told.check_events("ndjson", &["a", "b"], &said);
    println!("missing: {missing:?}");
    assert!(missing.iter().all(|missing| *missing > 0), "{missing:?}");
    for channel in ["a", "b"] {
        assert_eq!(kept(addr, channel).await, KEEP);
    }
}

/// Messages expire by age also while nobody appends, and followers are told that they are missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_by_age_without_appends() {
    let (log_dir, mut told) = (LogDir::new(), ReferenceLog::default());
    let server = log_dir.start(&["--keep-for", "4s"]).await;
    let addr = server.addr;
    let mut slow = Follower::new(addr, "ndjson", &["a", "b"]);
    slow.query = "&limit=3".to_owned();
    slow.rest = Duration::from_millis(500);
    let slow = tokio::spawn(slow.until(LAST));
    for n in 0..80 {
        told.append(addr, ["a", "b"][n % 2], &n.to_string()).await;
        sleep(Duration::from_millis(50)).await;
    }
    // Messages expire also while nobody appends.
    eventually("nothing is kept", async || kept(addr, "a,b").await == 0).await;
    // Channel a goes on first, then channel b, which was silent.
    told.append(addr, "a", LAST).await;
    for wire in ALL {
        let mut stream = Stream::open(addr, wire, "a", "since=0").await;
        stream.until(1).await;
        stream.said.retain(|said| *said != StreamEvent::Heartbeat);
        assert_eq!(
            (stream.gaps().len(), stream.texts()),
            (1, vec![LAST]),
            "{wire}"
        );
    }
    told.append(addr, "b", LAST).await;
    let slow = at_last(slow).await.unwrap();
    let missing = told.check(&slow);
    println!(
        "{missing} of {} were too old for the slow one",
        told.entries.len()
    );
    assert!(
        missing > 0 && slow.said.len() > slow.gaps() + 2,
        "{:?}",
        slow.said
    );
    drop(server);
}

/// The file stays about as large as the messages that are kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_bounds_file_size() {
    const KEEP: usize = 4_000;
    const BYTES: usize = 2_500;
    let log_dir = LogDir::new();
    let server = log_dir.start(&["--keep", &KEEP.to_string()]).await;
    upload(server.addr, KEEP, BYTES).await;
    let full = log_dir.bytes();
    for round in 1..=10 {
        upload(server.addr, KEEP, BYTES).await;
        let now = log_dir.bytes();
        println!("round {round}: {} KiB of {} KiB", now / 1024, full / 1024);
        assert!(now < 2 * full, "{now} of {full}");
    }
    server.end("-TERM").await;
    assert!(log_dir.bytes() < 2 * full);
}

/// Messages expire as fast as new ones are appended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_by_age_keeps_up_with_appends() {
    let log_dir = LogDir::new();
    let server = log_dir
        .start(&["--keep", "10000000", "--keep-for", "1s"])
        .await;
    let (addr, began) = (server.addr, Instant::now());
    let uploading: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn(async move {
                while began.elapsed() < Duration::from_secs(12) {
                    upload(addr, 2_000, 300).await;
                }
            })
        })
        .collect();
    let mut sizes = Vec::new();
    while began.elapsed() < Duration::from_secs(12) {
        sleep(Duration::from_secs(1)).await;
        sizes.push(log_dir.bytes() / 1024);
    }
    println!("KiB: {sizes:?}");
    for uploading in uploading {
        at_last(uploading).await.unwrap();
    }
    let most = |sizes: &[u64]| sizes.iter().max().copied().unwrap();
    let (early, late) = sizes.split_at(5);
    assert!(most(late) < 2 * most(early), "it grows: {sizes:?}");
}

/// The position of the oldest message.
async fn oldest(addr: SocketAddr) -> usize {
    let metrics = get(addr, "/metrics").await.text().await;
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix("forever_frame_log_first_seq "));
    value.unwrap().parse().unwrap()
}

/// With a lower `--keep` after a restart, appends go on while the surplus is trimmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_lowered_does_not_block_appends() {
    const BEFORE: usize = 100_000;
    const KEEP: usize = 100;
    let log_dir = LogDir::new();
    let server = log_dir.start(&["--keep", "1000000"]).await;
    upload(server.addr, BEFORE, 200).await;
    server.end("-TERM").await;
    let server = log_dir.start(&["--keep", &KEEP.to_string()]).await;
    let (addr, began) = (server.addr, Instant::now());
    let mut appended = 0;
    while oldest(addr).await <= BEFORE - KEEP {
        append(addr, "b", "meanwhile").await;
        appended += 1;
    }
    println!("{appended} meanwhile, in {:?}", began.elapsed());
    assert!(appended > 10, "appends wait for the trimming: {appended}");
    assert_eq!(kept(addr, "a").await, KEEP);
    let stream = Stream::open(addr, "ndjson", "a", "since=0&limit=100").await;
    let stream = stream.whole().await;
    assert_eq!((stream.gaps().len(), stream.texts().len()), (1, KEEP));
    let last = stream.messages().last().unwrap();
    assert!(last.cursor.ends_with(&format!("-{BEFORE}")), "{last:?}");
}
