//! Followers, any number of them on one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Poll, Token};

use crate::feed::Feed;
use crate::http::{self, PATIENCE};
use crate::latency::Latencies;
use crate::{Result, message};

/// Read in one go: more than the server's and the kernel's buffers usually hold, so that reading
/// costs as few system calls as it can.
const BUFFER: usize = 256 * 1024;

/// Connections that are made at a stretch before their answers are waited for: fewer than may wait
/// to be accepted at any of the servers, which forget those past that for a second.
const STRETCH: usize = 100;

/// Connections that follow.
#[derive(Debug)]
pub(crate) struct Followers {
    poll: Poll,
    events: Events,
    streams: Vec<Stream>,
    buffer: Vec<u8>,
    tally: Tally,
}

/// What all of them have come to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Streams whose answer has begun.
    pub(crate) open: usize,
    /// Streams that have ended.
    pub(crate) over: usize,
    /// Messages.
    pub(crate) messages: u64,
    /// Of each message that says when it was sent.
    pub(crate) latencies: Latencies,
}

#[derive(Debug)]
struct Stream {
    socket: TcpStream,
    feed: Feed,
}

impl Followers {
    /// Connections that have asked for nothing yet. Their messages will have this length, and the
    /// first of them the number `first`.
    pub(crate) fn connect(
        addr: SocketAddr,
        count: usize,
        first: u64,
        bytes: usize,
    ) -> Result<Followers> {
        let mut followers = Followers::nobody()?;
        for index in 0..count {
            followers.add(addr, index, first, bytes)?;
        }
        Ok(followers)
    }

    /// Connections whose streams are open: each has asked for its own as soon as it was there.
    pub(crate) fn gather(
        addr: SocketAddr,
        count: usize,
        bytes: usize,
        request: impl Fn(usize) -> String,
    ) -> Result<Followers> {
        let mut followers = Followers::nobody()?;
        for index in 0..count {
            let stream = followers.add(addr, index, 1, bytes)?;
            stream.socket.write_all(request(index).as_bytes())?;
            if (index + 1) % STRETCH == 0 {
                followers.read_heads()?;
            }
        }
        followers.read_heads()?;
        Ok(followers)
    }

    fn nobody() -> Result<Followers> {
        Ok(Followers {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            streams: Vec::new(),
            buffer: vec![0; BUFFER],
            tally: Tally::default(),
        })
    }

    fn add(
        &mut self,
        addr: SocketAddr,
        index: usize,
        first: u64,
        bytes: usize,
    ) -> Result<&mut Stream> {
        let stream = Stream {
            socket: http::connect_for(&self.poll, addr, index)?,
            feed: Feed::new(first, bytes),
        };
        Ok(self.streams.push_mut(stream))
    }

    /// Each asks for its stream.
    pub(crate) fn ask(&mut self, request: impl Fn(usize) -> String) -> Result<()> {
        for (index, stream) in self.streams.iter_mut().enumerate() {
            // So few bytes always fit a socket that nothing has been written to.
            stream.socket.write_all(request(index).as_bytes())?;
        }
        Ok(())
    }

    /// Reads until all streams are open.
    fn read_heads(&mut self) -> Result<()> {
        let all = self.streams.len();
        self.read_until(PATIENCE, |tally| tally.open == all)
    }

    /// Reads until all streams have ended. Each must have had `messages` messages.
    pub(crate) fn read_to_end(&mut self, messages: u64) -> Result<()> {
        let all = self.streams.len();
        self.read_until(PATIENCE, |tally| tally.over == all)?;
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

    /// Reads until so many messages have come to all of them together since the last time, and
    /// says what they have come to.
    pub(crate) fn read_messages(&mut self, messages: u64) -> Result<Tally> {
        self.read_until(PATIENCE, |tally| tally.messages >= messages)?;
        Ok(std::mem::take(&mut self.tally))
    }

    /// Reads for so long.
    pub(crate) fn read_for(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.turn(left)?;
        }
        Ok(())
    }

    /// The messages came in one order to all whose place among them leaves the same rest when it is
    /// divided by `channels`: they follow the same.
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

    /// Reads until it is done, but no longer than that.
    fn read_until(&mut self, patience: Duration, done: impl Fn(&Tally) -> bool) -> Result<()> {
        let end = Instant::now() + patience;
        while !done(&self.tally) {
            let Some(left) = end.checked_duration_since(Instant::now()) else {
                let (all, tally) = (self.streams.len(), &self.tally);
                return Err(format!(
                    "after {} s, of {all} streams {} are open and {} over, and {} messages have come",
                    patience.as_secs(),
                    tally.open,
                    tally.over,
                    tally.messages
                )
                .into());
            };
            self.turn(left)?;
        }
        Ok(())
    }

    /// Waits until something has come, but no longer than that, and reads it.
    fn turn(&mut self, time: Duration) -> Result<()> {
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
    fn read(&mut self, buffer: &mut [u8], tally: &mut Tally) -> Result<()> {
        let was_open = self.feed.is_open();
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err("the server has closed the stream before its end".into()),
                Ok(n) => {
                    self.take(&buffer[..n], tally)?;
                    // A part of the buffer is all there was: what comes later is another event.
                    if n < buffer.len() || self.feed.is_over() {
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

    fn take(&mut self, bytes: &[u8], tally: &mut Tally) -> Result<()> {
        let now = message::now();
        self.feed.take(bytes, &mut |message| {
            tally.messages += 1;
            if !message.sent.is_zero() {
                tally.latencies.add(now.saturating_sub(message.sent));
            }
        })
    }
}
