//! Case `growth`: how the cost of a delivery grows with followers, with the length of messages and
//! with channels.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::figures::{Figures, Of};
use crate::run::Run;
use crate::table::{Table, count, figure};
use crate::targets::{self, Kind};

const SECONDS: u32 = 2;

/// What differs, and the messages a second that make the deliveries about as many.
fn shapes() -> Vec<(Shape, u32)> {
    let shape = Shape::default();
    let followers = [(100, 500), (1000, 50), (10_000, 5)];
    let followers = followers.map(|(followers, rate)| (Shape { followers, ..shape }, rate));
    let bytes = [(1000, 25), (10_000, 10)];
    let bytes = bytes.map(|(bytes, rate)| (Shape { bytes, ..shape }, rate));
    let channels = [(10, 250), (100, 1000), (1000, 1000)];
    let channels = channels.map(|(channels, rate)| (Shape { channels, ..shape }, rate));
    [&followers[..], &bytes, &channels].concat()
}

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let mut table = Table::new(&[
        "target",
        "followers",
        "channels",
        "bytes",
        "messages/s",
        "CPU µs/delivery",
        "to floor",
        "p99 ms",
        "to floor",
    ]);
    for (shape, rate) in shapes() {
        let grows_in_followers = shape.bytes == Shape::default().bytes && shape.channels == 1;
        let mut targets = targets::some();
        targets.retain(|target| match target.kind() {
            Kind::Floor => true,
            Kind::Ours => target.to_string() == "ours, sse, memory",
            Kind::Nchan | Kind::Durable => grows_in_followers,
        });
        let measured = run.measure(
            targets,
            1,
            |target| {
                let mut crowd = Crowd::gather(target, run, shape)?;
                Ok(Figures::from(
                    crowd.publish(rate * SECONDS, Duration::from_secs(1) / rate)?,
                ))
            },
            Figures::best,
        )?;
        for (target, figures) in measured.iter() {
            let to_floor = |of: Of| {
                let ratio = measured.to_floor(of, figures);
                ratio.map_or_else(String::new, |ratio| format!("{ratio:.2} ×"))
            };
            table.row([
                target.to_string(),
                count(shape.followers as u64),
                count(shape.channels as u64),
                count(shape.bytes as u64),
                rate.to_string(),
                figure(figures.cpu),
                to_floor(|figures| figures.cpu),
                figure(figures.p99),
                to_floor(|figures| figures.p99),
            ]);
            if grows_in_followers {
                let (name, followers) = (target.to_string(), shape.followers as f64);
                run.plot.point(&name, followers, figures.cpu);
            }
        }
    }
    println!("{table}");
    println!("{SECONDS} s each. CPU time is that of the appends, too.");
    Ok(())
}
