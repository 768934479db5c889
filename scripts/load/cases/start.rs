//! Case `start`: how long a start takes and how much memory the server has then, by how much the
//! log holds.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::run::Run;
use crate::server::Memory;
use crate::table::{Table, count, mib, ms};
use crate::targets::{self, Target, ours};
use crate::upload::upload;
use crate::{Result, http};

/// Starts, of which the median counts.
const STARTS: usize = 9;

/// One start.
struct Start {
    listened: Duration,
    answered: Duration,
    memory: Memory,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let mut table = Table::default();
    let builds = run.selected(targets::named(&["ours, text, memory"]));
    let mut row = |build: &Target, store: &str, stored, bytes| {
        let store = (build, run.program(build), store);
        row(&mut table, store, stored, bytes)
    };
    for build in &builds {
        row(build, "memory", 0, 0)?;
    }
    let path = run.scratch.file("start.db");
    let store = format!("sqlite:{}", path.display());
    let mut stored = 0;
    for wanted in [0, 100_000, 1_000_000, 10_000_000] {
        let wanted = run.size(wanted) as u64;
        if wanted > stored {
            let server = ours::start(ours::PROGRAM.as_ref(), &store)?;
            upload(server.addr, "start", stored + 1..=wanted)?;
            server.stop()?;
            stored = wanted;
        }
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        for build in &builds {
            row(build, &store, stored, bytes)?;
        }
    }
    println!(
        "{table}\nFrom before the process starts until it prints where it listens, of {STARTS} starts, \
         with the file in the page cache; the columns after that are of the median one."
    );
    Ok(())
}

fn row(
    table: &mut Table,
    (build, program, store): (&Target, &Path, &str),
    stored: u64,
    bytes: u64,
) -> Result<()> {
    let starts = (0..STARTS).map(|_| start(program, store));
    let mut starts: Vec<Start> = starts.collect::<Result<_>>()?;
    starts.sort_by_key(|start| start.listened);
    let median = &starts[STARTS / 2];
    table.row([
        ("build", build.build().to_owned()),
        ("store", store.split(':').next().unwrap_or(store).to_owned()),
        ("stored messages", count(stored)),
        ("file MiB", mib(bytes)),
        ("fastest ms", ms(starts[0].listened)),
        ("median ms", ms(median.listened)),
        ("slowest ms", ms(starts[STARTS - 1].listened)),
        ("first answer ms", ms(median.answered)),
        ("PSS MiB", mib(median.memory.pss)),
        ("RSS MiB", mib(median.memory.rss)),
    ]);
    Ok(())
}

fn start(program: &Path, store: &str) -> Result<Start> {
    let began = Instant::now();
    let server = ours::start(program, store)?;
    let listened = began.elapsed();
    http::ask(server.addr, &http::get("/healthz", ""), 200)?;
    let start = Start {
        listened,
        answered: began.elapsed(),
        memory: server.memory()?,
    };
    server.stop()?;
    Ok(start)
}
