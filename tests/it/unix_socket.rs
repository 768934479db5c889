//! A server that listens at a Unix socket: its file, who may connect, and streams over it.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use forever_frame::config::Listen;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::binary::{self, Binary};
use crate::support::client::append;
use crate::support::{TestServer, directory, soon};

/// A connection to a Unix socket, with what has come.
struct Client {
    socket: UnixStream,
    all: String,
}

impl Client {
    /// Sends a request, whose headers may follow after a line end, with a body.
    async fn send(path: &Path, request: &str, body: &str) -> Client {
        let mut socket = UnixStream::connect(path).await.unwrap();
        let length = body.len();
        let head = format!(
            "{}\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}",
            request.replacen('\r', " HTTP/1.1\r", 1)
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let all = String::new();
        Client { socket, all }
    }

    async fn get(path: &Path, target: &str) -> Client {
        Client::send(path, &format!("GET {target}\r\nX: x"), "").await
    }

    /// Waits until this has come.
    async fn until(&mut self, text: &str) {
        while !self.all.contains(text) {
            let mut bytes = [0; 4096];
            let read = soon(self.socket.read(&mut bytes)).await.unwrap();
            assert_ne!(read, 0, "no {text:?} in {:?}", self.all);
            self.all
                .push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
    }
}

/// A server with a Unix socket in a directory of its own, besides its address.
fn with_socket() -> (TestServer, PathBuf, TempDir) {
    let dir = directory();
    let path = dir.path().join("push.sock");
    let listen = Listen::Unix(path.clone());
    let server = TestServer::with(|config| {
        config.listen_plain = Some(listen);
        config.timeouts.stall = Duration::from_secs(1);
    });
    (server, path, dir)
}

/// Requests are answered, streams go on in the crowd on each transport, and a client that leaves is noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_socket_serves_streams() {
    let (server, path, _dir) = with_socket();
    let mut streams = Vec::new();
    for wire in ["text", "html", "script", "sse", "ndjson"] {
        let mut stream = Client::get(&path, &format!("/c/a?as={wire}&heartbeat=1s")).await;
        stream.until("\r\n\r\n").await;
        streams.push(stream);
    }
    server.open_streams(5).await;
    for n in 0..20 {
        let text = format!("line {n}.");
        let mut sender = Client::send(&path, "POST /c/a\r\nX: x", &text).await;
        sender.until("201 Created").await;
        for stream in &mut streams {
            stream.until(&text).await;
        }
    }
    // A heartbeat comes by itself.
    let mut quiet = Client::get(&path, "/c/quiet?as=sse&heartbeat=1s").await;
    quiet.until("\n:\n").await;
    drop((streams, quiet));
    server.open_streams(0).await;
    server.stop().await;
    assert!(!path.exists(), "the file of the socket is removed");
}

/// A client that has closed its sending side is served on, until it leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_socket_may_be_half_closed() {
    let (server, path, _dir) = with_socket();
    let mut stream = Client::get(&path, "/c/a?heartbeat=60s").await;
    stream.socket.shutdown().await.unwrap();
    stream.until("\r\n\r\n").await;
    append(server.addr, "a", "hello").await;
    stream.until("hello").await;
    server.open_streams(1).await;
    drop(stream);
    server.open_streams(0).await;
    server.stop().await;
}

/// A client that does not read is given up, and one that then reads has been cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_socket_client_that_stalls_is_given_up() {
    let (server, path, _dir) = with_socket();
    let stream = Client::get(&path, "/c/a").await;
    server.open_streams(1).await;
    let long = "x".repeat(40_000);
    for _ in 0..20 {
        append(server.addr, "a", &long).await;
    }
    server.open_streams(0).await;
    drop(stream);
    server.stop().await;
}

/// A letter without acknowledgement is delivered when its client has read it and closes, and comes again
/// when it closes before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unix_socket_confirms_letters_that_were_read() {
    let (server, path, _dir) = with_socket();
    let ask = async |body: &'static str| {
        let form = "Content-Type: application/x-www-form-urlencoded\r\nConnection: close";
        Client::send(&path, &format!("POST /mailbox\r\n{form}"), body).await
    };
    let mut sender = ask("action=send&me=Ada&toUserName=Bob&msg=hi").await;
    sender.until("ok").await;
    drop(sender);
    let mut reader = ask("action=receive&me=Bob").await;
    reader.until("hi").await;
    drop(reader);
    let mut next = ask("action=receive&me=Bob&wait=1s").await;
    next.until("empty").await;
    server.stop().await;
}

