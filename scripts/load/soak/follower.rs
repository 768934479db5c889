//! A follower: its connections, one after the other, and what it has had.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use socket2::SockRef;

use super::publisher::Publisher;
use super::way::{Pace, Way};
use crate::Result;
use crate::feed::Feed;
use crate::message::BYTES;

/// How long the server may take to notice that a follower reads again: until then it may give it up.
const NOTICED: Duration = Duration::from_secs(5);

/// A follower of the soak.
#[derive(Debug)]
pub(super) struct Follower {
    way: Way,
    feed: Feed,
    /// The number in the log of the last message that it has had: its cursor.
    seq: u64,
    /// Whether it has read slowly on this connection.
    is_slow: bool,
    line: Line,
}

/// A follower's connection.
#[derive(Debug)]
enum Line {
    /// There is none until then.
    Away(Instant),
    On {
        socket: TcpStream,
        doing: Doing,
    },
}

/// What a follower with a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// It waits until it can send its request.
    Asks,
    Reads,
    /// It does not read until then.
    Stalls(Instant),
    /// It reads again since then; the server may have given it up meanwhile.
    HasStalled(Instant),
    /// It has said that it will send no more, and reads until then.
    HalfClosed(Instant),
}

/// How a follower's connection is disturbed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Disturbance {
    Close,
    Reset,
    HalfClose(Duration),
    Stall(Duration),
}

/// How a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// As the request or the follower asked.
    Expected,
    /// The server has given up a follower that did not read.
    GivenUp,
    /// The server has ended a stream that reads slowly.
    WhileSlow,
}

impl Follower {
    pub(super) fn new(way: Way) -> Follower {
        Follower {
            way,
            feed: Feed::new(BYTES),
            seq: 0,
            is_slow: false,
            line: Line::Away(Instant::now()),
        }
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    pub(super) fn messages(&self) -> u64 {
        self.feed.messages
    }

    /// Whether it has no connection, and is to have one now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        matches!(self.line, Line::Away(until) if until <= now)
    }

    /// Whether it has sent its request, if it has a connection.
    pub(super) fn has_asked(&self) -> bool {
        !matches!(
            self.line,
            Line::On {
                doing: Doing::Asks,
                ..
            }
        )
    }

    pub(super) fn is_on(&self) -> bool {
        matches!(self.line, Line::On { .. })
    }

    /// The least number of messages of its channels that it has not had, of what was published.
    pub(super) fn missing(&self, publisher: &Publisher) -> u64 {
        let behind = |channel| publisher.published(channel) - self.feed.had(channel);
        self.way.channels().map(behind).sum()
    }

    /// Goes on with a new connection, from its cursor. It asks at once if it can: the thread of all followers
    /// may be held up for longer than a server waits for a request.
    pub(super) fn connect(&mut self, socket: TcpStream) -> Result<()> {
        self.feed.reopen();
        self.is_slow = self.way.pace != Pace::Fast;
        let doing = Doing::Asks;
        self.line = Line::On { socket, doing };
        self.ask()
    }

    pub(super) fn disturb(&mut self, how: Disturbance, back: Instant) -> Result<()> {
        let Line::On { socket, doing } = &mut self.line else {
            return Ok(());
        };
        if *doing != Doing::Reads {
            return Ok(());
        }
        match how {
            Disturbance::Close => self.line = Line::Away(back),
            Disturbance::Reset => {
                SockRef::from(&*socket).set_linger(Some(Duration::ZERO))?;
                self.line = Line::Away(back);
            }
            Disturbance::HalfClose(time) => {
                // The server may have ended the connection meanwhile.
                let _ = socket.shutdown(Shutdown::Write);
                *doing = Doing::HalfClosed(Instant::now() + time);
            }
            Disturbance::Stall(time) => *doing = Doing::Stalls(Instant::now() + time),
        }
        Ok(())
    }

