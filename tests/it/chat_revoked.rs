//! The rights of the chat's streams and requests end with the session or the friendship, whatever the
//! log has kept.

use forever_frame::log::Keep;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::client::finish;
use crate::support::log_dir::LogDir;
use crate::support::person::{PASSWORD, Person, encoded};
use crate::support::{TestServer, soon};

const SECRET: &str = "said after the change of password";

/// Another session of the person, such as one whose cookie was stolen.
async fn logged_in_again(person: &Person) -> Person {
    let mut again = Person::nobody(person.addr);
    assert_eq!(
        again.enter("login", &person.name, PASSWORD).await.status,
        200
    );
    again
}

async fn change_password(person: &mut Person) {
    let fields = [("old", PASSWORD), ("new", "another password")];
    assert_eq!(person.post("/chat/password", &fields).await.status, 204);
}

/// A client that has asked for a stream and reads next to nothing of it.
async fn sleeper(person: &Person, request: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2304).unwrap();
    let mut socket = socket.connect(person.addr).await.unwrap();
    let head = format!(
        "{request}\r\nHost: {}\r\nCookie: {}\r\n\r\n",
        person.addr, person.cookie
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    socket.read_exact(&mut status).await.unwrap();
    assert!(status.ends_with(b"200"), "{request}");
    socket
}

/// A stream that lags when its session ends, and was told so by nothing that the log still has, hears
/// nothing of what is said afterwards: whatever the version of HTTP, and on each transport.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lagging_stream_ends_with_its_session() {
    const KEPT: usize = 20;
    let server = TestServer::with(|config| {
        config.keep = Keep {
            messages: KEPT,
            ..config.keep
        };
    });
    let [mut victim, mut friend] = Person::friends(server.addr, "victim", "friend").await;
    let thief = logged_in_again(&victim).await;
    let mut asleep = Vec::new();
    for (wire, version) in [
        ("ndjson", "1.1"),
        ("ndjson", "1.0"),
        ("sse", "1.1"),
        ("text", "1.0"),
        ("script", "1.1"),
    ] {
        let request = format!("GET /chat/stream?as={wire}&since=now HTTP/{version}");
        asleep.push((request.clone(), sleeper(&thief, &request).await));
    }
    server.open_streams(5).await;
    // Far more than the sockets take.
    for _ in 0..KEPT {
        let long = "z".repeat(16_000);
        assert_eq!(friend.say(&victim, &long).await.status, 201);
    }
    change_password(&mut victim).await;
    // What stands in the victim's channels now is all that is kept.
    for n in 0..=KEPT {
        assert_eq!(friend.say(&victim, "noise").await.status, 201);
        let list = victim.get("/chat/friends").await.json().await;
        let through = [("through", list["since"].as_str().unwrap())];
        let read = victim.post(&friend.path("read"), &through).await;
        assert_eq!(read.status, 204, "{n}");
    }
    assert_eq!(friend.say(&victim, SECRET).await.status, 201);
    for (request, mut socket) in asleep {
        let mut heard = Vec::new();
        soon(socket.read_to_end(&mut heard)).await.unwrap();
        let heard = String::from_utf8_lossy(&heard);
        for never in [SECRET, "noise"] {
            assert!(!heard.contains(never), "{request} hears {never:?}");
        }
        assert!(heard.contains("revoked"), "{request}");
    }
    server.stop().await;
}

