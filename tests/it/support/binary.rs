//! The real binary as a process.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::soon;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_forever-frame");

/// A running server.
pub(crate) struct Binary {
    pub(crate) addr: SocketAddr,
    child: Child,
    /// What it logs goes to a file: a pipe that nobody reads could hold it up.
    log: PathBuf,
}

/// The binary, with an environment that says nothing but that the log is in memory.
pub(crate) fn command(args: &[&str]) -> Command {
    command_by(PROGRAM, args)
}

/// The same by way of another program.
pub(crate) fn command_by(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    let ours = std::env::vars()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("FOREVER_FRAME_"));
    for name in ours {
        command.env_remove(name);
    }
    command
        .args(args)
        .env_remove("RUST_LOG")
        .env("FOREVER_FRAME_STORE", "memory")
        .kill_on_drop(true)
        .stdin(Stdio::null());
    command
}

impl Binary {
    /// Starts it on a free port, and waits until it says where.
    pub(crate) async fn start(args: &[&str]) -> Binary {
        Binary::start_at("127.0.0.1:0", args).await
    }

    /// Starts it at an address.
    pub(crate) async fn start_at(listen: &str, args: &[&str]) -> Binary {
        Binary::spawn(command(&[&["--listen", listen], args].concat())).await
    }

    /// Starts what starts it in the end.
    pub(crate) async fn spawn(mut command: Command) -> Binary {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Relaxed);
        let log = format!("server-{}-{number}.log", std::process::id());
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(log);
        command
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (mut line, out) = (String::new(), child.stdout.take().unwrap());
        soon(BufReader::new(out).read_line(&mut line))
            .await
            .unwrap();
        let addr = line
            .trim_end()
            .strip_prefix("forever-frame listening on http://");
        let addr = addr
            .and_then(|addr| addr.parse().ok())
            .unwrap_or_else(|| panic!("{line:?} {}", std::fs::read_to_string(&log).unwrap()));
        Binary { addr, child, log }
    }

    /// How much memory is the process's own, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid())).unwrap();
        let pss = rollup
            .lines()
            .find_map(|line| line.strip_prefix("Pss:"))
            .unwrap();
        pss.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends it a signal, waits for its end, and gives what it has logged.
    pub(crate) async fn end(mut self, signal: &str) -> String {
        self.signal(signal).await;
        soon(self.child.wait()).await.unwrap();
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Is it still running?
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

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

    /// How long a file may become that it writes to; the limit can be lifted again.
    pub(crate) async fn limit_files(&self, bytes: &str) {
        let status = Command::new("prlimit")
            .args(["--pid", &self.pid().to_string()])
            .arg(format!("--fsize={bytes}:"))
            .status()
            .await
            .expect("prlimit, which is part of util-linux");
        assert!(status.success(), "{bytes}");
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        soon(self.child.wait()).await.unwrap()
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.log);
    }
}