    /// What is due: the end of a stall or of a connection that is half closed, and the next bytes of a
    /// slow reader.
    pub(super) fn tick(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        publisher: &Publisher,
    ) -> Result<Option<Ended>> {
        let Line::On { doing, .. } = &mut self.line else {
            return Ok(None);
        };
        match *doing {
            Doing::HalfClosed(until) if until <= now => self.line = Line::Away(now),
            Doing::Stalls(until) if until <= now => {
                *doing = Doing::HasStalled(now);
                return self.read(buffer, publisher);
            }
            Doing::Stalls(_) => {}
            // The server has noticed by now.
            Doing::HasStalled(since) if since + NOTICED < now => *doing = Doing::Reads,
            _ if self.way.pace != Pace::Fast => return self.read(buffer, publisher),
            _ => {}
        }
        Ok(None)
    }

    /// Stops to stall and to be slow.
    pub(super) fn calm_down(
        &mut self,
        buffer: &mut [u8],
        publisher: &Publisher,
    ) -> Result<Option<Ended>> {
        self.way.pace = Pace::Fast;
        if let Line::On { doing, .. } = &mut self.line
            && let Doing::Stalls(_) = doing
        {
            *doing = Doing::HasStalled(Instant::now());
        }
        self.read(buffer, publisher)
    }

    /// Its socket has something, or has room for the request.
    pub(super) fn ready(
        &mut self,
        buffer: &mut [u8],
        publisher: &Publisher,
    ) -> Result<Option<Ended>> {
        match (&self.line, self.way.pace) {
            (Line::On { doing, .. }, Pace::Fast) if !matches!(doing, Doing::Stalls(_)) => {
                self.read(buffer, publisher)
            }
            (
                Line::On {
                    doing: Doing::Asks, ..
                },
                _,
            ) => self.ask().map(|()| None),
            _ => Ok(None),
        }
    }

    fn ask(&mut self) -> Result<()> {
        if let Line::On { socket, doing } = &mut self.line {
            match socket.write_all(self.way.request(self.seq).as_bytes()) {
                Ok(()) => *doing = Doing::Reads,
                // It is not connected yet.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::NotConnected => {}
                Err(error) => return Err(format!("connecting: {error}").into()),
            }
        }
        Ok(())
    }

    /// The answer is whole: a poll asks again on the same connection, unless that was disturbed. (The
    /// server closes one on which it has waited for a request for too long.)
    fn whole(&mut self) -> Result<Ended> {
        match &mut self.line {
            Line::On { doing, .. } if self.way.polls() && *doing == Doing::Reads => {
                *doing = Doing::Asks;
                self.feed.reopen();
                self.ask()?;
            }
            line => *line = Line::Away(Instant::now()),
        }
        Ok(Ended::Expected)
    }

    /// Reads what has come, or as much of it as a slow reader takes.
    fn read(&mut self, buffer: &mut [u8], publisher: &Publisher) -> Result<Option<Ended>> {
        if let Line::On {
            doing: Doing::Asks, ..
        } = self.line
        {
            self.ask()?;
        }
        let (buffer, is_slow) = match self.way.pace {
            Pace::Fast => (buffer, false),
            Pace::Slow(bytes) => (&mut buffer[..bytes], true),
        };
        while let Line::On { socket, doing } = &mut self.line {
            let ended = match socket.read(buffer) {
                Ok(0) => true,
                Ok(n) => {
                    self.feed.read(&buffer[..n], &mut |message| {
                        self.seq = publisher.seq(&message).unwrap_or(self.seq);
                    })?;
                    if self.feed.is_over() {
                        return self.whole().map(Some);
                    }
                    false
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::NotConnected => break,
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => true,
                    _ => return Err(error.into()),
                },
            };
            if ended {
                let how = match *doing {
                    Doing::HalfClosed(_) => Ended::Expected,
                    Doing::HasStalled(_) => Ended::GivenUp,
                    _ if self.is_slow => Ended::WhileSlow,
                    _ => return Err("the server has ended a stream that reads".into()),
                };
                self.line = Line::Away(Instant::now());
                return Ok(Some(how));
            }
            if is_slow {
                break;
            }
        }
        Ok(None)
    }
}
