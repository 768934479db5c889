//! As much of HTTP/1.1 as it takes to ask a server and to see that it has answered.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use memchr::memchr_iter;
use mio::{Interest, Poll, Token};

use crate::{Error, Result, message};

/// How long the client waits for an answer before the run fails.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Connects without Nagle's algorithm, so that small requests do not wait for each other.
pub(crate) fn connect(addr: SocketAddr) -> Result<TcpStream> {
    let socket = TcpStream::connect(addr)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    Ok(socket)
}

/// Connects a socket whose readability the poll reports under this number.
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

/// A request without a body. `headers` are further lines.
pub(crate) fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

/// The head of a request with a body of this length. `headers` are further lines.
pub(crate) fn head(method: &str, path: &str, headers: &str, length: u64) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n"
    )
}

/// A request that appends a message to a channel of this server.
pub(crate) fn append(channel: &str, number: u64) -> String {
    let line = message::line(number);
    head("POST", &format!("/c/{channel}"), "", line.len() as u64) + &line
}

/// The head of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// The length of the head: the offset at which the body begins.
    pub(crate) len: usize,
    /// The length of the body; 0 if the head does not have it.
    pub(crate) content_length: usize,
    /// Whether the body comes in chunks.
    pub(crate) chunked: bool,
}

impl Head {
    /// Reads the head of an answer; `None` if more of it is to come.
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
            if let Some(length) = content_length_of(line)? {
                content_length = length;
            }
        }
        Ok(None)
    }

    /// The offset at which the answer ends.
    pub(crate) fn end(&self) -> usize {
        self.len + self.content_length
    }

    /// Fails unless the answer has this status; `body` is quoted then.
    pub(crate) fn expect(&self, status: u16, body: &[u8]) -> Result<()> {
        if self.status == status {
            return Ok(());
        }
        Err(self.unexpected(&status.to_string(), body))
    }

    /// Fails unless the answer is a success, whatever its status; `body` is quoted then.
    pub(crate) fn expect_success(&self, body: &[u8]) -> Result<()> {
        match self.status {
            200..300 => Ok(()),
            _ => Err(self.unexpected("2xx", body)),
        }
    }

    fn unexpected(&self, expected: &str, body: &[u8]) -> Error {
        let body = String::from_utf8_lossy(body);
        let (got, body) = (self.status, body.trim_end());
        format!("a request was answered {got}, not {expected}: {body}").into()
    }
}

/// The value of a header line, if it is that of the body's length.
pub(crate) fn content_length_of(line: &[u8]) -> Result<Option<usize>> {
    const NAME: &[u8] = b"content-length:";
    match line.split_at_checked(NAME.len()) {
        Some((name, value)) if name.eq_ignore_ascii_case(NAME) => {
            Ok(Some(str::from_utf8(value.trim_ascii())?.parse()?))
        }
        _ => Ok(None),
    }
}

/// Sends a request on a connection of its own. The answer must have this status; returns its body.
pub(crate) fn ask(addr: SocketAddr, request: &str, status: u16) -> Result<Vec<u8>> {
    exchange(&mut connect(addr)?, request.as_bytes(), status)
}

/// Sends a request. The answer must have this status; returns its body.
pub(crate) fn exchange(socket: &mut TcpStream, request: &[u8], status: u16) -> Result<Vec<u8>> {
    socket.write_all(request)?;
    let (head, body) = answer(socket)?;
    head.expect(status, &body)?;
    Ok(body)
}

/// Waits for an answer, and returns it with its body.
pub(crate) fn answer(socket: &mut TcpStream) -> Result<(Head, Vec<u8>)> {
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
