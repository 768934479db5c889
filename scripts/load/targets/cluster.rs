//! This server as one of several with one log.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::ours;
use crate::Result;
use crate::scratch::Scratch;
use crate::server::Server;

/// Starts three NATS servers and so many of this one. Their time and memory count together.
pub(super) fn start<const SERVERS: u16>(scratch: &Scratch, program: &Path) -> Result<Server> {
    // The script needs some ports above this one as well, which no connection of a client may have: so it is
    // below those that systems give to clients.
    let first = SocketAddr::from(([127, 0, 0, 1], rand::random_range(20_000..32_000)));
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/cluster"));
    ours::without_settings(&mut command)
        .env("SERVERS", SERVERS.to_string())
        .env("FIRST_PORT", first.port().to_string())
        .env("DIR", scratch.dir("cluster")?)
        .env("BINARY", program)
        .env("FOREVER_FRAME_KEEP", ours::KEEP)
        .env("FOREVER_FRAME_DRAIN", "0s");
    let mut server = Server::start(&mut command)?;
    let others = (1..SERVERS).map(|n| (first.ip(), first.port() + n).into());
    server.others = others.collect();
    Ok(server)
}
