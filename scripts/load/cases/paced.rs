//! Case `paced`: messages at a rate that every server can keep up with, to many followers.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::figures::{Figures, Of};
use crate::goals::Goal;
use crate::run::Run;
use crate::targets;

const EVERY: Duration = Duration::from_millis(20);
const MESSAGES: u32 = 150;
const ROUNDS: usize = 2;

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let shape = Shape::default();
    let measured = run.measure(
        targets::all(),
        ROUNDS,
        |target| {
            let mut crowd = Crowd::gather(target, run, shape)?;
            Ok(Figures::from(crowd.publish(MESSAGES, EVERY)?))
        },
        Figures::best,
    )?;
    println!("{}", super::table(&measured));
    println!(
        "{} followers, a message of {} bytes every {} ms, {MESSAGES} of them; the better of {ROUNDS} rounds.",
        shape.followers,
        shape.bytes,
        EVERY.as_millis()
    );
    for (target, figures) in measured.iter() {
        let name = target.to_string();
        run.plot
            .bar("Paced: server CPU per delivery, µs", &name, figures.cpu);
        run.plot.bar("Paced: p99 latency, ms", &name, figures.p99);
        let goals: [(&str, Of, f64); 2] = [
            ("CPU per delivery", |figures| figures.cpu, 1.15),
            ("p99 latency", |figures| figures.p99, 1.1),
        ];
        for (what, of, most) in goals {
            let Some(ratio) = measured.to_floor(of, figures) else {
                continue;
            };
            if super::is_judged(target) {
                let what = format!("paced, {name}: {what} to the floor's");
                run.goals.judge(what, ratio, "×", Goal::AtMost(most));
            }
        }
    }
    Ok(())
}
