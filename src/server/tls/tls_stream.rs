//! TLS on a socket.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::super::socket::ClientSocket;
use super::tls_session::TlsSession;

/// A client's socket, and what is spoken on it.
#[derive(Debug)]
pub(in super::super) struct TlsStream {
    socket: TcpStream,
    session: Box<TlsSession>,
    /// Whether the client has closed its sending side, in whatever way.
    has_ended: bool,
    /// Whether the socket has taken anything since that was asked for.
    has_progressed: bool,
}

impl TlsStream {
    /// Does the handshake on a socket.
    ///
    /// # Errors
    /// When the client speaks no TLS that is spoken here, or leaves.
    pub(super) async fn accept(
        socket: TcpStream,
        config: Arc<ServerConfig>,
    ) -> io::Result<TlsStream> {
        let session = Box::new(TlsSession::new(config).map_err(io::Error::other)?);
        let mut stream = TlsStream {
            socket,
            session,
            has_ended: false,
            has_progressed: false,
        };
        poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx))?;
            if self.session.is_open() {
                return Poll::Ready(Ok(()));
            }
            if self.has_ended {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Err(error) = ready!(self.poll_receive(cx)) {
                // The client is told why.
                let _ = self.send_now();
                return Poll::Ready(Err(error));
            }
        }
    }

    /// The socket below.
    pub(in super::super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The protocol inside that both sides have agreed on, if they have.
    pub(in super::super) fn protocol(&self) -> Option<&[u8]> {
        self.session.protocol()
    }

    /// Sends what the socket takes at once of the records that have not been sent, whatever is said of
    /// its readiness. Returns the number of bytes.
    fn send_now(&mut self) -> io::Result<usize> {
        let mut sent = 0;
        while !self.session.unsent().is_empty() {
            match socket2::SockRef::from(&self.socket).send(self.session.unsent()) {
                Ok(bytes) => {
                    self.session.on_sent(bytes);
                    sent += bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if sent > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Sends the records that have not been sent.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.session.unsent().is_empty() {
            match self.socket.try_write(self.session.unsent()) {
                Ok(bytes) => {
                    self.session.on_sent(bytes);
                    self.has_progressed = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Receives once from the client.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.session.receive(|bytes| self.socket.try_read(bytes)) {
                // Without a word, as many clients leave.
                Ok(0) => self.has_ended = true,
                Ok(_) => self.has_ended |= self.session.has_ended(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Poll::Ready(Err(error)),
            }
            return Poll::Ready(Ok(()));
        }
    }
}

impl ClientSocket for TlsStream {
    /// Sends what fits of the records that have not been sent. When all have been, the beginning of
    /// `bytes` becomes one.
    fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send_now()?;
        if bytes.is_empty() || !self.session.unsent().is_empty() {
            return Ok(0);
        }
        let written = self.session.send(bytes)?;
        match self.send_now() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(written),
        }
    }

    fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.has_progressed)
    }

    fn set_ack_timeout(&self, timeout: Option<Duration>) {
        self.socket.set_ack_timeout(timeout);
    }

    fn expect_liveness(&self) {
        self.socket.expect_liveness();
    }

    fn poll_eof(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.session.text().is_empty() {
            if self.has_ended {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_receive(cx))?;
        }
        // Something is there that will be read later.
        Poll::Pending
    }

    fn is_connected(&self) -> bool {
        self.socket.is_connected()
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.session.text().is_empty() && !self.has_ended {
            ready!(self.poll_receive(cx))?;
        }
        let text = self.session.text();
        let read = text.len().min(buf.remaining());
        buf.put_slice(&text[..read]);
        self.session.consume(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TlsStream {
    /// What is written becomes a record, of which the rest is sent by the next write or flush.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        let written = self.session.send(buf)?;
        match self.poll_send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(written)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.close()?;
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
