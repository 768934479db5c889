//! The cases in which messages are published to a crowd, which differ only in their load: `paced`,
//! `flood`, `channels`, `big` and `growth`.

use std::fmt;
use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Outcome, Shape};
use crate::goals::Goal;
use crate::message::{BYTES, PUBLISHERS};
use crate::run::{Measured, Run};
use crate::table::{Table, count, figure, rate};
use crate::targets::{self, Kind, Target};

/// A crowd, and what is published to it.
#[derive(Clone, Copy)]
struct Load {
    /// The name of its case, with what tells it from other loads of the case.
    name: &'static str,
    targets: fn() -> Vec<Target>,
    /// Rounds, of which the better figures count.
    rounds: usize,
    shape: Shape,
    messages: u32,
    /// The time between two messages; if zero, each is sent as soon as the last is acknowledged.
    every: Duration,
}

/// The figures of a load. Of the first, more is better; of the others, less.
#[derive(Clone, Copy)]
struct Figures {
    /// Deliveries a second.
    per_second: f64,
    /// CPU time of the server for a delivery, in microseconds.
    cpu: f64,
    /// Latencies from before a message was sent until it had come, in milliseconds.
    p50: f64,
    p99: f64,
    max: f64,
    /// Latencies from before a message was sent until it was acknowledged, in milliseconds.
    wait: f64,
    wait_p99: f64,
}

/// One of the figures.
type Of = fn(&Figures) -> f64;

const CPU: Of = |figures| figures.cpu;
const P99: Of = |figures| figures.p99;
const PER_SECOND: Of = |figures| figures.per_second;
const MILLIONS: Of = |figures| figures.per_second / 1e6;

/// The loads. The messages of `flood` are sent as fast as they are acknowledged; those of `big` are as
/// long as the default allows, 48 KiB with the newline.
#[rustfmt::skip]
const LOADS: [Load; 5] = [
    //                        rounds  followers channels publishers bytes         messages every ms
    load("paced",    targets::all,  2, (2000,   1,       1,          BYTES),         150,  20),
    load("flood, 1", targets::all,  1, (2000,   1,       1,          BYTES),         500,  0),
    load("flood, 8", targets::all,  1, (2000,   1,       PUBLISHERS, BYTES),         500,  0),
    load("channels", targets::some, 1, (10_000, 5000,    1,          BYTES),         2500, 1),
    load("big",      targets::some, 1, (500,    1,       1,          48 * 1024 - 1), 20,   100),
];

/// The panels of the picture with a bar for each target, by the name of the load.
const BARS: [(&str, &str, Of); 3] = [
    ("paced", "Paced: server CPU per delivery, µs", CPU),
    ("paced", "Paced: p99 latency, ms", P99),
    ("flood, 1", "Flood: million deliveries a second", MILLIONS),
];

/// Goals for the ratio of a figure to the highest one of a kind, by the case.
#[rustfmt::skip]
const GOALS: [(&str, Of, Kind, Goal); 5] = [
    ("paced", CPU, Kind::Floor, Goal::at_most(1.15, "×", "CPU per delivery to the floor's")),
    ("paced", P99, Kind::Floor, Goal::at_most(1.1, "×", "p99 latency to the floor's")),
    ("flood", PER_SECOND, Kind::Nchan, Goal::at_least(10.0, "×", "deliveries/s to nchan's")),
    ("flood", PER_SECOND, Kind::Durable, Goal::at_least(1.0, "×", "deliveries/s to durable-streams'")),
    ("flood", P99, Kind::Durable, Goal::at_most(1.0, "×", "p99 latency to durable-streams'")),
];

/// The loads of `growth`, with the messages a second that make the deliveries about as many.
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

const fn load(
    name: &'static str,
    targets: fn() -> Vec<Target>,
    rounds: usize,
    sizes: (usize, usize, usize, usize),
    messages: u32,
    millis: u64,
) -> Load {
    Load {
        name,
        targets,
        rounds,
        shape: shape(sizes),
        messages,
        every: Duration::from_millis(millis),
    }
}

const fn shape((followers, channels, publishers, bytes): (usize, usize, usize, usize)) -> Shape {
    Shape {
        followers,
        channels,
        publishers,
        bytes,
    }
}

