//! Case `reconnect`: many followers reconnect at once, each a number of messages behind.

use std::time::Instant;

use crate::Result;
use crate::crowd::{self, channel};
use crate::follow::Followers;
use crate::goals::Goal;
use crate::live;
use crate::measured::Rounds;
use crate::message::BYTES;
use crate::run::Run;
use crate::server::Cpu;
use crate::table::{Table, figure};
use crate::targets::{self, Target};

const FOLLOWERS: usize = 5000;
const BACKLOG: u64 = 100;

const CAUGHT_UP: Goal = Goal::at_most(0.3, "s", "all caught up");
const LIVE: Goal = Goal::at_most(50.0, "ms", "live p99 meanwhile");

/// What the reconnection took.
struct Reconnected {
    seconds: f64,
    /// The p50 and p99 latency, in milliseconds, of a stream that was open all the time.
    live: [f64; 2],
    cpu: Cpu,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let measured = run.measure(targets::some(), Rounds::THREE, |target| {
        reconnect(run, target)
    })?;
    let mut table = Table::default();
    for row in measured.rows() {
        let target = row.target;
        let mut judge = |goal, value| run.goals.judge("reconnect", target, goal, value);
        let (seconds, p99) = (
            judge(&CAUGHT_UP, row.median(|all| all.seconds)),
            judge(&LIVE, row.median(|all| all.live[1])),
        );
        let micros = row.median(|all| all.cpu.total().as_secs_f64() * 1e6);
        table.row([
            ("target", target.to_string()),
            ("all caught up after s", seconds),
            (
                "CPU µs/follower",
                figure(micros / run.size(FOLLOWERS) as f64),
            ),
            ("live p50 ms", figure(row.median(|all| all.live[0]))),
            ("live p99 ms", p99),
        ]);
    }
    println!(
        "{table}\n{FOLLOWERS} followers connect, and catch up on {BACKLOG} messages of {BYTES} bytes; \
         meanwhile a message comes to another channel every {} ms. Medians of 3 rounds.",
        live::EVERY.as_millis()
    );
    Ok(())
}

fn reconnect(run: &Run, target: &Target) -> Result<Reconnected> {
    let server = run.start(target)?;
    let name = channel(0);
    crowd::create_channels(target, &server, [name.clone()])?;
    crowd::fill(target, &server, &name, BACKLOG)?;
    let followers = run.size(FOLLOWERS);
    let cpu = server.cpu()?;
    let (latencies, seconds) = live::during(target, &server, || {
        let began = Instant::now();
        let request = |_| target.follow(&name);
        let mut all = Followers::gather(&[server.addr.into()], followers, BYTES, request)?;
        all.read_messages(followers as u64 * BACKLOG)?;
        Ok(began.elapsed().as_secs_f64())
    })?;
    Ok(Reconnected {
        seconds,
        live: latencies.percentiles([50, 99]),
        cpu: server.cpu_since(cpu)?,
    })
}
