//! Appends a second, by how many publishers wait for their answers at the same time.
//!
//! The rows of a table take turns, and the best round of each counts: what disturbs a round only
//! makes it slower.

use std::time::Duration;

use crate::Result;
use crate::publish::Published;
use crate::run::Run;
use crate::table::{Table, ms, rate};

pub(crate) const PUBLISHERS: [usize; 4] = [1, 8, 64, 512];
const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_secs(1);

/// Publishers, and how they append for some time.
pub(crate) struct Row<'a> {
    name: &'static str,
    publishers: usize,
    append: Box<dyn FnMut(Duration) -> Result<Round> + 'a>,
    best: Option<Round>,
}

/// What was published in a round, and the CPU time of the server, if there was one.
pub(crate) struct Round {
    pub(crate) published: Published,
    pub(crate) cpu: Option<Duration>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(
        name: &'static str,
        publishers: usize,
        append: impl FnMut(Duration) -> Result<Round> + 'a,
    ) -> Row<'a> {
        Row {
            name,
            publishers,
            append: Box::new(append),
            best: None,
        }
    }
}

/// Measures the rows, and prints them. The first one is what the others are compared with.
pub(crate) fn measure(run: &Run, mut rows: Vec<Row<'_>>) -> Result<()> {
    let time = if run.quick { TIME / 10 } else { TIME };
    for _ in 0..ROUNDS {
        for Row { append, best, .. } in &mut rows {
            let round = append(time)?;
            let rate = |round: &Round| round.published.per_second();
            if best.as_ref().is_none_or(|best| rate(best) < rate(&round)) {
                *best = Some(round);
            }
        }
    }
    let mut table = Table::default();
    let mut first = None;
    for row in &rows {
        let Round { published, cpu } = row.best.as_ref().ok_or("there was no round")?;
        let latencies = &published.latencies;
        let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / latencies.len() as f64;
        let cpu = cpu.map_or_else(String::new, |cpu| format!("{:.1}", micros(cpu)));
        let per_second = published.per_second();
        let ratio = per_second / *first.get_or_insert(per_second);
        table.row([
            ("store", row.name.to_owned()),
            ("publishers", row.publishers.to_string()),
            ("appends/s", rate(per_second)),
            ("p50 ms", ms(latencies.percentile(50))),
            ("p99 ms", ms(latencies.percentile(99))),
            ("server CPU µs/append", cpu),
            ("to one by one", format!("{ratio:.1} ×")),
        ]);
    }
    println!(
        "{table}\nMessages of 100 bytes; the best of {ROUNDS} rounds of {} s each, taking turns.",
        TIME.as_secs()
    );
    Ok(())
}
