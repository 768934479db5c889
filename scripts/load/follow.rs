//! Followers that check what they receive, any number of them on one thread.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use crate::Result;
use crate::feed::Feed;
use crate::h2::{self, Frames, Said};
use crate::http::TIMEOUT;
use crate::latency::Latencies;
use crate::line::{Endpoint, Line, Protocol};
use crate::message::{self, Message};

/// The most that one call reads: more than the server's and the kernel's buffers usually hold, so that
/// reading costs as few system calls as it can.
const BUFFER: usize = 256 * 1024;

/// Connections that are opened before the client waits for their answers: fewer than may wait to be
/// accepted at any of the servers, since the kernel drops further ones, and they are retried only
/// after a second.
const CONNECTING: usize = 100;

/// Connections that follow.
#[derive(Debug)]
pub(crate) struct Followers {
    poll: Poll,
    events: Events,
    streams: Vec<Stream>,
    buffer: Vec<u8>,
    tally: Tally,
}

/// What all followers have received.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Streams of which the head has come.
    pub(crate) open: usize,
    /// Streams that have ended.
    pub(crate) over: usize,
    pub(crate) messages: u64,
    /// The latency of each message that carries the time when it was sent.
    pub(crate) latencies: Latencies,
}

#[derive(Debug)]
struct Stream {
    line: Line,
    /// The frames of HTTP/2, if that is spoken.
    frames: Option<Frames>,
    feed: Feed,
}

impl Followers {
    /// Opens connections without requests. Their messages will have this length.
    pub(crate) fn connect(
        to: impl Into<Endpoint>,
        count: usize,
        bytes: usize,
    ) -> Result<Followers> {
        let (mut followers, to) = (Followers::empty()?, to.into());
        for index in 0..count {
            followers.add(to, index, bytes)?;
        }
        Ok(followers)
    }

    /// Opens connections to these endpoints, which take turns. Each sends its request at once. Waits until
    /// all streams are open.
    pub(crate) fn gather(
        endpoints: &[Endpoint],
        count: usize,
        bytes: usize,
        request: impl Fn(usize) -> String,
    ) -> Result<Followers> {
        let mut followers = Followers::empty()?;
        for index in 0..count {
            let stream = followers.add(endpoints[index % endpoints.len()], index, bytes)?;
            stream.ask(&request(index))?;
            if (index + 1) % CONNECTING == 0 {
                followers.read_heads()?;
            }
        }
        followers.read_heads()?;
        Ok(followers)
    }

    fn empty() -> Result<Followers> {
        Ok(Followers {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            streams: Vec::new(),
            buffer: vec![0; BUFFER],
            tally: Tally::default(),
        })
    }

    fn add(&mut self, to: Endpoint, index: usize, bytes: usize) -> Result<&mut Stream> {
        let stream = Stream {
            line: Line::connect(&self.poll, to, index)?,
            frames: (to.protocol == Protocol::H2).then(Frames::default),
            feed: Feed::new(bytes),
        };
        Ok(self.streams.push_mut(stream))
    }

    /// The chunks that have begun so far, of all streams.
    pub(crate) fn chunks(&self) -> u64 {
        self.streams.iter().map(|stream| stream.feed.chunks).sum()
    }

    /// Sends the request of each follower.
    pub(crate) fn ask(&mut self, request: impl Fn(usize) -> String) -> Result<()> {
        for (index, stream) in self.streams.iter_mut().enumerate() {
            stream.ask(&request(index))?;
        }
        Ok(())
    }

    /// Reads until all streams are open.
    fn read_heads(&mut self) -> Result<()> {
        let all = self.streams.len();
        self.read_until(|tally| tally.open == all)
    }

    /// Reads until all streams have ended. Each must have received this many messages.
    pub(crate) fn read_to_end(&mut self, messages: u64) -> Result<()> {
        let all = self.streams.len();
        self.read_until(|tally| tally.over == all)?;
        for (index, Stream { feed, .. }) in self.streams.iter().enumerate() {
            if feed.messages != messages {
                let had = feed.messages;
                return Err(format!(
                    "follower {index} has had {had} messages at the end of its stream, not {messages}"
                )
                .into());
            }
        }
        Ok(())
    }

