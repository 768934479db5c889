//! `/probe`, without anything in between: lines that come and go when they say.

use std::time::{Duration, Instant};

use forever_frame::limits;
use forever_frame::probe::parse_sent;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::binary::{self, Binary};
use crate::support::client::{finish, get, post, send};
use crate::support::{TestServer, soon};

/// Each line comes by itself, when it says that it was sent, in each form, and the last after the silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_sends_lines_when_they_say() {
    let server = TestServer::start();
    for (form, content_type, before) in [
        ("text", "text/plain; charset=utf-8", "line 1"),
        ("sse", "text/event-stream", "data: line 1"),
        ("html", "text/html; charset=utf-8", ">line 1"),
    ] {
        let path = format!("/probe?as={form}&lines=2&quiet=700ms");
        let mut answer = get(server.addr, &path).await;
        assert_eq!(answer.status, 200, "{form}");
        assert_eq!(answer.header("content-type"), content_type);
        assert_eq!(answer.header("x-accel-buffering"), "no");
        let (mut times, began) = (Vec::new(), Instant::now());
        let mut all = String::new();
        while let Some(chunk) = soon(answer.chunk()).await.unwrap() {
            let text = String::from_utf8(chunk).unwrap();
            let sent: Vec<_> = text.lines().filter_map(parse_sent).collect();
            assert_eq!(sent.len(), 1, "{form}: {text}");
            times.push((sent[0], began.elapsed()));
            all += &text;
        }
        assert!(
            all.contains(before) && all.contains("end of the probe"),
            "{all}"
        );
        assert!(all.contains("asked by HTTP/1.1"), "{all}");
        assert_eq!(times.len(), 3, "{all}");
        let due = [0, 500, 1200].map(Duration::from_millis);
        for ((sent, came), due) in times.into_iter().zip(due) {
            assert!(sent >= due, "{all}");
            assert!(came + Duration::from_millis(50) >= sent, "{all}");
        }
    }
    server.stop().await;
}

/// No two answers are the same, a browser gets the page, and HEAD gives the head alone.
#[tokio::test]
async fn probe_has_its_forms() {
    let server = TestServer::start();
    let short = "/probe?lines=1&quiet=0s";
    let first = get(server.addr, short).await.text().await;
    let second = get(server.addr, short).await.text().await;
    assert!(first.starts_with("probe "), "{first}");
    assert_ne!(first.lines().next(), second.lines().next());
    let source = "GET /probe?lines=1&quiet=0s\r\nAccept: text/event-stream";
    let text = send(server.addr, source, b"").await.text().await;
    assert!(text.starts_with("data: probe "), "{text}");
    for path in ["/probe", "/probe?utm_source=x"] {
        let page = format!("GET {path}\r\nAccept: text/html");
        let page = send(server.addr, &page, b"").await.text().await;
        assert!(page.contains("<h1>Probe</h1>"), "{page}");
    }
    let head = send(server.addr, "HEAD /probe", b"").await;
    assert_eq!(
        (head.status, head.header("content-type")),
        (200, "text/plain; charset=utf-8")
    );
    server.stop().await;
}

/// What is asked of a probe is bounded, and the refusal says by what.
#[tokio::test]
async fn probe_is_bounded() {
    let server = TestServer::start();
    for (query, says) in [
        ("lines=0", "between 1 and 60"),
        ("lines=61", "between 1 and 60"),
        ("quiet=121s", "longer than 120s"),
        ("as=ndjson", "text, sse, html"),
        ("line=3", "as, lines, quiet"),
    ] {
        let mut answer = get(server.addr, &format!("/probe?{query}")).await;
        let text = answer.text().await;
        assert_eq!(answer.status, 400, "{query}: {text}");
        assert!(text.contains(says), "{text}");
    }
    let long = "x".repeat(limits::PROBE_BODY_BYTES_MAX + 1);
    for head in [
        "PUT /probe",
        "POST /probe\r\nContent-Type: application/json",
    ] {
        assert_eq!(
            send(server.addr, head, long.as_bytes()).await.status,
            413,
            "{head}"
        );
    }
    let nonsense = "POST /probe\r\nContent-Type: application/json";
    assert_eq!(send(server.addr, nonsense, b"7").await.status, 400);
    // A probe ends with the server.
    let mut answer = get(server.addr, "/probe?quiet=120s").await;
    answer.until("line 1 of").await;
    server.stop().await;
    soon(answer.text()).await;
}

