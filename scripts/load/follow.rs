//! Followers, any number of them on one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Events, Poll, Token};

use crate::Result;
use crate::feed::Feed;
use crate::http::{self, PATIENCE};

/// Read in one go: more than the server's and the kernel's buffers usually hold, so that reading
/// costs as few system calls as it can.
const BUFFER: usize = 256 * 1024;

/// Connections that follow.
#[derive(Debug)]
pub(crate) struct Followers {
    poll: Poll,
    events: Events,
    streams: Vec<Stream>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Stream {
    socket: TcpStream,
    feed: Feed,
}

impl Followers {
    /// Connections that have asked for nothing yet, and whose first message will have the number
    /// `first`.
    pub(crate) fn connect(addr: SocketAddr, count: usize, first: u64) -> Result<Followers> {
        let poll = Poll::new()?;
        let stream = |index| -> Result<Stream> {
            Ok(Stream {
                socket: http::connect_for(&poll, addr, index)?,
                feed: Feed::new(first),
            })
        };
        let streams = (0..count).map(stream).collect::<Result<_>>()?;
        Ok(Followers {
            poll,
            events: Events::with_capacity(1024),
            streams,
            buffer: vec![0; BUFFER],
        })
    }

    /// All of them ask for a stream.
    pub(crate) fn ask(&mut self, path: &str) -> Result<()> {
        let request = http::get(path);
        for stream in &mut self.streams {
            // So few bytes always fit a socket that nothing has been written to.
            stream.socket.write_all(request.as_bytes())?;
        }
        Ok(())
    }

    /// Reads until all streams have ended. Each must have had `messages` messages.
    pub(crate) fn read_to_end(&mut self, messages: u64) -> Result<()> {
        let mut open = self.streams.len();
        while open > 0 {
            open -= self.turn()?;
        }
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

    /// Waits until something has come, reads it, and says how many streams have ended with it.
    fn turn(&mut self) -> Result<usize> {
        self.poll.poll(&mut self.events, Some(PATIENCE))?;
        if self.events.is_empty() {
            let open = self.streams.iter().filter(|s| !s.feed.is_over()).count();
            return Err(format!("{open} streams are open, and nothing comes any more").into());
        }
        let mut ended = 0;
        for event in &self.events {
            let Token(index) = event.token();
            let stream = &mut self.streams[index];
            if !stream.feed.is_over() {
                stream
                    .read(&mut self.buffer)
                    .map_err(|error| format!("follower {index}: {error}"))?;
                ended += usize::from(stream.feed.is_over());
            }
        }
        Ok(ended)
    }
}

impl Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<()> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err("the server has closed the stream before its end".into()),
                Ok(n) => {
                    self.feed.take(&buffer[..n])?;
                    // A part of the buffer is all there was: what comes later is another event.
                    if n < buffer.len() || self.feed.is_over() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
