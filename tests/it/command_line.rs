//! The command line and the environment as people write them, and the addresses that the server
//! listens on.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::binary::{self, Binary};
use crate::support::client::{get, send};
use crate::support::port::Port;
use crate::support::{eventually, soon};

/// Runs the binary with these variables, and gives its exit code and standard error.
async fn fails(args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = binary::command(args);
    command.envs(variables.iter().copied());
    let output = soon(command.output()).await.unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

async fn starts(args: &[&str], variables: &[(&str, &str)]) -> Binary {
    let mut command = binary::command(&[&["--listen", "127.0.0.1:0"], args].concat());
    command.envs(variables.iter().copied());
    Binary::spawn(command).await
}

/// A program that was built without clusters says how to get one that has them.
#[cfg(not(feature = "cluster"))]
#[tokio::test]
async fn cluster_is_a_feature() {
    let here = ["--listen", "127.0.0.1:0", "--store", "memory"];
    let (code, said) = fails(&[&here[..], &["--cluster", "nats://a:4222"]].concat(), &[]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--features cluster"), "{said}");
    let (code, said) = fails(&["cluster", "check", "--cluster", "nats://a:4222"], &[]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--features cluster"), "{said}");
}

/// A switch in the environment takes what people write into a compose file.
#[tokio::test]
async fn switches_from_the_environment() {
    for (value, status) in [
        ("1", 404),
        ("true", 404),
        ("YES", 404),
        (" on ", 404),
        ("0", 200),
        ("False", 200),
        ("no", 200),
        ("off", 200),
        ("", 200),
    ] {
        let server = starts(&[], &[("FOREVER_FRAME_NO_DEMOS", value)]).await;
        assert_eq!(get(server.addr, "/wire").await.status, status, "{value:?}");
    }
    let server = starts(&["--no-demos"], &[("FOREVER_FRAME_NO_DEMOS", "0")]).await;
    assert_eq!(get(server.addr, "/wire").await.status, 404);
    let off = [
        ("FOREVER_FRAME_NO_DEMOS", "0"),
        ("FOREVER_FRAME_DEMO_ACCOUNTS", "yes"),
    ];
    let server = starts(&[], &off).await;
    assert!(
        get(server.addr, "/chat/login")
            .await
            .text()
            .await
            .contains("liger_zql")
    );
}

/// A variable that is empty is one that is not set, and lists may be written in several ways.
#[tokio::test]
async fn lists_and_empty_variables() {
    let server = starts(
        &["--cors-origin", "https://c.example"],
        &[
            ("FOREVER_FRAME_KEEP", ""),
            ("FOREVER_FRAME_STORE", "memory"),
            ("FOREVER_FRAME_PAGES", " "),
            ("FOREVER_FRAME_CORS_ORIGIN", "https://ignored.example"),
            ("FOREVER_FRAME_HOST", "a.example,\n  b.example, "),
        ],
    )
    .await;
    for host in ["a.example", "b.example"] {
        let request = format!("GET /style.css HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = crate::support::client::send_raw(server.addr, request.as_bytes()).await;
        assert_eq!(answer.unwrap().status, 200, "{host}");
    }
    let allowed = "GET /c/a?timeout=1ms\r\nOrigin: https://c.example";
    assert_eq!(send(server.addr, allowed, b"").await.status, 200);
    let server = starts(
        &[],
        &[(
            "FOREVER_FRAME_CORS_ORIGIN",
            "https://a.example https://b.example",
        )],
    )
    .await;
    for origin in ["https://a.example", "https://b.example"] {
        let request = format!("GET /c/a?timeout=1ms\r\nOrigin: {origin}");
        assert_eq!(
            send(server.addr, &request, b"").await.status,
            200,
            "{origin}"
        );
    }
}

/// What is wrong with a variable is said with its name and its value.
#[tokio::test]
async fn errors_name_the_variable() {
    for (name, value) in [
        ("FOREVER_FRAME_NO_DEMOS", "maybe"),
        ("FOREVER_FRAME_DRAIN", "5"),
        ("FOREVER_FRAME_LISTEN", "nowhere"),
        ("FOREVER_FRAME_CORS_ORIGIN", "https://a.example,b"),
        ("FOREVER_FRAME_HOST", "a b/c"),
    ] {
        let (code, err) = fails(&[], &[(name, value)]).await;
        assert_eq!(code, Some(2), "{name}: {err}");
        assert!(err.contains(name) && err.contains(value), "{name}: {err}");
    }
    // The command line is what counts, and what is wrong.
    let (code, err) = fails(&["--drain", "6"], &[("FOREVER_FRAME_DRAIN", "5s")]).await;
    assert_eq!(code, Some(2));
    assert!(
        err.contains("'6'") && !err.contains("FOREVER_FRAME_DRAIN"),
        "{err}"
    );
    let both = [("FOREVER_FRAME_NO_DEMOS", "yes")];
    let (code, err) = fails(&["--demo-accounts"], &both).await;
    assert_eq!(code, Some(2));
    assert!(
        err.contains("--no-demos") && err.contains("--demo-accounts"),
        "{err}"
    );
}

/// `serve` is the command that is meant without one.
#[tokio::test]
async fn serve_is_the_same_as_nothing() {
    let server = Binary::spawn(binary::command(&["serve", "--listen", "127.0.0.1:0"])).await;
    assert_eq!(get(server.addr, "/healthz").await.status, 200);
    let (code, err) = fails(&["serve", "--listen"], &[]).await;
    assert_eq!(code, Some(2), "{err}");
}

/// Asks with `forever-frame check`, and gives the exit code and standard error.
async fn check(url: &str) -> (Option<i32>, String) {
    fails(&["check", url], &[]).await
}

/// `check` tells by its exit code whether a server is ready, and why not.
#[tokio::test]
async fn check_asks_whether_a_server_is_ready() {
    let server = Binary::start(&["--drain", "30s"]).await;
    let listen = server.addr.to_string();
    for url in [
        &listen,
        &format!("http://{listen}"),
        &format!("http://localhost:{}/", listen.split_once(':').unwrap().1),
        &format!("http://{listen}/healthz"),
    ] {
        assert_eq!(check(url).await, (Some(0), String::new()), "{url}");
    }
    // The server on this machine that has the same environment.
    let here = [
        ("FOREVER_FRAME_LISTEN", &*listen),
        ("FOREVER_FRAME_KEEP", "not of this command"),
    ];
    assert_eq!(fails(&["check"], &here).await, (Some(0), String::new()));
    let (code, err) = check(&format!("{listen}/nothing")).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("is not ready: 404 Not Found"), "{err}");

    // One stream keeps it from its end.
    let _stream = get(server.addr, "/c/a").await;
    server.signal("-TERM").await;
    let stopping = eventually("it stops", async || {
        let (code, err) = check(&listen).await;
        (code == Some(1))
            .then_some(err)
            .ok_or("still ready".to_owned())
    });
    let err = stopping.await;
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(
        err.ends_with("503 Service Unavailable: the server is stopping\n"),
        "{err}"
    );
    assert!(
        err.starts_with(&format!("http://{listen}/healthz/ready ")),
        "{err}"
    );
}

/// `check` fails where there is no server, and is used wrongly with what is no URL.
#[tokio::test]
async fn check_without_a_server() {
    let nobody = Port::reserve();
    let (code, err) = check(&format!("http://{}", nobody.addr)).await;
    assert_eq!((code, err.lines().count()), (Some(1), 1), "{err}");
    assert!(err.contains("cannot be reached"), "{err}");
    for bad in ["ftp://localhost", "http://a b", "", "a b"] {
        assert_eq!(check(bad).await.0, Some(2), "{bad}");
    }
    let (code, err) = fails(&["--keep", "1", "check"], &[]).await;
    assert_eq!(code, Some(2), "{err}");
}

/// The addresses that a server says it listens on.
async fn addresses(listen: &str, count: usize) -> (tokio::process::Child, Vec<SocketAddr>) {
    let mut command = binary::command(&["--listen", listen, "--access", "open"]);
    command.stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut found = Vec::new();
    while found.len() < count {
        let line = soon(lines.next_line()).await.unwrap().unwrap();
        let addr = line.strip_prefix("forever-frame listening on http://");
        found.push(addr.unwrap().parse().unwrap());
    }
    (child, found)
}

/// Names are resolved, and each of their addresses is listened on, with one port.
#[tokio::test]
async fn listen_takes_names_and_ports() {
    let resolved: Vec<SocketAddr> = tokio::net::lookup_host("localhost:0")
        .await
        .unwrap()
        .collect();
    let has = |addr: SocketAddr| std::net::TcpListener::bind(addr).is_ok();
    let mut expected: Vec<_> = resolved.into_iter().filter(|addr| has(*addr)).collect();
    expected.dedup();
    let (_child, found) = addresses("localhost:0", expected.len()).await;
    for (addr, expected) in found.iter().zip(&expected) {
        assert_eq!(addr.ip(), expected.ip());
        assert_eq!(addr.port(), found[0].port());
        assert_eq!(get(*addr, "/style.css").await.status, 200, "{addr}");
    }
    let (_child, found) = addresses("0", 1).await;
    assert!(found[0].ip().is_loopback());
    for listen in [":0", "*:0"] {
        let (_child, found) = addresses(listen, 1).await;
        assert!(found[0].ip().is_unspecified(), "{found:?}");
        let here = SocketAddr::from(([127, 0, 0, 1], found[0].port()));
        assert_eq!(get(here, "/healthz").await.status, 200);
    }
    let (code, err) = fails(&["--listen", "nothing.invalid:80"], &[]).await;
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("cannot listen on nothing.invalid:80"), "{err}");
    for bad in ["localhost", "::1:80", "[::1]", "127.0.0.1:x"] {
        let (code, err) = fails(&["--listen", bad], &[]).await;
        assert_eq!(code, Some(2), "{bad}");
        assert!(err.contains(bad) && err.contains("write it like"), "{err}");
    }
}

/// `--listen-plain` is a second listener, which the second line names.
#[tokio::test]
async fn second_listener_is_named() {
    let server = starts(&["--listen-plain", "127.0.0.1:0"], &[]).await;
    assert_eq!(server.urls.len(), 2);
    for url in &server.urls {
        let addr = url.strip_prefix("http://").unwrap().parse().unwrap();
        assert_eq!(get(addr, "/healthz").await.status, 200);
    }
    server.end("-TERM").await;
}

/// The server shows the description of its interface that `generate openapi` prints.
#[tokio::test]
async fn interface_is_described() {
    let server = Binary::start(&[]).await;
    let mut answer = get(server.addr, "/openapi.json").await;
    assert_eq!(answer.header("content-type"), "application/json");
    let shown = answer.text().await;
    let printed = binary::command(&["generate", "openapi"]).output().await;
    assert_eq!(shown.as_bytes(), printed.unwrap().stdout);
    let description: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(description["openapi"], "3.2.0");
}
