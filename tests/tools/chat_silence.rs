//! A network that is cut: the server gets no word of it, and no packet comes back.

use std::time::Duration;

use forever_frame::limits;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::sleep;

use crate::helpers::isolated::Isolated;
use crate::support::log_dir::LogDir;
use crate::support::{eventually, soon};

const NAMES: [&str; 2] = ["liger_zql", "漠然"];

/// A server with a chat, in a network that can be cut.
struct Silence {
    net: Isolated,
    jars: LogDir,
}

impl Silence {
    async fn start() -> Silence {
        Silence {
            net: Isolated::start("--demo-accounts").await,
            jars: LogDir::new(),
        }
    }

    /// A request of a person, with the cookies of the person's earlier answers.
    fn curl(&self, who: &str, path: &str, form: &[&str]) -> Command {
        let url = format!("http://{}/chat/{path}", self.net.server.addr);
        let jar = self.jars.at(who);
        let jar = jar.to_str().unwrap();
        let curl = ["curl", "-sSN", "-b", jar, "-c", jar, &url];
        self.net.command(&[&curl, form].concat())
    }

    async fn is_online(&self, friend: &str, who: &str) -> bool {
        let list = soon(self.curl(who, "friends", &[]).output()).await.unwrap();
        let list: Value = serde_json::from_slice(&list.stdout).unwrap();
        assert_eq!(list["friends"][0]["name"], friend);
        list["friends"][0]["online"].as_bool().unwrap()
    }
}

/// A person whose network was cut is offline after the time of a heartbeat, and not sooner.
#[tokio::test]
async fn presence_offline_after_network_cut() {
    let silence = Silence::start().await;
    for name in NAMES {
        let form = ["-d", &format!("name={name}"), "-d", "password=12345"];
        let answer = soon(silence.curl(name, "login", &form).output())
            .await
            .unwrap();
        assert!(answer.status.success(), "{answer:?}");
    }
    let [gone, friend] = NAMES;
    let mut stream = silence.curl(gone, "stream?as=ndjson", &[]).spawn().unwrap();
    eventually("the person is online", async || {
        silence.is_online(gone, friend).await
    })
    .await;
    // Two seconds are not enough: the network may be back in a moment.
    silence.net.set_line("down").await;
    sleep(Duration::from_secs(2)).await;
    silence.net.set_line("up").await;
    assert!(silence.is_online(gone, friend).await);

    silence.net.set_line("down").await;
    sleep(limits::HEARTBEAT_INTERVAL_DEFAULT + limits::PRESENCE_GRACE + Duration::from_secs(1))
        .await;
    silence.net.set_line("up").await;
    assert!(!silence.is_online(gone, friend).await);
    assert!(
        stream.try_wait().unwrap().is_none(),
        "the client waits still"
    );
    soon(stream.kill()).await.unwrap();
}
