//! One message every 20 ms, and how long it takes to its follower.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::feed::Feed;
use crate::latency::Latencies;
use crate::message::{self, BYTES};
use crate::server::Server;
use crate::targets::Target;
use crate::{Result, crowd, http};

/// The time between two messages.
pub(crate) const EVERY: Duration = Duration::from_millis(20);

/// Watches a live stream on a channel of its own while something happens.
pub(crate) fn beside<T>(
    target: &(dyn Target + Sync),
    server: &Server,
    happens: impl FnOnce() -> Result<T>,
) -> Result<(Latencies, T)> {
    /// Streams begin with the first message of their channel, so that no two can have one.
    static WATCHED: AtomicU32 = AtomicU32::new(0);
    let channel = format!("live{}", WATCHED.fetch_add(1, Relaxed));
    crowd::make_channels(target, server, [channel.clone()].into_iter())?;
    let (stop, addr) = (AtomicBool::new(false), server.addr);
    thread::scope(|scope| {
        let live = scope.spawn(|| run(target, addr, &channel, &stop));
        let happened = happens();
        stop.store(true, Relaxed);
        let latencies = live.join().map_err(|_| "the live stream has failed")?;
        Ok((latencies?, happened?))
    })
}

/// Publishes, and follows, until it is told to stop. A message waits for the one before; if that
/// takes longer than [`EVERY`], what would have been sent meanwhile is counted with the time that
/// it would have had to wait, or the worst would hide what came behind it.
fn run(
    target: &dyn Target,
    addr: SocketAddr,
    channel: &str,
    stop: &AtomicBool,
) -> Result<Latencies> {
    let (mut follower, mut publisher) = (http::connect(addr)?, http::connect(addr)?);
    follower.write_all(target.follow(channel).as_bytes())?;
    let mut feed = Feed::new(1, BYTES);
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
        let line = message::line(number);
        let request = target.append(channel, line.len()) + &line;
        let sent = Instant::now();
        publisher.write_all(request.as_bytes())?;
        while feed.messages < number {
            more(&mut follower, &mut feed)?;
        }
        let mut took = sent.elapsed();
        latencies.add(took);
        while let Some(less) = took.checked_sub(EVERY) {
            latencies.add(less);
            took = less;
        }
        http::answer_yes(&mut publisher)?;
    }
    Ok(latencies)
}

fn more(follower: &mut TcpStream, feed: &mut Feed) -> Result<()> {
    let mut buffer = [0; 4096];
    match follower.read(&mut buffer)? {
        0 => Err("the server has closed a live stream".into()),
        n => feed.take(&buffer[..n], &mut |_| {}),
    }
}
