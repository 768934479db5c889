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
use crate::figures::Figures;
use crate::run::{Measured, Run};
use crate::table::{Table, figure, rate};

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
        let to_floor = |of: fn(&Figures) -> f64| {
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
