//! A network that is cut: the server gets no word of it, and no packet comes back.

use std::process::Stdio;
use std::time::Duration;

use forever_frame::limits;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::sleep;

use crate::support::binary::{self, Binary, PROGRAM};
use crate::support::place::Place;
use crate::support::{eventually, soon};

const NAMES: [&str; 2] = ["liger_zql", "漠然"];

/// A server in a network of its own, which can be cut.
struct Isolated {
    server: Binary,
    jars: Place,
}

impl Isolated {
    async fn start() -> Isolated {
        let start = r#"ip link set lo up && exec "$0" --listen 127.0.0.1:0 --demo-accounts"#;
        let args = ["--map-root-user", "--net", "sh", "-c", start, PROGRAM];
        Isolated {
            server: Binary::spawn(binary::command_by("unshare", &args)).await,
            jars: Place::new(),
        }
    }

    /// A command that runs in that network.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--user", "--preserve-credentials", "--net"])
            .args(["--target", &self.server.pid().to_string()])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// A request of a person, with the cookies of the person's earlier answers.
    fn curl(&self, who: &str, path: &str, form: &[&str]) -> Command {
        let url = format!("http://{}/chat/{path}", self.server.addr);
        let jar = self.jars.at(who);
        let jar = jar.to_str().unwrap();
        self.command(&[&["curl", "-sSN", "-b", jar, "-c", jar, &url], form].concat())
    }

    async fn is_online(&self, friend: &str, who: &str) -> bool {
        let list = soon(self.curl(who, "friends", &[]).output()).await.unwrap();
        let list: Value = serde_json::from_slice(&list.stdout).unwrap();
        assert_eq!(list["friends"][0]["name"], friend);
        list["friends"][0]["online"].as_bool().unwrap()
    }

    /// Sets the network `up` or `down`.
    async fn set_line(&self, state: &str) {
        let mut set = self.command(&["ip", "link", "set", "lo", state]);
        assert!(soon(set.status()).await.unwrap().success(), "{state}");
    }
}

/// A person whose network was cut is offline after the time of a heartbeat, and not sooner.
#[tokio::test]
async fn presence_offline_after_network_cut() {
    let net = Isolated::start().await;
    for name in NAMES {
        let form = ["-d", &format!("name={name}"), "-d", "password=12345"];
        let answer = soon(net.curl(name, "login", &form).output()).await.unwrap();
        assert!(answer.status.success(), "{answer:?}");
    }
    let [gone, friend] = NAMES;
    let mut stream = net.curl(gone, "stream?as=ndjson", &[]).spawn().unwrap();
    eventually("the person is online", async || {
        net.is_online(gone, friend).await
    })
    .await;
    // Two seconds are not enough: the network may be back in a moment.
    net.set_line("down").await;
    sleep(Duration::from_secs(2)).await;
    net.set_line("up").await;
    assert!(net.is_online(gone, friend).await);

    net.set_line("down").await;
    sleep(limits::HEARTBEAT_INTERVAL_DEFAULT + limits::PRESENCE_GRACE + Duration::from_secs(1))
        .await;
    net.set_line("up").await;
    assert!(!net.is_online(gone, friend).await);
    assert!(
        stream.try_wait().unwrap().is_none(),
        "the client waits still"
    );
    soon(stream.kill()).await.unwrap();
}
