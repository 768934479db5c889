//! A follower's connection that is read as slowly as the client likes, and whose framing is checked
//! byte by byte.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::soon;
use super::wires::{StreamEvent, StreamReader};

/// A stream on its socket.
pub(crate) struct RawStream {
    pub(crate) socket: TcpStream,
    wire: &'static str,
    /// The head of the answer, once all of it is there.
    pub(crate) head: Option<String>,
    /// Whether the last chunk has come.
    pub(crate) is_complete: bool,
    /// What came and is not decoded.
    raw: Vec<u8>,
    reader: StreamReader,
}

/// A receive buffer that holds a small part of what a stream has to say. It is not the smallest that the
/// kernel gives: the window of such a one, which is said in units of 1 KiB here, can stay smaller than a
/// segment. The sender then waits 200 ms before each piece of 1 KiB (RFC 9293, section 3.8.6.1).
pub(crate) const SMALL_BUFFER: u32 = 16 * 1024;

impl RawStream {
    /// Asks for `/c/CHANNELS?QUERY` on a transport, and reads nothing. `buffer` is the size of the
    /// client's receive buffer, if not the usual one.
    pub(crate) async fn ask(
        addr: SocketAddr,
        wire: &'static str,
        channels: &str,
        query: &str,
        buffer: Option<u32>,
    ) -> io::Result<RawStream> {
        let socket = TcpSocket::new_v4()?;
        if let Some(buffer) = buffer {
            socket.set_recv_buffer_size(buffer)?;
        }
        let mut socket = soon(socket.connect(addr)).await?;
        socket.set_nodelay(true)?;
        let request = format!(
            "GET /c/{channels}?as={wire}&{query} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await?;
        let has_names = channels.contains(',') && !query.contains("names=0");
        Ok(RawStream {
            socket,
            wire,
            head: None,
            is_complete: false,
            raw: Vec::new(),
            reader: StreamReader::with_names(wire, has_names),
        })
    }

    /// Reads at most so many bytes, and gives what they say. A stream that is cut is an error.
    pub(crate) async fn read(&mut self, most: usize) -> io::Result<Vec<StreamEvent>> {
        // Nothing is lost if this is given up while nothing has come.
        let mut piece = vec![0; most];
        let read = soon(self.socket.read(&mut piece)).await?;
        if read == 0 {
            let what = format!(
                "{} is cut after {:?} {:?}",
                self.wire,
                self.head,
                String::from_utf8_lossy(&self.raw)
            );
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        self.raw.extend_from_slice(&piece[..read]);
        Ok(self.decode())
    }

    /// Reads until the head is there, and gives what follows it.
    pub(crate) async fn begin(&mut self) -> io::Result<Vec<StreamEvent>> {
        let mut said = Vec::new();
        while self.head.is_none() {
            said.extend(self.read(4096).await?);
        }
        Ok(said)
    }

    /// The status of the answer, whose head has come.
    pub(crate) fn status(&self) -> &str {
        &self.head.as_ref().unwrap()[9..12]
    }

    /// The cursor at which the stream begins, as the head says it, and its seq.
    pub(crate) fn cursor(&self) -> (&str, u64) {
        let head = self.head.as_ref().unwrap();
        let cursor = head.split("\r\nlog-cursor: ").nth(1).expect(head);
        let cursor = cursor.split("\r\n").next().unwrap();
        (cursor, seq(cursor))
    }

    /// Decodes all that is whole.
    fn decode(&mut self) -> Vec<StreamEvent> {
        if self.head.is_none() {
            let end = self.raw.windows(4).position(|four| four == b"\r\n\r\n");
            let Some(end) = end else { return Vec::new() };
            let head: Vec<u8> = self.raw.drain(..end + 4).collect();
            self.head = Some(String::from_utf8(head).unwrap().to_ascii_lowercase());
        }
        let (mut said, mut at) = (Vec::new(), 0);
        while let Some(line) = self.raw[at..].windows(2).position(|two| two == b"\r\n") {
            assert!(!self.is_complete, "something follows the last chunk");
            let size = std::str::from_utf8(&self.raw[at..at + line]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap_or_else(|_| panic!("{size:?}"));
            let begin = at + line + 2;
            let Some(end) = self.raw.get(begin + size..begin + size + 2) else {
                break;
            };
            assert_eq!(end, b"\r\n", "the end of a chunk of {size} bytes");
            said.extend(self.reader.read(&self.raw[begin..begin + size]));
            self.is_complete = size == 0;
            at = begin + size + 2;
        }
        self.raw.drain(..at);
        said
    }
}

/// The seq in a cursor.
pub(crate) fn seq(cursor: &str) -> u64 {
    cursor.rsplit_once('-').expect(cursor).1.parse().unwrap()
}
