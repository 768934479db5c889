//! What `scripts/bench` runs: measures the server from outside.
//!
//! The server is the release binary, always another process, reached over loopback. All cores are
//! shared by the two, so the client is as lean as it can be: one thread, requests made
//! beforehand, and no more of the answers read than what decides whether they are right. Nothing
//! here says that a figure is good; only what is lost or out of order is an error.
//!
//! | module | what it is |
//! |---|---|
//! | [`cases`] | the cases, a file each |
//! | [`targets`] | what is measured: this server, the floor and the peers, a file each |
//! | [`run`] | what the cases share, and leave for the end |
//! | [`crowd`], [`figures`] | a server with followers, what is published to them, what came of it |
//! | [`floor`] | the floor of fan-out: a bare epoll loop |
//! | [`server`] | a server's process: start, stop, time, memory |
//! | [`follow`] | followers that check what they get |
//! | [`publish`] | publishers that wait for their answers |
//! | [`live`] | a message every 20 ms, and how late it comes |
//! | [`inside`] | publishers without HTTP between |
//! | [`inserts`] | what the disk and `SQLite` can do without a server |
//! | [`upload`] | fills the log |
//! | [`feed`], [`http`], [`message`] | the bytes that they read and write |
//! | [`latency`], [`table`], [`goals`], [`plot`], [`machine`] | what is printed, and drawn |
//! | [`scratch`] | where the files lie meanwhile |
#![allow(
    clippy::cast_precision_loss,
    reason = "figures are rounded to three digits in the end"
)]

mod cases;
mod crowd;
mod feed;
mod figures;
mod floor;
mod follow;
mod goals;
mod http;
mod inserts;
mod inside;
mod latency;
mod live;
mod machine;
mod message;
mod plot;
mod publish;
mod run;
mod scratch;
mod server;
mod table;
mod targets;
mod upload;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::builder::PossibleValuesParser;
use clap::{Parser, ValueEnum};

use cases::CASES;
use goals::Goals;
use plot::Plot;
use run::Run;
use scratch::Scratch;
use targets::Kind;

/// What has failed is said in a sentence, and ends the run.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// Measures the server: the release binary as another process, over loopback.
#[derive(Parser, Debug)]
#[command(bin_name = "scripts/bench", max_term_width = 100)]
struct Args {
    /// Cases to run; without any, all of them
    #[arg(value_parser = PossibleValuesParser::new(CASES.map(|(name, _)| name)))]
    cases: Vec<String>,

    /// What to measure, such as `ours,floor`; without it, all that can be started
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    only: Vec<Kind>,

    /// Of those, only the ones whose names contain this, such as `sse, memory`
    #[arg(long, value_name = "NAME", default_value = "")]
    target: String,

    /// A tenth of all followers, channels and stored messages, to see whether everything works
    #[arg(long)]
    quick: bool,

    /// Where to write the picture of what was measured, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,

    /// Where the logs lie while they are measured, up to 2 GB: the file system decides what an append
    /// costs
    #[arg(long, value_name = "DIR", default_value = env!("CARGO_TARGET_TMPDIR"))]
    dir: PathBuf,

    /// Be the floor, which is another process, too
    #[arg(long, hide = true)]
    as_floor: bool,

    /// What `cargo bench` says to every bench
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
        println!("To be quick, there is a tenth of what is said below; the figures mean nothing.");
    }
    let mut run = Run {
        scratch,
        kinds: kinds(&args.only),
        target: args.target.clone(),
        quick: args.quick,
        goals: Goals::default(),
        plot: Plot::default(),
    };
    for (name, case) in CASES {
        if args.cases.is_empty() || args.cases.iter().any(|asked| asked == name) {
            println!("\n## {name}\n");
            let began = Instant::now();
            case(&mut run).map_err(|error| format!("{name}: {error}"))?;
            println!("Done after {} s.", began.elapsed().as_secs());
        }
    }
    print!("{}", run.goals);
    args.plot
        .as_deref()
        .map_or(Ok(()), |path| run.plot.save(path))
}

/// What was asked for, less what cannot be started here.
fn kinds(only: &[Kind]) -> Vec<Kind> {
    let asked = |kind: &Kind| only.is_empty() || only.contains(kind);
    let mut kinds = Vec::new();
    for kind in Kind::value_variants().iter().copied().filter(asked) {
        match kind.check() {
            Ok(()) => kinds.push(kind),
            Err(why) => println!("{why}"),
        }
    }
    kinds
}
