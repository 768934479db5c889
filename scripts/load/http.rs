//! As much of HTTP/1.1 as it takes to ask this server and to see that it has answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use memchr::memchr_iter;
use mio::{Interest, Poll, Token};

use crate::{Error, Result, message};

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

/// What a request begins with that has a body of so many bytes. `more` is further lines.
pub(crate) fn post(path: &str, more: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: bench\r\n{more}Content-Length: {length}\r\n\r\n")
}

/// A request that appends a message to a channel of ours.
pub(crate) fn append(channel: &str, number: u64) -> String {
    let line = message::line(number);
    post(&format!("/c/{channel}"), "", line.len()) + &line
}

/// What an answer begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Where the body begins.
    pub(crate) len: usize,
    /// Of the body; 0 if it is not said.
    pub(crate) content_length: usize,
    /// Does it come in chunks?
    pub(crate) chunked: bool,
}

impl Head {
    /// The head of an answer, once all of it has come.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Head>> {
        const CHUNKED: &[u8] = b"transfer-encoding: chunked";
        let (mut content_length, mut chunked) = (0, false);
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
                    chunked,
                }));
            }
            chunked |= line.eq_ignore_ascii_case(CHUNKED);
            if let Some(length) = length(line)? {
                content_length = length;
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
        Err(self.unexpected(&status.to_string(), body))
    }

    /// Is it a yes, in whatever way a server says that?
    pub(crate) fn expect_yes(&self, body: &[u8]) -> Result<()> {
        if (200..300).contains(&self.status) {
            return Ok(());
        }
        Err(self.unexpected("2xx", body))
    }

    fn unexpected(&self, expected: &str, body: &[u8]) -> Error {
        let body = String::from_utf8_lossy(body);
        let (got, body) = (self.status, body.trim_end());
        format!("a request was answered {got}, not {expected}: {body}").into()
    }
}

/// The value of a line of a head, if it is that of the body's length.
pub(crate) fn length(line: &[u8]) -> Result<Option<usize>> {
    const LENGTH: &[u8] = b"content-length:";
    match line.split_at_checked(LENGTH.len()) {
        Some((name, value)) if name.eq_ignore_ascii_case(LENGTH) => {
            Ok(Some(str::from_utf8(value.trim_ascii())?.parse()?))
        }
        _ => Ok(None),
    }
}

/// Sends a request, waits for its answer, which must have this status, and gives its body.
pub(crate) fn exchange(socket: &mut TcpStream, request: &str, status: u16) -> Result<Vec<u8>> {
    socket.write_all(request.as_bytes())?;
    answer(socket, status)
}

/// Waits for an answer, which must have this status, and gives its body.
pub(crate) fn answer(socket: &mut TcpStream, status: u16) -> Result<Vec<u8>> {
    let (head, body) = whole(socket)?;
    head.expect(status, &body)?;
    Ok(body)
}

/// Waits for an answer, which must be a yes.
pub(crate) fn answer_yes(socket: &mut TcpStream) -> Result<()> {
    let (head, body) = whole(socket)?;
    head.expect_yes(&body)
}

fn whole(socket: &mut TcpStream) -> Result<(Head, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(head) = Head::read(&bytes)?
            && bytes.len() >= head.end()
        {
            return Ok((head, bytes.split_off(head.len)));
        }
        let mut part = [0; 4096];
        match socket.read(&mut part)? {
            0 => return Err("the server has closed a connection without an answer".into()),
            n => bytes.extend_from_slice(&part[..n]),
        }
    }
}
