//! What may happen to some followers of a crowd, and what the others notice of it: nothing. Clients that
//! send or leave in the middle of something, newcomers in the place of those that left, rights that end,
//! and a server that goes away.

use std::net::SocketAddr;
use std::time::Duration;

use forever_frame::config::{Config, StoreKind};
use forever_frame::limits;
use forever_frame::server::Server;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep};

use crate::support::person::{PASSWORD, Person};
use crate::support::raw_stream::{RawStream, SMALL_BUFFER, seq};
use crate::support::sender::{Answer, Sender};
use crate::support::upload::Upload;
use crate::support::wires::StreamEvent;
use crate::support::{TestServer, at_last, soon, until};

/// All transports of endless streams, and those that do not end when they have grown long.
const WIRES: [&str; 5] = ["text", "html", "sse", "ndjson", "script"];
const LONG_WIRES: &[&str] = WIRES.split_at(4).0;

/// Longer than a lane leaves anything undone, and shorter than the time after which it looks at each
/// follower in any case.
const SOON: Duration = Duration::from_secs(6);

/// A stream of one channel that has nothing but numbered messages.
struct Numbers {
    stream: RawStream,
    /// The number of the next message.
    next: u64,
    /// Whether the stream has said its end.
    has_ended: bool,
}

impl Numbers {
    /// A stream from the message with this number on.
    async fn from(
        addr: SocketAddr,
        wire: &'static str,
        path: &str,
        query: &str,
        next: u64,
    ) -> Self {
        let stream = RawStream::ask(addr, wire, path, query, None).await;
        Numbers {
            stream: stream.unwrap(),
            next,
            has_ended: false,
        }
    }

    fn take(&mut self, said: Vec<StreamEvent>) {
        for said in said {
            match said {
                StreamEvent::Message(message) => {
                    let number = message.data.split(' ').next().unwrap();
                    assert_eq!(
                        number,
                        self.next.to_string(),
                        "none missing, and none twice"
                    );
                    self.next += 1;
                }
                StreamEvent::End(..) => self.has_ended = true,
                StreamEvent::Gap(..) => panic!("{said:?}"),
                _ => {}
            }
        }
    }

    async fn begun(mut self) -> Self {
        let said = self.stream.begin().await.unwrap();
        assert_eq!(self.stream.status(), "200");
        self.take(said);
        self
    }

    /// Reads until all before `end` are there.
    async fn until(&mut self, end: u64) {
        while self.next < end {
            let said = self.stream.read(64 * 1024).await.unwrap();
            self.take(said);
        }
    }
}

/// Appends the numbers of a range, each in a message of its own.
async fn append_numbers(
    sender: &mut Sender,
    path: &str,
    numbers: std::ops::Range<u64>,
    noise: &str,
) {
    for number in numbers {
        let answer = sender.post(path, &format!("{number} {noise}\n")).await;
        assert!(matches!(answer, Answer::Reply(201, _)), "{answer:?}");
    }
}

/// Closes a connection so that the server's end is told at once.
fn reset(stream: RawStream) {
    let linger = SockRef::from(&stream.socket).set_linger(Some(Duration::ZERO));
    linger.unwrap();
    drop(stream);
}

