//! durable-streams, a server in Rust: `cargo install durable-streams`.

use std::fmt;
use std::process::Command;

use super::{Kind, Target};
use crate::Result;
use crate::http;
use crate::scratch::Scratch;
use crate::server::{Server, free_addr};

/// What the crate `durable-streams` calls its program.
const PROGRAM: &str = "durable-streams-server";

/// Streams of text are what Server-Sent Events carry as they are.
const TYPE: &str = "Content-Type: text/plain\r\n";

/// durable-streams, followed by Server-Sent Events, with the log on the disk as it is by default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Durable;

/// Can it be started here?
pub(super) fn check() -> std::result::Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|dir| dir.join(PROGRAM).exists()) {
        return Ok(());
    }
    Err(format!(
        "durable-streams is left out: there is no {PROGRAM} in the PATH; cargo install durable-streams"
    ))
}

impl fmt::Display for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("durable-streams, sse")
    }
}

impl Target for Durable {
    fn kind(&self) -> Kind {
        Kind::Durable
    }

    fn start(&self, scratch: &Scratch) -> Result<Server> {
        let dir = scratch.dir("durable")?;
        let addr = free_addr()?;
        let mut command = Command::new(PROGRAM);
        command.args(["--host", "127.0.0.1", "--port", &addr.port().to_string()]);
        command.arg("--data-dir").arg(dir);
        Server::that_listens_on(addr, &mut command)
    }

    fn make(&self, channel: &str) -> Option<String> {
        Some(format!(
            "PUT /v1/stream/{channel} HTTP/1.1\r\nHost: bench\r\n{TYPE}Content-Length: 0\r\n\r\n"
        ))
    }

    fn follow(&self, channel: &str) -> String {
        http::get(&format!("/v1/stream/{channel}?live=sse&offset=-1"))
    }

    fn append(&self, channel: &str, length: usize) -> String {
        http::post(&format!("/v1/stream/{channel}"), TYPE, length)
    }
}
