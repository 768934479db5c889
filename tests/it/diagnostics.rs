//! What the server says on standard error and standard output, and that it serves and ends whatever
//! has become of either.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::support::binary::{self, Binary, PROGRAM, SHELL};
use crate::support::client::{get, post, send};
use crate::support::port::Port;
use crate::support::{eventually, soon};

/// A server at a port that is known before it says so.
struct Silent {
    port: Port,
    child: Child,
}

impl Silent {
    /// Starts a server that logs at level `debug`, and waits until it accepts.
    async fn start(stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Silent {
        let port = Port::reserve();
        let mut command = binary::command(&["--listen", &port.listen(), "--drain", "0s"]);
        command.stdout(stdout).stderr(stderr);
        Silent::spawn(port, command).await
    }

    async fn spawn(port: Port, mut command: Command) -> Silent {
        let child = command.env("RUST_LOG", "debug").spawn().unwrap();
        let addr = port.addr;
        eventually("a connection", async || {
            TcpStream::connect(addr).await.is_ok()
        })
        .await;
        Silent { port, child }
    }

    /// Has it log many lines, and checks that it serves meanwhile.
    async fn serves(&self) {
        for n in 0..50 {
            assert_eq!(soon(get(self.port.addr, "/nope")).await.status, 404);
            let appended = soon(post(self.port.addr, "/c/x", format!("{n}"))).await;
            assert_eq!(appended.status, 201);
        }
    }

    /// Lines that were not written, for this reason.
    async fn lost(&self, reason: &str) -> u64 {
        let text = get(self.port.addr, "/metrics").await.text().await;
        let name = format!("forever_frame_lost_log_lines_total{{reason=\"{reason}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
    }

    /// Stops it, and checks that it ends in order.
    async fn stops(mut self) {
        let kill = format!("kill -TERM {}", self.child.id().unwrap());
        Command::new(SHELL)
            .args(["-c", &kill])
            .status()
            .await
            .unwrap();
        assert_eq!(soon(self.child.wait()).await.unwrap().code(), Some(0));
    }
}

/// A pipe that is full, so that whoever writes to it waits.
async fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    let mut filling = writer.try_clone().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let is_full = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&is_full);
    // The thread ends with one byte more, when the pipe is read again or broken.
    std::thread::spawn(move || {
        while !ends.load(Relaxed) && filling.write_all(b".").is_ok() {
            count.fetch_add(1, Relaxed);
        }
    });
    let mut before = usize::MAX;
    while before != written.load(Relaxed) {
        before = written.load(Relaxed);
        sleep(Duration::from_millis(300)).await;
    }
    is_full.store(true, Relaxed);
    (reader, writer)
}

/// A pipe that nobody reads any more.
fn broken_pipe() -> PipeWriter {
    pipe().unwrap().1
}

/// A server whose standard error is stuck serves, says in its metrics what is lost, and obeys SIGTERM.
#[tokio::test]
async fn stuck_stderr_holds_up_nothing() {
    let (_reader, writer) = full_pipe().await;
    let server = Silent::start(Stdio::null(), writer).await;
    server.serves().await;
    assert!(server.lost("repeated").await > 0);
    server.stops().await;
}

/// When standard error is read again, all lines come that had room in the queue, up to the last.
#[tokio::test]
async fn stderr_that_is_read_again_goes_on() {
    let (mut reader, writer) = full_pipe().await;
    let server = Silent::start(Stdio::null(), writer).await;
    server.serves().await;
    let reading = std::thread::spawn(move || {
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        all
    });
    eventually("written lines", async || {
        server.lost("queue_full").await == 0
    })
    .await;
    server.stops().await;
    let all = tokio::task::spawn_blocking(|| reading.join().unwrap());
    let all = soon(all).await.unwrap();
    for line in [
        "the log is in memory",
        "there is nothing at \"/nope\"",
        "stopping; 0 streams",
    ] {
        assert!(all.contains(line), "{line}: {all}");
    }
}

/// Standard streams that nobody reads any more, that are closed, or that lie on a full disk, are lost,
/// and nothing else is.
#[tokio::test]
async fn lost_standard_streams_are_survived() {
    let server = Silent::start(broken_pipe(), broken_pipe()).await;
    server.serves().await;
    assert!(server.lost("refused").await > 0);
    server.stops().await;
    for closed in ["2>&-", ">&-", ">&- 2>&- <&-"] {
        let port = Port::reserve();
        let script = format!(
            "exec {PROGRAM} --listen {} --drain 0s {closed}",
            port.listen()
        );
        let mut command = binary::command_by(SHELL, &["-c", &script]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Silent::spawn(port, command).await;
        server.serves().await;
        server.stops().await;
    }
    #[cfg(target_os = "linux")]
    {
        let full = || File::options().write(true).open("/dev/full").unwrap();
        let server = Silent::start(full(), full()).await;
        server.serves().await;
        assert!(server.lost("refused").await > 0);
        server.stops().await;
    }
}

/// A server whose standard output is stuck serves all the same, and a stop does not wait for it.
#[tokio::test]
async fn stuck_stdout_holds_up_nothing() {
    let (_reader, writer) = full_pipe().await;
    let server = Silent::start(writer.try_clone().unwrap(), Stdio::null()).await;
    server.serves().await;
    server.stops().await;
    // A supervisor that gives both streams the same pipe.
    let server = Silent::start(writer.try_clone().unwrap(), writer).await;
    server.serves().await;
    server.stops().await;
}

/// Clients cause few lines, short ones, and of visible characters only, also at level `debug`. What is
/// left out is counted in the log.
#[tokio::test]
async fn clients_cannot_flood_the_log() {
    const REQUESTS: usize = 600;
    let mut command = binary::command(&["--listen", "127.0.0.1:0", "--drain", "0s"]);
    command.env("RUST_LOG", "debug");
    let server = Binary::spawn(command).await;
    let path = format!("GET /{}", "%1b%5b2J%e2%80%ae%0aERROR%20".repeat(300));
    let event = format!("POST /c/x?event={}", "%e2%80%ae%0a".repeat(600));
    for _ in 0..REQUESTS / 2 {
        assert_eq!(send(server.addr, &path, b"").await.status, 404);
        assert_eq!(send(server.addr, &event, b"x").await.status, 400);
    }
    let log = server.end("-TERM").await;
    let of_clients: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("refused: "))
        .collect();
    assert!(!of_clients.is_empty(), "{log}");
    let counted = log.lines().filter_map(|line| {
        let count = line.split_once("… and ")?.1;
        count.split_once(" more like this")?.0.parse::<usize>().ok()
    });
    assert_eq!(of_clients.len() + counted.sum::<usize>(), REQUESTS, "{log}");
    assert!(of_clients.len() < REQUESTS / 2, "{}", of_clients.len());
    for line in of_clients {
        assert!(line.len() < 2200, "{line}");
    }
    let is_seen = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
    assert!(log.chars().all(is_seen), "{log:?}");
    assert!(!log.lines().any(|line| line.starts_with("ERROR")), "{log}");
}
