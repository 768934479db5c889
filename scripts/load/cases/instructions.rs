//! Case `instructions`: what the server executes for a delivery in user mode, as callgrind counts.
//!
//! Of two runs with few and with more messages the difference counts: starting, connecting and
//! leaving are the same in both.

use std::fmt;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::crowd::{Crowd, Shape};
use crate::run::Run;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::table::{Table, count};
use crate::targets::{Kind, Ours, Store, Target, ours};

const FOLLOWERS: usize = 200;
const MESSAGES: [u32; 2] = [5, 25];

/// So slow that each message is written on its own.
const EVERY: Duration = Duration::from_millis(100);

/// The file in which callgrind says what it has counted.
const LOG: &str = "callgrind.log";

pub(crate) fn run(run: &mut Run) -> Result<()> {
    if !run.kinds.contains(&Kind::Ours) {
        return Ok(());
    }
    let mut valgrind = Command::new("valgrind");
    let found = valgrind.arg("--version").stdout(Stdio::null()).status();
    if found.is_err() {
        println!("There is no valgrind to count with; apt-get install valgrind");
        return Ok(());
    }
    let mut table = Table::new(&["target", "instructions/delivery"]);
    for wire in ["text", "sse"] {
        let target = Counted(Ours {
            wire,
            store: Store::Memory,
        });
        let [few, more] = MESSAGES.map(|messages| instructions(run, &target, messages));
        let deliveries = u64::from(MESSAGES[1] - MESSAGES[0]) * run.size(FOLLOWERS) as u64;
        let each = more?.saturating_sub(few?) / deliveries;
        table.row([target.to_string(), count(each)]);
    }
    println!("{table}");
    println!(
        "{FOLLOWERS} followers, a message every {} ms; the publisher's request is in it.",
        EVERY.as_millis()
    );
    Ok(())
}

/// All that a server executes for so many messages.
fn instructions(run: &Run, target: &Counted, messages: u32) -> Result<u64> {
    let shape = Shape {
        followers: FOLLOWERS,
        ..Shape::default()
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

/// Ours, under callgrind.
#[derive(Debug)]
struct Counted(Ours);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Target for Counted {
    fn kind(&self) -> Kind {
        self.0.kind()
    }

    fn start(&self, scratch: &Scratch) -> Result<Server> {
        let file = |option, name| format!("--{option}={}", scratch.file(name).display());
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--fair-sched=yes"]);
        command.args([
            file("callgrind-out-file", "callgrind.out"),
            file("log-file", LOG),
        ]);
        command.arg(ours::PROGRAM);
        Server::that_says_where(ours::with_arguments(&mut command, "memory"))
    }

    fn follow(&self, channel: &str) -> String {
        self.0.follow(channel)
    }

    fn append(&self, channel: &str, length: usize) -> String {
        self.0.append(channel, length)
    }
}
