//! What one client may use: however much it asks for, there is room for the others. The addresses here
//! are those that a proxy on this machine tells.

use std::net::SocketAddr;

use forever_frame::config::AccessOption;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant};

use crate::support::access::{AccessFile, bearer};
use crate::support::client::{Response, finish, get, post, send};
use crate::support::{TestServer, at_last, eventually, soon};

/// A request from this address.
fn from(address: &str, request: &str) -> String {
    format!("{request}\r\nX-Forwarded-For: {address}")
}

/// Opens streams from an address until one is refused, and gives those that were not.
async fn streams(addr: SocketAddr, address: &str) -> Vec<Response> {
    let mut streams = Vec::new();
    loop {
        let answer = send(addr, &from(address, "GET /c/a"), b"").await;
        if answer.status != 200 {
            assert_eq!(answer.status, 429, "{address}");
            return streams;
        }
        streams.push(answer);
    }
}

/// How many requests were refused for this reason.
async fn refused(addr: SocketAddr, reason: &str) -> u64 {
    let metrics = get(addr, "/metrics").await.text().await;
    let name = format!("forever_frame_refused_total{{reason=\"{reason}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap().parse().unwrap()
}

/// A client that opens as many streams as it can leaves as many to the others, and each of those finds
/// some. The machine itself has no bound.
#[tokio::test]
async fn streams_of_one_client_leave_room() {
    let server = TestServer::with(|config| config.max_connections = Some(24));
    let greedy = streams(server.addr, "192.0.2.1").await;
    assert_eq!(greedy.len(), 12);
    let second = streams(server.addr, "2001:db8::1").await;
    assert_eq!(second.len(), 6);
    assert_eq!(
        streams(server.addr, "2001:db8::2").await.len(),
        0,
        "one site"
    );
    // The connections that were refused are over for the server, too, in a moment.
    let own = eventually("a stream of the machine itself", async || {
        let answer = get(server.addr, "/c/a").await;
        (answer.status == 200)
            .then_some(answer)
            .ok_or("refused".to_owned())
    });
    let own = own.await;
    drop((greedy, second, own));
    server.open_streams(0).await;
    assert_eq!(streams(server.addr, "192.0.2.1").await.len(), 12);
    server.stop().await;
}

/// Beyond the bound a stream is refused so that its client comes back: 429 with `Retry-After`, or for an
/// `EventSource` an answer that it survives.
#[tokio::test]
async fn stream_beyond_the_bound_comes_back() {
    let server = TestServer::with(|config| config.clients.address.requests = Some(2));
    let streams = streams(server.addr, "192.0.2.1").await;
    assert_eq!(streams.len(), 2);
    let mut refused_stream = send(server.addr, &from("192.0.2.1", "GET /c/a"), b"").await;
    assert_eq!(refused_stream.status, 429);
    let wait: u64 = refused_stream.header("retry-after").parse().unwrap();
    assert!((1..60).contains(&wait), "{wait}");
    let error = refused_stream.text().await;
    assert!(
        error.contains("your address has as many streams"),
        "{error}"
    );
    let poll = from("192.0.2.1", "GET /c/a?as=json&wait=10s");
    assert_eq!(soon(send(server.addr, &poll, b"")).await.status, 429);
    let source = from("192.0.2.1", "GET /c/a\r\nAccept: text/event-stream");
    let mut source = send(server.addr, &source, b"").await;
    assert_eq!(
        (source.status, source.header("content-type")),
        (200, "text/event-stream")
    );
    let text = source.text().await;
    assert!(
        text.contains("retry: ") && !text.contains("\n\n"),
        "{text:?}"
    );
    assert_eq!(refused(server.addr, "client_requests").await, 4);

    // Pages and other clients are served, and the client itself when it has room again.
    assert_eq!(
        send(server.addr, &from("192.0.2.1", "GET /"), b"")
            .await
            .status,
        200
    );
    let other = send(server.addr, &from("192.0.2.2", "GET /c/a?timeout=1ms"), b"").await;
    assert_eq!(other.status, 200);
    drop(streams);
    eventually("room again", async || {
        let again = from("192.0.2.1", "GET /c/a?timeout=1ms");
        send(server.addr, &again, b"").await.status == 200
    })
    .await;
    server.stop().await;
}

/// A client whose bodies do not come to their end keeps no other from appending.
#[tokio::test]
async fn unfinished_bodies_have_a_bound() {
    let server = TestServer::with(|config| config.clients.address.requests = Some(2));
    let mut unfinished = Vec::new();
    for request in [
        "POST /c/a HTTP/1.1\r\nContent-Length: 2",
        "PUT /c/a HTTP/1.1\r\nTransfer-Encoding: chunked",
    ] {
        let mut socket = TcpStream::connect(server.addr).await.unwrap();
        let headers = "Host: localhost\r\nX-Forwarded-For: 192.0.2.1\r\nExpect: 100-continue";
        let head = format!("{request}\r\n{headers}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        // The server waits for the body.
        let mut answer = [0; 25];
        soon(socket.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
        unfinished.push(socket);
    }
    let append = async |address| send(server.addr, &from(address, "POST /c/a"), b"x").await;
    let mut refused = append("192.0.2.1").await;
    assert_eq!(refused.status, 429);
    assert_ne!(refused.header("retry-after"), "");
    assert!(refused.text().await.contains("requests in progress"));
    let upload = send(server.addr, &from("192.0.2.1", "PUT /c/a"), b"x").await;
    assert_eq!(upload.status, 429);
    assert_eq!(append("192.0.2.2").await.status, 201);
    assert_eq!(post(server.addr, "/c/a", "x").await.status, 201);

    let mut first = unfinished.swap_remove(0);
    first.write_all(b"ok").await.unwrap();
    assert_eq!(soon(finish(first)).await.unwrap().status, 201);
    eventually("room again", async || {
        append("192.0.2.1").await.status == 201
    })
    .await;
    server.stop().await;
}

/// A client that appends too often is told when it may again; others are not concerned, nor are
/// the letters of the mailbox less than other messages.
#[tokio::test]
async fn appends_of_a_client_have_a_rate() {
    let server = TestServer::with(|config| config.clients.address.appends = 3);
    let append = async |address: &str, path: &str| {
        send(server.addr, &from(address, &format!("POST {path}")), b"x").await
    };
    let began = Instant::now();
    let mut taken = 0;
    let mut refused_append = loop {
        let answer = append("192.0.2.1", "/c/a").await;
        if answer.status != 201 {
            break answer;
        }
        taken += 1;
    };
    let back = began.elapsed().as_secs_f64() * 3.0;
    assert!(
        (6.0..=6.0 + back + 1.0).contains(&f64::from(taken)),
        "{taken} {back}"
    );
    assert_eq!(
        (refused_append.status, refused_append.header("retry-after")),
        (429, "1")
    );
    assert!(refused_append.text().await.contains("appends more often"));
    assert_eq!(refused(server.addr, "client_appends").await, 1);
    for _ in 0..6 {
        assert_eq!(append("192.0.2.2", "/send").await.status, 201);
    }
    for _ in 0..20 {
        assert_eq!(post(server.addr, "/c/a", "x").await.status, 201);
    }
    let visits = async || {
        send(server.addr, &from("192.0.2.3", "GET /sender"), b"")
            .await
            .status
    };
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(visits().await);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    let refused = append("192.0.2.3", "/sender").await.status;
    assert_eq!(refused, 429, "the page appends, too");
    server.stop().await;
}

/// The lines of an upload come at the rate, and none of them is refused; the client's appends are counted
/// apart.
#[tokio::test]
async fn upload_beyond_the_rate_waits() {
    let server = TestServer::with(|config| config.clients.address.appends = 10);
    let lines = |count: usize| "x\n".repeat(count).into_bytes();
    let upload = async |address: &str, count| {
        let mut answer =
            at_last(send(server.addr, &from(address, "PUT /c/a"), &lines(count))).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.json().await["count"], count);
    };
    let began = Instant::now();
    upload("192.0.2.1", 35).await;
    let took = began.elapsed();
    // Twenty come at once, and the others one each tenth of a second.
    assert!(took >= Duration::from_millis(1400), "{took:?}");
    let append = from("192.0.2.1", "POST /c/a");
    assert_eq!(send(server.addr, &append, b"x").await.status, 201);
    let began = Instant::now();
    upload("127.0.0.1", 1000).await;
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    server.stop().await;
}

/// Who is no proxy cannot choose whom it is counted as: here the machine itself is not believed.
#[tokio::test]
async fn address_is_not_what_a_client_says() {
    let server = TestServer::with(|config| {
        config.trusted_proxies = vec!["192.0.2.7/32".parse().unwrap()];
        config.clients.address.requests = Some(1);
    });
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(send(server.addr, &from("192.0.2.1", "GET /c/a"), b"").await);
    }
    assert!(streams.iter().all(|stream| stream.status == 200));
    server.stop().await;
}

/// Who shows one token from many addresses takes no more than the token's share; others, and those who show
/// none, have their own.
#[tokio::test]
async fn token_leaves_room_from_many_addresses() {
    let rights = "read = [\"*\"]\nwrite = [\"*\"]";
    let head = "[anyone]\nread = [\"*\"]\nmetrics = true";
    let file = AccessFile::with_tokens(head, &[("one", rights), ("other", rights)]);
    let server = TestServer::with(|config| {
        config.access = Some(AccessOption::File(file.path()));
        config.clients.token.requests = Some(2);
        config.clients.token.appends = 1;
    });
    let asked = async |token: &str, address: u8, line: &str| {
        let address = format!("192.0.2.{address}");
        let line = format!("{}\r\n{}", from(&address, line), bearer(token));
        send(server.addr, &line, b"x").await
    };
    let first = asked("one", 1, "GET /c/a").await;
    let second = asked("one", 2, "GET /c/a").await;
    assert_eq!((first.status, second.status), (200, 200));
    for line in ["GET /c/a", "PUT /c/a", "POST /c/a"] {
        let mut refused = asked("one", 3, line).await;
        assert_eq!(refused.status, 429, "{line}");
        assert_ne!(refused.header("retry-after"), "");
        let error = refused.text().await;
        assert!(error.contains("your token has as many"), "{line}: {error}");
    }
    let event_source = "GET /c/a\r\nAccept: text/event-stream";
    let mut source = asked("one", 3, event_source).await;
    let text = source.text().await;
    assert_eq!(source.status, 200);
    assert!(text.contains("your token") && text.contains("retry: "));
    assert_eq!(asked("other", 1, "GET /c/a?timeout=1ms").await.status, 200);
    let anyone = from("192.0.2.1", "GET /c/a?timeout=1ms");
    assert_eq!(send(server.addr, &anyone, b"").await.status, 200);
    drop((first, second));
    eventually("room again", async || {
        asked("one", 3, "GET /c/a?timeout=1ms").await.status == 200
    })
    .await;

    let mut statuses = Vec::new();
    for address in 1..=20 {
        let answer = asked("one", address, "POST /c/a").await;
        statuses.push((answer.status, answer.header("retry-after").to_owned()));
    }
    assert!(statuses.contains(&(429, "1".to_owned())), "{statuses:?}");
    assert_eq!(asked("other", 1, "POST /c/a").await.status, 201);
    let machine = format!("POST /c/a\r\n{}", bearer("one"));
    for _ in 0..5 {
        assert_eq!(send(server.addr, &machine, b"x").await.status, 201);
    }
    server.stop().await;
}
