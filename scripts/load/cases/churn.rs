//! Case `churn`: how much memory the server keeps when thousands of followers have come and gone.

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

/// Each wave is there at once.
const WAVE: usize = 5000;
const WAVES: usize = 4;

/// How long the server may take to give the memory back, and how much of it it may keep.
const PATIENCE: Duration = Duration::from_mins(1);
const MOST: f64 = 1.3;

struct Kept {
    before: u64,
    with: u64,
    after: u64,
    /// Until that.
    seconds: f64,
}

pub(crate) fn run(run: &mut Run) -> Result<()> {
    let mut targets = targets::some();
    targets.retain(|target| target.to_string() == "ours, sse, memory");
    let measured = run.measure(targets, 1, |target| churn(run, target), |first, _| first)?;
    let mut table = Table::new(&[
        "target",
        "PSS before MiB",
        "with the last MiB",
        "after MiB",
        "to before",
        "seconds",
    ]);
    for (target, kept) in measured.iter() {
        let what = format!("churn, {target}: memory after to before");
        let ratio = kept.after as f64 / kept.before as f64;
        table.row([
            target.to_string(),
            mib(kept.before),
            mib(kept.with),
            mib(kept.after),
            run.goals.judge(what, ratio, "×", Goal::AtMost(MOST)),
            figure(kept.seconds),
        ]);
    }
    println!("{table}");
    println!(
        "{WAVES} times {WAVE} followers, who come and go at once; for how long it took until the server \
         had given back what it may not keep, at most {} s.",
        PATIENCE.as_secs()
    );
    Ok(())
}

fn churn(run: &Run, target: &(dyn Target + Sync)) -> Result<Kept> {
    let server = target.start(&run.scratch)?;
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
        if given_back || began.elapsed() > PATIENCE {
            return Ok(Kept {
                before,
                with,
                after,
                seconds: began.elapsed().as_secs_f64(),
            });
        }
        thread::sleep(Duration::from_millis(250));
    }
}
