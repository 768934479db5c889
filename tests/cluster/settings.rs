//! What is refused at the start, and in which words.

use std::process::Output;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::nats::Nats;
use crate::shared::Shared;
use crate::support::binary::command;
use crate::support::client::append;
use crate::support::soon;

async fn run(args: &[&str]) -> Output {
    soon(command(args).output()).await.unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The settings of a stream as the server itself makes it.
async fn settings(nats: &Nats, name: &str) -> Value {
    let urls = nats.urls(0);
    let args = [
        "cluster",
        "check",
        "--cluster",
        &urls,
        "--cluster-replicas",
        "1",
    ];
    let output = run(&[&args[..], &["--cluster-stream", name]].concat()).await;
    assert!(output.status.success(), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(
        lines.contains(name) && lines.contains("version 2."),
        "{lines}"
    );
    let info = nats.ask(&format!("$JS.API.STREAM.INFO.{name}"), "").await;
    info["config"].clone()
}

/// A stream that is not as it must be is refused, with a sentence for each thing.
#[tokio::test]
async fn settings_that_are_wrong_are_said() {
    let nats = Nats::start(1).await;
    let right = settings(&nats, "right").await;
    let wrong: [(&str, &str, Value); 12] = [
        ("retention", "retention", json!("interest")),
        ("storage", "stored in \"memory\"", json!("memory")),
        ("discard", "discard \"new\"", json!("new")),
        ("max_msgs_per_subject", "holes", json!(5)),
        ("max_msgs", "5 messages", json!(5)),
        ("max_age", "--keep-for", json!(3_600_000_000_000_u64)),
        ("max_bytes", "--keep-bytes", json!(1_000_000)),
        ("max_msg_size", "--max-message", json!(1000)),
        ("duplicate_window", "duplicate window", json!(1_000_000_000)),
        ("allow_direct", "allow_direct", json!(false)),
        ("allow_atomic", "allow_atomic", json!(false)),
        ("deny_delete", "deny_delete", json!(false)),
    ];
    let urls = nats.urls(0);
    for (n, (field, words, value)) in wrong.into_iter().enumerate() {
        let name = format!("wrong{n}");
        let mut config = right.clone();
        config["name"] = json!(name);
        config["subjects"] = json!([format!("{name}.>")]);
        config["republish"] =
            json!({ "src": format!("{name}.>"), "dest": format!("{name}-committed.>") });
        config["metadata"] = json!({});
        config[field] = value;
        let made = nats
            .ask(
                &format!("$JS.API.STREAM.CREATE.{name}"),
                &config.to_string(),
            )
            .await;
        assert!(made.get("error").is_none(), "{field}: {made}");
        let options = [
            "--cluster",
            &urls,
            "--cluster-stream",
            &name,
            "--cluster-replicas",
            "1",
        ];
        let output = run(&[&["cluster", "check"], &options[..]].concat()).await;
        assert_eq!(output.status.code(), Some(1), "{field}");
        assert!(said(&output).contains(words), "{field}: {}", said(&output));
        if n % 4 == 0 {
            // The server itself says the same, and ends.
            let output = run(&[&["--listen", "127.0.0.1:0"], &options[..]].concat()).await;
            assert_eq!(output.status.code(), Some(1), "{field}");
            assert!(said(&output).contains(words), "{field}: {}", said(&output));
        }
    }
    // Too few replicas, unless it is a trial; and options that differ from those of the first server.
    let options = [
        "cluster",
        "check",
        "--cluster",
        &urls,
        "--cluster-stream",
        "right",
    ];
    let output = run(&options).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("--cluster-replicas 1"),
        "{}",
        said(&output)
    );
    let differing = [&options[..], &["--cluster-replicas", "1", "--keep", "5"]].concat();
    let output = run(&differing).await;
    assert!(said(&output).contains("--keep 5"), "{}", said(&output));
    let output = run(&["cluster", "check"]).await;
    assert_eq!(output.status.code(), Some(1));
}

/// A NATS server that asks for credentials is given those of the file, and refusals are said.
#[tokio::test]
async fn settings_have_credentials() {
    let nats = Nats::start_with(1, include_str!("credentials/server.conf")).await;
    let user = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/cluster/credentials/user.creds"
    );
    let one = ["--cluster-replicas", "1"];
    let options = [&one[..], &["--cluster-creds", user]].concat();
    let ours = Shared::start(&nats, 1, &options).await;
    assert_eq!(
        append(ours.addr(0), "a", "with credentials").await["seq"],
        1
    );
    let urls = nats.urls(0);
    let check = [&["cluster", "check", "--cluster", &urls], &one[..]].concat();
    let no_file = ["--cluster-creds", "/nowhere.creds"];
    let no_credentials = ["--cluster-creds", "/etc/hostname"];
    for (more, words) in [
        (&[][..], "authorization violation"),
        (&no_file, "/nowhere.creds"),
        (&no_credentials, "/etc/hostname"),
    ] {
        let output = run(&[&check, more].concat()).await;
        assert_eq!(output.status.code(), Some(1), "{more:?}");
        assert!(said(&output).contains(words), "{more:?}: {}", said(&output));
    }
}

/// A server that cannot take the longest message is refused.
#[tokio::test]
async fn settings_of_the_server_count() {
    let nats = Nats::start_with(1, "max_payload: 4KB").await;
    let urls = nats.urls(0);
    let output = run(&[
        "cluster",
        "check",
        "--cluster",
        &urls,
        "--cluster-replicas",
        "1",
    ])
    .await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("max_payload"), "{}", said(&output));
}

/// A NATS server of a version whose replicas can come to differ is refused.
#[tokio::test]
async fn settings_refuse_old_servers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    // As much of such a server as is needed until it has told its version.
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut socket = BufReader::new(socket);
                let info = json!({
                    "server_id": "x", "server_name": "x", "version": "2.9.10", "go": "go1.19", "host": "x",
                    "port": 4222, "headers": true, "max_payload": 1_048_576, "proto": 1, "jetstream": true,
                });
                let mut line = format!("INFO {info}\r\n");
                while socket.write_all(line.as_bytes()).await.is_ok() {
                    line.clear();
                    if !matches!(socket.read_line(&mut line).await, Ok(1..)) {
                        return;
                    }
                    line = if line.starts_with("PING") {
                        "PONG\r\n"
                    } else {
                        ""
                    }
                    .to_owned();
                }
            });
        }
    });
    for command in [&["cluster", "check"][..], &["--listen", "127.0.0.1:0"]] {
        let output = run(&[command, &["--cluster", &url]].concat()).await;
        assert_eq!(output.status.code(), Some(1));
        let said = said(&output);
        assert!(said.contains("2.9.10") && said.contains("2.12"), "{said}");
    }
}
