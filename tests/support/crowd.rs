//! Thousands of followers on one thread, which check what they get: each message of their channel
//! once and in order, and an end in-band of each stream.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

/// What is around the number of a message in its text: a character that no transport uses.
const MARK: u8 = b'@';

/// The bytes at the end of a stream that its end mark fits into.
const END_BYTES: usize = 600;

/// The text of the message with this number.
pub(crate) fn text(number: u64) -> String {
    format!("@{number}@")
}

/// How a follower asks: the transport, and the version of HTTP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) wire: &'static str,
    pub(crate) version: &'static str,
}

/// Followers of all kinds.
pub(crate) struct Crowd {
    addr: SocketAddr,
    /// The epoch of the log, by which cursors are found.
    epoch: String,
    poll: Poll,
    events: Events,
    followers: Vec<CrowdFollower>,
}

/// A follower, and how far it has come.
struct CrowdFollower {
    kind: Kind,
    channel: String,
    /// Where it goes on.
    since: String,
    /// The number of the last message.
    seen: u64,
    connection: Option<CrowdConnection>,
}

/// The connection of a follower, and the answer that comes on it.
struct CrowdConnection {
    socket: TcpStream,
    /// What came and is not decoded.
    raw: Vec<u8>,
    /// The head of the answer.
    head: Option<String>,
    /// The end of the body as far as it came.
    body: Vec<u8>,
    /// Whether the whole body is there.
    is_complete: bool,
    has_request: bool,
    /// Whether an answer has come, or begun to come.
    has_begun: bool,
}

impl Crowd {
    /// This many followers, none of which is connected. Each kind has some, and each channel.
    pub(crate) fn new(
        addr: SocketAddr,
        epoch: &str,
        count: usize,
        kinds: &[Kind],
        channels: &[String],
    ) -> Crowd {
        let follower = |n: usize| CrowdFollower {
            kind: kinds[n % kinds.len()],
            channel: channels[n / kinds.len() % channels.len()].clone(),
            since: format!("{epoch}-0"),
            seen: 0,
            connection: None,
        };
        Crowd {
            addr,
            epoch: epoch.to_owned(),
            poll: Poll::new().unwrap(),
            events: Events::with_capacity(1024),
            followers: (0..count).map(follower).collect(),
        }
    }

    /// Connects followers that are not connected, at most this many.
    pub(crate) fn connect(&mut self, most: usize) {
        let waiting = self.followers.iter_mut().enumerate();
        let waiting = waiting.filter(|(_, follower)| follower.connection.is_none());
        for (number, follower) in waiting.take(most) {
            let socket = std::net::TcpStream::connect_timeout(&self.addr, Duration::from_secs(30));
            let socket = socket.unwrap();
            socket.set_nodelay(true).unwrap();
            socket.set_nonblocking(true).unwrap();
            let mut connection = CrowdConnection::new(TcpStream::from_std(socket));
            let registry = self.poll.registry();
            registry
                .register(&mut connection.socket, Token(number), Interest::READABLE)
                .unwrap();
            follower.connection = Some(connection);
            follower.ask();
        }
    }

    /// The number of followers whose stream has begun.
    pub(crate) fn following(&self) -> usize {
        let has_begun = |follower: &&CrowdFollower| {
            let connection = follower.connection.as_ref();
            connection.is_some_and(|connection| connection.has_begun)
        };
        self.followers.iter().filter(has_begun).count()
    }

    /// The number of followers that are connected.
    pub(crate) fn connected(&self) -> usize {
        let is_connected = |follower: &&CrowdFollower| follower.connection.is_some();
        self.followers.iter().filter(is_connected).count()
    }

    /// How far the followers of a channel have come that is furthest back.
    pub(crate) fn slowest(&self, channel: &str) -> u64 {
        let of_channel = self.followers.iter().filter(|f| f.channel == channel);
        of_channel
            .map(|follower| follower.seen)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Reads until the condition holds, or until the moment; whether it holds.
    pub(crate) fn read_until(&mut self, end: Instant, holds: impl Fn(&Crowd) -> bool) -> bool {
        loop {
            if holds(self) {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let pause = left.min(Duration::from_millis(50));
            match self.poll.poll(&mut self.events, Some(pause)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled.unwrap(),
            }
            for event in &self.events {
                let follower = &mut self.followers[event.token().0];
                if let Err(what) = follower.read(&self.epoch) {
                    panic!("{}: {what}", follower.describe());
                }
            }
        }
    }
}

impl CrowdFollower {
    fn describe(&self) -> String {
        let head = self.connection.as_ref().map(|connection| {
            let body = String::from_utf8_lossy(&connection.body).into_owned();
            (connection.head.clone(), body)
        });
        format!(
            "a follower of {} by {:?}, at message {} and {}, with {head:?}",
            self.channel, self.kind, self.seen, self.since
        )
    }

    /// Sends a request for what comes after the cursor.
    fn ask(&mut self) {
        let Kind { wire, version } = self.kind;
        let (channel, since) = (&self.channel, &self.since);
        let request = format!(
            "GET /c/{channel}?as={wire}&since={since} {version}\r\nHost: localhost\r\n\r\n"
        );
        if let Some(connection) = &mut self.connection {
            connection.has_request = true;
            // The connection is new or idle, so there is room. Where it is broken, the next read says so.
            let _ = connection.socket.write(request.as_bytes());
        }
    }

    /// Reads all that is there. An error is a stream that is not as it must be.
    fn read(&mut self, epoch: &str) -> Result<(), String> {
        let mut part = [0; 16 * 1024];
        while let Some(connection) = &mut self.connection {
            let read = match connection.socket.read(&mut part) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // The client sent another request on a connection that was idle when the server went: any
                // client asks again then.
                Err(_) if connection.is_reused() => 0,
                Err(error) => return Err(format!("is cut: {error}")),
            };
            if read == 0 {
                return self.on_close(epoch);
            }
            connection.raw.extend_from_slice(&part[..read]);
            connection.decode();
            self.take_messages()?;
            if self.connection.as_ref().is_some_and(|c| c.is_complete) {
                self.on_complete(epoch)?;
            }
        }
        Ok(())
    }

    /// The server has closed the connection.
    fn on_close(&mut self, epoch: &str) -> Result<(), String> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        if connection.head.is_some() && !connection.is_chunked() {
            connection.is_complete = true;
            self.on_complete(epoch)?;
        } else if connection.has_request && !connection.is_reused() {
            return Err("is closed without its end".to_owned());
        }
        self.connection = None;
        Ok(())
    }

