//! Publishers on one thread, each of which waits for its answer before it sends the next message.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Poll};
use socket2::SockRef;

use crate::Result;
use crate::http::{self, Head, TIMEOUT};
use crate::latency::Latencies;

/// The size of a socket's buffer, which holds the longest request.
const SEND_BUFFER: usize = 128 * 1024;

/// What publishers have appended.
#[derive(Debug)]
pub(crate) struct Published {
    /// The time of each append from before it was sent until its answer had been read.
    pub(crate) latencies: Latencies,
    pub(crate) elapsed: Duration,
}

impl Published {
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}

struct Publisher {
    socket: TcpStream,
    sent: Instant,
    /// The part of the answer that has come so far.
    held: Vec<u8>,
}

/// Lets publishers append, each at one of these addresses, which take turns. `next` writes the next
/// request of a publisher, by its index, or returns false if there is none. All appends are answered when
/// this returns.
pub(crate) fn publish(
    addrs: &[SocketAddr],
    publishers: usize,
    mut next: impl FnMut(usize, &mut Vec<u8>) -> bool,
) -> Result<Published> {
    let mut poll = Poll::new()?;
    let connect = |index| -> Result<Publisher> {
        let socket = http::connect_for(&poll, addrs[index % addrs.len()], index)?;
        SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER)?;
        Ok(Publisher {
            socket,
            sent: Instant::now(),
            held: Vec::new(),
        })
    };
    let mut all: Vec<Publisher> = (0..publishers).map(connect).collect::<Result<_>>()?;
    let mut latencies = Latencies::default();
    let mut request = Vec::new();
    let mut waiting = 0;
    let began = Instant::now();
    for (index, publisher) in all.iter_mut().enumerate() {
        waiting += usize::from(publisher.send(&mut request, |out| next(index, out))?);
    }
    let mut events = Events::with_capacity(1024);
    while waiting > 0 {
        poll.poll(&mut events, Some(TIMEOUT))?;
        if events.is_empty() {
            return Err(format!("{waiting} appends are not answered").into());
        }
        for event in &events {
            let index = event.token().0;
            let publisher = &mut all[index];
            if publisher.read_answer()? {
                latencies.add(publisher.sent.elapsed());
                if !publisher.send(&mut request, |out| next(index, out))? {
                    waiting -= 1;
                }
            }
        }
    }
    Ok(Published {
        latencies,
        elapsed: began.elapsed(),
    })
}

impl Publisher {
    /// Sends the next request; returns false if there is none.
    fn send(
        &mut self,
        request: &mut Vec<u8>,
        next: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> Result<bool> {
        request.clear();
        if !next(request) {
            return Ok(false);
        }
        self.sent = Instant::now();
        // The buffer always holds one request.
        self.socket.write_all(request)?;
        Ok(true)
    }

    /// Reads what has come; returns true if that completes the answer, which must be a success.
    fn read_answer(&mut self) -> Result<bool> {
        let mut buffer = [0; 1024];
        match self.socket.read(&mut buffer) {
            Ok(0) => return Err("the server has closed a connection without an answer".into()),
            Ok(n) => self.held.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        match Head::read(&self.held)? {
            Some(head) if self.held.len() >= head.end() => {
                head.expect_success(&self.held[head.len..])?;
                self.held.clear();
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
