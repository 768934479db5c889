//! A live stream with a message every 20 ms, and how long each takes to its follower.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::follow::Followers;
use crate::latency::Latencies;
use crate::message::{self, BYTES};
use crate::server::Server;
use crate::targets::Target;
use crate::{Result, crowd, http};

/// The time between two messages.
pub(crate) const EVERY: Duration = Duration::from_millis(20);

/// Watches a live stream on a channel of its own while something happens.
pub(crate) fn during<T>(
    target: &Target,
    server: &Server,
    happens: impl FnOnce() -> Result<T>,
) -> Result<(Latencies, T)> {
    /// Streams begin with the first message of their channel, so no two can share one.
    static WATCHED: AtomicU32 = AtomicU32::new(0);
    let channel = format!("live{}", WATCHED.fetch_add(1, Relaxed));
    crowd::create_channels(target, server, [channel.clone()])?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let live = scope.spawn(|| run(target, server, &channel, &stop));
        let happened = happens();
        stop.store(true, Relaxed);
        let latencies = live.join().map_err(|_| "the live stream has failed")?;
        Ok((latencies?, happened?))
    })
}

/// Publishes and follows until it is told to stop; in a cluster at the first and at the last server. Each message waits for the previous one to arrive;
/// if that takes longer than [`EVERY`], the messages that would have been sent meanwhile are counted
/// with the time that they would have had to wait: otherwise a long stall would count only once.
fn run(target: &Target, server: &Server, channel: &str, stop: &AtomicBool) -> Result<Latencies> {
    let endpoints = target.endpoints(server);
    let last = &endpoints[endpoints.len() - 1..];
    let mut follower = Followers::gather(last, 1, BYTES, |_| target.follow(channel))?;
    let mut publisher = http::connect(server.addr)?;
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
        follower.read_messages(1)?;
        let mut took = sent.elapsed();
        latencies.add(took);
        while let Some(less) = took.checked_sub(EVERY) {
            latencies.add(less);
            took = less;
        }
        let (head, body) = http::answer(&mut publisher)?;
        head.expect_success(&body)?;
    }
    Ok(latencies)
}
