//! The cases. One is a file with a `run`, and a line here.

mod append;
mod big;
mod channels;
mod churn;
mod flood;
mod growth;
mod hot;
mod idle;
mod instructions;
mod paced;
mod reconnect;
mod replay;
mod start;

use crate::Result;
use crate::figures::{Figures, Of};
use crate::run::{Measured, Run};
use crate::table::{Table, figure, rate};
use crate::targets::{Kind, Target};

type Case = fn(&mut Run) -> Result<()>;

/// In the order in which they run.
pub(crate) const CASES: [(&str, Case); 13] = [
    ("paced", paced::run),
    ("flood", flood::run),
    ("idle", idle::run),
    ("hot", hot::run),
    ("channels", channels::run),
    ("reconnect", reconnect::run),
    ("big", big::run),
    ("growth", growth::run),
    ("churn", churn::run),
    ("instructions", instructions::run),
    ("append", append::run),
    ("replay", replay::run),
    ("start", start::run),
];

/// Is it one of those of which something is wanted? The others are there to be compared with.
fn is_judged(target: &dyn Target) -> bool {
    let name = target.to_string();
    target.kind() == Kind::Ours && (name.contains("text") || name.contains("sse"))
}

/// A table of what can be said of every crowd.
fn table(measured: &Measured<Figures>) -> Table {
    let mut table = Table::new(&[
        "target",
        "deliveries/s",
        "CPU µs/delivery",
        "to floor",
        "p50 ms",
        "p99 ms",
        "to floor",
        "max ms",
        "publisher p50 ms",
        "p99 ms",
    ]);
    for (target, figures) in measured.iter() {
        let to_floor = |of: Of| {
            let ratio = measured.to_floor(of, figures);
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2} ×"))
        };
        table.row([
            target.to_string(),
            rate(figures.per_second),
            figure(figures.cpu),
            to_floor(|figures| figures.cpu),
            figure(figures.p50),
            figure(figures.p99),
            to_floor(|figures| figures.p99),
            figure(figures.max),
            figure(figures.wait),
            figure(figures.wait_p99),
        ]);
    }
    table
}
