//! Case `instructions`: what the server executes for a delivery in user mode, counted by callgrind.
//!
//! The difference of two runs with few and with more messages counts: starting, connecting and
//! leaving are the same in both.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::measured::Rounds;
use crate::run::Run;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::table::{Table, rate};
use crate::targets::{self, Target, ours};

const FOLLOWERS: usize = 200;
const MESSAGES: [u32; 2] = [5, 25];

/// So slow that each message is written on its own.
const EVERY: Duration = Duration::from_millis(100);

/// The file to which callgrind writes what it has counted.
const LOG: &str = "callgrind.log";

pub(super) fn run(run: &mut Run) -> Result<()> {
    let mut valgrind = Command::new("valgrind");
    let found = valgrind.arg("--version").stdout(Stdio::null()).status();
    if found.is_err() {
        println!("There is no valgrind to count with; apt-get install valgrind");
        return Ok(());
    }
    let mut targets = targets::named(&["ours, text, memory", "ours, sse, memory"]);
    for target in &mut targets {
        target.start = start;
    }
    let measured = run.measure(targets, Rounds::ONE, |target| {
        let [few, more] = MESSAGES.map(|messages| instructions(run, target, messages));
        let deliveries = u64::from(MESSAGES[1] - MESSAGES[0]) * run.size(FOLLOWERS) as u64;
        Ok(more?.saturating_sub(few?) as f64 / deliveries as f64)
    })?;
    let mut table = Table::default();
    for row in measured.rows() {
        table.row([
            ("target", row.target.to_string()),
            ("instructions/delivery", rate(row.median(|each| *each))),
        ]);
    }
    println!(
        "{table}\n{FOLLOWERS} followers, a message every {} ms; the publisher's request is included.",
        EVERY.as_millis()
    );
    Ok(())
}

/// All that a server executes when this many messages are published.
fn instructions(run: &Run, target: &Target, messages: u32) -> Result<u64> {
    let shape = Shape {
        followers: FOLLOWERS,
        ..Shape::USUAL
    };
    let mut crowd = Crowd::gather(target, run, shape)?;
    crowd.publish(messages, EVERY)?;
    let Crowd { server, .. } = crowd;
    server.stop()?;
    let log = fs::read_to_string(run.scratch.file(LOG))?;
    let collected = log
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .ok_or("callgrind does not say what it has collected")?;
    Ok(collected.1.trim().parse()?)
}

/// Starts this server under callgrind.
fn start(scratch: &Scratch, program: &Path) -> Result<Server> {
    let file = |option, name| format!("--{option}={}", scratch.file(name).display());
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--fair-sched=yes"]);
    command.args([
        file("callgrind-out-file", "callgrind.out"),
        file("log-file", LOG),
    ]);
    command.arg(program);
    Server::start(ours::with_arguments(&mut command, "memory"))
}
