//! An HTTP client that reads the wire by itself, so that what it sees is what was sent.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// A response, its body still to be read.
pub(crate) struct Response {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    framing: Framing,
    socket: BufReader<TcpStream>,
}

enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
    Over,
}

/// Sends a request and reads the response's head. `request` is the head without its last empty
/// line, its first line without `HTTP/1.1`: `"GET /stream"`, `"GET / \r\nAccept: text/html"`.
pub(crate) async fn send(addr: SocketAddr, request: &str, body: &[u8]) -> Response {
    try_send(addr, request, body).await.unwrap()
}

pub(crate) async fn try_send(addr: SocketAddr, request: &str, body: &[u8]) -> io::Result<Response> {
    let (line, headers) = request.split_once("\r\n").unwrap_or((request, ""));
    let headers = if headers.is_empty() {
        String::new()
    } else {
        format!("{headers}\r\n")
    };
    let length = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    let mut bytes =
        format!("{line} HTTP/1.1\r\nHost: {addr}\r\n{headers}{length}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    send_raw(addr, &bytes).await
}

/// Sends exactly these bytes.
pub(crate) async fn send_raw(addr: SocketAddr, bytes: &[u8]) -> io::Result<Response> {
    let mut socket = TcpStream::connect(addr).await?;
    socket.set_nodelay(true)?;
    socket.write_all(bytes).await?;
    Response::read(BufReader::new(socket), bytes.starts_with(b"HEAD")).await
}

/// Reads the response on a socket on which the request has been sent.
pub(crate) async fn finish(socket: TcpStream) -> io::Result<Response> {
    Response::read(BufReader::new(socket), false).await
}

/// Sends a `POST` with this body.
pub(crate) async fn post(addr: SocketAddr, path: &str, body: impl AsRef<[u8]>) -> Response {
    send(addr, &format!("POST {path}"), body.as_ref()).await
}

/// Appends a message to a channel, and gives the server's answer. The text arrives unchanged: the
/// one newline that the server drops at the end is added here.
pub(crate) async fn append(addr: SocketAddr, path: &str, text: &str) -> serde_json::Value {
    let mut answer = post(addr, &format!("/c/{path}"), format!("{text}\n")).await;
    assert_eq!(answer.status, 201, "{text:?}");
    answer.json().await
}

pub(crate) async fn get(addr: SocketAddr, path: &str) -> Response {
    send(addr, &format!("GET {path}"), b"").await
}

impl Response {
    async fn read(mut socket: BufReader<TcpStream>, head_only: bool) -> io::Result<Response> {
        let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let mut line = String::new();
        socket.read_line(&mut line).await?;
        let mut parts = line.split_whitespace();
        let version = parts.next().ok_or_else(broken)?.to_owned();
        let status = parts
            .next()
            .and_then(|code| code.parse().ok())
            .ok_or_else(broken)?;
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            socket.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let framing = match (
            headers.get("content-length"),
            headers.get("transfer-encoding"),
        ) {
            _ if head_only || status == 204 || status == 304 => Framing::Over,
            (Some(length), _) => Framing::Length(length.parse().unwrap()),
            (_, Some(_)) => Framing::Chunked,
            _ => Framing::UntilClose,
        };
        Ok(Response {
            version,
            status,
            headers,
            framing,
            socket,
        })
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The next piece of the body as it was sent: `None` at a clean end, an error where the body
    /// breaks off.
    pub(crate) async fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let length = match self.framing {
            Framing::Over => return Ok(None),
            Framing::Length(length) => length,
            Framing::Chunked => {
                let mut line = String::new();
                self.socket.read_line(&mut line).await?;
                let broken = |_| io::Error::other(format!("broke off: no chunk but {line:?}"));
                usize::from_str_radix(line.trim_end(), 16).map_err(broken)?
            }
            Framing::UntilClose => {
                let mut bytes = vec![0; 4096];
                let n = self.socket.read(&mut bytes).await?;
                bytes.truncate(n);
                return Ok((n > 0).then_some(bytes));
            }
        };
        let mut bytes = vec![0; length];
        self.socket.read_exact(&mut bytes).await?;
        if matches!(self.framing, Framing::Chunked) {
            self.socket.read_exact(&mut [0; 2]).await?;
        }
        if length == 0 || matches!(self.framing, Framing::Length(_)) {
            self.framing = Framing::Over;
        }
        Ok((length > 0).then_some(bytes))
    }

    /// The whole body.
    pub(crate) async fn text(&mut self) -> String {
        let mut all = Vec::new();
        while let Some(chunk) = super::soon(self.chunk()).await.unwrap() {
            all.extend(chunk);
        }
        String::from_utf8(all).unwrap()
    }

    /// Reads until the body contains `text`, and gives all that has been read here. Patience ends also
    /// where heartbeats go on for ever.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        let mut all = String::new();
        let read = async {
            while !all.contains(text) {
                let chunk = self.chunk().await.unwrap();
                let chunk = chunk.unwrap_or_else(|| panic!("ended before {text:?}: {all:?}"));
                all += std::str::from_utf8(&chunk).unwrap();
            }
        };
        let read = tokio::time::timeout(super::STEP_TIMEOUT, read).await;
        assert!(read.is_ok(), "no {text:?}: {all:?}");
        all
    }

    /// The body as JSON.
    pub(crate) async fn json(&mut self) -> serde_json::Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    /// The socket, for another request once the body has been read.
    pub(crate) fn into_socket(self) -> TcpStream {
        self.socket.into_inner()
    }

    /// The socket, for whatever a client may do to it.
    pub(crate) fn socket(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }
}
