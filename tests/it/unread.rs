//! Clients that do not read what they asked for: what they cost, and what they get when they read after
//! all.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::support::client::{Response, append, finish, get, send};
use crate::support::mailbox::letter;
use crate::support::person::Person;
use crate::support::wires::{self, StreamEvent, StreamReader};
use crate::support::{TestServer, at_last, eventually, soon};

const KIB: usize = 1024;

/// The memory for unread answers in these tests; one address gets half of it.
const MEMORY: usize = 1024 * KIB;

/// The messages of these tests. Each is longer than a frame, and up to six times as long when encoded.
const COUNT: usize = 8;

const LONG: usize = 60 * KIB;

fn text(n: usize) -> String {
    format!("{n} {}", "\u{1}".repeat(LONG))
}

fn with_scarce_memory() -> TestServer {
    TestServer::with(|config| {
        config.memory.answers = MEMORY;
        config.max_message = 2 * LONG;
    })
}

/// A server with scarce memory for answers, and messages in the channel `big`.
async fn scarce() -> TestServer {
    let server = with_scarce_memory();
    for n in 0..COUNT {
        append(server.addr, "big", &text(n)).await;
    }
    server
}

/// Sends a request, and does not read the answer.
async fn ask(addr: SocketAddr, request: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // Little fits into the kernel.
    socket.set_recv_buffer_size(32 * 1024).unwrap();
    let mut socket = socket.connect(addr).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

/// Reads the answer after all.
async fn read(socket: TcpStream) -> Response {
    soon(finish(socket)).await.unwrap()
}

fn follow(wire: &str, version: &str) -> String {
    let path = format!("/c/big?as={wire}&limit={COUNT}");
    format!("GET {path} HTTP/{version}\r\nHost: localhost\r\n\r\n")
}

async fn unsent_bytes(addr: SocketAddr) -> usize {
    let metrics = get(addr, "/metrics").await.text().await;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("forever_frame_unsent_bytes "));
    line.unwrap().parse().unwrap()
}

/// Waits until the memory is used up as far as one address gets it.
async fn used_up(addr: SocketAddr) {
    let mut most = 0;
    eventually("the share is used up", async || {
        let held = unsent_bytes(addr).await;
        assert!(held <= MEMORY / 2, "{held}");
        let is_steady = held == most && held > 0;
        most = held;
        is_steady
    })
    .await;
}

/// The texts of all messages in a response.
async fn texts(wire: &'static str, mut response: Response) -> Vec<String> {
    let (mut reader, mut texts) = (StreamReader::new(wire), Vec::new());
    while let Some(bytes) = soon(response.chunk()).await.unwrap() {
        for said in reader.read(&bytes) {
            match said {
                StreamEvent::Message(message) => texts.push(message.data),
                StreamEvent::Gap(..) => panic!("{said:?}"),
                _ => {}
            }
        }
    }
    texts
}

/// Followers that do not read cost a cursor when the memory is used up, and get every message when
/// they read on, on every transport.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_followers_keep_their_cursors() {
    let server = scarce().await;
    let mut stalled = Vec::new();
    for wire in wires::ALL.into_iter().filter(|wire| *wire != "json") {
        for version in ["1.1", "1.1", "1.0"] {
            stalled.push((wire, ask(server.addr, &follow(wire, version)).await));
        }
    }
    used_up(server.addr).await;
    // Messages that come meanwhile are not for these followers.
    append(server.addr, "big", "later").await;
    let expected: Vec<String> = (0..COUNT).map(text).collect();
    let mut reading = JoinSet::new();
    for (wire, socket) in stalled {
        reading.spawn(async move { (wire, texts(wire, read(socket).await).await) });
    }
    for (wire, shown) in at_last(reading.join_all()).await {
        // A hidden frame ends when it has grown large.
        let is_all = shown.len() == COUNT || wire == "script" && !shown.is_empty();
        assert!(is_all, "{wire}: {}", shown.len());
        for (shown, expected) in shown.iter().zip(&expected) {
            // HTML and SSE show this character as it is, text escapes it.
            let same = shown == expected || *shown == expected.replace('\u{1}', "\\x01");
            assert!(same, "{wire}: {}", &shown[..20]);
        }
    }
    eventually("all is given back", async || {
        unsent_bytes(server.addr).await == 0
    })
    .await;
    server.stop().await;
}

