//! This server: the release binary.

use std::path::Path;
use std::process::Command;

use crate::scratch::Scratch;
use crate::server::Server;
use crate::{Result, line};

/// The release binary.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_forever-frame");

pub(crate) fn in_memory(_scratch: &Scratch, program: &Path) -> Result<Server> {
    start(program, "memory")
}

pub(crate) fn in_sqlite(scratch: &Scratch, program: &Path) -> Result<Server> {
    start(program, &scratch.sqlite("ours"))
}

/// Starts it in memory with TLS on a free port, and in clear text on another.
pub(crate) fn with_tls(scratch: &Scratch, program: &Path) -> Result<Server> {
    let [cert, key] = line::certificate(scratch)?;
    let mut command = Command::new(program);
    with_arguments(&mut command, "memory").args(["--tls-cert", &cert, "--tls-key", &key]);
    Server::start(command.args(["--listen-plain", "127.0.0.1:0"]))
}

/// More messages than any case appends.
pub(super) const KEEP: &str = "20000000";

/// Starts it on a free port, with the log in `store`, and waits until it prints where it listens. It
/// keeps all that the cases append.
pub(crate) fn start(program: &Path, store: &str) -> Result<Server> {
    Server::start(with_arguments(&mut Command::new(program), store))
}

/// Adds the arguments and the environment of this server to a command.
pub(crate) fn with_arguments<'a>(command: &'a mut Command, store: &str) -> &'a mut Command {
    without_settings(command)
        .args(["--listen", "127.0.0.1:0", "--store", store, "--drain", "0s"])
        .args(["--keep", KEEP, "--keep-for", "365d"])
}

/// Removes this server's settings from the environment of a command.
pub(super) fn without_settings(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FOREVER_FRAME_")) {
        command.env_remove(name);
    }
    command.env("RUST_LOG", "warn")
}
