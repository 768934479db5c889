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
        let mut stream = TlsStream::of(socket, session);
        poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }

    /// A session that goes on, on its socket.
    pub(in super::super) fn of(socket: TcpStream, session: Box<TlsSession>) -> TlsStream {
        TlsStream {
            socket,
            session,
            has_progressed: false,
        }
    }

    /// The socket and the session, which go on elsewhere.
    pub(in super::super) fn into_parts(self) -> (TcpStream, Box<TlsSession>) {
        (self.socket, self.session)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx))?;
            if self.session.is_open() {
                return Poll::Ready(Ok(()));
            }
            if self.session.has_ended() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Err(error) = ready!(self.poll_receive(cx)) {
                // The client is told why.
                let _ = self.write_now(&[]);
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

    /// The session.
    pub(in super::super) fn session(&self) -> &TlsSession {
        &self.session
    }

    /// The session.
    pub(in super::super) fn session_mut(&mut self) -> &mut TlsSession {
        &mut self.session
    }

    /// Sends the records that have not been sent, and then `text`, until the socket takes no more. Returns
    /// how much of the text is in records, the last of which may be unsent.
    ///
    /// # Errors
    /// Those of [`TlsSession::write`].
    pub(in super::super) fn try_write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.session.write(text, |records| {
            let sent = self.socket.try_write(records)?;
            self.has_progressed = true;
            Ok(sent)
        })
    }

    /// Reads once from a client that is not listened to any more. Returns the number of bytes that have
    /// come; 0 when it sends nothing more.
    ///
    /// # Errors
    /// Those of [`TlsSession::receive`].
    pub(in super::super) fn try_ignore(&mut self) -> io::Result<usize> {
        self.session.ignore(|bytes| self.socket.try_read(bytes))
    }

    /// Sends the records that have not been sent.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match self.try_write(&[]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(cx))?;
                }
                sent => return Poll::Ready(sent.map(drop)),
            }
        }
    }

    /// Receives once from the client.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.session.receive(|bytes| self.socket.try_read(bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => return Poll::Ready(received.map(drop)),
            }
        }
    }
}

impl ClientSocket for TlsStream {
    fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut has_sent = false;
        let written = self.session.write(bytes, |records| {
            let sent = socket2::SockRef::from(&self.socket).send(records)?;
            has_sent = true;
            Ok(sent)
        });
        match written {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && has_sent => Ok(0),
            written => written,
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
            if self.session.has_ended() {
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
        while self.session.text().is_empty() && !self.session.has_ended() {
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
    /// The beginning of what is written becomes a record, whose rest is sent by the next write or flush.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        let written = self.session.encrypt(buf)?;
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
