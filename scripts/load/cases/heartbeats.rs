//! Case `heartbeats`: what a heartbeat costs the server, which sends each follower one a second.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::goals::Goal;
use crate::measured::Rounds;
use crate::run::Run;
use crate::table::{Table, count, figure, rate};
use crate::targets;

const FOLLOWERS: usize = 10_000;
const TIME: Duration = Duration::from_secs(10);

const USER: Goal = Goal::at_most(0.3, "µs", "user time of a heartbeat");

/// The heartbeats that were sent, and CPU time in microseconds.
struct Cost {
    heartbeats: u64,
    user: f64,
    system: f64,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let shape = Shape {
        followers: FOLLOWERS,
        ..Shape::USUAL
    };
    let targets = targets::named(&["ours, sse, memory", "ours, sse, sqlite"]);
    let measured = run.measure(targets, Rounds::THREE, |target| {
        let mut crowd = Crowd::gather_with(target, run, shape, "&heartbeat=1s")?;
        let (cpu, chunks) = (crowd.server.cpu()?, crowd.followers.chunks());
        crowd.followers.read_for(run.time(TIME))?;
        let cpu = crowd.server.cpu_since(cpu)?;
        // Nothing else comes meanwhile, and each is a chunk.
        let heartbeats = crowd.followers.chunks() - chunks;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / heartbeats.max(1) as f64;
        Ok(Cost {
            heartbeats,
            user: each(cpu.user),
            system: each(cpu.system),
        })
    })?;
    let mut table = Table::default();
    for row in measured.rows() {
        let user = row.median(|cost| cost.user);
        table.row([
            ("target", row.target.to_string()),
            (
                "heartbeats/s",
                rate(row.median(|cost| cost.heartbeats as f64) / run.time(TIME).as_secs_f64()),
            ),
            (
                "user µs/heartbeat",
                run.goals.judge("heartbeats", row.target, &USER, user),
            ),
            ("system µs", figure(row.median(|cost| cost.system))),
        ]);
    }
    println!(
        "{table}\n{} followers with a heartbeat a second, for {} s; medians of 3 rounds.",
        count(FOLLOWERS as u64),
        TIME.as_secs()
    );
    Ok(())
}
