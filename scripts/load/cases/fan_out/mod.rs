//! The cases in which messages are published to a crowd, which differ only in their load: `paced`,
//! `flood`, `channels`, `big` and `growth`.

mod figures;
pub(super) mod growth;
mod loads;

use crate::Result;
use crate::crowd::Crowd;
use crate::measured::Measured;
use crate::run::Run;
use crate::table::{Table, figure, rate};
use crate::targets::Target;
use figures::{CPU, Figures, How, P99, PER_SECOND};
use loads::{BARS, LOADS, Load, goals};

/// Measures the loads of a case, each with a table of its own.
pub(super) fn run(run: &mut Run, case: &str) -> Result<()> {
    let loads = LOADS.iter().filter(|load| load.name.starts_with(case));
    for load in loads {
        let measured = measure(run, load)?;
        let mut table = Table::default();
        for row in measured.rows() {
            table.row([
                ("target", row.target.to_string()),
                ("deliveries/s", rate(row.median(PER_SECOND))),
                ("CPU µs/delivery", figure(row.median(CPU))),
                ("to floor", How::ToFloor(CPU).cell(&row)),
                ("user µs", figure(row.median(|figures| figures.user))),
                ("of its code", How::UserToFloor.cell(&row)),
                ("p50 ms", figure(row.median(|figures| figures.p50))),
                ("p99 ms", figure(row.median(P99))),
                ("to floor", How::ToFloor(P99).cell(&row)),
                ("max ms", figure(row.median(|figures| figures.max))),
                (
                    "publisher p50 ms",
                    figure(row.median(|figures| figures.wait)),
                ),
                ("p99 ms", figure(row.median(|figures| figures.wait_p99))),
            ]);
            for (_, title, of) in BARS.iter().filter(|bar| bar.0 == load.name) {
                run.plot.bar(title, row.target, row.median(*of));
            }
            for wanted in goals(load, row.target) {
                if let Some(value) = wanted.how.of(&row) {
                    run.goals.judge(load.name, row.target, &wanted.goal, value);
                }
            }
        }
        println!("{table}\n{load}");
    }
    Ok(())
}

fn measure(run: &Run, load: &Load) -> Result<Measured<Figures>> {
    let figures = |target: &Target| {
        let mut crowd = Crowd::gather(target, run, load.shape)?;
        let messages = u32::try_from(run.size(load.messages as usize).max(1))?;
        Ok(Figures::from(crowd.publish(messages, load.every)?))
    };
    run.measure((load.targets)(), load.rounds, figures)
}
