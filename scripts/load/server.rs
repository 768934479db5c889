//! A server's process: started, measured and stopped.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// The processes to end when a run ends early.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// How long a server may take until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A running server, with the processes that it has started itself.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where it is asked in clear text.
    pub(crate) addr: SocketAddr,
    /// Where the other servers of its cluster are asked.
    pub(crate) others: Vec<SocketAddr>,
    /// Where it, or the proxy in front of it, is asked by TLS.
    pub(crate) tls: Option<SocketAddr>,
    proxy: Option<Box<Server>>,
    child: Child,
    /// Kept open, since a process that writes to a closed pipe is ended.
    out: Option<ChildStdout>,
}

/// CPU time of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// The proportional set size: shared pages are divided by the number of their processes.
    pub(crate) pss: u64,
    /// The resident set size: all pages in memory, including those of files.
    pub(crate) rss: u64,
}

impl Server {
    /// Starts a server that prints where it listens: perhaps `… https://ADDR…`, and then
    /// `… http://ADDR…`.
    pub(crate) fn start(command: &mut Command) -> Result<Server> {
        let mut child = spawn(command.stdout(Stdio::piped()))?;
        let out = child.stdout.take().ok_or("the server has no output")?;
        let mut out = BufReader::new(out);
        let (mut first, mut line) = (String::new(), String::new());
        let mut read = out.read_line(&mut line);
        if line.contains("https://") {
            first = std::mem::take(&mut line);
            read = out.read_line(&mut line);
        }
        let mut server = Server::of(child);
        server.tls = address(&first, "https://");
        server.out = Some(out.into_inner());
        read?;
        server.addr = address(&line, "http://")
            .ok_or_else(|| format!("the server did not print where it listens, but {line:?}"))?;
        Ok(server)
    }

    /// Starts a server whose command names the address to listen on, and waits until it does.
    pub(crate) fn start_on(addr: SocketAddr, command: &mut Command) -> Result<Server> {
        let child = spawn(command.stdout(Stdio::null()))?;
        let mut server = Server::of(child);
        server.addr = addr;
        let end = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(addr).is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("the server has ended at its start: {status}").into());
            }
            if Instant::now() > end {
                return Err(format!("the server does not listen on {addr}").into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    fn of(child: Child) -> Server {
        Server {
            addr: ([127, 0, 0, 1], 0).into(),
            others: Vec::new(),
            tls: None,
            proxy: None,
            child,
            out: None,
        }
    }

    /// Where it and the other servers of its cluster are asked.
    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        [&[self.addr], &*self.others].concat()
    }

    /// The server with a proxy in front of it that speaks TLS, whose time and memory count with its own.
    pub(crate) fn with_proxy(mut self, proxy: Server) -> Server {
        self.tls = Some(proxy.addr);
        self.proxy = Some(Box::new(proxy));
        self
    }

    /// The CPU time of all its threads so far, in user and in kernel mode.
    pub(crate) fn cpu(&self) -> Result<Cpu> {
        let mut all = Cpu::default();
        for pid in self.processes() {
            let Cpu { user, system } = cpu(pid)?;
            all.user += user;
            all.system += system;
        }
        Ok(all)
    }

    /// The CPU time since an earlier one.
    pub(crate) fn cpu_since(&self, before: Cpu) -> Result<Cpu> {
        let Cpu { user, system } = self.cpu()?;
        Ok(Cpu {
            user: user.saturating_sub(before.user),
            system: system.saturating_sub(before.system),
        })
    }

    /// Its current memory.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let mut memory = Memory::default();
        for pid in self.processes() {
            let rollup = proc(pid, "smaps_rollup")?;
            memory.pss += kib(&rollup, "Pss:")?;
            memory.rss += kib(&rollup, "Rss:")?;
        }
        Ok(memory)
    }

    /// How many files it has open, sockets included.
    pub(crate) fn files(&self) -> Result<usize> {
        Ok(fs::read_dir(path(self.child.id(), "fd"))?.count())
    }

    /// Resets the highest RSS to the current one, for [`Server::peak`].
    pub(crate) fn reset_peak(&self) -> Result<()> {
        Ok(fs::write(path(self.child.id(), "clear_refs"), "5")?)
    }

    /// The highest RSS that the kernel has recorded since the last [`Server::reset_peak`].
    pub(crate) fn peak(&self) -> Result<u64> {
        kib(&proc(self.child.id(), "status")?, "VmHWM:")
    }

    /// Stops it as an operator does; fails unless it ends cleanly.
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

    fn processes(&self) -> Vec<u32> {
        let proxy = self.proxy.iter().flat_map(|proxy| proxy.processes());
        family(self.child.id()).into_iter().chain(proxy).collect()
    }
}

impl Memory {
    pub(crate) fn pss_mib(self) -> f64 {
        self.pss as f64 / (1024.0 * 1024.0)
    }
}

impl Cpu {
    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Errors are ignored: the process may have ended already.
        kill(self.child.id());
        let _ = self.child.wait();
        running().retain(|pid| *pid != self.child.id());
    }
}

/// The address in a line that has it after a scheme.
fn address(line: &str, scheme: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(scheme)?;
    rest.split_whitespace().next()?.parse().ok()
}

/// An address on loopback with a free port, which the caller uses at once.
pub(crate) fn free_addr() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Kills all servers that still run.
pub(crate) fn kill_all() {
    for pid in running().drain(..) {
        kill(pid);
    }
}

fn spawn(command: &mut Command) -> Result<Child> {
    let child = command.stdin(Stdio::null()).spawn().map_err(|error| {
        let program = command.get_program().display();
        match error.kind() {
            ErrorKind::NotFound => format!("there is no {program} to start"),
            _ => format!("{program} cannot be started: {error}"),
        }
    })?;
    running().push(child.id());
    Ok(child)
}

fn running() -> std::sync::MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kill(pid: u32) {
    let pids = family(pid).into_iter().map(|pid| pid.to_string());
    let _ = Command::new("kill")
        .arg("-KILL")
        .args(pids)
        .stderr(Stdio::null())
        .status();
}

/// A process and its children.
fn family(pid: u32) -> Vec<u32> {
    let children = proc(pid, &format!("task/{pid}/children")).unwrap_or_default();
    let children = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    [pid].into_iter().chain(children).collect()
}

fn cpu(pid: u32) -> Result<Cpu> {
    /// The kernel counts in hundredths of a second, whatever its own clock.
    const TICK: Duration = Duration::from_millis(10);
    let stat = proc(pid, "stat")?;
    // The second field is the name, in parentheses; user and system time are the 14th and 15th.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    match (times.next(), times.next()) {
        (Some(Ok(user)), Some(Ok(system))) => Ok(Cpu {
            user: TICK * user,
            system: TICK * system,
        }),
        _ => Err(format!("/proc/PID/stat has no times: {stat:?}").into()),
    }
}

fn path(pid: u32, file: &str) -> String {
    format!("/proc/{pid}/{file}")
}

fn proc(pid: u32, file: &str) -> Result<String> {
    let path = path(pid, file);
    fs::read_to_string(&path).map_err(|error| format!("{path}: {error}").into())
}

/// The bytes of a line such as `Pss:   1234 kB`.
fn kib(text: &str, name: &str) -> Result<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.and_then(|value| value.trim().strip_suffix(" kB"));
    let value = value.ok_or_else(|| format!("there is no {name} in /proc"))?;
    Ok(value.parse::<u64>()? * 1024)
}
