//! Parse, log, bind, run.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use forever_frame::config::{Args, Config};
use forever_frame::server::{self, Server};

#[cfg(all(feature = "jemalloc", not(target_env = "msvc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let config = Config::from(Args::parse());
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info")).init();
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    // This thread accepts, and runs the few tasks that no connection needs. Connections are served on
    // the lanes.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let server = Server::bind(config)?;
        if let Err(error) = announce(&server) {
            log::warn!("cannot print the listening address: {error}");
        }
        server.run(server::stop()).await;
        Ok(())
    })
}

/// Prints the one line on standard output, which scripts wait for.
fn announce(server: &Server) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "forever-frame listening on http://{}",
        server.local_addr()?
    )?;
    out.flush()
}
