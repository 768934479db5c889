//! Case `replay`: stored messages to many followers at once, who begin at the first.

use std::thread;
use std::time::{Duration, Instant};

use crate::follow::Followers;
use crate::latency::Latencies;
use crate::run::Run;
use crate::server::Server;
use crate::table::{Table, count, mib, ms, rate, seconds};
use crate::targets::{Ours, Store, ours};
use crate::upload::upload;
use crate::{Result, http, live, message};

/// Messages in the channel.
const STORED: usize = 100_000;

/// How many follow at once, the part of the messages that each is sent, and how often that is
/// repeated: enough for seconds, and no more than that.
const LOADS: [(usize, u64, u32); 3] = [(1, 1, 10), (100, 1, 1), (1000, 5, 1)];

/// How long a live stream is watched while nothing else happens.
const QUIET: Duration = Duration::from_secs(4);

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let mut table = Table::new(&[
        "store",
        "followers",
        "messages each",
        "seconds",
        "messages/s",
        "MB/s",
        "server CPU µs/message",
        "RSS before MiB",
        "peak more MiB",
    ]);
    let mut lives = Table::new(&[
        "live stream beside",
        "messages",
        "p50 ms",
        "p99 ms",
        "max ms",
    ]);
    for (store, name) in [(Store::Memory, "memory"), (Store::Sqlite, "sqlite")] {
        let target = Ours {
            wire: "text",
            store,
        };
        let stored = run.size(STORED) as u64;
        let server = loaded(store, stored, run)?;
        let (quiet, ()) = live::beside(&target, &server, || {
            thread::sleep(QUIET);
            Ok(())
        })?;
        live_row(&mut lives, format!("{name}, nothing"), &quiet);
        for (followers, part, times) in LOADS {
            let messages = stored / part;
            let row = || replay(&server, name, followers, messages, times);
            if followers < 1000 {
                table.row(row()?);
                continue;
            }
            let (busy, ()) = live::beside(&target, &server, || {
                table.row(row()?);
                Ok(())
            })?;
            live_row(&mut lives, format!("{name}, {followers} replays"), &busy);
        }
        server.stop()?;
    }
    println!("{table}");
    println!("{lives}");
    println!(
        "{} messages of 100 bytes are stored. A live message is sent every {} ms.",
        count(STORED as u64),
        live::EVERY.as_millis(),
    );
    Ok(())
}

/// A server with the messages. One with a file is started anew, so that nothing is in its memory.
fn loaded(store: Store, stored: u64, run: &Run) -> Result<Server> {
    let place = match store {
        Store::Memory => "memory".to_owned(),
        Store::Sqlite => run.scratch.sqlite("replay"),
    };
    let server = ours::start(&place)?;
    upload(server.addr, "replay", 1..=stored)?;
    if store == Store::Memory {
        return Ok(server);
    }
    server.stop()?;
    ours::start(&place)
}

/// Replays, and says what it took, as a row.
fn replay(
    server: &Server,
    name: &str,
    followers: usize,
    messages: u64,
    times: u32,
) -> Result<[String; 9]> {
    let path = format!("/c/replay?as=text&since=all&limit={messages}&heartbeat=60s");
    let before = server.memory()?.rss;
    server.forget_peak()?;
    let cpu = server.cpu()?;
    let mut elapsed = Duration::ZERO;
    for _ in 0..times {
        let mut all = Followers::connect(server.addr, followers, 1, message::BYTES)?;
        let began = Instant::now();
        all.ask(|_| http::get(&path))?;
        all.read_to_end(messages)?;
        elapsed += began.elapsed();
    }
    let cpu = server.cpu()?.saturating_sub(cpu);
    let peak = server.peak()?;
    let delivered = (followers as u64 * messages * u64::from(times)) as f64;
    let per_second = delivered / elapsed.as_secs_f64();
    Ok([
        name.to_owned(),
        followers.to_string(),
        count(messages),
        seconds(elapsed / times),
        rate(per_second),
        rate(per_second * (message::BYTES + 1) as f64 / 1e6),
        format!("{:.2}", cpu.as_secs_f64() * 1e6 / delivered),
        mib(before),
        mib(peak.saturating_sub(before)),
    ])
}

fn live_row(table: &mut Table, beside: String, latencies: &Latencies) {
    table.row([
        beside,
        latencies.len().to_string(),
        ms(latencies.percentile(50)),
        ms(latencies.percentile(99)),
        ms(latencies.max()),
    ]);
}
