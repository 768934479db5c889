//! Case `replay`: stored messages to many followers at once, which begin at the first message.

use std::thread;
use std::time::{Duration, Instant};

use crate::follow::Followers;
use crate::goals::Goal;
use crate::latency::Latencies;
use crate::measured::{Rounds, Row};
use crate::run::Run;
use crate::server::Server;
use crate::table::{Table, count, figure, rate};
use crate::targets::{self, Target, ours};
use crate::upload::upload;
use crate::{Result, http, live, message};

/// Messages in the channel, all of which are sent to each follower.
const STORED: usize = 100_000;

/// Followers at the same time, and repetitions: enough for a second, and no more than that.
const LOADS: [(usize, u32); 3] = [(1, 10), (100, 1), (MANY, 1)];

/// The followers during whose replay a live stream is watched.
const MANY: usize = 1000;

/// How long a live stream is watched while nothing else happens.
const QUIET: Duration = Duration::from_secs(2);

const RATE: Goal = Goal::at_least(800.0, "MB/s", "sent to 1,000 followers");
const LIVE: Goal = Goal::at_most(20.0, "ms", "live p99 during 1,000 replays");

/// What was measured of a target: for each load, and of the live streams the p50, p99 and longest
/// latency in milliseconds.
struct Figures {
    loads: Vec<Load>,
    quiet: [f64; 3],
    busy: [f64; 3],
}

/// What a load took.
struct Load {
    seconds: f64,
    messages: f64,
    /// CPU time of the server in seconds.
    cpu: f64,
    /// Memory in MiB.
    before: f64,
    more: f64,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let targets = targets::named(&["ours, text, memory", "ours, text, sqlite"]);
    let measured = run.measure(targets, Rounds::THREE, |target| measure(run, target))?;
    let (mut table, mut lives) = (Table::default(), Table::default());
    for row in measured.rows() {
        for (index, (followers, _)) in LOADS.iter().enumerate() {
            load_row(&mut table, run, &row, (index, *followers));
        }
    }
    for row in measured.rows() {
        live_row(&mut lives, run, &row, "nothing", |all| &all.quiet);
        live_row(&mut lives, run, &row, "1,000 replays", |all| &all.busy);
    }
    println!(
        "{table}\n{lives}\n{} messages of 100 bytes are stored, and sent to each follower. A live message \
         is sent every {} ms. Medians of 3 rounds.",
        count(STORED as u64),
        live::EVERY.as_millis(),
    );
    Ok(())
}

fn measure(run: &Run, target: &Target) -> Result<Figures> {
    let stored = run.size(STORED) as u64;
    let server = loaded(run, target, stored)?;
    let (quiet, ()) = live::during(target, &server, || {
        thread::sleep(run.time(QUIET));
        Ok(())
    })?;
    let (mut loads, mut busy) = (Vec::new(), Latencies::default());
    for (followers, times) in LOADS {
        let load = || replay(&server, followers, stored, times);
        loads.push(if followers == MANY {
            let (latencies, load) = live::during(target, &server, load)?;
            busy = latencies;
            load
        } else {
            load()?
        });
    }
    server.stop()?;
    let [quiet, busy] = [quiet, busy].map(|latencies| latencies.percentiles([50, 99, 100]));
    Ok(Figures { loads, quiet, busy })
}

/// Starts a server with the messages in its log. A server with a file is restarted, so that nothing
/// is in its memory.
fn loaded(run: &Run, target: &Target, stored: u64) -> Result<Server> {
    let fill = |server: &Server| upload(server.addr, "replay", 1..=stored);
    if target.name.contains("memory") {
        let server = run.start(target)?;
        fill(&server)?;
        return Ok(server);
    }
    let (program, store) = (run.program(target), run.scratch.sqlite("replay"));
    let server = ours::start(program, &store)?;
    fill(&server)?;
    server.stop()?;
    ours::start(program, &store)
}

/// Replays the messages to each of `followers`, repeated `times`.
fn replay(server: &Server, followers: usize, messages: u64, times: u32) -> Result<Load> {
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
    let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
    Ok(Load {
        seconds: elapsed.as_secs_f64(),
        messages: (followers as u64 * messages * u64::from(times)) as f64,
        cpu: server.cpu_since(cpu)?.total().as_secs_f64(),
        before: mib(before),
        more: mib(server.peak()?.saturating_sub(before)),
    })
}

fn load_row(
    table: &mut Table,
    run: &mut Run,
    row: &Row<'_, Figures>,
    (index, followers): (usize, usize),
) {
    let of = |figure: fn(&Load) -> f64| row.median(|all| figure(&all.loads[index]));
    let megabytes = of(|load| load.messages / load.seconds) * (message::BYTES + 1) as f64 / 1e6;
    let megabytes = if followers == MANY {
        run.goals.judge("replay", row.target, &RATE, megabytes)
    } else {
        rate(megabytes)
    };
    table.row([
        ("target", row.target.to_string()),
        ("followers", count(followers as u64)),
        ("messages/s", rate(of(|load| load.messages / load.seconds))),
        ("MB/s", megabytes),
        (
            "server CPU µs/message",
            figure(of(|load| load.cpu * 1e6 / load.messages)),
        ),
        ("RSS before MiB", figure(of(|load| load.before))),
        ("peak more MiB", figure(of(|load| load.more))),
    ]);
}

fn live_row(
    table: &mut Table,
    run: &mut Run,
    row: &Row<'_, Figures>,
    meanwhile: &str,
    of: fn(&Figures) -> &[f64; 3],
) {
    let [p50, p99, max] = [0, 1, 2].map(|index| row.median(|all| of(all)[index]));
    let p99 = match meanwhile {
        "nothing" => figure(p99),
        _ => run.goals.judge("replay", row.target, &LIVE, p99),
    };
    table.row([
        ("live stream", row.target.to_string()),
        ("during", meanwhile.to_owned()),
        ("p50 ms", figure(p50)),
        ("p99 ms", p99),
        ("max ms", figure(max)),
    ]);
}
