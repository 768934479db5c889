//! An upload: a stream of lines to a server.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::client::{Response, finish};
use super::soon;

/// An upload whose end has not come yet.
pub(crate) struct Upload(TcpStream);

impl Upload {
    pub(crate) async fn start(addr: SocketAddr, path: &str) -> Upload {
        Upload::start_from(addr, "127.0.0.1", path).await
    }

    /// An upload of a client at this address, by way of a proxy on this machine.
    pub(crate) async fn start_from(addr: SocketAddr, client: &str, path: &str) -> Upload {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {client}\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        Upload(socket)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).await.unwrap();
    }

    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.0.write_all(&chunk).await
    }

    pub(crate) async fn end(mut self) -> Response {
        self.0.write_all(b"0\r\n\r\n").await.unwrap();
        self.answer().await
    }

    pub(crate) async fn answer(self) -> Response {
        soon(finish(self.0)).await.unwrap()
    }
}