    /// Reads until this many messages have come to all followers together since the last call, and
    /// returns what they have received.
    pub(crate) fn read_messages(&mut self, messages: u64) -> Result<Tally> {
        self.read_until(|tally| tally.messages >= messages)?;
        Ok(std::mem::take(&mut self.tally))
    }

    /// Reads for this long.
    pub(crate) fn read_for(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.read_once(left)?;
        }
        Ok(())
    }

    /// Checks that the messages came in one order to all followers of a channel: those whose indexes
    /// have the same remainder modulo `channels`.
    pub(crate) fn check_order(&self, channels: usize) -> Result<()> {
        for (index, stream) in self.streams.iter().enumerate() {
            let other = index % channels;
            if stream.feed.order != self.streams[other].feed.order {
                return Err(format!(
                    "followers {other} and {index} had the same messages in different orders"
                )
                .into());
            }
        }
        Ok(())
    }

    /// Reads until `done` returns true; fails after [`TIMEOUT`] in which no head and no message has
    /// come, and no stream has ended.
    fn read_until(&mut self, done: impl Fn(&Tally) -> bool) -> Result<()> {
        let progress = |tally: &Tally| (tally.open, tally.over, tally.messages);
        let (mut last, mut end) = (progress(&self.tally), Instant::now() + TIMEOUT);
        while !done(&self.tally) {
            if last != progress(&self.tally) {
                (last, end) = (progress(&self.tally), Instant::now() + TIMEOUT);
            }
            let Some(left) = end.checked_duration_since(Instant::now()) else {
                let (all, tally) = (self.streams.len(), &self.tally);
                return Err(format!(
                    "nothing more has come for {} s: of {all} streams {} are open and {} over, and {} \
                     messages have come",
                    TIMEOUT.as_secs(),
                    tally.open,
                    tally.over,
                    tally.messages
                )
                .into());
            };
            self.read_once(left)?;
        }
        Ok(())
    }

    /// Waits until something has come, for at most this time, and reads it.
    fn read_once(&mut self, time: Duration) -> Result<()> {
        if let Err(error) = self.poll.poll(&mut self.events, Some(time)) {
            return match error.kind() {
                ErrorKind::Interrupted => Ok(()),
                _ => Err(error.into()),
            };
        }
        for event in &self.events {
            let Token(index) = event.token();
            let stream = &mut self.streams[index];
            if !stream.feed.is_over() {
                stream
                    .read(&mut self.buffer, &mut self.tally)
                    .map_err(|error| format!("follower {index}: {error}"))?;
            }
        }
        Ok(())
    }
}

impl Stream {
    /// Sends a request, which always fits the empty buffer of a new socket.
    fn ask(&mut self, request: &str) -> Result<()> {
        let path = request.split(' ').nth(1).unwrap_or("/");
        match self.frames {
            Some(_) => self.line.write_all(&h2::request(path))?,
            None => self.line.write_all(request.as_bytes())?,
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8], tally: &mut Tally) -> Result<()> {
        let was_open = self.feed.is_open();
        loop {
            match self.line.read(buffer) {
                Ok(0) => return Err("the server has closed the stream before its end".into()),
                Ok(n) => {
                    self.parse(&buffer[..n], tally)?;
                    // What comes later is another event.
                    let is_all = n < buffer.len() && self.line.reads_all_at_once();
                    if is_all || self.feed.is_over() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        tally.open += usize::from(!was_open && self.feed.is_open());
        tally.over += usize::from(self.feed.is_over());
        Ok(())
    }

    fn parse(&mut self, bytes: &[u8], tally: &mut Tally) -> Result<()> {
        let now = message::now();
        let mut got = |message: Message| {
            tally.messages += 1;
            if !message.sent.is_zero() {
                tally.latencies.add(now.saturating_sub(message.sent));
            }
        };
        let feed = &mut self.feed;
        let Some(frames) = &mut self.frames else {
            return feed.read(bytes, &mut got);
        };
        let answers = frames.read(bytes, |said| {
            match said {
                Said::Head => feed.begin_body(),
                Said::Data(_, true) => feed.chunks += 1,
                Said::Data(part, false) => feed.read(part, &mut got)?,
                Said::End => feed.end_body(),
            }
            Ok(())
        })?;
        Ok(self.line.write_all(&answers)?)
    }
}
