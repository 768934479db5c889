//! The server as a service of systemd: sockets that are open before it starts, and what it tells while
//! it runs.

use std::fs::File;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::support::binary::{self, Binary, PROGRAM, SHELL};
use crate::support::client::{get, post, send};
use crate::support::{directory, soon};

/// The command that starts the server as systemd does: with this socket as its descriptor 3, and with
/// the number of the process that is to have it.
fn with_socket(socket: impl Into<OwnedFd>, args: &str) -> Command {
    let script = format!(
        "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a; exec {PROGRAM} {args}"
    );
    let mut command = binary::command_by(SHELL, &["-c", &script]);
    command.stdin(Stdio::from(socket.into()));
    command
}

/// A socket that is handed over takes the place of `--listen`. Connections that came before the server
/// are served, and those that come after it wait for the next.
#[tokio::test]
async fn sockets_are_inherited() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let early = tokio::spawn(async move { post(addr, "/c/a", "x").await.status });
    let socket = listener.try_clone().unwrap();
    let server = Binary::spawn(with_socket(socket, "--listen 192.0.2.1:1 --drain 0s")).await;
    assert_eq!(server.addr, addr);
    assert_eq!(soon(early).await.unwrap(), 201);
    assert_eq!(get(addr, "/healthz").await.status, 200);
    // The socket is one of the loopback.
    let rebound = "GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n";
    let rebound = crate::support::client::send_raw(addr, rebound.as_bytes()).await;
    assert_eq!(rebound.unwrap().status, 421);
    let log = server.end("-TERM").await;
    assert!(log.contains("sockets of the service manager"), "{log}");

    let mut waiting = TcpStream::connect(addr).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut waiting, request)
        .await
        .unwrap();
    let server = Binary::spawn(with_socket(listener, "")).await;
    let mut answer = String::new();
    soon(waiting.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    drop(server);
}

/// What is no listening socket of TCP is refused with one line, and so is a count that is none.
#[tokio::test]
async fn other_inherited_sockets_are_refused() {
    let datagram = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let unix = UnixDatagram::unbound().unwrap();
    let mut garbled = binary::command_by(
        SHELL,
        &[
            "-c",
            &format!("export LISTEN_PID=$$ LISTEN_FDS=x; exec {PROGRAM}"),
        ],
    );
    garbled.stdin(Stdio::null());
    for (mut command, expected) in [
        (
            with_socket(datagram, ""),
            "the socket 1 (a) of LISTEN_FDS is not one of TCP",
        ),
        (
            with_socket(connected, ""),
            "the socket 1 (a) of LISTEN_FDS is not one of TCP",
        ),
        (
            with_socket(unix, ""),
            "the socket 1 (a) of LISTEN_FDS is not one of TCP",
        ),
        (
            with_socket(File::open("/dev/null").unwrap(), ""),
            "cannot take over the socket 1 (a)",
        ),
        (garbled, "cannot take over the sockets of LISTEN_FDS"),
    ] {
        let output = soon(command.output()).await.unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.contains(expected) && err.lines().count() == 1, "{err}");
    }
}

/// Sockets for another process are left alone.
#[tokio::test]
async fn sockets_of_others_are_not_inherited() {
    let mut command = binary::command(&["--listen", "127.0.0.1:0"]);
    command.env("LISTEN_PID", "1").env("LISTEN_FDS", "1");
    let server = Binary::spawn(command).await;
    assert_eq!(get(server.addr, "/healthz").await.status, 200);
}

/// A service manager that listens.
struct Manager {
    socket: UnixDatagram,
    dir: TempDir,
}

impl Manager {
    fn new() -> Manager {
        let dir = directory();
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        socket
            .set_read_timeout(Some(crate::support::STEP_TIMEOUT))
            .unwrap();
        Manager { socket, dir }
    }

    /// The command that starts a server of this manager.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = binary::command(&[&["--listen", "127.0.0.1:0"], args].concat());
        command.env("NOTIFY_SOCKET", self.dir.path().join("notify"));
        command
    }

    /// The next message.
    fn hears(&self) -> String {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// Waits for a message with this line, and gives it.
    fn hears_line(&self, line: &str) -> String {
        loop {
            let message = self.hears();
            if message.lines().any(|said| said == line) {
                return message;
            }
        }
    }
}

/// The service manager hears that the server is ready, reads again, is ready, and stops.
#[tokio::test]
async fn service_manager_hears_of_each_step() {
    let manager = Manager::new();
    let server = Binary::spawn(manager.command(&["--drain", "3s"])).await;
    let ready = manager.hears();
    let status = format!("STATUS=listening on http://{}", server.addr);
    assert!(ready.starts_with("READY=1\n"), "{ready}");
    assert!(ready.contains(&status), "{ready}");
    assert_eq!(get(server.addr, "/healthz/ready").await.status, 200);

    server.signal("-HUP").await;
    let reloading = manager.hears();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    let ready = manager.hears();
    assert!(ready.starts_with("READY=1\n"), "{ready}");

    let _stream = send(server.addr, "GET /c/a", b"").await;
    server.signal("-TERM").await;
    let stopping = manager.hears();
    assert!(stopping.starts_with("STOPPING=1\n"), "{stopping}");
    let extended = stopping
        .lines()
        .find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC="));
    assert!(
        extended.unwrap().parse::<u64>().unwrap() > 3_000_000,
        "{stopping}"
    );
    assert!(server.ended().await.success());
}

/// The watchdog is fed for as long as the server works, which it does not when it is stopped by a signal.
#[tokio::test]
async fn watchdog_is_fed_while_the_server_works() {
    let manager = Manager::new();
    let mut command = manager.command(&[]);
    command.env("WATCHDOG_USEC", "200000");
    let server = Binary::spawn(command).await;
    for _ in 0..5 {
        manager.hears_line("WATCHDOG=1");
    }
    server.signal("-STOP").await;
    // What was sent before may be there still; then comes silence.
    let pause = Duration::from_secs(1);
    manager.socket.set_read_timeout(Some(pause)).unwrap();
    let heard = (0..1000).take_while(|_| manager.socket.recv(&mut [0; 4096]).is_ok());
    assert!(heard.count() < 1000, "it is never silent");
    manager
        .socket
        .set_read_timeout(Some(crate::support::STEP_TIMEOUT))
        .unwrap();
    server.signal("-CONT").await;
    manager.hears_line("WATCHDOG=1");
    server.end("-TERM").await;

    // Without a watchdog nothing of it is said.
    let server = Binary::spawn(manager.command(&["--drain", "0s"])).await;
    manager.hears_line("READY=1");
    server.signal("-TERM").await;
    let next = manager.hears();
    assert!(next.starts_with("STOPPING=1"), "{next}");
    let _ = server.ended().await;
}

/// A service manager that is not there holds up nothing.
#[tokio::test]
async fn missing_service_manager_is_survived() {
    let mut command = binary::command(&["--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", "/nowhere/notify");
    let server = Binary::spawn(command).await;
    assert_eq!(get(server.addr, "/healthz").await.status, 200);
    let log = server.end("-TERM").await;
    assert!(log.contains("cannot notify the service manager"), "{log}");
}
