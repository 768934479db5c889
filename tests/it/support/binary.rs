//! The real binary as a process.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running server.
pub(crate) struct Binary {
    pub(crate) addr: SocketAddr,
    child: Child,
}

/// The binary, with an environment that says nothing.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forever-frame"));
    let ours = std::env::vars()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("FOREVER_FRAME_"));
    for name in ours {
        command.env_remove(name);
    }
    command
        .args(args)
        .env_remove("RUST_LOG")
        .kill_on_drop(true)
        .stdin(Stdio::null());
    command
}

impl Binary {
    /// Starts it on a free port, and waits until it says where.
    pub(crate) async fn start(args: &[&str]) -> Binary {
        let mut command = command(&[&["--listen", "127.0.0.1:0"], args].concat());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        super::soon(BufReader::new(child.stdout.take().unwrap()).read_line(&mut line))
            .await
            .unwrap();
        let addr = line
            .trim_end()
            .strip_prefix("forever-frame listening on http://")
            .expect(&line);
        Binary {
            addr: addr.parse().unwrap(),
            child,
        }
    }

    /// Its number, to look it up in `/proc`.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Sends it a signal, as `kill -NAME` does.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        super::soon(self.child.wait()).await.unwrap()
    }
}
