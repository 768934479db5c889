//! Case `tls`: what TLS and HTTP/2 cost, next to plain HTTP and to a proxy that does the same.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Outcome, Shape};
use crate::goals::Goal;
use crate::measured::Rounds;
use crate::run::Run;
use crate::table::{Table, figure};
use crate::targets::{self, Target};

const SHAPE: Shape = Shape {
    followers: 1000,
    ..Shape::USUAL
};

/// The messages of a paced load, and the time between two of them.
const PACED: (u32, Duration) = (50, Duration::from_millis(40));

/// The messages that are sent as fast as they are acknowledged.
const FLOOD: u32 = 100;

const MEMORY: Goal = Goal::at_most(5.0, "KiB", "memory per follower over TLS");

struct Cost {
    /// Connections a second, and CPU time of each in milliseconds: from the connect to the answer's head.
    connects: f64,
    connect_cpu: f64,
    /// Memory of an idle follower in KiB.
    memory: f64,
    paced: Delivery,
    flood: Delivery,
}

struct Delivery {
    per_second: f64,
    /// CPU time in microseconds.
    cpu: f64,
    /// The 99th percentile of latency in milliseconds.
    p99: f64,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let targets = targets::encrypted();
    let measured = run.measure(targets, Rounds::THREE, |target| cost(run, target))?;
    let mut table = Table::default();
    for row in measured.rows() {
        let median = |of: fn(&Cost) -> f64| row.median(of);
        let memory = median(|cost| cost.memory);
        let is_over_tls = row.target.name == "ours, sse, tls";
        let memory = if is_over_tls {
            run.goals.judge("tls", row.target, &MEMORY, memory)
        } else {
            figure(memory)
        };
        table.row([
            ("target", row.target.to_string()),
            ("connects/s", figure(median(|cost| cost.connects))),
            ("CPU ms/connect", figure(median(|cost| cost.connect_cpu))),
            ("KiB/follower", memory),
            (
                "paced: CPU µs/delivery",
                figure(median(|cost| cost.paced.cpu)),
            ),
            ("p99 ms", figure(median(|cost| cost.paced.p99))),
            (
                "flood: deliveries/s",
                figure(median(|cost| cost.flood.per_second)),
            ),
            ("CPU µs/delivery", figure(median(|cost| cost.flood.cpu))),
            ("p99 ms", figure(median(|cost| cost.flood.p99))),
        ]);
    }
    println!(
        "{table}\n{} followers, each on a connection of its own, whose handshake is a whole one; \
         {} messages, one every {} ms, and then {FLOOD} as fast as they are acknowledged. The CPU time and \
         the memory of a proxy count with those of the server. Medians of 3 rounds.",
        SHAPE.followers,
        PACED.0,
        PACED.1.as_millis()
    );
    Ok(())
}

fn cost(run: &Run, target: &Target) -> Result<Cost> {
    let mut crowd = Crowd::gather(target, run, SHAPE)?;
    let followers = run.size(SHAPE.followers) as f64;
    let (time, cpu) = crowd.connected;
    // What a handshake has left is given back within a second.
    crowd.followers.read_for(Duration::from_secs(1))?;
    let memory = crowd.server.memory()?.pss - crowd.before.pss;
    let (messages, every) = PACED;
    Ok(Cost {
        connects: followers / time.as_secs_f64(),
        connect_cpu: cpu.total().as_secs_f64() * 1e3 / followers,
        memory: memory as f64 / 1024.0 / followers,
        paced: crowd.publish(messages, every)?.into(),
        flood: crowd.publish(FLOOD, Duration::ZERO)?.into(),
    })
}

impl From<Outcome> for Delivery {
    fn from(outcome: Outcome) -> Delivery {
        let deliveries = outcome.deliveries as f64;
        let [p99] = outcome.latencies.percentiles([99]);
        Delivery {
            per_second: deliveries / outcome.elapsed.as_secs_f64(),
            cpu: outcome.cpu.total().as_secs_f64() * 1e6 / deliveries,
            p99,
        }
    }
}