/// The server says when which part of a body came.
#[tokio::test]
async fn probe_tells_when_a_body_came() {
    let server = TestServer::start();
    let mut socket = TcpStream::connect(server.addr).await.unwrap();
    let head = "POST /probe HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\
                Via: 1.1 somebody\r\nX-Forwarded-For: 192.0.2.7\r\nTransfer-Encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    for pause in [0, 300] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        socket.write_all(b"4\r\nabc\n\r\n").await.unwrap();
    }
    socket.write_all(b"0\r\n\r\n").await.unwrap();
    let answer = soon(finish(socket)).await.unwrap().json().await;
    let arrivals = answer["arrivals"].as_array().unwrap();
    assert_eq!(arrivals.len(), 2, "{answer}");
    assert_eq!(arrivals[0]["bytes"], 4);
    let between =
        arrivals[1]["after_ms"].as_f64().unwrap() - arrivals[0]["after_ms"].as_f64().unwrap();
    assert!(between > 100.0, "{answer}");
    assert_eq!(answer["version"], "HTTP/1.1");
    // Whose addresses somebody in between has told is not repeated.
    let told = json!([["via", "1.1 somebody"], ["x-forwarded-for", ""]]);
    assert_eq!(answer["asked_with"], told);
    // curl gets words.
    let words = send(server.addr, "PUT /probe\r\nAccept: */*", b"abc\n")
        .await
        .text()
        .await;
    assert!(words.contains("4 bytes came after 0."), "{words}");
    server.stop().await;
}

/// What a page has seen is answered with what follows from it.
#[tokio::test]
async fn probe_concludes() {
    let server = TestServer::start();
    let run = |late: f64| {
        let lines: Vec<Value> = [0.0, 500.0, 1000.0]
            .map(|sent| json!({"sent_ms": sent, "came_ms": sent + late * (1100.0 - sent)}))
            .into();
        json!({"status": 200, "expected": 3, "lines": lines, "ended_ms": 1000.0})
    };
    let conclude = async |text: f64, events: f64| {
        let seen = json!({
            "round_trip_ms": 1.0, "text": run(text), "events": run(events), "is_browser": true,
            "headers": [["server", "nginx"]], "version": "HTTP/1.0",
        });
        let head = "POST /probe\r\nContent-Type: application/json";
        send(server.addr, head, seen.to_string().as_bytes())
            .await
            .json()
            .await
    };
    let fine = conclude(0.0, 0.0).await;
    assert_eq!(
        (&fine["is_fine"], &fine["remedies"]),
        (&json!(true), &json!([])),
        "{fine}"
    );
    let held = conclude(1.0, 0.0).await;
    assert_eq!(held["is_fine"], false, "{held}");
    assert!(
        held["summary"]
            .as_str()
            .unwrap()
            .contains("nginx, which is in between, holds back")
    );
    assert!(
        held["remedies"][0]["write"]
            .as_str()
            .unwrap()
            .contains("proxy_buffering off;")
    );
    server.stop().await;
}

/// The command prints that nothing is in between, and says of what is no server of ours that it is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probe_command_prints_the_verdict() {
    let server = Binary::start(&[]).await;
    let url = format!("http://{}", server.addr);
    let output = soon(binary::command(&["probe", "--quiet", "100ms", &url]).output())
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(
        text.starts_with("Nothing between here and the server"),
        "{text}"
    );
    for row in [
        "down, as plain text",
        "down, as an event stream",
        "up  ",
        "compression",
        "cache",
    ] {
        assert!(text.contains(row), "{text}");
    }
    assert!(text.contains("nothing that shows itself"), "{text}");
    let elsewhere = format!("{url}/healthz");
    let output = soon(binary::command(&["probe", "--quiet", "0s", &elsewhere]).output())
        .await
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("forever-frame server"), "{text}");
    assert_eq!(post(server.addr, "/c/x", "y").await.status, 201);
}
