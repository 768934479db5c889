//! Case `flood`: messages as fast as they are acknowledged, to many followers.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::figures::Figures;
use crate::goals::Goal;
use crate::message::PUBLISHERS;
use crate::run::{Measured, Run};
use crate::targets::{self, Kind};

const MESSAGES: u32 = 500;

pub(crate) fn run(run: &mut Run) -> Result<()> {
    for publishers in [1, PUBLISHERS] {
        let shape = Shape {
            publishers,
            ..Shape::default()
        };
        let measured = run.measure(
            targets::all(),
            1,
            |target| {
                let mut crowd = Crowd::gather(target, run, shape)?;
                Ok(Figures::from(crowd.publish(MESSAGES, Duration::ZERO)?))
            },
            Figures::best,
        )?;
        println!("{}", super::table(&measured));
        println!(
            "{} followers, {MESSAGES} messages of {} bytes, publishers: {publishers}.\n",
            shape.followers, shape.bytes
        );
        judge(run, &measured, publishers);
        if publishers == 1 {
            for (target, figures) in measured.iter() {
                let (name, millions) = (target.to_string(), figures.per_second / 1e6);
                run.plot
                    .bar("Flood: million deliveries a second", &name, millions);
            }
        }
    }
    Ok(())
}

fn judge(run: &mut Run, measured: &Measured<Figures>, publishers: usize) {
    for (target, figures) in measured.iter() {
        if !super::is_judged(target) {
            continue;
        }
        let what = |what| format!("flood, {publishers}, {target}: {what}");
        // The better of the two ways that nchan has.
        let nchan = measured.iter().filter(|(of, _)| of.kind() == Kind::Nchan);
        let nchan = nchan.map(|(_, figures)| figures.per_second);
        if let Some(nchan) = nchan.reduce(f64::max) {
            let (ratio, goal) = (figures.per_second / nchan, Goal::AtLeast(10.0));
            run.goals
                .judge(what("deliveries/s to nchan's"), ratio, "×", goal);
        }
        if let Some(durable) = measured.first(Kind::Durable) {
            let (ratio, goal) = (figures.per_second / durable.per_second, Goal::AtLeast(1.0));
            run.goals
                .judge(what("deliveries/s to durable-streams'"), ratio, "×", goal);
            let (ratio, goal) = (figures.p99 / durable.p99, Goal::AtMost(1.0));
            run.goals
                .judge(what("p99 latency to durable-streams'"), ratio, "×", goal);
        }
    }
}
