//! Behind nginx: with its defaults, where only the address of the server is configured, and with the
//! settings that the README gives.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::support::client::{get, post, send, try_send};
use crate::support::{TestServer, soon};

/// A running nginx, in a directory of its own.
struct Nginx {
    addr: SocketAddr,
    dir: PathBuf,
    child: Child,
}

impl Nginx {
    /// nginx in front of a server, with its defaults.
    async fn before(upstream: SocketAddr) -> Nginx {
        Nginx::start(&format!("location / {{ proxy_pass http://{upstream}; }}")).await
    }

    /// nginx with these locations.
    async fn start(locations: &str) -> Nginx {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), STARTED.fetch_add(1, Relaxed));
        let dir = std::env::temp_dir().join(format!("forever-frame-nginx-{name}"));
        std::fs::create_dir_all(&dir).unwrap();
        // The port is free now, and no other program is likely to take it in this moment.
        let addr = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temp = temp
            .map(|kind| format!("{kind}_temp_path {}/{kind};", dir.display()))
            .concat();
        let config = format!(
            "daemon off; pid {dir}/pid; error_log {dir}/error.log; events {{}}
             http {{ access_log off; {temp}
               server {{ listen {addr}; {locations} }} }}",
            dir = dir.display()
        );
        std::fs::write(dir.join("nginx.conf"), config).unwrap();
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(&dir)
            .arg("-e")
            .arg(dir.join("error.log"))
            .arg("-c")
            .arg(dir.join("nginx.conf"));
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx, which scripts/test installs: apt-get install nginx-light");
        let nginx = Nginx { addr, dir, child };
        let deadline = Instant::now() + Duration::from_secs(10);
        while try_send(addr, "GET /healthz", b"").await.is_err() {
            let log = || std::fs::read_to_string(nginx.dir.join("error.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "nginx does not start: {}", log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // nginx ends its workers only if it is asked to end, not if it is killed.
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A line passes nginx at once, though nginx buffers responses by default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_passes_lines_at_once() {
    let server = TestServer::start();
    let nginx = Nginx::before(server.addr).await;
    for path in ["/stream?heartbeat=60s", "/c/main?as=html&heartbeat=60s"] {
        let mut response = get(nginx.addr, path).await;
        assert_eq!(response.status, 200);
        response.until(".").await;
        // Each line has to pass before the next one is sent, and patience ends before any heartbeat
        // could push a line through a buffer, or if each line took 300 ms.
        let all = async {
            for n in 0..100 {
                let line = format!("line {n} of {path}").replace('&', "and");
                post(nginx.addr, "/send", &line).await;
                response.until(&line).await;
            }
        };
        soon(all).await;
    }
    drop(nginx);
    server.open_streams(0).await;
    server.stop().await;
}

/// While the server is away, nginx as the README sets it up tells an `EventSource` when to come back
/// with a status that it survives, and answers all other requests with 503.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_keeps_event_source_over_a_restart() {
    const README: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let server = TestServer::start();
    let block = README.split_once("```nginx\n").unwrap().1;
    let block = block.split_once("```").unwrap().0;
    let locations = block.replace("127.0.0.1:8080", &server.addr.to_string());
    assert_ne!(locations, block);
    let nginx = Nginx::start(&locations).await;
    let source = "GET /c/main\r\nAccept: text/event-stream";
    let mut stream = send(nginx.addr, source, b"").await;
    assert!(stream.until("\n\n").await.starts_with("retry: 3000\n"));
    drop(stream);
    server.stop().await;
    let mut away = send(nginx.addr, source, b"").await;
    assert_eq!(away.status, 200);
    assert_eq!(away.header("content-type"), "text/event-stream");
    assert_eq!(away.text().await, "retry: 3000\n");
    let append = "POST /c/main\r\nAccept: text/event-stream";
    assert_eq!(send(nginx.addr, append, b"hello").await.status, 503);
    assert_eq!(get(nginx.addr, "/c/main").await.status, 503);
}
