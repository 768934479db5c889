//! Case `replay`: stored messages to many followers at once, which begin at the first message.

use std::thread;
use std::time::{Duration, Instant};

use crate::follow::Followers;
use crate::latency::Latencies;
use crate::run::Run;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::table::{Table, count, mib, ms, rate};
use crate::targets::{self, ours};
use crate::upload::upload;
use crate::{Result, http, live, message};

/// Messages in the channel.
const STORED: usize = 100_000;

/// Followers at the same time, the divisor of the messages that each is sent, and repetitions: enough
/// for seconds, and no more than that.
const LOADS: [(usize, u64, u32); 3] = [(1, 1, 10), (100, 1, 1), (1000, 5, 1)];

/// How long a live stream is watched while nothing else happens.
const QUIET: Duration = Duration::from_secs(4);

pub(super) fn run(run: &mut Run) -> Result<()> {
    let (mut table, mut lives) = (Table::default(), Table::default());
    let stored = run.size(STORED) as u64;
    for (name, target) in [
        ("memory", "ours, text, memory"),
        ("sqlite", "ours, text, sqlite"),
    ] {
        let target = &targets::named(&[target])[0];
        let server = loaded(&run.scratch, name, stored)?;
        let (quiet, ()) = live::during(target, &server, || {
            thread::sleep(QUIET);
            Ok(())
        })?;
        live_row(&mut lives, format!("{name}, nothing"), &quiet);
        for (followers, part, times) in LOADS {
            let mut row = || replay(&mut table, &server, name, (followers, stored / part, times));
            if followers < 1000 {
                row()?;
                continue;
            }
            let (busy, ()) = live::during(target, &server, row)?;
            live_row(&mut lives, format!("{name}, {followers} replays"), &busy);
        }
        server.stop()?;
    }
    println!(
        "{table}\n{lives}\n{} messages of 100 bytes are stored. A live message is sent every {} ms.",
        count(STORED as u64),
        live::EVERY.as_millis(),
    );
    Ok(())
}

/// Starts a server with the messages in its log. A server with a file is restarted, so that nothing
/// is in its memory.
fn loaded(scratch: &Scratch, store: &str, stored: u64) -> Result<Server> {
    let in_memory = store == "memory";
    let store = if in_memory {
        store.to_owned()
    } else {
        scratch.sqlite("replay")
    };
    let server = ours::start(&store)?;
    upload(server.addr, "replay", 1..=stored)?;
    if in_memory {
        return Ok(server);
    }
    server.stop()?;
    ours::start(&store)
}

/// Replays `messages` to each of `followers`, repeated `times`, and adds a row of what it took.
fn replay(
    table: &mut Table,
    server: &Server,
    store: &str,
    (followers, messages, times): (usize, u64, u32),
) -> Result<()> {
    let path = format!("/c/replay?as=text&since=all&limit={messages}&heartbeat=60s");
    let before = server.memory()?.rss;
    server.reset_peak()?;
    let cpu = server.cpu()?;
    let mut elapsed = Duration::ZERO;
    for _ in 0..times {
        let mut all = Followers::connect(server.addr, followers, message::BYTES)?;
        let began = Instant::now();
        all.ask(|_| http::get(&path, ""))?;
        all.read_to_end(messages)?;
        elapsed += began.elapsed();
    }
    let cpu = server.cpu()?.saturating_sub(cpu).as_secs_f64();
    let more = server.peak()?.saturating_sub(before);
    let delivered = (followers as u64 * messages * u64::from(times)) as f64;
    let per_second = delivered / elapsed.as_secs_f64();
    let megabytes = per_second * (message::BYTES + 1) as f64 / 1e6;
    table.row([
        ("store", store.to_owned()),
        ("followers", followers.to_string()),
        ("messages each", count(messages)),
        ("seconds", format!("{:.2}", (elapsed / times).as_secs_f64())),
        ("messages/s", rate(per_second)),
        ("MB/s", rate(megabytes)),
        (
            "server CPU µs/message",
            format!("{:.2}", cpu * 1e6 / delivered),
        ),
        ("RSS before MiB", mib(before)),
        ("peak more MiB", mib(more)),
    ]);
    Ok(())
}

fn live_row(table: &mut Table, meanwhile: String, latencies: &Latencies) {
    table.row([
        ("live stream during", meanwhile),
        ("messages", latencies.len().to_string()),
        ("p50 ms", ms(latencies.percentile(50))),
        ("p99 ms", ms(latencies.percentile(99))),
        ("max ms", ms(latencies.max())),
    ]);
}