/// Clients that send something, close their sending side, or do both, while pages of a long history are
/// read from the disk for them, have all of it, and what comes then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_that_sends_while_history_is_read_has_all_of_it() {
    const OLD: u64 = 4000;
    const NEW: u64 = 200;
    let directory = crate::support::directory();
    let server = TestServer::stored(&directory);
    let mut upload = Upload::start(server.addr, "/c/a").await;
    for first in (0..OLD).step_by(100) {
        let lines = (first..first + 100).map(|n| format!("{n} {}\n", "x".repeat(80)));
        upload.send(lines.collect::<String>().as_bytes()).await;
    }
    assert_eq!(upload.end().await.status, 201);
    server.stop().await;
    // What was appended before is on the disk only.
    let server = TestServer::stored(&directory);
    let mut followers = JoinSet::new();
    for (n, wire) in LONG_WIRES.iter().cycle().take(40).enumerate() {
        let addr = server.addr;
        followers.spawn(async move {
            let query = "since=0&heartbeat=5s";
            let buffer = (n % 8 == 0).then_some(SMALL_BUFFER);
            let stream = RawStream::ask(addr, wire, "a", query, buffer).await;
            let (stream, next, has_ended) = (stream.unwrap(), 0, false);
            let mut numbers = Numbers {
                stream,
                next,
                has_ended,
            };
            // At some moment of the history, the first at once.
            numbers.until(n as u64 / 4 * OLD / 10).await;
            if n % 2 == 0 {
                numbers.stream.socket.write_all(&[b'x'; 700]).await.unwrap();
            }
            if n % 4 > 1 {
                numbers.stream.socket.shutdown().await.unwrap();
            }
            numbers.until(OLD + NEW).await;
            numbers
        });
    }
    let mut sender = Sender::new(server.addr);
    append_numbers(&mut sender, "/c/a", OLD..OLD + NEW, "").await;
    let followers = at_last(followers.join_all()).await;
    server.open_streams(40).await;
    drop(followers);
    server.open_streams(0).await;
    server.stop().await;
}

/// Hundreds of clients leave in bursts of messages, by a reset or by an end, also in the middle of a
/// long message that they do not read. The others lose nothing, and the streams are counted right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_leave_in_bursts_disturb_nobody() {
    const STAY: usize = 60;
    const LEAVE: usize = 300;
    const ROUNDS: u64 = 20;
    const BURST: u64 = 10;
    let server = TestServer::start();
    let addr = server.addr;
    let open = |n: usize, small: bool| async move {
        let wire = LONG_WIRES[n % LONG_WIRES.len()];
        let buffer = small.then_some(SMALL_BUFFER);
        let query = "since=0&heartbeat=60s";
        RawStream::ask(addr, wire, "a", query, buffer)
            .await
            .unwrap()
    };
    let mut stay = JoinSet::new();
    for n in 0..STAY {
        let stream = open(n, false).await;
        stay.spawn(async move {
            let (next, has_ended) = (0, false);
            let mut numbers = Numbers {
                stream,
                next,
                has_ended,
            };
            numbers.until(ROUNDS * BURST).await;
            numbers
        });
    }
    let mut leave = Vec::new();
    for n in 0..LEAVE {
        leave.push(open(n, n % 7 == 0).await);
    }
    server
        .open_streams((STAY + LEAVE).try_into().unwrap())
        .await;
    let mut sender = Sender::new(addr);
    for round in 0..ROUNDS {
        let part = LEAVE / usize::try_from(ROUNDS).unwrap();
        let leaving: Vec<_> = leave.drain(..part).collect();
        let leaving = tokio::task::spawn_blocking(move || {
            for (n, stream) in leaving.into_iter().enumerate() {
                std::thread::sleep(Duration::from_micros(300));
                if n % 2 == 0 {
                    reset(stream);
                } else {
                    drop(stream);
                }
            }
        });
        let noise = "\u{1}x".repeat(if round % 4 == 0 { 8000 } else { 10 });
        append_numbers(
            &mut sender,
            "/c/a",
            round * BURST..(round + 1) * BURST,
            &noise,
        )
        .await;
        leaving.await.unwrap();
    }
    let stay = at_last(stay.join_all()).await;
    server.open_streams(STAY.try_into().unwrap()).await;
    drop(stay);
    server.open_streams(0).await;
    server.stop().await;
}

