//! Case `soak`: for minutes, thousands of followers on all transports, of which some are always cut and
//! come back with their cursor, some read slowly, and some stop to read.
//!
//! A run fails if a follower misses a message, has one twice or has them out of order; if the server
//! ends a stream that reads; if its memory grows all the time; if a descriptor is left when all have
//! gone; or if its log has an error.
//!
//! | module | what it is |
//! |---|---|
//! | [`way`] | what a follower asks for, and how it reads |
//! | [`follower`] | a follower: its connections, one after the other, and what it has had |
//! | [`audience`] | all followers, on one thread, and what happens to them |
//! | [`publisher`] | what is published, and the number that each message has in the log |
//! | [`watch`] | the server's memory and descriptors over time, and its log |

mod audience;
mod follower;
mod publisher;
mod watch;
mod way;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::run::Run;
use crate::server::Server;
use crate::targets::ours;
use crate::{Case, Result};
use audience::Audience;
use publisher::Publisher;
use watch::Watch;

/// The only case of its group, which runs if it is asked for.
pub(crate) const CASES: [Case; 1] = [("soak", run)];

const FOLLOWERS: usize = 10_000;

/// Descriptors that each side needs besides those of the followers: connections that were cut stay
/// with the server until it has noticed.
const MORE_FILES: u64 = 2000;

/// The time between two rounds of what happens to the followers.
const TICK: Duration = Duration::from_millis(50);

/// The followers that connect in a tick, until all have.
const CONNECTING: usize = 50;

/// How long the followers may take to have all messages at the end.
const CATCH_UP: Duration = Duration::from_mins(2);

/// The time between two looks at the server's memory.
const SAMPLE: Duration = Duration::from_secs(1);

/// Lines of the table while it runs.
const LINES: u32 = 20;

fn run(run: &mut Run) -> Result<()> {
    let followers = run.size(FOLLOWERS);
    check_files(followers as u64 + MORE_FILES)?;
    let time = run.time(run.soak);
    let log = run.scratch.file("soak.log");
    watch_for(run, followers, time, &log).map_err(|error| {
        let said = watch::last_lines(&log);
        format!("{error}; the server's log ends with:\n{said}").into()
    })
}

/// Starts a server that writes its log to a file, and lets followers follow it for some time.
fn watch_for(run: &Run, followers: usize, time: Duration, log: &Path) -> Result<()> {
    let mut command = Command::new(ours::PROGRAM);
    command.stderr(std::fs::File::create(log)?);
    let store = run.scratch.sqlite("soak");
    let server = Server::start(ours::with_arguments(&mut command, &store))?;
    let mut publisher = Publisher::new(server.addr)?;
    let mut audience = Audience::new(server.addr)?;
    let files = server.files()?;

    for index in 0..followers {
        audience.add(index)?;
        if index % CONNECTING == 0 {
            publisher.publish(Instant::now())?;
            audience.read_for(Duration::from_millis(1), &publisher)?;
        }
    }
    // The server does not wait for a request as long as it may take to fill the log.
    while !audience.has_asked() {
        audience.read_for(TICK, &publisher)?;
    }
    publisher.fill()?;
    println!("{followers} followers for {} s:\n", time.as_secs());
    let mut watch = Watch::default();
    let (began, mut sampled, mut line) = (Instant::now(), Duration::ZERO, 0);
    while began.elapsed() < time {
        publisher.publish(Instant::now())?;
        audience.disturb(TICK, &publisher)?;
        audience.read_for(TICK, &publisher)?;
        if began.elapsed() >= sampled {
            watch.sample(&server)?;
            sampled += SAMPLE;
        }
        if line < LINES && began.elapsed() >= time * line / LINES {
            watch.line(began.elapsed(), &server, &publisher, &audience)?;
            line += 1;
        }
    }
    watch.line(began.elapsed(), &server, &publisher, &audience)?;
    audience.calm_down(&publisher)?;
    let end = Instant::now() + CATCH_UP;
    while !audience.has_all(&publisher) && Instant::now() < end {
        audience.read_for(TICK, &publisher)?;
        audience.come_back()?;
    }
    audience.check(&publisher)?;
    println!("\n{audience}");
    drop(audience);
    watch::files_back(&server, files)?;
    watch.check()?;
    server.stop()?;
    watch::check_log(log)
}

/// Fails if a process may not have so many files open.
fn check_files(needed: u64) -> Result<()> {
    let (allowed, most) = rlimit::getrlimit(rlimit::Resource::NOFILE)?;
    if allowed >= needed {
        return Ok(());
    }
    Err(format!(
        "the server and the followers need {needed} open files each, and {allowed} are permitted (at \
         most {most}): raise the limit (`ulimit -Hn`, LimitNOFILE=), or use --quick for a tenth"
    )
    .into())
}
