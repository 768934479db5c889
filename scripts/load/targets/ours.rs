//! This server: the release binary.

use std::fmt;
use std::process::Command;

use super::{Kind, Target};
use crate::Result;
use crate::http;
use crate::scratch::Scratch;
use crate::server::Server;

/// The release binary.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_forever-frame");

/// This server, followed on one of its transports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ours {
    /// What `?as=` is.
    pub(crate) wire: &'static str,
    pub(crate) store: Store,
}

/// Where the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Memory,
    Sqlite,
}

impl fmt::Display for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = match self.store {
            Store::Memory => "memory",
            Store::Sqlite => "sqlite",
        };
        write!(f, "ours, {}, {store}", self.wire)
    }
}

impl Target for Ours {
    fn kind(&self) -> Kind {
        Kind::Ours
    }

    fn start(&self, scratch: &Scratch) -> Result<Server> {
        match self.store {
            Store::Memory => start("memory"),
            Store::Sqlite => start(&scratch.sqlite("ours")),
        }
    }

    fn follow(&self, channel: &str) -> String {
        http::get(&format!("/c/{channel}?as={}", self.wire))
    }

    fn append(&self, channel: &str, length: usize) -> String {
        http::post(&format!("/c/{channel}"), "", length)
    }
}

/// Starts it on a free port, with the log in `store`, and waits until it says where it listens. It
/// keeps all that the cases append.
pub(crate) fn start(store: &str) -> Result<Server> {
    Server::that_says_where(with_arguments(&mut Command::new(PROGRAM), store))
}

/// Adds what it is told.
pub(crate) fn with_arguments<'a>(command: &'a mut Command, store: &str) -> &'a mut Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FOREVER_FRAME_")) {
        command.env_remove(name);
    }
    command
        .args(["--listen", "127.0.0.1:0", "--store", store, "--drain", "0s"])
        .args(["--keep", "20000000", "--keep-for", "365d"])
        .env("RUST_LOG", "warn")
}
