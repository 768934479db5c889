//! Case `churn`: how much memory the server keeps after thousands of followers have come and gone.

use std::thread;
use std::time::Duration;

use crate::Result;
use crate::crowd;
use crate::follow::Followers;
use crate::goals::Goal;
use crate::measured::Rounds;
use crate::message::BYTES;
use crate::run::Run;
use crate::table::{Table, figure};
use crate::targets::{self, Target};

/// The followers of a wave, which are all connected at the same time.
const WAVE: usize = 5000;
const WAVES: usize = 3;

/// After this long the server has given back what it gives back at once, and then most of it.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(14);

const KEPT: Goal = Goal::at_most(1.0, "MiB", "memory above the start after 15 s");

/// Memory in MiB.
struct Churned {
    before: f64,
    with: f64,
    soon: f64,
    after: f64,
}

pub(super) fn run(run: &mut Run) -> Result<()> {
    let targets = targets::named(&["ours, sse, memory"]);
    let measured = run.measure(targets, Rounds::THREE, |target| churn(run, target))?;
    let mut table = Table::default();
    for row in measured.rows() {
        let above = row.median(|all| all.after - all.before);
        table.row([
            ("target", row.target.to_string()),
            ("PSS before MiB", figure(row.median(|all| all.before))),
            ("with the last MiB", figure(row.median(|all| all.with))),
            (
                "above after 1 s",
                figure(row.median(|all| all.soon - all.before)),
            ),
            (
                "above after 15 s",
                run.goals.judge("churn", row.target, &KEPT, above),
            ),
        ]);
    }
    println!(
        "{table}\n{WAVES} times {WAVE} followers, which connect and leave at once; medians of 3 rounds."
    );
    Ok(())
}

fn churn(run: &Run, target: &Target) -> Result<Churned> {
    let server = run.start(target)?;
    crowd::warm_up(target, &server)?;
    let memory = || -> Result<f64> { Ok(server.memory()?.pss_mib()) };
    let before = memory()?;
    let mut with = before;
    for _ in 0..WAVES {
        let request = |_| target.follow(&crowd::channel(0));
        let _all = Followers::gather(&[server.addr.into()], run.size(WAVE), BYTES, request)?;
        with = memory()?;
    }
    let after = |time| {
        thread::sleep(run.time(time));
        memory()
    };
    Ok(Churned {
        before,
        with,
        soon: after(SOON)?,
        after: after(LATER)?,
    })
}
