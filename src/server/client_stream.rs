//! A client's connection as hyper has it: plain, or TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::socket::ClientSocket;
#[cfg(feature = "secure")]
use super::tls::TlsStream;

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

    /// The socket, if nothing else is between it and what is written.
    #[cfg_attr(
        not(feature = "secure"),
        expect(clippy::unnecessary_wraps, reason = "nothing is ever between")
    )]
    pub(super) fn into_plain(self) -> Option<TcpStream> {
        match self {
            ClientStream::Plain(socket) => Some(socket),
            #[cfg(feature = "secure")]
            ClientStream::Tls(_) => None,
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
