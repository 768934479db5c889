//! A server in a network of its own, which can be cut (iproute2, and user namespaces).

use std::process::Stdio;

use tokio::process::Command;

use crate::support::binary::{self, Binary, PROGRAM};
use crate::support::soon;

/// A server whose clients run in its network, too.
pub(crate) struct Isolated {
    pub(crate) server: Binary,
}

impl Isolated {
    /// Starts the server with these options.
    pub(crate) async fn start(options: &str) -> Isolated {
        let start = format!(r#"ip link set lo up && exec "$0" --listen 127.0.0.1:0 {options}"#);
        let args = ["--map-root-user", "--net", "sh", "-c", &start, PROGRAM];
        Isolated {
            server: Binary::spawn(binary::command_by("unshare", &args)).await,
        }
    }

    /// A command that runs in the server's network.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--user", "--preserve-credentials", "--net"])
            .args(["--target", &self.server.pid().to_string()])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Sets the network `up` or `down`.
    pub(crate) async fn set_line(&self, state: &str) {
        let mut set = self.command(&["ip", "link", "set", "lo", state]);
        assert!(soon(set.status()).await.unwrap().success(), "{state}");
    }
}
