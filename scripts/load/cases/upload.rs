//! Case `upload`: many lines in one request whose length is not known, as `curl -T -` sends them, and
//! a live stream meanwhile.

use std::time::Instant;

use crate::goals::Goal;
use crate::measured::Rounds;
use crate::run::Run;
use crate::table::{Table, count, figure};
use crate::targets::{self, Target};
use crate::upload::upload_chunked;
use crate::{Result, live};

const LINES: usize = 3_000_000;

const RATE: Goal = Goal::at_least(600.0, "thousand/s", "lines uploaded");
const LIVE: Goal = Goal::at_most(50.0, "ms", "live p99 during an upload");

/// What an upload took.
struct Uploaded {
    /// Thousand lines a second.
    per_second: f64,
    /// CPU time of the server in microseconds for a line.
    cpu: f64,
    /// The p50, p99 and longest latency of a live stream meanwhile, in milliseconds.
    live: [f64; 3],
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let targets = targets::named(&["ours, text, memory", "ours, text, sqlite"]);
    let measured = run.measure(targets, Rounds::THREE, |target| measure(run, target))?;
    let mut table = Table::default();
    for row in measured.rows() {
        let target = row.target;
        let [p50, p99, max] = [0, 1, 2].map(|index| row.median(|all| all.live[index]));
        let mut judge = |goal, value| run.goals.judge("upload", target, goal, value);
        let (per_second, p99) = (
            judge(&RATE, row.median(|all| all.per_second)),
            judge(&LIVE, p99),
        );
        table.row([
            ("target", target.to_string()),
            ("thousand lines/s", per_second),
            ("server CPU µs/line", figure(row.median(|all| all.cpu))),
            ("live p50 ms", figure(p50)),
            ("live p99 ms", p99),
            ("max ms", figure(max)),
        ]);
    }
    println!(
        "{table}\n{} lines of 100 bytes in one chunked request, as `curl -T -` sends them; meanwhile a \
         message comes to another channel every {} ms. Medians of 3 rounds.",
        count(LINES as u64),
        live::EVERY.as_millis()
    );
    Ok(())
}

fn measure(run: &Run, target: &Target) -> Result<Uploaded> {
    let server = run.start(target)?;
    let lines = run.size(LINES) as u64;
    let cpu = server.cpu()?;
    let (latencies, seconds) = live::during(target, &server, || {
        let began = Instant::now();
        upload_chunked(server.addr, "upload", 1..=lines)?;
        Ok(began.elapsed().as_secs_f64())
    })?;
    let cpu = server.cpu_since(cpu)?.total().as_secs_f64();
    server.stop()?;
    Ok(Uploaded {
        per_second: lines as f64 / seconds / 1e3,
        cpu: cpu * 1e6 / lines as f64,
        live: latencies.percentiles([50, 99, 100]),
    })
}
