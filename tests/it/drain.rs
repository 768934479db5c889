//! Stops and restarts under load: thousands of followers of all kinds, and messages all the time. Every
//! stream ends in-band, and every follower goes on where it was.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use forever_frame::limits;

use crate::support::binary::Binary;
use crate::support::client::append;
use crate::support::crowd::{self, Crowd, Kind};
use crate::support::port::Port;

const FOLLOWERS: usize = 3000;
const STOPS: usize = 20;
const CHANNELS: usize = 10;
const MESSAGES_PER_SECOND: u32 = 50;
const DRAIN: Duration = Duration::from_secs(1);

/// What a stop may take longer on a machine that is busy.
const MARGIN: Duration = Duration::from_secs(10);

/// The pause before something that was refused is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// Longer than a step takes on a slow machine.
const STEP: Duration = Duration::from_mins(3);

/// A machine that is so busy that the stops take longer than this does fewer of them.
const BUDGET: Duration = Duration::from_mins(4);

const KINDS: [Kind; 8] = [
    kind("text", "HTTP/1.1"),
    kind("html", "HTTP/1.1"),
    kind("script", "HTTP/1.1"),
    kind("sse", "HTTP/1.1"),
    kind("ndjson", "HTTP/1.1"),
    kind("json", "HTTP/1.1"),
    kind("sse", "HTTP/1.0"),
    kind("text", "HTTP/1.0"),
];

const fn kind(wire: &'static str, version: &'static str) -> Kind {
    Kind { wire, version }
}

fn channel(number: usize) -> String {
    format!("c{number}")
}

/// The followers that there can be: each is an open file of this process and of the server.
fn followers() -> usize {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1024);
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let most = files.saturating_sub(400);
    if most < FOLLOWERS {
        println!("the limit of open files is {files}, so there are {most} followers only");
    }
    FOLLOWERS.min(most)
}

/// Publishers, one for each channel, that append numbered messages, each exactly once, also while the
/// server is down.
struct Publishers {
    is_over: Arc<AtomicBool>,
    /// Each returns the number of its last message.
    threads: Vec<thread::JoinHandle<u64>>,
}

impl Publishers {
    fn start(addr: SocketAddr) -> Publishers {
        let is_over = Arc::new(AtomicBool::new(false));
        let publisher = |number: usize| {
            let is_over = Arc::clone(&is_over);
            let publish = if number == 0 { upload } else { append_each };
            thread::spawn(move || publish(addr, &channel(number), &is_over))
        };
        Publishers {
            threads: (0..CHANNELS).map(publisher).collect(),
            is_over,
        }
    }

    /// Ends, and returns the number of the last message of each channel.
    fn end(self) -> Vec<u64> {
        self.is_over.store(true, SeqCst);
        let threads = self.threads.into_iter();
        threads.map(|thread| thread.join().unwrap()).collect()
    }
}

/// Waits until the next message of a channel is due.
fn pause() {
    thread::sleep(Duration::from_secs(CHANNELS as u64) / MESSAGES_PER_SECOND);
}

/// Appends messages, each with a request of its own, which is repeated until the server has answered
/// that it has the message.
fn append_each(addr: SocketAddr, channel: &str, is_over: &AtomicBool) -> u64 {
    let (mut socket, mut number) = (None, 0);
    while !is_over.load(SeqCst) {
        number += 1;
        let text = crowd::text(number);
        let request = format!(
            "POST /c/{channel} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: {number}\r\n\
             Content-Length: {}\r\n\r\n{text}",
            text.len()
        );
        while !matches!(exchange(&mut socket, addr, &request), Ok((200 | 201, _))) {
            socket = None;
            thread::sleep(RETRY);
        }
        pause();
    }
    number
}

