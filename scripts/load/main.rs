//! What `scripts/bench` runs: measures the server from outside.
//!
//! The server is the release binary, always another process, reached over loopback. All cores are
//! shared by the two, so the client is as lean as it can be: one thread, requests made
//! beforehand, and no more of the answers read than what decides whether they are right. Nothing
//! here says that a figure is good; only what is lost or out of order is an error.
//!
//! A case is a file with a `run` and a line in [`CASES`]; what cases share:
//!
//! | module | what it is |
//! |---|---|
//! | [`server`] | the server's process: start, stop, time, memory |
//! | [`inside`] | publishers without HTTP between |
//! | [`publish`] | publishers that wait for their answers |
//! | [`follow`] | followers that check what they get |
//! | [`live`] | a message every 20 ms, and how late it comes |
//! | [`upload`] | fills the log |
//! | [`floor`] | what the disk and `SQLite` can do without a server |
//! | [`feed`], [`http`], [`message`] | the bytes that they read and write |
//! | [`latency`], [`table`], [`machine`] | what is printed |
//! | [`scratch`] | where the files lie meanwhile |
#![allow(
    clippy::cast_precision_loss,
    reason = "figures are rounded to three digits in the end"
)]

mod append;
mod feed;
mod floor;
mod follow;
mod http;
mod inside;
mod latency;
mod live;
mod machine;
mod message;
mod publish;
mod replay;
mod scratch;
mod server;
mod start;
mod table;
mod upload;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::builder::PossibleValuesParser;

use scratch::Scratch;

/// What has failed is said in a sentence, and ends the run.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

type Case = fn(&Scratch) -> Result<()>;

/// The cases, in the order in which they run.
const CASES: [(&str, Case); 3] = [
    ("append", append::run),
    ("replay", replay::run),
    ("start", start::run),
];

/// Measures the server: the release binary as another process, over loopback.
#[derive(Parser, Debug)]
#[command(bin_name = "scripts/bench", max_term_width = 100)]
struct Args {
    /// Cases to run; without any, all of them
    #[arg(value_parser = PossibleValuesParser::new(CASES.map(|(name, _)| name)))]
    cases: Vec<String>,

    /// Where the logs lie while they are measured, up to 2 GB: the file system decides what an append
    /// costs
    #[arg(long, value_name = "DIR", default_value = env!("CARGO_TARGET_TMPDIR"))]
    dir: PathBuf,

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
    let scratch = Scratch::new(&args.dir)?;
    println!("{}", machine::line(&scratch)?);
    for (name, case) in CASES {
        if args.cases.is_empty() || args.cases.iter().any(|asked| asked == name) {
            println!("\n## {name}\n");
            case(&scratch).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    Ok(())
}
