//! Case `churn`: how much memory the server keeps after thousands of followers have come and gone.

use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::crowd;
use crate::follow::Followers;
use crate::goals::Goal;
use crate::message::BYTES;
use crate::run::Run;
use crate::table::{Table, figure, mib};
use crate::targets::{self, Target};

/// The followers of a wave, which are all connected at the same time.
const WAVE: usize = 5000;
const WAVES: usize = 4;

/// How long the server may take to give the memory back, and how much of it it may keep.
const TIMEOUT: Duration = Duration::from_mins(1);
const MOST: f64 = 1.3;

const KEPT: Goal = Goal::at_most(MOST, "×", "memory after to before");

/// Memory in bytes, and the seconds until the memory after the last wave was given back.
struct Churned {
    before: u64,
    with: u64,
    after: u64,
    seconds: f64,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let targets = targets::named(&["ours, sse, memory"]);
    let measured = run.measure(targets, |target| churn(run, target))?;
    let mut table = Table::default();
    for (target, churned) in measured.iter() {
        let ratio = churned.after as f64 / churned.before as f64;
        table.row([
            ("target", target.to_string()),
            ("PSS before MiB", mib(churned.before)),
            ("with the last MiB", mib(churned.with)),
            ("after MiB", mib(churned.after)),
            ("to before", run.goals.judge("churn", target, &KEPT, ratio)),
            ("seconds", figure(churned.seconds)),
        ]);
    }
    println!(
        "{table}\n{WAVES} times {WAVE} followers, which connect and leave at once; the seconds are those \
         until the server had given back what it may not keep, at most {} s.",
        TIMEOUT.as_secs()
    );
    Ok(())
}

fn churn(run: &Run, target: &Target) -> Result<Churned> {
    let server = (target.start)(&run.scratch)?;
    crowd::warm_up(target, &server)?;
    let before = server.memory()?.pss;
    let mut with = before;
    for _ in 0..WAVES {
        let request = |_| target.follow(&crowd::channel(0));
        let _all = Followers::gather(server.addr, run.size(WAVE), BYTES, request)?;
        with = server.memory()?.pss;
    }
    let began = Instant::now();
    loop {
        let after = server.memory()?.pss;
        let given_back = after as f64 <= before as f64 * MOST;
        if given_back || began.elapsed() > TIMEOUT {
            return Ok(Churned {
                before,
                with,
                after,
                seconds: began.elapsed().as_secs_f64(),
            });
        }
        thread::sleep(Duration::from_millis(250));
    }
}