/// Appends messages as the lines of uploads. The answer to an upload says how many of them were
/// appended, also where the server stops; the others are sent again.
fn upload(addr: SocketAddr, channel: &str, is_over: &AtomicBool) -> u64 {
    let head = format!(
        "PUT /c/{channel} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let mut appended = 0;
    while !is_over.load(SeqCst) {
        let Ok(socket) = connect(addr) else {
            thread::sleep(RETRY);
            continue;
        };
        let mut lines = 0;
        // Until the server answers, or this is the end.
        while !is_answered(&socket) {
            let line = crowd::text(appended + lines + 1) + "\n";
            let chunk = format!("{:x}\r\n{line}\r\n", line.len());
            let is_last = is_over.load(SeqCst);
            let (before, after) = (
                if lines == 0 { &head } else { "" },
                if is_last { "0\r\n\r\n" } else { "" },
            );
            let part = format!("{before}{chunk}{after}");
            if socket.get_ref().write_all(part.as_bytes()).is_err() || is_last {
                break;
            }
            lines += 1;
            pause();
        }
        match exchange(&mut Some(socket), addr, "") {
            Ok((status, body)) => {
                assert!(matches!(status, 201 | 503), "{status} {body}");
                // One that comes while the server stops is refused as other requests are.
                let body: serde_json::Value = serde_json::from_str(&body).unwrap();
                appended += body["count"].as_u64().unwrap_or(0);
            }
            // It came when the server was about to go.
            Err(error) => assert!(lines <= 1, "an upload of {lines} lines: {error}"),
        }
    }
    appended
}

/// Whether the server has sent something, or has closed the connection.
fn is_answered(socket: &BufReader<TcpStream>) -> bool {
    let socket = socket.get_ref();
    socket.set_nonblocking(true).unwrap();
    let peeked = socket.peek(&mut [0]);
    socket.set_nonblocking(false).unwrap();
    !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
}

fn connect(addr: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(STEP))?;
    Ok(BufReader::new(socket))
}

/// Sends a request, and reads the status and the body of the answer.
fn exchange(
    socket: &mut Option<BufReader<TcpStream>>,
    addr: SocketAddr,
    request: &str,
) -> io::Result<(u16, String)> {
    let mut connection = match socket.take() {
        Some(socket) => socket,
        None => connect(addr)?,
    };
    connection.get_mut().write_all(request.as_bytes())?;
    let (mut status, mut line, mut length) = (String::new(), String::new(), 0);
    connection.read_line(&mut status)?;
    let status = status.get(9..12).and_then(|status| status.parse().ok());
    let status = status.ok_or(ErrorKind::UnexpectedEof)?;
    while connection.read_line(&mut line)? > 2 {
        if let Some(text) = line.strip_prefix("content-length: ") {
            length = text.trim_end().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    *socket = Some(connection);
    Ok((status, String::from_utf8(body).unwrap()))
}

/// 20 stops, each while messages come: nobody is cut, nothing is lost and nothing comes twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stops_under_load_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", directory.path().join("log.db").display());
    let (port, count) = (Port::reserve(), followers());
    let args = ["--store", &store, "--drain", "1s", "--no-demos"];
    let start = async || Binary::start_at(&port.listen(), &args).await;
    let mut server = start().await;
    let first = append(port.addr, "none", "first").await;
    let epoch = first["cursor"].as_str().unwrap().split('-').next().unwrap();
    let channels: Vec<String> = (0..CHANNELS).map(channel).collect();
    let mut crowd = Crowd::new(port.addr, epoch, count, &KINDS, &channels);
    let publishers = Publishers::start(port.addr);
    let all_began = Instant::now();
    for stop in 0..STOPS {
        let began = Instant::now();
        if stop >= 4 && began - all_began > BUDGET {
            println!("the machine is slow: {stop} stops, not {STOPS}");
            break;
        }
        // Some stops come while followers are still connecting.
        let connecting = stop % 4 == 3;
        crowd.connect(if connecting { count / 2 } else { count });
        let connected = crowd.connected();
        let follow = || crowd.read_until(began + STEP, |crowd| crowd.following() >= connected);
        assert!(
            tokio::task::block_in_place(follow),
            "{} of {connected}",
            crowd.following()
        );
        let following = began.elapsed();
        let meanwhile = Instant::now() + Duration::from_millis(500);
        tokio::task::block_in_place(|| crowd.read_until(meanwhile, |_| false));
        if connecting {
            crowd.connect(count);
        }
        let asked = Instant::now();
        server.signal("-TERM").await;
        let all_ended = || crowd.read_until(asked + DRAIN + MARGIN, |crowd| crowd.connected() == 0);
        assert!(
            tokio::task::block_in_place(all_ended),
            "{} are not ended",
            crowd.connected()
        );
        assert_eq!(server.ended().await.code(), Some(0));
        let took = asked.elapsed();
        assert!(took < DRAIN + limits::DRAIN_GRACE + MARGIN, "{took:?}");
        server = start().await;
        println!("stop {stop}: {following:?} to connect, {took:?} to stop");
    }
    let last = publishers.end();
    crowd.connect(count);
    let end = Instant::now() + STEP;
    let all = |crowd: &Crowd| {
        let mut channels = last.iter().enumerate();
        channels.all(|(number, last)| crowd.slowest(&channel(number)) == *last)
    };
    assert!(tokio::task::block_in_place(|| crowd.read_until(end, all)));
    println!(
        "{} messages, each to a tenth of {count} followers",
        last.iter().sum::<u64>()
    );
    server.signal("-TERM").await;
    assert_eq!(server.ended().await.code(), Some(0));
}
