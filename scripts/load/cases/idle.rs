//! Case `idle`: many followers to whom nothing comes but the heartbeats that are the default.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::goals::Goal;
use crate::run::Run;
use crate::table::{Table, figure, mib};
use crate::targets::{self, Kind};

const FOLLOWERS: usize = 10_000;

/// How long they are watched: several dots, and a heartbeat for some.
const TIME: Duration = Duration::from_secs(5);

/// What they cost.
struct Cost {
    before: u64,
    with: u64,
    /// CPU time in a second.
    cpu: f64,
}

impl Cost {
    fn kib_each(&self, followers: usize) -> f64 {
        self.with.saturating_sub(self.before) as f64 / 1024.0 / followers as f64
    }
}

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let shape = Shape {
        followers: FOLLOWERS,
        ..Shape::default()
    };
    let measured = run.measure(
        targets::some(),
        1,
        |target| {
            let mut crowd = Crowd::gather(target, run, shape)?;
            let cpu = crowd.server.cpu()?;
            crowd.followers.read_for(TIME)?;
            let cpu = crowd.server.cpu()?.saturating_sub(cpu);
            Ok(Cost {
                before: crowd.before.pss,
                with: crowd.server.memory()?.pss,
                cpu: cpu.as_secs_f64() / TIME.as_secs_f64(),
            })
        },
        |first, _| first,
    )?;
    let mut table = Table::new(&[
        "target",
        "PSS before MiB",
        "PSS with MiB",
        "KiB/follower",
        "CPU % of a core",
    ]);
    for (target, cost) in measured.iter() {
        let (name, each) = (target.to_string(), cost.kib_each(run.size(FOLLOWERS)));
        run.plot
            .bar("Idle: KiB of memory per follower", &name, each);
        let said = if target.kind() == Kind::Ours {
            let what = format!("idle, {name}: memory per follower");
            run.goals.judge(what, each, "KiB", Goal::AtMost(1.5))
        } else {
            figure(each)
        };
        let percent = figure(cost.cpu * 100.0);
        table.row([name, mib(cost.before), mib(cost.with), said, percent]);
    }
    println!("{table}");
    println!("{FOLLOWERS} followers, for {} s.", TIME.as_secs());
    Ok(())
}