/// Long polls that nobody reads leave the others their memory. One that finds none is told so in its
/// own way: nothing now, and the cursor to ask again with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_long_polls_lock_out_nobody() {
    let server = scarce().await;
    let poll = |from: &str, wait: &str| {
        format!(
            "GET /c/big?as=json&wait={wait} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {from}\r\n\r\n"
        )
    };
    let mut unread = Vec::new();
    for _ in 0..20 {
        unread.push(ask(server.addr, &poll("192.0.2.1", "60s")).await);
    }
    used_up(server.addr).await;
    let other = ask(server.addr, &poll("192.0.2.2", "60s")).await;
    // This one has a share that its message does not fit, and waits for the rest of its time.
    let same = ask(server.addr, &poll("192.0.2.1", "1s")).await;
    let mut answer = read(same).await;
    let json = soon(answer.json()).await;
    assert_eq!(json["messages"].as_array().unwrap().len(), 0, "{json}");
    assert!(json["cursor"].as_str().unwrap().ends_with("-0"), "{json}");
    drop(other);
    // All that read after all get the message.
    let reading = unread.into_iter().map(|socket| async {
        let json = read(socket).await.json().await;
        assert_eq!(json["messages"][0]["data"], text(0));
    });
    at_last(reading.collect::<JoinSet<()>>().join_all()).await;
    server.stop().await;
}

/// Answers that nobody reads use up the share of their address. Then others of the address are refused,
/// those of other addresses are served, and so are operators and small answers. A letter that is
/// refused so is not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_answers_lock_out_nobody() {
    let server = with_scarce_memory();
    let addr = server.addr;
    let mut letters = Vec::new();
    for n in 0..6 {
        letter(addr, &format!("bob{n}"), &text(n)).await;
    }
    for n in 0..5 {
        let form = format!("action=receive&me=bob{n}&wait=0s");
        let request = format!(
            "POST /mailbox HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        );
        letters.push(ask(addr, &request).await);
    }
    used_up(addr).await;
    let receive = async |from: &str| {
        let request = format!("POST /mailbox\r\nX-Forwarded-For: {from}");
        send(addr, &request, b"action=receive&me=bob5&wait=0s").await
    };
    let mut refused = receive("192.0.2.1").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    let sentence = refused.text().await;
    assert!(sentence.contains("memory for unread answers"), "{sentence}");
    append(addr, "small", "hello").await;
    let metrics = get(addr, "/metrics").await.text().await;
    let count = "forever_frame_refused_total{reason=\"answer_memory\"} ";
    let counted = metrics.lines().find_map(|line| line.strip_prefix(count));
    assert!(counted.unwrap().parse::<u64>().unwrap() >= 1, "{metrics}");
    drop(letters);
    let received = async || {
        let mut answer = receive("192.0.2.1").await;
        answer.status == 200 && answer.json().await["Msg"] == text(5)
    };
    eventually("the letter is there", received).await;
    server.stop().await;
}

/// A history, a page and a file of `--pages` that nobody reads are counted, too; pages and files that
/// are in the program cost nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_pages_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("large.png"), vec![0; 300 * KIB]).unwrap();
    let pages = dir.path().to_owned();
    let server = TestServer::with(|config| {
        config.memory.answers = MEMORY;
        config.pages = Some(pages);
    });
    let mut unread = Vec::new();
    for _ in 0..10 {
        let request = "GET /forever-frame.js HTTP/1.1\r\nHost: localhost\r\n\r\n";
        unread.push(ask(server.addr, request).await);
    }
    assert_eq!(get(server.addr, "/forever-frame.js").await.status, 200);
    let request = "GET /large.png HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for _ in 0..4 {
        unread.push(ask(server.addr, request).await);
    }
    used_up(server.addr).await;
    assert_eq!(get(server.addr, "/large.png").await.status, 503);
    let elsewhere = "GET /large.png\r\nX-Forwarded-For: 192.0.2.9";
    assert_eq!(send(server.addr, elsewhere, b"").await.status, 200);
    drop(unread);
    let served = async || get(server.addr, "/large.png").await.status == 200;
    eventually("it is served again", served).await;
    server.stop().await;
}

/// The histories of a conversation that nobody reads are counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_histories_are_counted() {
    let server = TestServer::with(|config| config.memory.answers = 2 * KIB * KIB);
    let [mut zoe, ben] = Person::friends(server.addr, "Zoe", "Ben").await;
    for n in 0..16 {
        let said = zoe
            .say(&ben, &format!("{n} {}", "x".repeat(15 * KIB)))
            .await;
        assert!(said.status < 300);
    }
    let mut unread = Vec::new();
    for _ in 0..20 {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nCookie: {}\r\n\r\n",
            ben.path("with"),
            zoe.cookie
        );
        unread.push(ask(server.addr, &request).await);
    }
    let counted = async || unsent_bytes(server.addr).await > 256 * KIB;
    eventually("they are counted", counted).await;
    assert!(unsent_bytes(server.addr).await <= KIB * KIB);
    drop(unread);
    let served = async || zoe.get(&ben.path("with")).await.status == 200;
    eventually("it is served again", served).await;
    server.stop().await;
}
