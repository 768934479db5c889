//! NATS servers as processes.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::support::binary::SHELL;
use crate::support::client::try_send;
use crate::support::port::Port;
use crate::support::{STEP_TIMEOUT, directory, eventually_within};

/// Servers of one cluster.
pub(crate) struct Nats {
    servers: Vec<NatsServer>,
    dir: TempDir,
}

/// One of the servers, with its addresses.
struct NatsServer {
    client: Port,
    route: Port,
    monitor: Port,
    child: Option<Child>,
}

/// The program.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/nats-server");
        let output = std::process::Command::new(script).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().into()
    })
}

impl Nats {
    /// Starts so many servers, and waits until they work.
    pub(crate) async fn start(count: usize) -> Nats {
        Nats::start_with(count, "").await
    }

    /// Starts servers with these lines in their configuration.
    pub(crate) async fn start_with(count: usize, lines: &str) -> Nats {
        let server = |_| NatsServer {
            client: Port::reserve(),
            route: Port::reserve(),
            monitor: Port::reserve(),
            child: None,
        };
        let mut nats = Nats {
            servers: (0..count).map(server).collect(),
            dir: directory(),
        };
        for n in 0..count {
            std::fs::write(nats.config(n), nats.text(n, lines)).unwrap();
            nats.run(n);
        }
        for n in 0..count {
            nats.healthy(n).await;
        }
        nats
    }

    fn config(&self, n: usize) -> PathBuf {
        self.dir.path().join(format!("n{n}.conf"))
    }

    fn store(&self, n: usize) -> PathBuf {
        self.dir.path().join(format!("n{n}"))
    }

    fn text(&self, n: usize, lines: &str) -> String {
        let NatsServer {
            client,
            route,
            monitor,
            ..
        } = &self.servers[n];
        let routes = self.servers.iter().map(|server| server.route.addr);
        let routes: Vec<String> = routes
            .filter(|other| *other != route.addr)
            .map(|other| format!("\"nats://{other}\""))
            .collect();
        let cluster = if routes.is_empty() {
            String::new()
        } else {
            let routes = routes.join(", ");
            format!(
                "cluster {{ name: t, listen: \"{}\", routes: [ {routes} ] }}\n",
                route.addr
            )
        };
        format!(
            "server_name: n{n}\nlisten: \"{}\"\nhttp: \"{}\"\n{lines}\n\
             jetstream {{ store_dir: \"{}\", max_mem: 8GB, max_file: 20GB, sync_interval: always }}\n{cluster}",
            client.addr,
            monitor.addr,
            self.store(n).display(),
        )
    }

    /// Starts a server.
    pub(crate) fn run(&mut self, n: usize) {
        let log = self.dir.path().join(format!("n{n}.log"));
        let child = Command::new(program())
            .arg("-c")
            .arg(self.config(n))
            .arg("-l")
            .arg(log)
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.servers[n].child = Some(child.unwrap());
    }

    /// Waits until a server says that it works.
    pub(crate) async fn healthy(&self, n: usize) {
        let addr = self.servers[n].monitor.addr;
        // One that has lost all it had gets that from the others first.
        eventually_within(STEP_TIMEOUT * 4, "the NATS server works", async || {
            let Ok(answer) = try_send(addr, "GET /healthz", b"").await else {
                return Err("no answer".to_owned());
            };
            if answer.status == 200 {
                Ok(())
            } else {
                Err(format!("status {}", answer.status))
            }
        })
        .await;
    }

    /// Sends a server a signal.
    pub(crate) async fn signal(&self, n: usize, name: &str) {
        let pid = self.servers[n].child.as_ref().unwrap().id().unwrap();
        let kill = format!("kill -{name} {pid}");
        let status = Command::new(SHELL).args(["-c", &kill]).status().await;
        assert!(status.unwrap().success(), "{kill}");
    }

    /// Kills a server at once.
    pub(crate) async fn kill(&mut self, n: usize) {
        self.signal(n, "KILL").await;
        let mut child = self.servers[n].child.take().unwrap();
        child.wait().await.unwrap();
    }

    /// Deletes all that a server that does not run has.
    pub(crate) fn wipe(&self, n: usize) {
        std::fs::remove_dir_all(self.store(n)).unwrap();
    }

    /// The value of `--cluster`, the server `first` in front.
    pub(crate) fn urls(&self, first: usize) -> String {
        let count = self.servers.len();
        let url = |n: usize| format!("nats://{}", self.servers[(first + n) % count].client.addr);
        (0..count).map(url).collect::<Vec<_>>().join(",")
    }

    /// Asks a server of its API by a raw request, and returns the answer.
    pub(crate) async fn ask(&self, subject: &str, request: &str) -> serde_json::Value {
        use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
        let addr = self.servers[0].client.addr;
        let mut socket = BufReader::new(tokio::net::TcpStream::connect(addr).await.unwrap());
        let text = format!(
            "CONNECT {{\"verbose\":false,\"headers\":true,\"no_responders\":true}}\r\n\
             SUB answer 1\r\nPUB {subject} answer {}\r\n{request}\r\n",
            request.len()
        );
        socket.write_all(text.as_bytes()).await.unwrap();
        loop {
            let mut line = String::new();
            crate::support::soon(socket.read_line(&mut line))
                .await
                .unwrap();
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["MSG", .., length] => {
                    let mut answer = vec![0; length.parse().unwrap()];
                    socket.read_exact(&mut answer).await.unwrap();
                    return serde_json::from_slice(&answer).unwrap();
                }
                ["HMSG", ..] => panic!("{subject}: nobody answers"),
                _ => {}
            }
        }
    }
}
