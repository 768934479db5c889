//! As much of HTTP/1.1 as it takes to ask this server and to see that it has answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use memchr::memchr_iter;
use mio::{Interest, Poll, Token};

use crate::{Result, message};

/// How long an answer is waited for before the run fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Connects, for small requests that are not to wait for each other.
pub(crate) fn connect(addr: SocketAddr) -> Result<TcpStream> {
    let socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Connects, and has a poll tell under this number when there is something to read.
pub(crate) fn connect_for(
    poll: &Poll,
    addr: SocketAddr,
    number: usize,
) -> Result<mio::net::TcpStream> {
    let socket = connect(addr)?;
    socket.set_nonblocking(true)?;
    let mut socket = mio::net::TcpStream::from_std(socket);
    poll.registry()
        .register(&mut socket, Token(number), Interest::READABLE)?;
    Ok(socket)
}

/// A request for a stream.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n")
}

/// A request that appends a message to a channel.
pub(crate) fn post(channel: &str, number: u64) -> String {
    let line = message::line(number);
    let length = line.len();
    format!("POST /c/{channel} HTTP/1.1\r\nHost: bench\r\nContent-Length: {length}\r\n\r\n{line}")
}

/// What an answer begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Where the body begins.
    pub(crate) len: usize,
    /// Of the body; 0 if it is not said.
    pub(crate) content_length: usize,
}

impl Head {
    /// The head of an answer, once all of it has come.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Head>> {
        const LENGTH: &[u8] = b"content-length:";
        let mut content_length = 0;
        let mut from = 0;
        for end in memchr_iter(b'\n', bytes) {
            let line = bytes[from..end].trim_ascii();
            from = end + 1;
            if line.is_empty() {
                let status = bytes.get(9..12).ok_or("an answer without a status")?;
                return Ok(Some(Head {
                    status: str::from_utf8(status)?.parse()?,
                    len: from,
                    content_length,
                }));
            }
            if let Some((name, value)) = line.split_at_checked(LENGTH.len())
                && name.eq_ignore_ascii_case(LENGTH)
            {
                content_length = str::from_utf8(value.trim_ascii())?.parse()?;
            }
        }
        Ok(None)
    }

    /// Where the answer ends.
    pub(crate) fn end(&self) -> usize {
        self.len + self.content_length
    }

    /// Is it the answer that should have come?
    pub(crate) fn expect(&self, status: u16, body: &[u8]) -> Result<()> {
        if self.status == status {
            return Ok(());
        }
        let body = String::from_utf8_lossy(body);
        let (got, body) = (self.status, body.trim_end());
        Err(format!("a request was answered {got}, not {status}: {body}").into())
    }
}

/// Sends a request, waits for its answer, which must have this status, and gives its body.
pub(crate) fn exchange(socket: &mut TcpStream, request: &str, status: u16) -> Result<Vec<u8>> {
    socket.write_all(request.as_bytes())?;
    answer(socket, status)
}

/// Waits for an answer, which must have this status, and gives its body.
pub(crate) fn answer(socket: &mut TcpStream, status: u16) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(head) = Head::read(&bytes)?
            && bytes.len() >= head.end()
        {
            let body = bytes.split_off(head.len);
            head.expect(status, &body)?;
            return Ok(body);
        }
        let mut part = [0; 4096];
        match socket.read(&mut part)? {
            0 => return Err("the server has closed a connection without an answer".into()),
            n => bytes.extend_from_slice(&part[..n]),
        }
    }
}
