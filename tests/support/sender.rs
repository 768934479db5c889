//! A sender that keeps one connection for as long as that lasts.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::client::finish;
use super::soon;

/// Sends one message after the other, and makes a new connection when the old one has ended.
pub(crate) struct Sender {
    addr: SocketAddr,
    socket: Option<TcpStream>,
}

/// The outcome of a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The server answered, with this status.
    Reply(u16, Value),
    /// No server was there.
    Unsent,
    /// The connection broke: whether the server took the message is not known.
    Unknown,
}

impl Sender {
    pub(crate) fn new(addr: SocketAddr) -> Sender {
        Sender { addr, socket: None }
    }

    /// Sends a `POST`; `path` may end with header lines.
    pub(crate) async fn post(&mut self, path: &str, text: &str) -> Answer {
        let (path, headers) = path.split_once("\r\n").unwrap_or((path, ""));
        let headers = headers
            .lines()
            .map(|line| line.to_owned() + "\r\n")
            .collect::<String>();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{text}",
            text.len()
        );
        let Some(socket) = self.connection().await else {
            return Answer::Unsent;
        };
        match soon(self.exchange(socket, request.as_bytes())).await {
            Ok((status, answer)) => Answer::Reply(status, answer),
            Err(_) => Answer::Unknown,
        }
    }

    async fn connection(&mut self) -> Option<TcpStream> {
        if let Some(socket) = self.socket.take() {
            return Some(socket);
        }
        let socket = soon(TcpStream::connect(self.addr)).await.ok()?;
        socket.set_nodelay(true).unwrap();
        Some(socket)
    }

    async fn exchange(&mut self, mut socket: TcpStream, bytes: &[u8]) -> io::Result<(u16, Value)> {
        socket.write_all(bytes).await?;
        let mut response = finish(socket).await?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend(chunk);
        }
        let answer = (response.status, serde_json::from_slice(&body)?);
        if response.header("connection") != "close" {
            self.socket = Some(response.into_socket());
        }
        Ok(answer)
    }
}
