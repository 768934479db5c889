//! Parse, log, bind, run.

use std::process::ExitCode;
use std::{io, thread};

use forever_frame::config::{ClusterCommand, Command, CommandLine, Config, HealthUrl, ProbeArgs};
use forever_frame::diagnostics;
use forever_frame::machine_clock::MachineClock;
use forever_frame::server::{self, InheritError, InheritedSockets, Server};

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    match CommandLine::read() {
        Command::Serve(args) => serve(Config::from(*args)),
        Command::Cluster(ClusterCommand::Check(args)) => check_cluster(&Config::from(*args)),
        Command::Check(args) => check(&HealthUrl::from(args)),
        Command::Probe(args) => probe(&args),
        Command::Token(args) => print(&args.make(MachineClock::System.read().wall)),
        Command::Backup(args) => print_or_explain(args.run()),
        Command::Restore(args) => print_or_explain(args.run()),
        Command::Generate(args) => print_or_explain(args.make()),
    }
}

fn serve(config: Config) -> ExitCode {
    // Before anything is opened.
    let inherited = InheritedSockets::take();
    let _flush = match diagnostics::init() {
        Ok(flush) => flush,
        Err(error) => {
            eprintln!("cannot start a thread: {error}");
            return ExitCode::FAILURE;
        }
    };
    match run(config, inherited) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(
    config: Config,
    inherited: Result<InheritedSockets, InheritError>,
) -> Result<(), Box<dyn std::error::Error>> {
    let inherited = inherited?;
    // This thread accepts, and runs the few tasks that no connection needs. Connections are served on
    // the lanes.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let server = Server::bind_or_inherit(config, inherited)?;
        let urls = server.urls()?;
        let stop = server::asked_to_stop(server.reload())?;
        // On a thread of its own, since nobody may read it.
        thread::Builder::new()
            .name("announce".to_owned())
            .spawn(move || announce(&urls))?;
        let failure = server.run(stop).await;
        failure.map_or(Ok::<_, Box<dyn std::error::Error>>(()), |why| {
            Err(why.into())
        })
    })?;
    // What still reads or waits for the store has nobody to answer.
    runtime.shutdown_background();
    Ok(())
}

/// Asks whether a server is ready.
fn check(url: &HealthUrl) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ready = runtime.map(|runtime| {
        let ready = runtime.block_on(server::check_ready(url));
        // The lookup of a name may go on.
        runtime.shutdown_background();
        ready
    });
    let (code, line) = match ready {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(why)) => (ExitCode::FAILURE, format!("{url} {why}\n")),
        Err(error) => (ExitCode::FAILURE, format!("cannot start: {error}\n")),
    };
    let _ = diagnostics::write_all(&mut io::stderr(), line.as_bytes());
    code
}

/// Tells whether something between here and a server holds bytes back.
fn probe(args: &ProbeArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let verdict = runtime.map(|runtime| {
        let verdict = runtime.block_on(server::probe(&args.url.0, args.quiet));
        // The lookup of a name may go on.
        runtime.shutdown_background();
        verdict
    });
    let why = match verdict {
        Ok(Ok(verdict)) if verdict.is_fine => return print(&verdict.to_string()),
        Ok(Ok(verdict)) => {
            print(&verdict.to_string());
            return ExitCode::FAILURE;
        }
        Ok(Err(why)) => format!("{} {why}\n", args.url.0),
        Err(error) => format!("cannot start: {error}\n"),
    };
    let _ = diagnostics::write_all(&mut io::stderr(), why.as_bytes());
    ExitCode::FAILURE
}

/// Says what a cluster is like.
fn check_cluster(config: &Config) -> ExitCode {
    match server::check_cluster(config) {
        Ok(text) => print(&text),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what a command has made.
fn print(text: &str) -> ExitCode {
    match diagnostics::write_all(&mut io::stdout(), text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot print: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what a command has done, or why it was not done.
fn print_or_explain(done: Result<String, impl std::fmt::Display>) -> ExitCode {
    done.map_or_else(
        |error| {
            let _ = diagnostics::write_all(&mut io::stderr(), format!("{error}\n").as_bytes());
            ExitCode::FAILURE
        },
        |line| print(&line),
    )
}

/// Prints a line for each listener on standard output, which scripts wait for.
fn announce(urls: &[String]) {
    let line = |url| format!("forever-frame listening on {url}\n");
    let line: String = urls.iter().map(line).collect();
    if let Err(error) = diagnostics::write_all(&mut io::stdout(), line.as_bytes()) {
        log::warn!("cannot print the listening address: {error}");
    }
}
