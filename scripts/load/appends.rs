//! Appends a second, by how many publishers wait for their answers at the same time.
//!
//! The rows of a table take turns, and the median round of each counts.

use std::time::Duration;

use crate::Result;
use crate::goals::Goal;
use crate::measured::median;
use crate::publish::Published;
use crate::run::Run;
use crate::table::{Table, ms, rate};
use crate::targets::Target;

pub(crate) const PUBLISHERS: [usize; 4] = [1, 8, 64, 512];
const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_secs(1);

/// Publishers, and how they append for some time.
pub(crate) struct Row<'a> {
    name: String,
    publishers: usize,
    append: Box<dyn FnMut(Duration) -> Result<Round> + 'a>,
    /// The target and the goal for its ratio to the first row.
    goal: Option<(Target, Goal)>,
    rounds: Vec<Round>,
}

/// What was published in a round, and the CPU time of the server, if there was one.
pub(crate) struct Round {
    pub(crate) published: Published,
    pub(crate) cpu: Option<Duration>,
}

impl<'a> Row<'a> {
    pub(crate) fn new(
        name: String,
        publishers: usize,
        append: impl FnMut(Duration) -> Result<Round> + 'a,
    ) -> Row<'a> {
        Row {
            name,
            publishers,
            append: Box::new(append),
            goal: None,
            rounds: Vec::new(),
        }
    }

    pub(crate) fn with_goal(self, goal: Option<(Target, Goal)>) -> Row<'a> {
        Row { goal, ..self }
    }
}

/// Measures the rows, and prints them. The first one is what the others are compared with.
pub(crate) fn measure(run: &mut Run, mut rows: Vec<Row<'_>>) -> Result<()> {
    for _ in 0..ROUNDS {
        for Row { append, rounds, .. } in &mut rows {
            rounds.push(append(run.time(TIME))?);
        }
    }
    let per_second = |round: &Round| round.published.per_second();
    let first: Vec<f64> = rows[0].rounds.iter().map(per_second).collect();
    let mut table = Table::default();
    for row in &mut rows {
        let ratios = row.rounds.iter().zip(&first);
        let ratio = median(ratios.map(|(round, one)| per_second(round) / one).collect());
        row.rounds
            .sort_by(|a, b| per_second(a).total_cmp(&per_second(b)));
        let Round { published, cpu } = &row.rounds[ROUNDS / 2];
        let latencies = &published.latencies;
        let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / latencies.len() as f64;
        let cpu = cpu.map_or_else(String::new, |cpu| format!("{:.1}", micros(cpu)));
        let ratio = match &row.goal {
            Some((target, goal)) => {
                let case = format!("append, {} publishers", row.publishers);
                run.goals.judge(&case, target, goal, ratio)
            }
            None => format!("{ratio:.1} ×"),
        };
        table.row([
            ("store", row.name.clone()),
            ("publishers", row.publishers.to_string()),
            ("appends/s", rate(published.per_second())),
            ("p50 ms", ms(latencies.percentile(50))),
            ("p99 ms", ms(latencies.percentile(99))),
            ("server CPU µs/append", cpu),
            ("to one by one", ratio),
        ]);
    }
    println!(
        "{table}\nMessages of 100 bytes; the median of {ROUNDS} rounds of {} s each, taking turns.",
        TIME.as_secs()
    );
    Ok(())
}
