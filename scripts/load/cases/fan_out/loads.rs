//! The loads of the cases, and the goals for their figures.

use std::fmt;
use std::time::Duration;

use super::figures::{CPU, How, MILLIONS, Of, P99, PER_SECOND};
use crate::crowd::Shape;
use crate::goals::Goal;
use crate::measured::Rounds;
use crate::message::{BYTES, PUBLISHERS};
use crate::targets::{self, Kind, Target};

/// A crowd, and what is published to it.
#[derive(Clone, Copy)]
pub(super) struct Load {
    /// The name of its case, with what tells it from other loads of the case.
    pub(super) name: &'static str,
    pub(super) targets: fn() -> Vec<Target>,
    /// Rounds, of which the medians count.
    pub(super) rounds: Rounds,
    pub(super) shape: Shape,
    pub(super) messages: u32,
    /// The time between two messages; if zero, each is sent as soon as the last is acknowledged.
    pub(super) every: Duration,
}

/// A goal for what becomes of a figure.
pub(super) struct Wanted {
    /// How the names of the loads begin.
    load: &'static str,
    /// What a name of the targets contains.
    target: &'static str,
    pub(super) how: How,
    pub(super) goal: Goal,
}

const ONE: Rounds = Rounds::ONE;
const THREE: Rounds = Rounds::THREE;
const BETWEEN: Rounds = Rounds::THREE_BETWEEN_FLOORS;

/// The loads. The messages of `flood` are sent as fast as they are acknowledged; those of `big` are as
/// long as the default allows, 48 KiB with the newline.
#[rustfmt::skip]
pub(super) const LOADS: [Load; 5] = [
    //                         rounds   followers channels publishers bytes         messages every ms
    load("paced",    targets::all,  BETWEEN, (2000,   1,       1,          BYTES),         200,  20),
    load("flood, 1", targets::all,  THREE,   (2000,   1,       1,          BYTES),         500,  0),
    load("flood, 8", targets::all,  ONE,     (2000,   1,       PUBLISHERS, BYTES),         500,  0),
    load("channels", targets::few,  BETWEEN, (10_000, 5000,    1,          BYTES),         5000, 1),
    load("big",      targets::some, ONE,     (500,    1,       1,          48 * 1024 - 1), 20,   100),
];

/// The panels of the picture with a bar for each target, by the name of the load.
pub(super) const BARS: [(&str, &str, Of); 3] = [
    ("paced", "Paced: server CPU per delivery, µs", CPU),
    ("paced", "Paced: p99 latency, ms", P99),
    ("flood, 1", "Flood: million deliveries a second", MILLIONS),
];

const USER: Goal = Goal::at_most(1.06, "×", "CPU to floor, of the server's own code");
const TOTAL: Goal = Goal::at_most(1.12, "×", "CPU to floor");
const LATE: Goal = Goal::at_most(1.0, "×", "p99 latency to floor");
const SOON: Goal = Goal::at_most(40.0, "ms", "p99 latency");
/// A tenth less is no less: rounds differ by more.
const AS_MANY: Goal = Goal::at_least(0.9, "×", "deliveries/s to the other build's");

#[rustfmt::skip]
const GOALS: [Wanted; 16] = [
    wanted("paced", "text", How::UserToFloor, USER),
    wanted("paced", "sse", How::UserToFloor, USER),
    wanted("paced", "text", How::ToFloor(CPU), TOTAL),
    wanted("paced", "sse", How::ToFloor(CPU), TOTAL),
    wanted("paced", "text", How::ToFloor(P99), LATE),
    wanted("paced", "sse", How::ToFloor(P99), LATE),
    wanted("paced", "html", How::ToFloor(P99), LATE),
    wanted("paced", "script", How::ToFloor(P99), LATE),
    wanted("flood, 1", "text, memory", How::ToOther(PER_SECOND), AS_MANY),
    wanted("flood, 1", "sse, memory", How::ToOther(PER_SECOND), AS_MANY),
    wanted("flood, 1", "text, memory", How::Itself(P99), SOON),
    wanted("flood, 1", "sse, memory", How::Itself(P99), SOON),
    wanted("flood, 1", "sqlite", How::ToPeer(Kind::Durable, PER_SECOND), Goal::at_least(1.5, "×", "deliveries/s to durable-streams'")),
    wanted("flood, 1", "sqlite", How::ToPeer(Kind::Durable, P99), Goal::at_most(1.0, "×", "p99 latency to durable-streams'")),
    wanted("flood", "", How::ToPeer(Kind::Nchan, PER_SECOND), Goal::at_least(10.0, "×", "deliveries/s to nchan's")),
    wanted("channels", "", How::ToFloor(CPU), Goal::at_most(1.5, "×", "CPU to floor")),
];

const fn load(
    name: &'static str,
    targets: fn() -> Vec<Target>,
    rounds: Rounds,
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

pub(super) const fn shape(
    (followers, channels, publishers, bytes): (usize, usize, usize, usize),
) -> Shape {
    Shape {
        followers,
        channels,
        publishers,
        bytes,
    }
}

const fn wanted(load: &'static str, target: &'static str, how: How, goal: Goal) -> Wanted {
    Wanted {
        load,
        target,
        how,
        goal,
    }
}

/// The goals for a target's figures of a load.
pub(super) fn goals(load: &Load, target: &Target) -> impl Iterator<Item = &'static Wanted> {
    GOALS.iter().filter(move |wanted| {
        load.name.starts_with(wanted.load) && target.name.contains(wanted.target)
    })
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
        let floor = if self.rounds.floor_between {
            ", with the floor before and after each target"
        } else {
            ""
        };
        writeln!(
            f,
            "{followers} followers, channels: {channels}, publishers: {publishers}; {} messages of \
             {bytes} bytes, {pace}. Rounds, of which the medians count: {}{floor}. CPU time includes \
             that of the appends; `of its code` is 1 + (user − floor's user) / floor's CPU.",
            self.messages, self.rounds.ours
        )
    }
}
