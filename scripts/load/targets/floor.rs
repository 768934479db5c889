//! The floor: this program again, as the server of [`crate::floor`].

use std::env::current_exe;
use std::fmt;
use std::process::Command;

use super::{Kind, Target};
use crate::Result;
use crate::http;
use crate::scratch::Scratch;
use crate::server::Server;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor;

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("floor")
    }
}

impl Target for Floor {
    fn kind(&self) -> Kind {
        Kind::Floor
    }

    fn start(&self, _scratch: &Scratch) -> Result<Server> {
        Server::that_says_where(Command::new(current_exe()?).arg("--as-floor"))
    }

    fn follow(&self, channel: &str) -> String {
        http::get(&format!("/follow/{channel}"))
    }

    fn append(&self, channel: &str, length: usize) -> String {
        http::post(&format!("/append/{channel}"), "", length)
    }
}
