//! Case `hot`: one message to all followers of one channel, which are as many as one process can have
//! files open: when the last follower has it, and how long its publisher waits.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::goals::Goal;
use crate::measured::{Rounds, median};
use crate::run::Run;
use crate::table::{Table, figure};
use crate::targets::{self, Target};

const FOLLOWERS: usize = 15_000;

/// Messages, one after the other; the median counts.
const MESSAGES: usize = 9;

/// The quiet before each message, with and without followers: a processor that has been idle takes
/// longer for whatever comes.
const QUIET: Duration = Duration::from_millis(200);

const LAST: Goal = Goal::at_most(90.0, "ms", "last follower has the message");
const WAIT: Goal = Goal::at_most(2.0, "×", "publisher's wait to that without followers");

pub(super) fn run(run: &mut Run) -> Result<()> {
    let measured = run.measure(targets::some(), Rounds::THREE_OF_OURS, |target| {
        let (_, alone) = medians(run, target, 0)?;
        Ok((alone, medians(run, target, FOLLOWERS)?))
    })?;
    let mut table = Table::default();
    for row in measured.rows() {
        let target = row.target;
        let mut judge = |goal, value| run.goals.judge("hot", target, goal, value);
        table.row([
            ("target", target.to_string()),
            (
                "last follower after",
                judge(&LAST, row.median(|(_, (last, _))| *last)),
            ),
            (
                "publisher waits ms",
                figure(row.median(|(_, (_, wait))| *wait)),
            ),
            (
                "without followers ms",
                figure(row.median(|(alone, _)| *alone)),
            ),
            (
                "ratio",
                judge(&WAIT, row.median(|(alone, (_, wait))| wait / alone)),
            ),
        ]);
    }
    println!(
        "{table}\n{FOLLOWERS} followers of one channel; the median of {MESSAGES} messages, each after \
         {} ms of quiet; medians of 3 rounds of this server.",
        QUIET.as_millis()
    );
    Ok(())
}

/// The milliseconds until the last follower had a message, and until its publisher had the answer.
fn medians(run: &Run, target: &Target, followers: usize) -> Result<(f64, f64)> {
    let shape = Shape {
        followers,
        ..Shape::USUAL
    };
    let mut crowd = Crowd::gather(target, run, shape)?;
    let (mut lasts, mut waits) = (Vec::new(), Vec::new());
    for _ in 0..MESSAGES {
        crowd.followers.read_for(QUIET)?;
        let outcome = crowd.publish(1, Duration::ZERO)?;
        lasts.push(outcome.latencies.max().as_secs_f64() * 1e3);
        waits.push(outcome.published.latencies.max().as_secs_f64() * 1e3);
    }
    Ok((median(lasts), median(waits)))
}
