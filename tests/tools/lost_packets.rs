//! A network that loses packets for a moment, while nothing is said on a connection.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::helpers::isolated::Isolated;

/// An upload that is quiet while the network is down for five seconds goes on afterwards. In that
/// time the kernel asks whether the client is still there (after 30 s of silence), and gets no answer
/// to its first question.
#[tokio::test]
async fn quiet_upload_survives_a_lost_probe() {
    let net = Isolated::start("").await;
    let url = format!("http://{}/c/build", net.server.addr);
    let make = format!("(echo begun; sleep 48; echo done) | curl -sS -T - {url}");
    let upload = net.command(&["sh", "-c", &make]).spawn().unwrap();
    sleep(Duration::from_secs(28)).await;
    net.set_line("down").await;
    sleep(Duration::from_secs(5)).await;
    net.set_line("up").await;
    let output = timeout(Duration::from_mins(1), upload.wait_with_output()).await;
    let output = output.expect("the upload ends").unwrap();
    assert!(output.status.success(), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["count"], 2, "{answer}");
}
