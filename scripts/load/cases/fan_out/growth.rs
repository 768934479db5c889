//! Case `growth`: how the cost of a delivery grows with followers, with the length of messages and
//! with channels.

use std::time::Duration;

use super::figures::{CPU, How, P99};
use super::loads::{Load, shape};
use super::measure;
use crate::Result;
use crate::crowd::Shape;
use crate::measured::Rounds;
use crate::message::BYTES;
use crate::run::Run;
use crate::table::{Table, count, figure};
use crate::targets::{self, Target};

/// The loads, with the messages a second that make the deliveries about as many.
#[rustfmt::skip]
const GROWTH: [(Shape, u32); 8] = [
    //   followers channels publishers bytes    messages/s
    (shape((100,     1,       1,         BYTES)),  500),
    (shape((1000,    1,       1,         BYTES)),  50),
    (shape((10_000,  1,       1,         BYTES)),  5),
    (shape((2000,    1,       1,         1000)),   25),
    (shape((2000,    1,       1,         10_000)), 10),
    (shape((2000,    10,      1,         BYTES)),  250),
    (shape((2000,    100,     1,         BYTES)),  1000),
    (shape((2000,    1000,    1,         BYTES)),  1000),
];

const SECONDS: u32 = 2;

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let mut table = Table::default();
    for (shape, rate) in GROWTH {
        let grows_in_followers = shape.bytes == BYTES && shape.channels == 1;
        let load = Load {
            name: "growth",
            targets: if grows_in_followers {
                with_peers
            } else {
                without_peers
            },
            rounds: Rounds::ONE,
            shape,
            messages: rate * SECONDS,
            every: Duration::from_secs(1) / rate,
        };
        let measured = measure(run, &load)?;
        for row in measured.rows() {
            let cpu = row.median(CPU);
            table.row([
                ("target", row.target.to_string()),
                ("followers", count(shape.followers as u64)),
                ("channels", count(shape.channels as u64)),
                ("bytes", count(shape.bytes as u64)),
                ("messages/s", rate.to_string()),
                ("CPU µs/delivery", figure(cpu)),
                ("to floor", How::ToFloor(CPU).cell(&row)),
                ("p99 ms", figure(row.median(P99))),
                ("to floor", How::ToFloor(P99).cell(&row)),
            ]);
            if grows_in_followers {
                let followers = shape.followers as f64;
                run.plot.point(row.target, followers, cpu);
            }
        }
    }
    println!("{table}\n{SECONDS} s each. CPU time includes that of the appends.");
    Ok(())
}

fn with_peers() -> Vec<Target> {
    [
        without_peers(),
        targets::named(&["nchan, sse", "durable-streams, sse"]),
    ]
    .concat()
}

fn without_peers() -> Vec<Target> {
    targets::named(&["floor", "ours, sse, memory"])
}
