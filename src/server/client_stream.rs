//! A client's connection as a task has it: plain, or TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::socket::ClientSocket;
use super::tls::TlsSession;
#[cfg(feature = "secure")]
use super::tls::TlsStream;

/// Calls the method of whichever stream it is.
macro_rules! either {
    ($stream:expr, $inner:pat => $call:expr) => {
        match $stream {
            ClientStream::Plain($inner) => $call,
            #[cfg(feature = "secure")]
            ClientStream::Tls($inner) => $call,
        }
    };
}

/// What bytes are read from and written to.
#[derive(Debug)]
pub(super) enum ClientStream {
    /// The socket itself.
    Plain(TcpStream),
    /// TLS on a socket.
    #[cfg(feature = "secure")]
    Tls(TlsStream),
}

impl ClientStream {
    /// The socket below.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            ClientStream::Plain(socket) => socket,
            #[cfg(feature = "secure")]
            ClientStream::Tls(tls) => tls.socket(),
        }
    }

    /// A socket, and the TLS that is spoken on it, if it is.
    pub(super) fn of(socket: TcpStream, session: Option<Box<TlsSession>>) -> ClientStream {
        match session {
            None => ClientStream::Plain(socket),
            #[cfg(feature = "secure")]
            Some(session) => ClientStream::Tls(TlsStream::of(socket, session)),
            #[cfg(not(feature = "secure"))]
            Some(session) => match *session {},
        }
    }

    /// The socket, and the TLS that is spoken on it, if it is.
    pub(super) fn into_parts(self) -> (TcpStream, Option<Box<TlsSession>>) {
        match self {
            ClientStream::Plain(socket) => (socket, None),
            #[cfg(feature = "secure")]
            ClientStream::Tls(stream) => {
                let (socket, session) = stream.into_parts();
                (socket, Some(session))
            }
        }
    }

    /// Writes what the socket takes, as far as it is known to be ready. Returns how much of the bytes is
    /// not to be written again; with TLS a part of that may be unsent.
    ///
    /// # Errors
    /// Those of the socket, [`io::ErrorKind::WouldBlock`] only if that is nothing; or those of TLS.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.try_write(bytes))
    }

    /// Whether a part of what has been written is unsent.
    pub(super) fn has_unsent(&self) -> bool {
        match self {
            ClientStream::Plain(_) => false,
            #[cfg(feature = "secure")]
            ClientStream::Tls(stream) => stream.session().has_unsent(),
        }
    }

    /// The client is not listened to any more, either to what has come already.
    pub(super) fn forget_text(&mut self) {
        match self {
            ClientStream::Plain(_) => {}
            #[cfg(feature = "secure")]
            ClientStream::Tls(stream) => stream.session_mut().forget_text(),
        }
    }

    /// Reads once from a client that is not listened to any more. Returns the number of bytes that have
    /// come; 0 when it sends nothing more.
    ///
    /// # Errors
    /// Those of the socket, or what has come is no TLS.
    pub(super) fn try_ignore(&mut self) -> io::Result<usize> {
        match self {
            ClientStream::Plain(socket) => socket.try_read(&mut [0; 256]),
            #[cfg(feature = "secure")]
            ClientStream::Tls(stream) => stream.try_ignore(),
        }
    }

    /// Whether it is known without reading that the client sends nothing more.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            ClientStream::Plain(_) => false,
            #[cfg(feature = "secure")]
            ClientStream::Tls(stream) => stream.session().has_ended(),
        }
    }

    /// With TLS, says that nothing follows what has been written; that may be unsent.
    ///
    /// # Errors
    /// When the connection cannot be written to any more.
    #[cfg_attr(
        not(feature = "secure"),
        expect(clippy::unnecessary_wraps, reason = "with TLS it may fail")
    )]
    pub(super) fn say_end(&mut self) -> io::Result<()> {
        match self {
            ClientStream::Plain(_) => Ok(()),
            #[cfg(feature = "secure")]
            ClientStream::Tls(stream) => stream.session_mut().close(),
        }
    }

    /// Writes what the socket takes at once.
    pub(super) fn write_soon(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            ClientStream::Plain(socket) => socket.try_write(bytes),
            #[cfg(feature = "secure")]
            ClientStream::Tls(stream) => stream.write_now(bytes),
        }
    }

    /// Whether what is written is encrypted.
    pub(super) fn is_tls(&self) -> bool {
        !matches!(self, ClientStream::Plain(_))
    }
}

/// Why a connection has not become a [`ClientStream`].
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeFault {
    /// The client speaks plain HTTP where TLS is spoken.
    #[cfg_attr(
        not(feature = "secure"),
        expect(dead_code, reason = "nowhere is it spoken")
    )]
    #[error("the client speaks plain HTTP")]
    PlainHttp(TcpStream),
    /// The client left, or speaks nothing that is spoken here.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        either!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

impl ClientSocket for ClientStream {
    fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.write_now(bytes))
    }

    fn take_progress(&mut self) -> bool {
        either!(self, stream => stream.take_progress())
    }

    fn set_ack_timeout(&self, timeout: Option<Duration>) {
        self.socket().set_ack_timeout(timeout);
    }

    fn expect_liveness(&self) {
        self.socket().expect_liveness();
    }

    fn poll_eof(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_eof(cx))
    }

    fn is_connected(&self) -> bool {
        self.socket().is_connected()
    }
}