/// A quiet stream ends at once, and says why, whichever way its session ends.
#[tokio::test]
async fn quiet_stream_ends_with_its_session() {
    let server = TestServer::start();
    let [mut zoe, ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    for how in ["logout", "login", "password"] {
        let mut other = logged_in_again(&zoe).await;
        let mut streams = Vec::new();
        for path in ["/chat/stream", "/chat/presence"] {
            for wire in ["ndjson", "sse", "script"] {
                // Their heartbeats say nothing for a minute.
                streams.push(other.follow_as(wire, path, "since=now&heartbeat=60s").await);
            }
        }
        let frame = other.get(&format!("{}?since=now", ben.path("frame"))).await;
        let long_poll = tokio::spawn({
            let other = other.clone();
            async move { other.get("/chat/stream?as=json&since=now&wait=60s").await }
        });
        server.open_streams(8).await;
        match how {
            "logout" => drop(other.post("/chat/logout", &[]).await),
            "login" => drop(other.enter("login", "Zoë", PASSWORD).await),
            _ => change_password(&mut zoe).await,
        }
        for stream in streams {
            let stream = soon(stream.whole()).await;
            let reason = stream.end().map(|(_, reason)| reason);
            assert_eq!(reason, Some("revoked"), "{how}");
        }
        let mut frame = frame;
        soon(frame.text()).await;
        let answer = soon(long_poll).await.unwrap().json().await;
        assert_eq!(answer["messages"].as_array().unwrap().len(), 0, "{how}");
    }
    server.stop().await;
}

/// The frame of a conversation ends with the friendship, and only that frame.
#[tokio::test]
async fn frame_ends_with_the_friendship() {
    let server = TestServer::start();
    let [mut zoe, mut ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    let mut eve = Person::new(server.addr, "Eve").await;
    eve.befriend("ask", "Zoë").await;
    zoe.befriend("accept", "Eve").await;
    let mut with_ben = zoe.get(&ben.path("frame")).await;
    let mut with_eve = zoe.get(&eve.path("frame")).await;
    let mut bens = ben.get(&zoe.path("frame")).await;
    server.open_streams(3).await;
    zoe.befriend("remove", "Ben").await;
    for frame in [&mut with_ben, &mut bens] {
        soon(frame.text()).await;
    }
    assert_eq!(eve.say(&zoe, "still here").await.status, 201);
    with_eve.until("still here").await;
    assert_eq!(zoe.get(&ben.path("frame")).await.status, 404);
    // Friends again, they have a conversation again.
    ben.befriend("ask", "Zoë").await;
    zoe.befriend("accept", "Ben").await;
    let mut again = zoe.get(&ben.path("frame")).await;
    ben.say(&zoe, "hello again").await;
    again.until("hello again").await;
    drop((with_eve, again));
    server.stop().await;
}

/// The head of a request that says something, with half of its body.
async fn half_said(from: &Person, to: &Person, text: &str) -> (TcpStream, String) {
    let mut socket = TcpStream::connect(from.addr).await.unwrap();
    let body = format!("msg={}", encoded(text));
    let (half, rest) = body.split_at(6);
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nContent-Length: {}\r\n\r\n{half}",
        to.path("with"),
        from.addr,
        from.cookie,
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    (socket, rest.to_owned())
}

/// A request whose session or friendship ends while its body is read does nothing.
#[tokio::test]
async fn half_sent_request_of_ended_right_refused() {
    let server = TestServer::start();
    let [mut zoe, ben] = Person::friends(server.addr, "Zoë", "Ben").await;
    let mut eve = Person::new(server.addr, "Eve").await;
    eve.befriend("ask", "Zoë").await;
    zoe.befriend("accept", "Eve").await;
    let thief = logged_in_again(&zoe).await;
    let (mut by_thief, thiefs_rest) = half_said(&thief, &ben, "I am Zoë").await;
    let (mut by_eve, eves_rest) = half_said(&eve, &zoe, "one more thing").await;
    let friends = [("action", "remove"), ("name", "Eve")];
    zoe.post("/chat/friends", &friends).await;
    change_password(&mut zoe).await;
    by_thief.write_all(thiefs_rest.as_bytes()).await.unwrap();
    by_eve.write_all(eves_rest.as_bytes()).await.unwrap();
    assert_eq!(soon(finish(by_thief)).await.unwrap().status, 401);
    assert_eq!(soon(finish(by_eve)).await.unwrap().status, 404);
    let said = ben.get(&zoe.path("with")).await.json().await;
    assert_eq!(said["messages"].as_array().unwrap().len(), 0);
    server.stop().await;
}

/// A session that is too long idle, or that somebody takes out of the file, ends for its streams
/// without any request.
#[tokio::test]
async fn stream_ends_with_session_of_the_file() {
    let log_dir = LogDir::new();
    let server = log_dir.start(&[]).await;
    let ends = [
        (
            "expired",
            "UPDATE sessions SET used = used - 31 * 24 * 3600000",
        ),
        ("revoked", "DELETE FROM sessions"),
    ];
    for (reason, sql) in ends {
        let person = Person::new(server.addr, reason).await;
        let stream = person.follow("/chat/stream").await;
        let connection = log_dir.connect();
        tokio::task::spawn_blocking(move || connection.execute_batch(sql).unwrap())
            .await
            .unwrap();
        let stream = soon(stream.whole()).await;
        assert_eq!(stream.end().map(|(_, reason)| reason), Some(reason));
        assert_eq!(person.get("/chat/friends").await.status, 401);
    }
}
