//! One message every 20 ms, and how long it takes to its follower.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::feed::Feed;
use crate::latency::Latencies;
use crate::{Result, http};

/// The time between two messages.
pub(crate) const EVERY: Duration = Duration::from_millis(20);

/// Publishes to a channel, and follows it, until it is told to stop. A message waits for the one
/// before; if that takes longer than [`EVERY`], what would have been sent meanwhile is counted with
/// the time that it would have had to wait, or the worst would hide what came behind it.
pub(crate) fn run(addr: SocketAddr, channel: &str, stop: &AtomicBool) -> Result<Latencies> {
    let (mut follower, mut publisher) = (http::connect(addr)?, http::connect(addr)?);
    let path = format!("/c/{channel}?as=text&since=now&heartbeat=60s");
    follower.write_all(http::get(&path).as_bytes())?;
    let mut feed = Feed::new(1);
    while !feed.is_open() {
        more(&mut follower, &mut feed)?;
    }
    let mut latencies = Latencies::default();
    let mut due = Instant::now();
    for number in 1.. {
        due = Instant::now().max(due + EVERY);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if stop.load(Relaxed) {
            break;
        }
        let sent = Instant::now();
        publisher.write_all(http::post(channel, number).as_bytes())?;
        while feed.messages < number {
            more(&mut follower, &mut feed)?;
        }
        let mut took = sent.elapsed();
        latencies.add(took);
        while let Some(less) = took.checked_sub(EVERY) {
            latencies.add(less);
            took = less;
        }
        http::answer(&mut publisher, 201)?;
    }
    Ok(latencies)
}

fn more(follower: &mut TcpStream, feed: &mut Feed) -> Result<()> {
    let mut buffer = [0; 4096];
    match follower.read(&mut buffer)? {
        0 => Err("the server has closed a live stream".into()),
        n => feed.take(&buffer[..n]),
    }
}
