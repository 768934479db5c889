//! Case `idle`: many followers that receive nothing except the heartbeats, which are the default.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::goals::Goal;
use crate::measured::Rounds;
use crate::run::Run;
use crate::table::{Table, figure};
use crate::targets;

const FOLLOWERS: usize = 10_000;

/// How long they are watched: a heartbeat of this server for each, which is sent after 15 s.
const TIME: Duration = Duration::from_secs(17);

const MEMORY: Goal = Goal::at_most(0.4, "KiB", "memory per follower");

/// Memory in MiB, and CPU time in a second.
struct Cost {
    before: f64,
    with: f64,
    cpu: f64,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let shape = Shape {
        followers: FOLLOWERS,
        ..Shape::USUAL
    };
    let time = run.time(TIME);
    let measured = run.measure(targets::few(), Rounds::THREE_OF_OURS, |target| {
        let mut crowd = Crowd::gather(target, run, shape)?;
        let cpu = crowd.server.cpu()?;
        crowd.followers.read_for(time)?;
        let cpu = crowd.server.cpu_since(cpu)?.total();
        Ok(Cost {
            before: crowd.before.pss_mib(),
            with: crowd.server.memory()?.pss_mib(),
            cpu: cpu.as_secs_f64() / time.as_secs_f64(),
        })
    })?;
    let mut table = Table::default();
    for row in measured.rows() {
        let target = row.target;
        let followers = run.size(FOLLOWERS) as f64;
        let each = row.median(|cost| (cost.with - cost.before) * 1024.0 / followers);
        let title = "Idle: KiB of memory per follower";
        run.plot.bar(title, target, each);
        table.row([
            ("target", target.to_string()),
            ("PSS before MiB", figure(row.median(|cost| cost.before))),
            ("PSS with MiB", figure(row.median(|cost| cost.with))),
            (
                "KiB/follower",
                run.goals.judge("idle", target, &MEMORY, each),
            ),
            (
                "CPU % of a core",
                figure(row.median(|cost| cost.cpu * 100.0)),
            ),
        ]);
    }
    println!(
        "{table}\n{FOLLOWERS} followers, for {} s; medians of 3 rounds of this server.",
        TIME.as_secs()
    );
    Ok(())
}
