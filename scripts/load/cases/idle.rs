//! Case `idle`: many followers that receive nothing except the heartbeats, which are the default.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::goals::Goal;
use crate::run::Run;
use crate::table::{Table, figure, mib};
use crate::targets;

const FOLLOWERS: usize = 10_000;

/// How long they are watched: several dots, and a heartbeat for some.
const TIME: Duration = Duration::from_secs(5);

const MEMORY: Goal = Goal::at_most(1.5, "KiB", "memory per follower");

/// Memory in bytes, and CPU time in a second.
struct Cost {
    before: u64,
    with: u64,
    cpu: f64,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let shape = Shape {
        followers: FOLLOWERS,
        ..Shape::USUAL
    };
    let measured = run.measure(targets::some(), |target| {
        let mut crowd = Crowd::gather(target, run, shape)?;
        let cpu = crowd.server.cpu()?;
        crowd.followers.read_for(TIME)?;
        let cpu = crowd.server.cpu()?.saturating_sub(cpu);
        Ok(Cost {
            before: crowd.before.pss,
            with: crowd.server.memory()?.pss,
            cpu: cpu.as_secs_f64() / TIME.as_secs_f64(),
        })
    })?;
    let mut table = Table::default();
    for (target, Cost { before, with, cpu }) in measured.iter() {
        let grown = with.saturating_sub(*before) as f64 / 1024.0;
        let each = grown / run.size(FOLLOWERS) as f64;
        let title = "Idle: KiB of memory per follower";
        run.plot.bar(title, target.name, each);
        table.row([
            ("target", target.to_string()),
            ("PSS before MiB", mib(*before)),
            ("PSS with MiB", mib(*with)),
            (
                "KiB/follower",
                run.goals.judge("idle", target, &MEMORY, each),
            ),
            ("CPU % of a core", figure(cpu * 100.0)),
        ]);
    }
    println!("{table}\n{FOLLOWERS} followers, for {} s.", TIME.as_secs());
    Ok(())
}
