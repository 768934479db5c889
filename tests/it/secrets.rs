//! Secrets are nowhere but where their holders put them: not in the log at its most talkative, nor in metrics,
//! errors, headers, or the sources of pages.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::support::access::{AccessFile, secret, token};
use crate::support::binary::{Binary, command};
use crate::support::client::send;

const BROWSER: &str = "Accept: text/html";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// Every way to show a token, right or wrong, to requests that are let in and that are not.
fn requests(shown: &str) -> Vec<(String, String)> {
    let basic = {
        use base64ct::Encoding;
        base64ct::Base64::encode_string(format!("ci:{shown}").as_bytes())
    };
    let headers = [
        format!("Authorization: Bearer {shown}"),
        format!("Authorization: Basic {basic}"),
        format!("Authorization: {shown}"),
        format!("Authorization: Bearer {shown}\r\nAuthorization: Bearer {shown}"),
        format!("Cookie: forever-frame-access={shown}"),
    ];
    let mut requests = Vec::new();
    for header in headers {
        for line in [
            "GET /c/main?timeout=1ms",
            "GET /c/private?timeout=1ms",
            "GET /c/?as=html",
            "GET /login",
            "GET /sender",
            "GET /receiver",
            "GET /metrics",
            "GET /nothing",
            "DELETE /c/main",
            "POST /c/main",
            "PUT /c/private",
            "POST /logout",
        ] {
            for accept in [
                BROWSER,
                "Accept: application/json",
                "Accept: text/event-stream",
            ] {
                let line = format!("{line}\r\n{accept}\r\nVia: 1.1 proxy\r\n{header}");
                requests.push((line, "x".to_owned()));
            }
        }
    }
    for target in [
        format!("/c/main?key={shown}&timeout=1ms"),
        format!("/c/main?key={shown}&key=other"),
        format!("/c/main?key=other&key={shown}"),
        format!("/c/main?key={shown}&sicne=now"),
        format!("/c/main?key={shown}&since=yesterday"),
        format!("/c/?key={shown}&as=html&limit=1"),
        format!("/stream?key={shown}&as=html&timeout=1ms"),
        format!("/login?next=/c/a%3Fkey={shown}"),
        format!("/sender?key={shown}"),
        format!("/nothing?key={shown}"),
    ] {
        for line in ["GET", "POST", "DELETE"] {
            requests.push((format!("{line} {target}\r\n{BROWSER}"), "x".to_owned()));
            requests.push((format!("{line} {target}"), "x".to_owned()));
        }
    }
    for (path, body) in [
        ("/login", format!("token={shown}")),
        ("/login", format!("token={shown}&token={shown}%FF")),
        ("/login", format!("tokn={shown}")),
    ] {
        requests.push((format!("POST {path}\r\n{FORM}\r\n{BROWSER}"), body.clone()));
        requests.push((format!("POST {path}\r\n{FORM}"), body));
    }
    requests
}

/// All that the server says to these requests, but for the cookie that a right token is put into, and the
/// address that a browser is led back to, which it named itself.
async fn said(addr: SocketAddr, requests: &[(String, String)]) -> String {
    let mut said = String::new();
    for (line, body) in requests {
        let body = if line.starts_with("GET") { "" } else { body };
        let mut answer = send(addr, line, body.as_bytes()).await;
        for (name, value) in &answer.headers {
            let is_own = name == "set-cookie" || (name == "location" && line.contains("next="));
            if !is_own {
                writeln!(said, "{name}: {value}").unwrap();
            }
        }
        let is_led_back = line.contains("next=");
        let is_endless = answer.status == 200 && line.starts_with("POST /receiver");
        if !is_led_back && !is_endless {
            said += &answer.text().await;
        }
    }
    said
}

/// No secret, whole or in part, turns up anywhere, with `RUST_LOG=trace`.
#[tokio::test]
async fn secrets_are_told_to_nobody() {
    let file = AccessFile::new(&format!(
        "demos = true\n{}",
        token(
            "ci",
            "read = [\"main\"]\nwrite = [\"main\"]\nmetrics = true"
        )
    ));
    let path = file.path();
    let mut command = command(&[
        "--listen",
        "127.0.0.1:0",
        "--access",
        path.to_str().unwrap(),
    ]);
    command.env("RUST_LOG", "trace,forever_frame::access=info");
    let server = Binary::spawn(command).await;
    let right = secret("ci");
    let wrong = "ff_wrong-but-secret-all-the-same";
    let jwt = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJzZWNyZXQifQ.c2VjcmV0LXNpZ25hdHVyZQ";
    let mut text = String::new();
    for shown in [&*right, wrong, jwt] {
        text += &said(server.addr, &requests(shown)).await;
    }
    let line = format!("GET /metrics\r\nAuthorization: Bearer {right}");
    text += &send(server.addr, &line, b"").await.text().await;
    file.write(&format!("[token.ci]\nsha256 = \"{right}\""));
    server.signal("-HUP").await;
    let log = server.end("-TERM").await;
    assert!(log.contains("access.toml, line 2"), "{log}");
    assert!(
        log.contains("DEBUG") && log.contains("path=/c/main"),
        "{log}"
    );
    for part in ["secret-of-ci", "wrong-but", "eyJpc3Mi", "c2VjcmV0"] {
        for (place, text) in [("log", &log), ("answers", &text)] {
            let at = text.find(part).map(|at| &text[at.saturating_sub(200)..at]);
            assert!(at.is_none(), "{part} in the {place}, after {at:?}");
        }
    }
}