/// A message that comes while a stream is on its way to the crowd is neither lost nor late: after the
/// last message nothing else comes that would have the stream looked at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_between_task_and_crowd_is_not_lost() {
    const ROUNDS: usize = 40;
    const NEWCOMERS: usize = 40;
    let server = TestServer::start();
    let addr = server.addr;
    let mut sent = 0;
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        let mut newcomers = JoinSet::new();
        let (stop, stopped) = tokio::sync::watch::channel(None::<(u64, Instant)>);
        for n in 0..NEWCOMERS {
            let mut stopped = stopped.clone();
            newcomers.spawn(async move {
                sleep(Duration::from_micros(rand::random_range(0..40_000))).await;
                let wire = ["ndjson", "sse", "html"][n % 3];
                let since = if n % 2 == 0 { "now" } else { "-2" };
                let query = format!("since={since}&heartbeat=60s");
                let mut stream = RawStream::ask(addr, wire, "a", &query, None).await.unwrap();
                let mut said = stream.begin().await.unwrap();
                let (_, mut at) = stream.cursor();
                let mut end = None;
                loop {
                    for said in said.drain(..) {
                        match said {
                            StreamEvent::Message(message) => {
                                // All messages are of this channel.
                                assert_eq!(seq(&message.cursor), at + 1, "after {at}");
                                at += 1;
                            }
                            StreamEvent::Gap(..) => panic!("{said:?}"),
                            _ => {}
                        }
                    }
                    if let Some((last, when)) = end
                        && at >= last
                    {
                        return Instant::now().saturating_duration_since(when);
                    }
                    tokio::select! {
                        more = stream.read(64 * 1024) => said = more.unwrap(),
                        () = async {
                            let _ = stopped.changed().await;
                            end = *stopped.borrow();
                        }, if end.is_none() => {}
                    }
                }
            });
        }
        let began = Instant::now();
        let mut sender = Sender::new(addr);
        // As fast as it is answered, and in some rounds with pauses in which streams become idle.
        while began.elapsed() < Duration::from_millis(45) {
            append_numbers(&mut sender, "/c/a", sent..sent + 1, "").await;
            sent += 1;
            if round % 2 == 0 {
                sleep(Duration::from_millis(2)).await;
            }
        }
        stop.send(Some((sent, Instant::now()))).unwrap();
        for took in at_last(newcomers.join_all()).await {
            slowest = slowest.max(took);
            assert!(took < SOON, "{took:?} after the last message");
        }
    }
    println!("{sent} messages, the slowest {slowest:?} after the last");
    server.open_streams(0).await;
    server.stop().await;
}

/// Opens a stream of a channel of its own again and again, and leaves in some manner: each time it has
/// that channel's messages and no other.
async fn come_and_go(addr: SocketAddr, number: usize, end: Instant) -> usize {
    let (path, mut sender, mut sent) = (format!("own{number}"), Sender::new(addr), 0);
    let mut visits = 0;
    while Instant::now() < end {
        let wire = WIRES[(number + visits) % WIRES.len()];
        let numbers = Numbers::from(addr, wire, &path, "since=now&heartbeat=5s", sent);
        let mut numbers = numbers.await.begun().await;
        let count = rand::random_range(0..4);
        append_numbers(&mut sender, &format!("/c/{path}"), sent..sent + count, "").await;
        sent += count;
        if visits % 3 == 1 {
            numbers.stream.socket.shutdown().await.unwrap();
        }
        numbers.until(sent).await;
        if visits % 2 == 0 {
            reset(numbers.stream);
        }
        visits += 1;
    }
    visits
}

