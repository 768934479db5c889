//! Case `pace`: what followers cost that ask for a burst a second (`pace=1s`), where 50 messages a second
//! come.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::measured::Rounds;
use crate::run::Run;
use crate::table::{Table, figure};
use crate::targets::{self, Target};

const FOLLOWERS: usize = 1000;
const RATE: u32 = 50;
const TIME: Duration = Duration::from_secs(10);

/// What the delivery of a message cost, to each follower.
struct Cost {
    /// Writes: each is a chunk.
    writes: f64,
    /// CPU time in microseconds.
    cpu: f64,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let targets = targets::named(&["ours, html, memory", "ours, sse, memory"]);
    let measured = run.measure(targets, Rounds::THREE, |target| {
        Ok((cost(run, target, "")?, cost(run, target, "&pace=1s")?))
    })?;
    let mut table = Table::default();
    for row in measured.rows() {
        let median = |of: fn(&(Cost, Cost)) -> f64| row.median(of);
        let writes = (
            median(|(each, _)| each.writes),
            median(|(_, pace)| pace.writes),
        );
        let cpu = (median(|(each, _)| each.cpu), median(|(_, pace)| pace.cpu));
        table.row([
            ("target", row.target.to_string()),
            ("writes/message", figure(writes.0)),
            ("with pace=1s", figure(writes.1)),
            ("a part of", format!("1/{}", figure(writes.0 / writes.1))),
            ("CPU µs/delivery", figure(cpu.0)),
            ("CPU with pace=1s", figure(cpu.1)),
        ]);
    }
    println!(
        "{table}\n{FOLLOWERS} followers, {RATE} messages a second for {} s; medians of 3 rounds.",
        TIME.as_secs()
    );
    Ok(())
}

fn cost(run: &Run, target: &Target, parameters: &str) -> Result<Cost> {
    let shape = Shape {
        followers: FOLLOWERS,
        ..Shape::USUAL
    };
    // No dots and heartbeats among the messages.
    let parameters = format!("&heartbeat=60s{parameters}");
    let mut crowd = Crowd::gather_with(target, run, shape, &parameters)?;
    let chunks = crowd.followers.chunks();
    let seconds = u32::try_from(run.time(TIME).as_secs())?.max(1);
    let outcome = crowd.publish(RATE * seconds, Duration::from_secs(1) / RATE)?;
    let deliveries = outcome.deliveries as f64;
    Ok(Cost {
        writes: (crowd.followers.chunks() - chunks) as f64 / deliveries,
        cpu: (outcome.cpu.user + outcome.cpu.system).as_secs_f64() * 1e6 / deliveries,
    })
}