    /// Counts the messages in the body, which must come one after the other.
    fn take_messages(&mut self) -> Result<(), String> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let (body, mut at) = (&connection.body, 0);
        let find = |from: usize| {
            let mark = body[from..].iter().position(|byte| *byte == MARK);
            mark.map(|mark| from + mark)
        };
        let mut incomplete = body.len();
        while let Some(begin) = find(at) {
            let Some(end) = find(begin + 1) else {
                incomplete = begin;
                break;
            };
            let number = std::str::from_utf8(&body[begin + 1..end]).ok();
            let number = number.and_then(|number| number.parse::<u64>().ok());
            if number != Some(self.seen + 1) {
                return Err(format!("gets message {number:?} after {}", self.seen));
            }
            self.seen += 1;
            at = end + 1;
        }
        connection.body.drain(..at.min(incomplete));
        let surplus = connection.body.len().saturating_sub(END_BYTES);
        connection
            .body
            .drain(..surplus.min(incomplete.saturating_sub(at)));
        Ok(())
    }

    /// The answer is complete.
    fn on_complete(&mut self, epoch: &str) -> Result<(), String> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let body = String::from_utf8_lossy(&connection.body).into_owned();
        let head = connection.head.take().unwrap_or_default();
        connection.body.clear();
        (connection.is_complete, connection.has_request) = (false, false);
        let status = head.get(9..12).unwrap_or_default();
        let is_refused = status == "503" && head.contains("\r\nretry-after: ");
        // The answer for an EventSource that comes while the server stops.
        let is_told_to_wait = self.kind.wire == "sse" && body.starts_with(": the server is stop");
        if is_refused || is_told_to_wait {
            self.connection = None;
            return Ok(());
        }
        if status != "200" {
            return Err(format!("is answered {head:?}"));
        }
        let is_end = match self.kind.wire {
            "text" => body.contains(&format!("# end {epoch}-")),
            "html" => body.contains("class=\"end\""),
            "json" => true,
            _ => body.contains("\"reason\":\"stop\""),
        };
        if !is_end {
            return Err("has no end mark that says stop".to_owned());
        }
        let cursor = body.rfind(&format!("{epoch}-")).map(|at| {
            let digits = body[at + epoch.len() + 1..].bytes();
            let digits = digits.take_while(u8::is_ascii_digit).count();
            body[at..at + epoch.len() + 1 + digits].to_owned()
        });
        self.since = cursor.ok_or("has no cursor at its end")?;
        if self.kind.wire == "json" {
            self.ask();
        }
        Ok(())
    }
}

impl CrowdConnection {
    fn new(socket: TcpStream) -> CrowdConnection {
        CrowdConnection {
            socket,
            raw: Vec::new(),
            head: None,
            body: Vec::new(),
            is_complete: false,
            has_request: false,
            has_begun: false,
        }
    }

    /// Whether an earlier request was answered on this connection, and nothing of the current answer
    /// has come.
    fn is_reused(&self) -> bool {
        self.has_begun && self.head.is_none() && self.raw.is_empty()
    }

    fn is_chunked(&self) -> bool {
        let head = self.head.as_ref();
        head.is_some_and(|head| head.contains("transfer-encoding: chunked"))
    }

    /// The length of the body, if the head says it.
    fn length(&self) -> Option<usize> {
        let (_, length) = self.head.as_ref()?.split_once("content-length: ")?;
        length.split("\r\n").next()?.parse().ok()
    }

    /// Moves what can be decoded from the raw bytes to the body.
    fn decode(&mut self) {
        if self.head.is_none() {
            let end = self.raw.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end else { return };
            let head: Vec<u8> = self.raw.drain(..end + 4).collect();
            self.head = Some(String::from_utf8(head).unwrap());
            self.has_begun = true;
        }
        if let Some(length) = self.length() {
            if self.raw.len() >= length {
                self.body.extend(self.raw.drain(..length));
                self.is_complete = true;
            }
            return;
        }
        if !self.is_chunked() {
            self.body.append(&mut self.raw);
            return;
        }
        let mut at = 0;
        while let Some(line) = self.raw[at..].windows(2).position(|two| two == b"\r\n") {
            let size = std::str::from_utf8(&self.raw[at..at + line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            let begin = at + line + 2;
            if self.raw.len() < begin + size + 2 {
                break;
            }
            self.body.extend_from_slice(&self.raw[begin..begin + size]);
            at = begin + size + 2;
            if size == 0 {
                self.is_complete = true;
                break;
            }
        }
        self.raw.drain(..at);
    }
}
