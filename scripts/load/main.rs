//! The benchmark that `scripts/bench` runs: it measures the server from outside.
//!
//! The server is the release binary, always another process, reached over loopback. Both share all
//! cores, so the client is as lean as it can be: one thread, requests made beforehand, and no more of
//! the answers read than what decides whether they are right. A message that is lost or out of order
//! is an error and ends the run. Figures are only reported; those of this server for which the
//! project has a goal are compared with it at the end.
//!
//! | module | what it is |
//! |---|---|
//! | [`cases`] | the cases that measure servers |
//! | [`micro`] | micro-measurements of what the server is made of |
//! | [`soak`] | minutes with followers that are cut and come back |
//! | [`targets`] | what is measured: this server, the floor and the peers |
//! | [`run`], [`measured`] | what the cases share, and leave for the end |
//! | [`crowd`] | a server with followers, and what is published to them |
//! | [`floor`] | the floor of fan-out: a bare epoll loop |
//! | [`server`] | a server's process: start, stop, time, memory |
//! | [`follow`] | followers that check what they get |
//! | [`publish`] | publishers that wait for their answers |
//! | [`appends`] | appends a second, in rounds that take turns |
//! | [`live`] | a message every 20 ms, and how late it comes |
//! | [`upload`] | fills the log |
//! | [`line`] | a connection, plain or by TLS |
//! | [`feed`], [`h2`], [`http`], [`message`] | the bytes that followers and publishers read and write |
//! | [`latency`], [`table`], [`goals`], [`plot`], [`machine`] | what is printed, and drawn |
//! | [`scratch`] | the directory of the run's files |
#![allow(
    clippy::cast_precision_loss,
    reason = "figures are rounded to three digits in the end"
)]

mod appends;
mod cases;
mod crowd;
mod feed;
mod floor;
mod follow;
mod goals;
mod h2;
mod http;
mod latency;
mod line;
mod live;
mod machine;
mod measured;
mod message;
mod micro;
mod plot;
mod publish;
mod run;
mod scratch;
mod server;
mod soak;
mod table;
mod targets;
mod upload;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;
use clap::{Parser, ValueEnum};

use goals::Goals;
use plot::Plot;
use run::Run;
use scratch::Scratch;
use targets::Kind;

/// An error ends the run; it is printed as a sentence.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// A case by its name.
type Case = (&'static str, fn(&mut Run) -> Result<()>);

/// Groups of cases by their names, in the order in which they run.
const GROUPS: [(&str, &[Case]); 4] = [
    ("server", &cases::CASES),
    ("micro", &micro::CASES),
    ("cluster", &cases::CLUSTER),
    ("soak", &soak::CASES),
];

/// The groups that are left out unless they are asked for.
const IF_ASKED: [&str; 2] = ["cluster", "soak"];

/// Measures the server: the release binary as another process, over loopback.
///
/// All cases take about half an hour, or three quarters with `--against`; `--quick` takes three minutes.
///
/// Some figures of this server have a goal; the end says which are met. A goal that is not met is no
/// error, since figures depend on the machine: only a message that is lost or out of order is one.
#[derive(Parser, Debug)]
#[command(bin_name = "scripts/bench", max_term_width = 100)]
struct Args {
    /// Cases to run, or groups of them: `server` is all cases that measure servers, `micro` those that
    /// measure layers of this server on their own; without any, all cases but `cluster` and `soak`
    #[arg(value_parser = PossibleValuesParser::new(
        GROUPS.iter().flat_map(|(group, cases)| cases.iter().map(|case| case.0).chain([*group]))
    ))]
    cases: Vec<String>,

    /// Kinds of servers to measure, such as `ours,floor`; without it, all that can be started
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    only: Vec<Kind>,

    /// Of those, only the servers whose names contain this, such as `sse, memory`
    #[arg(long, value_name = "NAME", default_value = "")]
    target: String,

    /// Another build of this server, measured in turn with this one in all cases; the end compares the two
    #[arg(long, value_name = "BINARY", value_parser = program)]
    against: Option<PathBuf>,

    /// Use a tenth of all followers, channels, stored messages and times, and a round of all, to see
    /// whether everything works
    #[arg(long)]
    quick: bool,

    /// How long the case `soak` takes
    #[arg(long, value_name = "MINUTES", default_value_t = 20)]
    minutes: u64,

    /// Where to write the picture of what was measured, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    /// Directory for the logs that are measured, up to 2 GB: its file system decides what an append
    /// costs
    #[arg(long, value_name = "DIR", default_value = env!("CARGO_TARGET_TMPDIR"))]
    dir: PathBuf,

    /// Serve as the floor, which is another process, too
    #[arg(long, hide = true)]
    as_floor: bool,

    /// Accepted because `cargo bench` passes it to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scripts/bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    // Thousands of sockets are thousands of files. The server does the same for itself.
    rlimit::increase_nofile_limit(u64::MAX)?;
    if args.as_floor {
        return floor::serve();
    }
    let scratch = Scratch::new(&args.dir)?;
    println!("{}", machine::line(&scratch)?);
    if args.quick {
        println!("Quick: a tenth of the numbers below; the figures mean nothing.");
    }
    let mut run = Run {
        scratch,
        kinds: kinds(&args.only),
        target: args.target.clone(),
        against: args.against.clone(),
        quick: args.quick,
        soak: Duration::from_mins(args.minutes),
        goals: Goals::default(),
        plot: Plot::default(),
    };
    let is_asked = |name: &str| args.cases.iter().any(|asked| asked == name);
    for (group, cases) in GROUPS {
        for (name, case) in cases {
            if (args.cases.is_empty() && !IF_ASKED.contains(&group))
                || is_asked(group)
                || is_asked(name)
            {
                println!("\n## {name}\n");
                let began = Instant::now();
                case(&mut run).map_err(|error| format!("{name}: {error}"))?;
                println!("Done after {} s.", began.elapsed().as_secs());
            }
        }
    }
    print!("{}", run.goals);
    args.plot
        .as_deref()
        .map_or(Ok(()), |path| run.plot.save(path))
}

/// The path of a program that exists.
fn program(path: &str) -> std::result::Result<PathBuf, String> {
    std::path::absolute(path)
        .ok()
        .filter(|path| path.is_file())
        .ok_or_else(|| "there is no such file".to_owned())
}

/// The kinds in `only`, or all of them, without those that cannot be started here.
fn kinds(only: &[Kind]) -> Vec<Kind> {
    let mut kinds = Kind::value_variants().to_vec();
    kinds.retain(|kind| only.is_empty() || only.contains(kind));
    kinds.retain(|kind| match kind.check() {
        Ok(()) => true,
        Err(why) => {
            println!("{why}");
            false
        }
    });
    kinds
}
