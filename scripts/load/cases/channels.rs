//! Case `channels`: many channels, with few followers each.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::figures::Figures;
use crate::run::Run;
use crate::targets;

const EVERY: Duration = Duration::from_millis(1);
const MESSAGES: u32 = 2500;

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let shape = Shape {
        followers: 10_000,
        channels: 5000,
        ..Shape::default()
    };
    let measured = run.measure(
        targets::some(),
        1,
        |target| {
            let mut crowd = Crowd::gather(target, run, shape)?;
            Ok(Figures::from(crowd.publish(MESSAGES, EVERY)?))
        },
        Figures::best,
    )?;
    println!("{}", super::table(&measured));
    println!(
        "{} channels with {} followers each, a message to one of them every {} ms, {MESSAGES} in all. \
         CPU time is that of the appends, too.",
        shape.channels,
        shape.followers / shape.channels,
        EVERY.as_millis()
    );
    Ok(())
}
