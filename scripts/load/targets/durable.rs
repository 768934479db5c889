//! durable-streams, a server in Rust: `cargo install durable-streams`.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::scratch::Scratch;
use crate::server::{Server, free_addr};

/// The program of the crate `durable-streams`.
pub(super) const PROGRAM: &str = "durable-streams-server";

/// Starts it with its log on the disk, which is its default.
pub(super) fn start(scratch: &Scratch, _program: &Path) -> Result<Server> {
    let dir = scratch.dir("durable")?;
    let addr = free_addr()?;
    let mut command = Command::new(PROGRAM);
    command.args(["--host", "127.0.0.1", "--port", &addr.port().to_string()]);
    command.arg("--data-dir").arg(dir);
    Server::start_on(addr, &mut command)
}
