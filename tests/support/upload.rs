//! An upload: a stream of lines to a server.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::client::{Response, finish};
use super::soon;

/// A piece of an upload as a chunk; the last one is empty.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// An upload whose end has not come yet.
pub(crate) struct Upload(TcpStream);

impl Upload {
    pub(crate) async fn start(addr: SocketAddr, path: &str) -> Upload {
        Upload::start_from(addr, "127.0.0.1", path).await
    }

    /// An upload with these header lines, each with its end.
    pub(crate) async fn start_with(addr: SocketAddr, path: &str, headers: &str) -> Upload {
        let mut socket = TcpStream::connect(addr).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        Upload(socket)
    }

    /// An upload of a client at this address, by way of a proxy on this machine.
    pub(crate) async fn start_from(addr: SocketAddr, client: &str, path: &str) -> Upload {
        let forwarded = format!("X-Forwarded-For: {client}\r\n");
        Upload::start_with(addr, path, &forwarded).await
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).await.unwrap();
    }

    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(&chunk(bytes)).await
    }

    pub(crate) async fn end(mut self) -> Response {
        self.0.write_all(b"0\r\n\r\n").await.unwrap();
        self.answer().await
    }

    pub(crate) async fn answer(self) -> Response {
        soon(finish(self.0)).await.unwrap()
    }
}