/// Measures the loads of a case, each with a table of its own.
pub(super) fn run(run: &mut Run, case: &str) -> Result<()> {
    let loads = LOADS.iter().filter(|load| load.name.starts_with(case));
    for load in loads {
        let measured = measure(run, load)?;
        let mut table = Table::default();
        for (target, figures) in measured.iter() {
            table.row([
                ("target", target.to_string()),
                ("deliveries/s", rate(figures.per_second)),
                ("CPU µs/delivery", figure(figures.cpu)),
                ("to floor", to_floor(&measured, figures, CPU)),
                ("p50 ms", figure(figures.p50)),
                ("p99 ms", figure(figures.p99)),
                ("to floor", to_floor(&measured, figures, P99)),
                ("max ms", figure(figures.max)),
                ("publisher p50 ms", figure(figures.wait)),
                ("p99 ms", figure(figures.wait_p99)),
            ]);
            for (_, title, of) in BARS.iter().filter(|bar| bar.0 == load.name) {
                run.plot.bar(title, target.name, of(figures));
            }
            for (_, of, kind, goal) in GOALS.iter().filter(|goal| goal.0 == case) {
                if let Some(ratio) = measured.ratio(figures, of, *kind) {
                    run.goals.judge(load.name, target, goal, ratio);
                }
            }
        }
        println!("{table}\n{load}");
    }
    Ok(())
}

/// Case `growth`: how the cost of a delivery grows with followers, with the length of messages and
/// with channels.
pub(super) fn growth(run: &mut Run) -> Result<()> {
    const SECONDS: u32 = 2;
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
            rounds: 1,
            shape,
            messages: rate * SECONDS,
            every: Duration::from_secs(1) / rate,
        };
        let measured = measure(run, &load)?;
        for (target, figures) in measured.iter() {
            table.row([
                ("target", target.to_string()),
                ("followers", count(shape.followers as u64)),
                ("channels", count(shape.channels as u64)),
                ("bytes", count(shape.bytes as u64)),
                ("messages/s", rate.to_string()),
                ("CPU µs/delivery", figure(figures.cpu)),
                ("to floor", to_floor(&measured, figures, CPU)),
                ("p99 ms", figure(figures.p99)),
                ("to floor", to_floor(&measured, figures, P99)),
            ]);
            if grows_in_followers {
                let followers = shape.followers as f64;
                run.plot.point(target.name, followers, figures.cpu);
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

fn measure(run: &Run, load: &Load) -> Result<Measured<Figures>> {
    let figures = |target: &Target| {
        let mut crowd = Crowd::gather(target, run, load.shape)?;
        Ok(Figures::from(crowd.publish(load.messages, load.every)?))
    };
    run.measure_best((load.targets)(), load.rounds, figures, Figures::best)
}

fn to_floor(measured: &Measured<Figures>, figures: &Figures, of: Of) -> String {
    let ratio = measured.ratio(figures, of, Kind::Floor);
    ratio.map_or_else(String::new, |ratio| format!("{ratio:.2} ×"))
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape {
            followers,
            channels,
            publishers,
            bytes,
        } = self.shape;
        let pace = match self.every.as_millis() {
            0 => "as fast as they are acknowledged".to_owned(),
            millis => format!("one every {millis} ms"),
        };
        writeln!(
            f,
            "{followers} followers, channels: {channels}, publishers: {publishers}; {} messages of \
             {bytes} bytes, {pace}. Rounds, of which the best figures count: {}. CPU time includes \
             that of the appends.",
            self.messages, self.rounds
        )
    }
}

impl From<Outcome> for Figures {
    fn from(outcome: Outcome) -> Figures {
        let deliveries = outcome.deliveries as f64;
        let [p50, p99, max] = outcome.latencies.percentiles([50, 99, 100]);
        let [wait, wait_p99] = outcome.published.latencies.percentiles([50, 99]);
        Figures {
            per_second: deliveries / outcome.elapsed.as_secs_f64(),
            cpu: outcome.cpu.as_secs_f64() * 1e6 / deliveries,
            p50,
            p99,
            max,
            wait,
            wait_p99,
        }
    }
}

impl Figures {
    /// The better of each figure: what disturbs a round only makes it worse.
    fn best(self, other: Figures) -> Figures {
        Figures {
            per_second: self.per_second.max(other.per_second),
            cpu: self.cpu.min(other.cpu),
            p50: self.p50.min(other.p50),
            p99: self.p99.min(other.p99),
            max: self.max.min(other.max),
            wait: self.wait.min(other.wait),
            wait_p99: self.wait_p99.min(other.wait_p99),
        }
    }
}
