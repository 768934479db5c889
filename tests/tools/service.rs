//! The server as a service: systemd's own programs read the units of the README, and hand a socket over.

use std::fs;

use crate::helpers::programs::{command, output};
use crate::support::binary::{self, PROGRAM};
use crate::support::client::{append, get};
use crate::support::port::Port;
use crate::support::{directory, eventually};

const README: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));

/// systemd takes the units of the README as they stand there.
#[tokio::test]
async fn units_of_the_readme_are_sound() {
    let dir = directory();
    let units = README.split("```ini\n# ").skip(1).map(|rest| {
        let (unit, _) = rest.split_once("```").unwrap();
        let (name, text) = unit.split_once('\n').unwrap();
        // The unit names the program where it is to be installed.
        let text = text.replace("/usr/local/bin/forever-frame", PROGRAM);
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let units: Vec<String> = units.collect();
    assert_eq!(units.len(), 2);
    let args: Vec<&str> = ["verify"]
        .into_iter()
        .chain(units.iter().map(String::as_str))
        .collect();
    let mut verify = command("systemd-analyze", &args);
    let said = verify.output().await.unwrap();
    let errors = String::from_utf8(said.stderr).unwrap();
    // What it says of other units of this machine is not our concern.
    let ours = errors.lines().filter(|line| line.contains("forever-frame"));
    assert_eq!(ours.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(said.status.success(), "{errors}");
}

/// The first connection starts the server, which serves it.
#[tokio::test]
async fn systemd_hands_its_socket_over() {
    let port = Port::reserve();
    // It passes on little of its environment.
    let args = ["--listen", &port.listen(), PROGRAM, "--store", "memory"];
    let mut activate = binary::command_by("systemd-socket-activate", &args)
        .spawn()
        .unwrap();
    eventually("a socket that listens", async || {
        tokio::net::TcpStream::connect(port.addr).await.is_ok()
    })
    .await;
    assert_eq!(append(port.addr, "a", "x").await["seq"], 1);
    assert_eq!(get(port.addr, "/healthz/ready").await.status, 200);
    let url = port.listen();
    output(command(PROGRAM, &["check", &url])).await;
    activate.kill().await.unwrap();
}
