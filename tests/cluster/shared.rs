//! Our servers, which share a log.

use std::net::SocketAddr;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::nats::Nats;
use crate::support::binary::{Binary, command};
use crate::support::client::{get, try_send};
use crate::support::port::Port;
use crate::support::{directory, eventually};

/// Servers with one log.
pub(crate) struct Shared {
    servers: Vec<SharedServer>,
    dir: TempDir,
    options: Vec<String>,
}

struct SharedServer {
    port: Port,
    /// The value of `--cluster`.
    cluster: String,
    binary: Option<Binary>,
}

impl Shared {
    /// Starts so many servers with these options besides, and waits until they are ready.
    pub(crate) async fn start(nats: &Nats, count: usize, options: &[&str]) -> Shared {
        let mut shared = Shared::new(nats, count, options);
        for n in 0..count {
            shared.run(n).await;
        }
        for n in 0..count {
            shared.ready(n).await;
        }
        shared
    }

    /// Servers that do not run yet.
    pub(crate) fn new(nats: &Nats, count: usize, options: &[&str]) -> Shared {
        let server = |n| SharedServer {
            port: Port::reserve(),
            cluster: nats.urls(n),
            binary: None,
        };
        Shared {
            servers: (0..count).map(server).collect(),
            dir: directory(),
            options: options.iter().map(ToString::to_string).collect(),
        }
    }

    pub(crate) fn addr(&self, n: usize) -> SocketAddr {
        self.servers[n].port.addr
    }

    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| server.port.addr).collect()
    }

    fn copy(&self, n: usize) -> PathBuf {
        self.dir.path().join(format!("copy{n}.db"))
    }

    /// Starts a server, and waits until it listens.
    pub(crate) async fn run(&mut self, n: usize) {
        let store = format!("sqlite:{}", self.copy(n).display());
        let (listen, cluster) = (self.servers[n].port.listen(), &self.servers[n].cluster);
        let mut args = vec!["--listen", &listen, "--cluster", cluster, "--drain", "0s"];
        if !self.options.iter().any(|option| option == "--store") {
            args.extend(["--store", &*store]);
        }
        args.extend(self.options.iter().map(String::as_str));
        self.servers[n].binary = Some(Binary::spawn(command(&args)).await);
    }

    /// Waits until a server is ready.
    pub(crate) async fn ready(&self, n: usize) {
        let addr = self.addr(n);
        eventually("the server is ready", async || {
            let Ok(mut answer) = try_send(addr, "GET /healthz/ready", b"").await else {
                return Err("no answer".to_owned());
            };
            if answer.status == 200 {
                Ok(())
            } else {
                Err(answer.text().await)
            }
        })
        .await;
    }

    pub(crate) fn binary(&mut self, n: usize) -> &mut Binary {
        self.servers[n].binary.as_mut().unwrap()
    }

    /// Kills a server at once, and returns what it had logged.
    pub(crate) async fn kill(&mut self, n: usize) -> String {
        let binary = self.servers[n].binary.take().unwrap();
        binary.end("-KILL").await
    }

    /// Stops a server in order, and returns what it had logged.
    pub(crate) async fn stop(&mut self, n: usize) -> String {
        let binary = self.servers[n].binary.take().unwrap();
        binary.end("-TERM").await
    }

    /// Deletes the copy of a server that does not run.
    pub(crate) fn wipe(&self, n: usize) {
        for suffix in ["", "-wal", "-shm", "-lock"] {
            let mut path = self.copy(n).into_os_string();
            path.push(suffix);
            let _ = std::fs::remove_file(path);
        }
    }

    /// A figure of `/metrics`.
    pub(crate) async fn figure(&self, n: usize, name: &str) -> f64 {
        let text = get(self.addr(n), "/metrics").await.text().await;
        let name = format!("forever_frame_{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&*name));
        line.unwrap_or_else(|| panic!("{name}: {text}"))
            .parse()
            .unwrap()
    }

    /// All messages that a server has: cursor, channel and text of each.
    pub(crate) async fn all(&self, n: usize) -> Vec<(String, String, String)> {
        let path = "/c/*?as=ndjson&since=all&until=now";
        let text = get(self.addr(n), path).await.text().await;
        let mut all = Vec::new();
        for line in text.lines() {
            let item: serde_json::Value = serde_json::from_str(line).unwrap();
            let string = |name: &str| item[name].as_str().unwrap().to_owned();
            match item["type"].as_str().unwrap() {
                "message" => all.push((string("cursor"), string("channel"), string("data"))),
                "gap" => panic!("{item}"),
                _ => {}
            }
        }
        all
    }
}
