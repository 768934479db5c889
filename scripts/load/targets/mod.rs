//! What is measured: a server that can be started, followed and published to. A kind is a file.
//!
//! All of them speak HTTP/1.1, and what follows a message on the wire is no matter ([`crate::feed`]):
//! so a target is the requests it wants, and how it is started.

mod durable;
mod floor;
mod nchan;
pub(crate) mod ours;

use std::fmt;

use clap::ValueEnum;

use crate::Result;
use crate::scratch::Scratch;
use crate::server::Server;

use durable::Durable;
use floor::Floor;
use nchan::{Nchan, Way};

pub(crate) use ours::{Ours, Store};

/// Kinds of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A bare epoll loop, which writes each message once to each socket
    Floor,
    /// This server
    Ours,
    /// nginx with libnginx-mod-nchan
    Nchan,
    /// durable-streams
    Durable,
}

/// See the module.
pub(crate) trait Target: fmt::Debug + fmt::Display {
    fn kind(&self) -> Kind;

    /// Starts it. Its files, if it has any, lie in the directory.
    fn start(&self, scratch: &Scratch) -> Result<Server>;

    /// The request that makes a channel, where channels must be made.
    fn make(&self, _channel: &str) -> Option<String> {
        None
    }

    /// The request that follows a channel, from its first message on: some peers answer before they
    /// would see the next, so that "from now on" may miss it.
    fn follow(&self, channel: &str) -> String;

    /// What the request that appends a body of so many bytes to a channel begins with.
    fn append(&self, channel: &str, length: usize) -> String;
}

/// A target among others.
pub(crate) type AnyTarget = Box<dyn Target + Sync>;

/// Ours on each streaming transport in memory, and two of them on a file; and all others.
pub(crate) fn all() -> Vec<AnyTarget> {
    let ours = |wire, store| -> AnyTarget { Box::new(Ours { wire, store }) };
    vec![
        Box::new(Floor),
        ours("text", Store::Memory),
        ours("sse", Store::Memory),
        ours("ndjson", Store::Memory),
        ours("html", Store::Memory),
        ours("script", Store::Memory),
        ours("text", Store::Sqlite),
        ours("sse", Store::Sqlite),
        Box::new(Nchan(Way::Chunked)),
        Box::new(Nchan(Way::EventSource)),
        Box::new(Durable),
    ]
}

/// Those that differ most.
pub(crate) fn some() -> Vec<AnyTarget> {
    let ours = |wire, store| -> AnyTarget { Box::new(Ours { wire, store }) };
    vec![
        Box::new(Floor),
        ours("text", Store::Memory),
        ours("sse", Store::Memory),
        ours("sse", Store::Sqlite),
        Box::new(Nchan(Way::EventSource)),
        Box::new(Durable),
    ]
}

impl Kind {
    /// Can it be started here? What it says if not is a sentence.
    pub(crate) fn check(self) -> std::result::Result<(), String> {
        match self {
            Kind::Floor | Kind::Ours => Ok(()),
            Kind::Nchan => nchan::check(),
            Kind::Durable => durable::check(),
        }
    }
}
