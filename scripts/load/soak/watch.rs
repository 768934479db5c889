//! The server's memory and descriptors over time, and its log.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::audience::Audience;
use super::publisher::Publisher;
use crate::Result;
use crate::measured::median;
use crate::server::Server;
use crate::table::count;

/// Memory that may be more at the end than after the warm-up, in MiB and as a part. The bounds of the
/// log in memory are reached before the followers come, and a follower costs the same in its tenth
/// connection as in its first: so what grows is only how the allocator's pages are used, and how many
/// stalled followers happen to have something unsent.
const MORE_MIB: f64 = 4.0;
const MORE: f64 = 0.05;

/// Descriptors that may be more than at the start: each of the four threads that read the past opens
/// the log's file and its write-ahead log when it is first needed, and `SQLite` keeps some of those that
/// it has closed.
const MORE_FILES: usize = 12;

/// How long the server may take to notice that all have left.
const LEAVE: Duration = Duration::from_mins(1);

/// The resident memory of the server in MiB, in the order of time.
#[derive(Debug, Default)]
pub(super) struct Watch(Vec<f64>);

impl Watch {
    pub(super) fn sample(&mut self, server: &Server) -> Result<()> {
        self.0.push(server.memory()?.rss as f64 / (1024.0 * 1024.0));
        Ok(())
    }

    /// Prints a line of the series.
    pub(super) fn line(
        &self,
        time: Duration,
        server: &Server,
        publisher: &Publisher,
        audience: &Audience,
    ) -> Result<()> {
        println!(
            "{:>5} s: RSS {:.1} MiB, {} descriptors, {} followers connected, {} connections so far, {} \
             messages published, {} received",
            time.as_secs(),
            self.0.last().copied().unwrap_or_default(),
            server.files()?,
            count(audience.connected() as u64),
            count(audience.connections()),
            count(publisher.messages() as u64),
            count(audience.messages()),
        );
        Ok(())
    }

    /// Fails if the memory has grown all the time after the warm-up, the first quarter: from each
    /// quarter to the next, and by more than it may in all.
    pub(super) fn check(&self) -> Result<()> {
        let Watch(all) = self;
        let quarter = (all.len() / 4).max(1);
        let medians: Vec<f64> = all
            .chunks(quarter)
            .map(|part| median(part.to_vec()))
            .collect();
        let [_, second, third, last, ..] = medians[..] else {
            return Ok(());
        };
        println!(
            "RSS, medians of the last three quarters: {second:.1}, {third:.1} and {last:.1} MiB."
        );
        let most = second + MORE_MIB.max(second * MORE);
        if second < third && third < last && last > most {
            return Err(format!(
                "memory grows: {second:.1}, {third:.1} and {last:.1} MiB in the last three quarters of \
                 the time, and at most {most:.1} were expected"
            )
            .into());
        }
        Ok(())
    }
}

/// Waits until the server has closed the connections of all that have left.
pub(super) fn files_back(server: &Server, before: usize) -> Result<()> {
    let began = Instant::now();
    loop {
        let now = server.files()?;
        if now <= before + MORE_FILES {
            println!(
                "Descriptors: {before} before the followers came, {now} {:.1} s after they had left.",
                began.elapsed().as_secs_f64()
            );
            return Ok(());
        }
        if began.elapsed() > LEAVE {
            let all = LEAVE.as_secs();
            return Err(format!(
                "{all} s after all followers have left, the server has {now} descriptors, and had {before}"
            )
            .into());
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The last lines of the server's log, each on a line of its own.
pub(super) fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// Fails if the server's log has an error.
pub(super) fn check_log(log: &Path) -> Result<()> {
    let text = fs::read_to_string(log)?;
    let warnings = text.lines().filter(|line| line.contains(" WARN ")).count();
    if let Some(error) = text.lines().find(|line| line.contains(" ERROR ")) {
        return Err(format!("the server's log has an error: {error}").into());
    }
    println!("The server's log has no error, and {warnings} warnings.");
    for line in text.lines().take(5) {
        println!("    {line}");
    }
    Ok(())
}
