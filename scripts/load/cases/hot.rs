//! Case `hot`: one message to all who follow one channel, who are as many as one process can have
//! files open: when the last of them has it, and how long its publisher waits.

use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::goals::Goal;
use crate::run::Run;
use crate::table::{Table, figure};
use crate::targets::{self, Kind, Target};

const FOLLOWERS: usize = 15_000;

/// Messages, one after the other; the middle one counts.
const MESSAGES: usize = 9;

/// The quiet before each, whether or not there are followers: a processor that has had nothing to do
/// takes longer for whatever comes.
const QUIET: Duration = Duration::from_millis(200);

/// In milliseconds.
#[derive(Clone, Copy)]
struct Hot {
    last: f64,
    wait: f64,
    wait_alone: f64,
}

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let measured = run.measure(
        targets::some(),
        1,
        |target| {
            let (_, wait_alone) = middle(run, target, 0)?;
            let (last, wait) = middle(run, target, FOLLOWERS)?;
            Ok(Hot {
                last,
                wait,
                wait_alone,
            })
        },
        |first, _| first,
    )?;
    let mut table = Table::new(&[
        "target",
        "last follower after ms",
        "publisher waits ms",
        "without followers ms",
        "ratio",
    ]);
    for (target, hot) in measured.iter() {
        let ratio = hot.wait / hot.wait_alone;
        let said = if target.kind() == Kind::Ours {
            let what = format!("hot, {target}: publisher's wait to that without followers");
            run.goals.judge(what, ratio, "×", Goal::AtMost(2.0))
        } else {
            format!("{ratio:.2} ×")
        };
        table.row([
            target.to_string(),
            figure(hot.last),
            figure(hot.wait),
            figure(hot.wait_alone),
            said,
        ]);
    }
    println!("{table}");
    println!(
        "{FOLLOWERS} followers of one channel; the median of {MESSAGES} messages, each after {} ms of quiet.",
        QUIET.as_millis()
    );
    Ok(())
}

/// When the last follower had a message, and its publisher the answer.
fn middle(run: &Run, target: &(dyn Target + Sync), followers: usize) -> Result<(f64, f64)> {
    let shape = Shape {
        followers,
        ..Shape::default()
    };
    let mut crowd = Crowd::gather(target, run, shape)?;
    let (mut lasts, mut waits) = (Vec::new(), Vec::new());
    for _ in 0..MESSAGES {
        crowd.followers.read_for(QUIET)?;
        let outcome = crowd.publish(1, Duration::ZERO)?;
        lasts.push(outcome.latencies.max());
        waits.push(outcome.published.latencies.max());
    }
    let middle = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[MESSAGES / 2].as_secs_f64() * 1e3
    };
    Ok((middle(lasts), middle(waits)))
}
