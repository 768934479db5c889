//! A part of the log's file that cannot be read: no transport takes it for an ordinary end.

use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::binary::Binary;
use crate::support::client::{get, post};
use crate::support::log_dir::LogDir;
use crate::support::mailbox::{letter, look};
use crate::support::wires::{ALL, Stream, StreamEvent};
use crate::support::{eventually, soon};

const PAGE: usize = 4096;
const MESSAGES: usize = 300;

/// A page of the log's file that has been overwritten.
struct DamagedPage {
    file: File,
    offset: u64,
    sound: Vec<u8>,
}

impl DamagedPage {
    /// Overwrites the page that has this text.
    fn with(log_dir: &LogDir, text: &str) -> DamagedPage {
        let bytes = std::fs::read(log_dir.file()).unwrap();
        let has_text = |page: &&[u8]| page.windows(text.len()).any(|part| part == text.as_bytes());
        let (number, sound) = bytes
            .chunks(PAGE)
            .enumerate()
            .find(|(_, page)| has_text(page))
            .expect(text);
        let file = OpenOptions::new().write(true).open(log_dir.file()).unwrap();
        let offset = (number * PAGE) as u64;
        file.write_all_at(&[0xff; PAGE], offset).unwrap();
        DamagedPage {
            file,
            offset,
            sound: sound.to_vec(),
        }
    }

    /// Writes what was there before.
    fn mend(self) {
        self.file.write_all_at(&self.sound, self.offset).unwrap();
    }
}

/// A log whose messages have a page each, with a letter among them, as a stopped server leaves it.
async fn long_log() -> LogDir {
    let log_dir = LogDir::new();
    let server = log_dir.start(&["--drain", "0s"]).await;
    for n in 0..MESSAGES {
        if n == 60 {
            letter(server.addr, "ben", &format!("letter{}", "y".repeat(3_000))).await;
        }
        let text = format!("<{n}> {}", "x".repeat(3_000));
        assert_eq!(post(server.addr, "/c/m", text).await.status, 201);
    }
    server.end("-TERM").await;
    log_dir
}

/// Starts a server that keeps none of the log's messages in memory.
async fn start(log_dir: &LogDir) -> Binary {
    log_dir.start(&["--drain", "0s"]).await
}

async fn status(addr: SocketAddr, path: &str) -> u16 {
    get(addr, path).await.status
}

/// A follower that begins where the log cannot be read is told so, instead of a stream that begins,
/// and an `EventSource` is told to come back later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_beginning_is_an_error() {
    let log_dir = long_log().await;
    let damage = DamagedPage::with(&log_dir, "<100> ");
    let server = start(&log_dir).await;
    let addr = server.addr;
    for path in ["/healthz", "/healthz/ready", "/healthz/live"] {
        assert_eq!(status(addr, path).await, 200, "{path}");
    }
    for wire in ALL {
        let began = Instant::now();
        let mut answer = soon(get(addr, &format!("/c/m?as={wire}&since=100"))).await;
        assert!(
            began.elapsed() > Duration::from_millis(900),
            "{wire}: no client spins"
        );
        if wire == "sse" {
            // Any other status would be final for it.
            assert_eq!(answer.status, 200);
            assert!(answer.text().await.contains("retry: "));
            continue;
        }
        assert_eq!(answer.status, 503, "{wire}");
        assert!(answer.header("retry-after").parse::<u64>().is_ok());
        let sentence = answer.json().await;
        assert!(
            sentence["error"].as_str().unwrap().contains("damaged"),
            "{sentence}"
        );
        assert_eq!(status(addr, "/healthz").await, 503);
    }
    assert_eq!(status(addr, "/healthz/ready").await, 503);
    assert_eq!(status(addr, "/healthz/live").await, 200);
    // Who asks for what can be read gets it.
    let stream = Stream::open(addr, "text", "m", "since=200&limit=101").await;
    let metrics = get(addr, "/metrics").await.text().await;
    assert!(
        metrics.contains("forever_frame_log_readable 0\n"),
        "{metrics}"
    );
    drop(stream);
    damage.mend();
    eventually("reads succeed again", async || {
        status(addr, "/healthz/ready").await == 200
    })
    .await;
    assert_eq!(status(addr, "/c/m?since=100&limit=1").await, 200);
    let log = server.end("-TERM").await;
    let lines = log.lines().filter(|line| line.contains("cannot be read"));
    assert!((1..20).contains(&lines.count()), "{log}");
    assert!(log.contains("can be read again"), "{log}");
}

/// A stream that comes to where the log cannot be read says so and is broken off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_middle_breaks_streams_off() {
    let log_dir = long_log().await;
    let _damage = DamagedPage::with(&log_dir, "<100> ");
    let server = start(&log_dir).await;
    for wire in ALL {
        if wire == "json" {
            continue;
        }
        let mut stream = Stream::open(server.addr, wire, "m", "since=0").await;
        let broken = loop {
            match stream.read().await {
                Ok(true) => {}
                Ok(false) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken, "{wire}: it must not end as planned");
        let seen = stream.messages().count();
        assert!((1..=100).contains(&seen), "{wire}: {seen}");
        let Some(StreamEvent::End(_, reason)) = stream.said.last() else {
            panic!("{wire}: no end mark")
        };
        assert_eq!(reason, "store", "{wire}");
    }
    // Over HTTP/1.0 nothing but a reset tells that a body is incomplete.
    let mut old = TcpStream::connect(server.addr).await.unwrap();
    let request = format!("GET /c/m?since=0 HTTP/1.0\r\nHost: {}\r\n\r\n", server.addr);
    old.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    soon(old.read_to_end(&mut bytes)).await.unwrap_err();
    assert!(String::from_utf8_lossy(&bytes).contains("\n# end "));
}

/// A receiver of letters is told that there may be one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_letter_is_an_error() {
    let log_dir = long_log().await;
    let damage = DamagedPage::with(&log_dir, "letteryyy");
    let server = start(&log_dir).await;
    let form = "action=receive&me=ben&wait=0s";
    let answer = soon(post(server.addr, "/mailbox", form)).await;
    assert_eq!(answer.status, 503);
    damage.mend();
    eventually("the letter comes", async || {
        post(server.addr, "/mailbox", form).await.status == 200
    })
    .await;
    assert_eq!(
        look(server.addr, "ben").await["Msg"],
        serde_json::Value::Null
    );
}
