//! The server under test: another process, started, measured and stopped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Result, http};

/// The processes that run, for a run that ends early.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    /// From before its start until it said where it listens.
    pub(crate) said_after: Duration,
    /// From before its start until it had answered a request.
    pub(crate) answered_after: Duration,
    child: Child,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// Its share: what it shares with others is divided by their number.
    pub(crate) pss: u64,
    /// All that it has in memory, the pages of files too.
    pub(crate) rss: u64,
}

/// `--store` for a log in a file.
pub(crate) fn sqlite(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

impl Server {
    /// Starts the release binary on a free port, with the log in `store`, and waits until it says
    /// where it listens and has answered. It keeps all that the cases append.
    pub(crate) fn start(store: &str) -> Result<Server> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forever-frame"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FOREVER_FRAME_")) {
            command.env_remove(name);
        }
        command
            .args(["--listen", "127.0.0.1:0", "--store", store, "--drain", "0s"])
            .args(["--keep", "20000000", "--keep-for", "365d"])
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn()?;
        running().push(child.id());
        let out = child.stdout.take().ok_or("the server has no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let said_after = began.elapsed();
        let addr = line
            .trim_end()
            .strip_prefix("forever-frame listening on http://")
            .ok_or_else(|| format!("the server did not say where it listens, but {line:?}"))?
            .parse()?;
        http::exchange(&mut http::connect(addr)?, &http::get("/healthz"), 200)?;
        Ok(Server {
            addr,
            said_after,
            answered_after: began.elapsed(),
            child,
        })
    }

    /// What its threads have computed so far, in user and in kernel mode.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        /// The kernel counts in hundredths of a second, whatever its own clock.
        const TICK: Duration = Duration::from_millis(10);
        let stat = self.proc("stat")?;
        // The second field is the name, in parentheses; user and system time are the 14th and 15th.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let mut times = fields.split_whitespace().skip(11).map(str::parse::<u32>);
        match (times.next(), times.next()) {
            (Some(Ok(user)), Some(Ok(system))) => Ok(TICK * (user + system)),
            _ => Err(format!("/proc/PID/stat has no times: {stat:?}").into()),
        }
    }

    /// Its memory now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let rollup = self.proc("smaps_rollup")?;
        Ok(Memory {
            pss: kib(&rollup, "Pss:")?,
            rss: kib(&rollup, "Rss:")?,
        })
    }

    /// Its highest RSS from now on is what [`Server::peak`] will say.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        Ok(fs::write(self.path("clear_refs"), "5")?)
    }

    /// Its highest RSS, as the kernel has noticed it.
    pub(crate) fn peak(&self) -> Result<u64> {
        kib(&self.proc("status")?, "VmHWM:")
    }

    /// Stops it as an operator does, and wants a clean end.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        let status = self.child.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server did not end well: {status}").into())
        }
    }

    fn path(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = self.path(file);
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}").into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        running().retain(|pid| *pid != self.child.id());
    }
}

/// Ends what runs, at once.
pub(crate) fn kill_all() {
    for pid in running().drain(..) {
        let _ = Command::new("kill")
            .args(["-KILL", &pid.to_string()])
            .status();
    }
}

fn running() -> std::sync::MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bytes of a line such as `Pss:   1234 kB`.
fn kib(text: &str, name: &str) -> Result<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.and_then(|value| value.trim().strip_suffix(" kB"));
    let value = value.ok_or_else(|| format!("there is no {name} in /proc"))?;
    Ok(value.parse::<u64>()? * 1024)
}
