//! Fills the log of this server by one `PUT`, with a line for each message.

use std::io::{self, BufWriter, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::{Result, http, message};

/// How much is written at once, and the length of a chunk: what curl writes.
const BUFFER: usize = 64 * 1024;

/// Appends the messages with these numbers to a channel.
pub(crate) fn upload(addr: SocketAddr, channel: &str, numbers: RangeInclusive<u64>) -> Result<()> {
    let bytes = count(&numbers) * (message::BYTES as u64 + 1);
    let mut socket = http::connect(addr)?;
    let head = http::head("PUT", &format!("/c/{channel}"), "", bytes);
    socket.write_all(head.as_bytes())?;
    write(&socket, numbers.clone())?;
    check(&mut socket, b"", &numbers)
}

/// Does so in chunks, as a client does that does not know how much it will send.
pub(crate) fn upload_chunked(
    addr: SocketAddr,
    channel: &str,
    numbers: RangeInclusive<u64>,
) -> Result<()> {
    let mut socket = http::connect(addr)?;
    let head = format!(
        "PUT /c/{channel} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    socket.write_all(head.as_bytes())?;
    let chunks = Chunks {
        socket: &socket,
        frame: Vec::new(),
    };
    write(chunks, numbers.clone())?;
    check(&mut socket, b"0\r\n\r\n", &numbers)
}

/// Makes each write a chunk.
struct Chunks<'a> {
    socket: &'a TcpStream,
    frame: Vec<u8>,
}

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.clear();
        write!(self.frame, "{:x}\r\n", bytes.len())?;
        self.frame.extend_from_slice(bytes);
        self.frame.extend_from_slice(b"\r\n");
        self.socket.write_all(&self.frame)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

fn write(to: impl Write, numbers: RangeInclusive<u64>) -> Result<()> {
    let mut writer = BufWriter::with_capacity(BUFFER, to);
    let mut line = message::line(*numbers.start()).into_bytes();
    for _ in numbers {
        writer.write_all(&line)?;
        message::count_up(&mut line);
    }
    Ok(writer.flush()?)
}

/// Sends the end of the request. The answer must say that all messages were appended.
fn check(socket: &mut TcpStream, end: &[u8], numbers: &RangeInclusive<u64>) -> Result<()> {
    let (answer, count) = (http::exchange(socket, end, 201)?, count(numbers));
    let answer: Value = serde_json::from_slice(&answer)?;
    if answer["count"] == count {
        Ok(())
    } else {
        Err(format!("{count} messages were uploaded, but the answer is {answer}").into())
    }
}

fn count(numbers: &RangeInclusive<u64>) -> u64 {
    numbers.end() + 1 - numbers.start()
}
