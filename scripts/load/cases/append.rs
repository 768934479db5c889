//! Case `append`: appends a second, by how many publishers wait for their answers at once.
//!
//! The floor is what `SQLite` does alone, a transaction and an fsync for each message. All rows take
//! turns, and the best round of each counts: what disturbs a round only makes it slower.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Result;
use crate::http;
use crate::inserts::Inserts;
use crate::inside::Inside;
use crate::publish::{Published, publish};
use crate::run::Run;
use crate::server::Server;
use crate::table::{Table, ms, rate, ratio};
use crate::targets::ours;

const PUBLISHERS: [usize; 4] = [1, 8, 64, 512];
const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_secs(1);

/// A server and what was appended to it.
struct Target {
    name: &'static str,
    server: Server,
    appended: usize,
    best: [Option<Round>; PUBLISHERS.len()],
}

/// What was published, and what it cost the server, if there was one.
struct Round {
    published: Published,
    cpu: Option<Duration>,
}

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let scratch = &run.scratch;
    let time = if run.quick { TIME / 10 } else { TIME };
    let mut floor = Inserts::new(scratch)?;
    let mut alone = None;
    let sqlite = scratch.sqlite("append");
    let mut targets = [
        Target::new("memory", "memory")?,
        Target::new("sqlite", &sqlite)?,
    ];
    let inside = Inside::new(&scratch.file("inside.db"))?;
    let mut inside_best = [const { None }; PUBLISHERS.len()];
    let without_server = |published| Round {
        published,
        cpu: None,
    };
    for _ in 0..ROUNDS {
        keep_best(&mut alone, without_server(floor.run(time)?));
        for (index, publishers) in PUBLISHERS.into_iter().enumerate() {
            let published = inside.publish(publishers, time)?;
            keep_best(&mut inside_best[index], without_server(published));
            for target in &mut targets {
                target.round(index, publishers, time)?;
            }
        }
    }
    let alone = alone.ok_or("there was no round")?;
    let mut table = Table::new(&[
        "store",
        "publishers",
        "appends/s",
        "p50 ms",
        "p99 ms",
        "server CPU µs/append",
        "to one by one",
    ]);
    let mut row = |name: &str, publishers: usize, Round { published, cpu }: &Round| {
        let latencies = &published.latencies;
        let micros = |cpu: &Duration| cpu.as_secs_f64() * 1e6 / latencies.len() as f64;
        table.row([
            name.to_owned(),
            publishers.to_string(),
            rate(published.per_second()),
            ms(latencies.percentile(50)),
            ms(latencies.percentile(99)),
            cpu.as_ref()
                .map_or_else(String::new, |cpu| format!("{:.1}", micros(cpu))),
            ratio(published.per_second(), alone.published.per_second()),
        ]);
    };
    row("no server, one by one", 1, &alone);
    let bests = targets.iter().map(|target| (target.name, &target.best));
    for (name, bests) in [("sqlite, no HTTP", &inside_best)].into_iter().chain(bests) {
        for (publishers, round) in PUBLISHERS.into_iter().zip(bests) {
            row(
                name,
                publishers,
                round.as_ref().ok_or("there was no round")?,
            );
        }
    }
    println!("{table}");
    println!(
        "Messages of 100 bytes; the best of {ROUNDS} rounds of {} s each, taking turns.",
        TIME.as_secs()
    );
    targets.into_iter().try_for_each(Target::check)
}

impl Target {
    fn new(name: &'static str, store: &str) -> Result<Target> {
        Ok(Target {
            name,
            server: ours::start(store)?,
            appended: 0,
            best: [const { None }; PUBLISHERS.len()],
        })
    }

    fn round(&mut self, index: usize, publishers: usize, time: Duration) -> Result<()> {
        let before = self.server.cpu()?;
        let request = http::append("append", 1);
        let began = Instant::now();
        let published = publish(self.server.addr, publishers, |_, next| {
            next.extend_from_slice(request.as_bytes());
            began.elapsed() < time
        })?;
        let cpu = Some(self.server.cpu()?.saturating_sub(before));
        self.appended += published.latencies.len();
        keep_best(&mut self.best[index], Round { published, cpu });
        Ok(())
    }

    /// What was acknowledged is in the log, and nothing else: the next message has the next number.
    fn check(self) -> Result<()> {
        let mut socket = http::connect(self.server.addr)?;
        let answer = http::exchange(&mut socket, &http::append("append", 1), 201)?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let (appended, seq) = (self.appended, &answer["seq"]);
        if *seq != appended + 1 {
            let name = self.name;
            return Err(format!(
                "{name}: {appended} appends were acknowledged, but the next message is number {seq}"
            )
            .into());
        }
        self.server.stop()
    }
}

fn keep_best(best: &mut Option<Round>, round: Round) {
    let rate = |round: &Round| round.published.per_second();
    if best.as_ref().is_none_or(|best| rate(best) < rate(&round)) {
        *best = Some(round);
    }
}