/// Streams come and go all the time, each in the place of one that left, while messages come and the
/// sessions of others end: everyone has what is theirs, and a stream ends with its session at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newcomer_sees_only_its_own() {
    const LOGINS: usize = 12;
    let server = TestServer::start();
    let addr = server.addr;
    let [zoe, mut ben] = Person::friends(addr, "Zoe", "Ben").await;
    let mut sessions = Vec::new();
    for _ in 0..LOGINS {
        let mut session = Person::nobody(addr);
        assert_eq!(session.enter("login", "Zoe", PASSWORD).await.status, 200);
        sessions.push(session);
    }
    let end = Instant::now() + Duration::from_secs(8);
    let coming: Vec<JoinHandle<usize>> = (0..30)
        .map(|number| tokio::spawn(come_and_go(addr, number, end)))
        .collect();
    for (n, mut session) in sessions.into_iter().enumerate() {
        let wire = ["ndjson", "sse"][n % 2];
        let mut streams = Vec::new();
        for _ in 0..4 {
            streams.push(session.follow_as(wire, "/chat/stream", "since=now").await);
        }
        let mut stays = zoe.follow_as("ndjson", "/chat/stream", "since=now").await;
        let said = format!("for all {n}");
        assert_eq!(ben.say(&zoe, &said).await.status, 201);
        for stream in streams.iter_mut().chain([&mut stays]) {
            let heard = async {
                while !stream
                    .messages()
                    .any(|message| message.data.contains(&said))
                {
                    assert!(stream.read().await.unwrap());
                }
            };
            soon(heard).await;
        }
        assert!(session.post("/chat/logout", &[]).await.status < 400);
        let began = Instant::now();
        for stream in streams {
            let stream = stream.whole().await;
            assert_eq!(stream.end().unwrap().1, "revoked");
        }
        // A heartbeat would tell them later.
        let took = began.elapsed();
        assert!(took < limits::CHAT_HEARTBEAT_INTERVAL / 2, "{took:?}");
        assert!(stays.end().is_none());
    }
    for visits in coming {
        let visits = at_last(visits).await.unwrap();
        assert!(visits > 2, "{visits}");
    }
    server.open_streams(0).await;
    server.stop().await;
}

/// The states of the sockets of this address that still have an owner in this process, or an unsent
/// rest.
#[cfg(target_os = "linux")]
fn open_sockets(addr: SocketAddr) -> usize {
    const CLOSED: [&str; 3] = ["06", "04", "05"]; // TIME_WAIT, FIN_WAIT1, FIN_WAIT2
    let port = format!(":{:04X}", addr.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let of_server = table.lines().filter(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields[1].ends_with(&port) && !CLOSED.contains(&fields[3])
    });
    of_server.count()
}

/// A server that stops without a drain ends its streams in-band and leaves no socket open; one that is
/// dropped leaves none, either.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_server_leaves_no_socket() {
    const FOLLOWERS: usize = 200;
    let open = async |addr: SocketAddr| {
        let mut followers = Vec::new();
        for n in 0..FOLLOWERS {
            let wire = WIRES[n % WIRES.len()];
            let follower = Numbers::from(addr, wire, "a", "since=now&heartbeat=60s", 0);
            followers.push(follower.await.begun().await);
        }
        let mut sender = Sender::new(addr);
        append_numbers(&mut sender, "/c/a", 0..3, "").await;
        for follower in &mut followers {
            follower.until(3).await;
        }
        followers
    };
    let server = TestServer::start();
    let addr = server.addr;
    let followers = open(addr).await;
    server.stop().await;
    assert_eq!(open_sockets(addr), 0);
    for mut follower in followers {
        while !follower.stream.is_complete {
            let said = follower.stream.read(4096).await;
            follower.take(said.unwrap());
        }
        assert!(follower.has_ended);
    }
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        store: StoreKind::Memory,
        ..Config::default()
    };
    let server = Server::bind(config).unwrap();
    let (addr, metrics) = (server.local_addrs().unwrap()[0], server.metrics());
    let running = tokio::spawn(server.run(std::future::pending()));
    let followers = open(addr).await;
    running.abort();
    let is_closed = || open_sockets(addr) == 0 && metrics.open_streams() == 0;
    until("all is closed", is_closed).await;
    for mut follower in followers {
        // There is no end in-band, but there is one.
        let end = async { while follower.stream.read(4096).await.is_ok() {} };
        soon(end).await;
        assert!(!follower.stream.is_complete);
    }
}
