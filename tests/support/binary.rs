//! The real binary as a process.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{self, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::soon;

/// The shell that POSIX systems have, also where `PATH` leads to nothing but Rust.
pub(crate) const SHELL: &str = "/bin/sh";

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_forever-frame");

/// A running server.
pub(crate) struct Binary {
    pub(crate) addr: SocketAddr,
    /// What its first lines say, a URL each listener.
    pub(crate) urls: Vec<String>,
    child: Child,
    /// The file of its log: a pipe that nobody reads could hold the server up.
    log: PathBuf,
}

/// The command that starts the binary, in an environment that says nothing but that the log is in
/// memory.
pub(crate) fn command(args: &[&str]) -> Command {
    command_by(PROGRAM, args)
}

/// The command that starts another program, which starts the binary, in that same environment.
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
    /// Starts a server on a free port, and waits until it says which.
    pub(crate) async fn start(args: &[&str]) -> Binary {
        Binary::start_at("127.0.0.1:0", args).await
    }

    /// Starts a server at an address.
    pub(crate) async fn start_at(listen: &str, args: &[&str]) -> Binary {
        Binary::spawn(command(&[&["--listen", listen], args].concat())).await
    }

    /// Runs a command that starts a server, and waits until that says where it listens.
    pub(crate) async fn spawn(mut command: Command) -> Binary {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Relaxed);
        let log = format!("server-{}-{number}.log", process::id());
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(log);
        command
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (mut lines, out) = (String::new(), child.stdout.take().unwrap());
        let mut out = BufReader::new(out);
        soon(out.read_line(&mut lines)).await.unwrap();
        // All lines come in one write.
        lines += std::str::from_utf8(out.buffer()).unwrap();
        let url = |line: &str| {
            line.strip_prefix("forever-frame listening on ")
                .map(str::to_owned)
        };
        let urls: Vec<String> = lines.lines().filter_map(url).collect();
        let addr = urls
            .first()
            .and_then(|url| url.split_once("://")?.1.parse().ok());
        let addr =
            addr.unwrap_or_else(|| panic!("{lines:?} {}", std::fs::read_to_string(&log).unwrap()));
        Binary {
            addr,
            urls,
            child,
            log,
        }
    }

    /// The memory of the process's own in KiB: heap and stacks. The pages of its binary are not counted,
    /// whose share changes when other servers start and end. Linux tells it.
    pub(crate) fn memory(&self) -> u64 {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid())).unwrap();
        let own = rollup
            .lines()
            .find_map(|line| line.strip_prefix("Anonymous:"))
            .unwrap();
        own.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends the server a signal, waits for its end, and gives its log.
    pub(crate) async fn end(mut self, signal: &str) -> String {
        self.signal(signal).await;
        soon(self.child.wait()).await.unwrap();
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// What the server has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Whether the server still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Sends the server a signal, as `kill -NAME` does. Each shell has that command built in.
    pub(crate) async fn signal(&self, name: &str) {
        let kill = format!("kill {name} {}", self.pid());
        let status = Command::new(SHELL).args(["-c", &kill]).status().await;
        assert!(status.unwrap().success(), "{kill}");
    }

    /// Limits the length of each file that the server writes to, or lifts that limit again.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let (pid, files) = (self.pid().try_into().unwrap(), rlimit::Resource::FSIZE);
        let (mut soft, mut hard) = (0, 0);
        rlimit::prlimit(pid, files, None, Some((&mut soft, &mut hard))).unwrap();
        let limit = (bytes.unwrap_or(hard), hard);
        rlimit::prlimit(pid, files, Some(limit), None).unwrap();
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        soon(self.child.wait()).await.unwrap()
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.log);
    }
}