/// Who connects is this machine, and a proxy that is believed.
#[tokio::test]
async fn unix_socket_peer_is_a_trusted_proxy() {
    let dir = directory();
    let listen = format!("unix:{}", dir.path().join("push.sock").display());
    let mut command = binary::command(&["--listen", "127.0.0.1:0", "--listen-plain", &listen]);
    command.env("RUST_LOG", "info,forever_frame::access=info");
    let server = Binary::spawn(command).await;
    assert_eq!(server.urls[1..], [listen]);
    let path = dir.path().join("push.sock");
    let mut own = Client::get(&path, "/metrics").await;
    own.until("200 OK").await;
    let forwarded = "GET /metrics\r\nX-Forwarded-For: 192.0.2.7";
    let mut forwarded = Client::send(&path, forwarded, "").await;
    forwarded.until("200 OK").await;
    let log = server.end("-TERM").await;
    assert!(log.contains("client=127.0.0.1 status=200"), "{log}");
    assert!(log.contains("client=192.0.2.7 status=200"), "{log}");
}

/// Its owner and its group may connect, whatever the umask is.
#[tokio::test]
async fn unix_socket_is_for_owner_and_group() {
    for umask in ["000", "077"] {
        let dir = directory();
        let path = dir.path().join("push.sock");
        let script = format!(
            "umask {umask}; exec {} --listen 127.0.0.1:0 --listen-plain unix:{}",
            binary::PROGRAM,
            path.display()
        );
        let server = Binary::spawn(binary::command_by(binary::SHELL, &["-c", &script])).await;
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660, "umask {umask}");
        server.end("-TERM").await;
        assert!(!path.exists());
    }
}

/// What a server says that cannot listen at this path, alone.
async fn refused(path: &str) -> String {
    let mut command = binary::command(&["--listen", &format!("unix:{path}")]);
    let Output { status, stderr, .. } = soon(command.output()).await.unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("cannot listen on unix:{path}: ")),
        "{said}"
    );
    said
}

/// A socket that a killed server has left is taken over; one on which a server listens is not, nor is
/// anything that is no socket.
#[tokio::test]
async fn unix_socket_that_is_in_use_is_refused() {
    let dir = directory();
    let path = dir.path().join("push.sock");
    let text = path.to_str().unwrap();
    let args = ["--listen-plain", &format!("unix:{text}")];
    let server = Binary::start(&args).await;
    assert!(refused(text).await.contains("another server listens there"));
    server.end("-KILL").await;
    assert!(path.exists());
    let server = Binary::start(&args).await;
    let mut own = Client::get(&path, "/healthz").await;
    own.until("200 OK").await;

    // What another has put there is left when the server ends.
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    server.end("-TERM").await;
    assert!(path.exists());
    // One whose connections are accepted by nobody is in use, too.
    assert!(refused(text).await.contains("another server listens there"));
    drop(other);
    fs::remove_file(&path).unwrap();

    fs::write(&path, "precious").unwrap();
    assert!(
        refused(text)
            .await
            .contains("is no socket, and is not removed")
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    let missing = dir.path().join("missing/push.sock");
    assert!(
        refused(missing.to_str().unwrap())
            .await
            .contains("No such file")
    );
    let long = dir.path().join("x".repeat(120));
    assert!(refused(long.to_str().unwrap()).await.contains("path"));
}

/// A server that listens nowhere else says so, needs no access file, and is asked by `check`.
#[tokio::test]
async fn unix_socket_alone_is_enough() {
    let dir = directory();
    let listen = format!("unix:{}", dir.path().join("push.sock").display());
    let check = async || {
        let mut check = binary::command(&["check", &listen]);
        soon(check.output()).await.unwrap()
    };
    let away = check().await;
    assert_eq!(away.status.code(), Some(1));
    let said = String::from_utf8(away.stderr).unwrap();
    assert!(
        said.starts_with(&format!("{listen} cannot be reached: ")),
        "{said}"
    );

    let mut command = binary::command(&["--listen", &listen, "--drain", "0s"]);
    command.stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut out = tokio::io::BufReader::new(child.stdout.take().unwrap());
    soon(tokio::io::AsyncBufReadExt::read_line(&mut out, &mut line))
        .await
        .unwrap();
    assert_eq!(line, format!("forever-frame listening on {listen}\n"));
    assert!(check().await.status.success());
    let here = {
        let mut check = binary::command(&["check"]);
        check.env("FOREVER_FRAME_LISTEN", &listen);
        soon(check.status()).await.unwrap()
    };
    assert!(here.success());
}
