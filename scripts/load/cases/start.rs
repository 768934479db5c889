//! Case `start`: how long a start takes and how much memory the server has then, by how much the
//! log holds.

use std::time::{Duration, Instant};

use crate::run::Run;
use crate::server::Memory;
use crate::table::{Table, count, mib, ms};
use crate::targets::ours;
use crate::upload::upload;
use crate::{Result, http};

/// Starts of which the middle one counts.
const STARTS: usize = 9;

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let mut table = Table::new(&[
        "store",
        "stored messages",
        "file MiB",
        "fastest ms",
        "median ms",
        "slowest ms",
        "first answer ms",
        "PSS MiB",
        "RSS MiB",
    ]);
    table.row(row("memory", "memory", 0, 0)?);
    let path = run.scratch.file("start.db");
    let store = format!("sqlite:{}", path.display());
    let mut stored = 0;
    for wanted in [0, 100_000, 1_000_000, 10_000_000] {
        let wanted = run.size(wanted) as u64;
        if wanted > stored {
            let server = ours::start(&store)?;
            upload(server.addr, "start", stored + 1..=wanted)?;
            server.stop()?;
            stored = wanted;
        }
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        table.row(row("sqlite", &store, stored, bytes)?);
    }
    println!("{table}");
    println!(
        "From before the process starts until it says where it listens, of {STARTS} starts, with the \
         file in the page cache; what follows is of the median one."
    );
    Ok(())
}

/// One start.
struct Start {
    said: Duration,
    answered: Duration,
    memory: Memory,
}

fn row(name: &str, store: &str, stored: u64, bytes: u64) -> Result<[String; 9]> {
    let mut starts: Vec<Start> = (0..STARTS)
        .map(|_| {
            let began = Instant::now();
            let server = ours::start(store)?;
            let said = began.elapsed();
            http::exchange(
                &mut http::connect(server.addr)?,
                &http::get("/healthz"),
                200,
            )?;
            let start = Start {
                said,
                answered: began.elapsed(),
                memory: server.memory()?,
            };
            server.stop()?;
            Ok(start)
        })
        .collect::<Result<_>>()?;
    starts.sort_by_key(|start| start.said);
    let middle = &starts[STARTS / 2];
    Ok([
        name.to_owned(),
        count(stored),
        mib(bytes),
        ms(starts[0].said),
        ms(middle.said),
        ms(starts[STARTS - 1].said),
        ms(middle.answered),
        mib(middle.memory.pss),
        mib(middle.memory.rss),
    ])
}
