//! Case `big`: messages as long as the default allows.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::figures::Figures;
use crate::run::Run;
use crate::targets;

/// With the newline behind it, 48 KiB.
const BYTES: usize = 48 * 1024 - 1;
const EVERY: Duration = Duration::from_millis(100);
const MESSAGES: u32 = 20;

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let shape = Shape {
        followers: 500,
        bytes: BYTES,
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
        "{} followers, a message of {BYTES} bytes every {} ms, {MESSAGES} of them.",
        shape.followers,
        EVERY.as_millis()
    );
    Ok(())
}
