//! Case `reconnect`: many followers come back at once, some messages behind.

use std::time::{Duration, Instant};

use crate::Result;
use crate::crowd::{self, channel};
use crate::follow::Followers;
use crate::goals::Goal;
use crate::live;
use crate::message::BYTES;
use crate::run::Run;
use crate::table::{Table, figure};
use crate::targets::{self, Kind, Target};

const FOLLOWERS: usize = 5000;
const BEHIND: u64 = 100;

/// What it took.
struct Back {
    seconds: f64,
    /// Of a stream that was there all the time, in milliseconds.
    live: [f64; 2],
    cpu: Duration,
}

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let measured = run.measure(
        targets::some(),
        1,
        |target| come_back(run, target),
        |first, _| first,
    )?;
    let mut table = Table::new(&[
        "target",
        "all caught up after s",
        "CPU µs/follower",
        "live p50 ms",
        "live p99 ms",
    ]);
    for (target, back) in measured.iter() {
        let (mut seconds, mut p99) = (figure(back.seconds), figure(back.live[1]));
        if target.kind() == Kind::Ours {
            let what = |what| format!("reconnect, {target}: {what}");
            let mut judge = |name, figure, unit, most| {
                run.goals
                    .judge(what(name), figure, unit, Goal::AtMost(most))
            };
            seconds = judge("all caught up", back.seconds, "s", 3.0);
            p99 = judge("live p99 meanwhile", back.live[1], "ms", 50.0);
        }
        table.row([
            target.to_string(),
            seconds,
            figure(back.cpu.as_secs_f64() * 1e6 / run.size(FOLLOWERS) as f64),
            figure(back.live[0]),
            p99,
        ]);
    }
    println!("{table}");
    println!(
        "{FOLLOWERS} followers connect, and catch up on {BEHIND} messages of {BYTES} bytes; \
         meanwhile a message comes to another channel every {} ms.",
        live::EVERY.as_millis()
    );
    Ok(())
}

fn come_back(run: &Run, target: &(dyn Target + Sync)) -> Result<Back> {
    let server = target.start(&run.scratch)?;
    let name = channel(0);
    crowd::make_channels(target, &server, [name.clone()].into_iter())?;
    crowd::fill(target, &server, &name, BEHIND)?;
    let followers = run.size(FOLLOWERS);
    let cpu = server.cpu()?;
    let (latencies, seconds) = live::beside(target, &server, || {
        let began = Instant::now();
        let request = |_| target.follow(&name);
        let mut all = Followers::gather(server.addr, followers, BYTES, request)?;
        all.read_messages(followers as u64 * BEHIND)?;
        Ok(began.elapsed().as_secs_f64())
    })?;
    Ok(Back {
        seconds,
        live: latencies.percentiles([50, 99]),
        cpu: server.cpu()?.saturating_sub(cpu),
    })
}
