//! A client's socket as hyper sees it, with everything that happens on it reported to the
//! connection.
//!
//! When the socket takes no more, hyper stops polling the body, so nothing in the body can notice a
//! client that does not read. Here it is noticed: this is what hyper tries to write to.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::socket::ClientSocket;
use super::stall::Stall;
use crate::connection::Connection;

/// A socket whose events are reported to its [`Connection`], and whose client is given up when it
/// does not read.
#[derive(Debug)]
pub(super) struct MonitoredIo<S, H> {
    socket: S,
    connection: Arc<Connection<H>>,
    stall: Stall,
}

impl<S, H> MonitoredIo<S, H> {
    pub(super) fn new(socket: S, connection: Arc<Connection<H>>, stall: Stall) -> Self {
        MonitoredIo {
            socket,
            connection,
            stall,
        }
    }

    /// The socket, and the deadline of its client.
    pub(super) fn into_inner(self) -> (S, Stall) {
        (self.socket, self.stall)
    }
}

impl<S: ClientSocket, H> MonitoredIo<S, H> {
    /// Reports what a write of `bytes` has come to.
    fn monitor(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.connection.take_liveness_request() {
            self.stall.expect_liveness(&self.socket);
        }
        match wrote {
            Poll::Ready(Ok(written)) => {
                self.stall.on_progress(&self.socket);
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => {
                self.connection.on_broken();
                Poll::Ready(Err(error))
            }
            Poll::Pending => {
                let wrote = ready!(self.stall.poll(cx, &self.socket, bytes));
                if wrote.is_err() {
                    self.connection.on_stalled();
                }
                Poll::Ready(wrote)
            }
        }
    }
}

impl<S: AsyncRead + Unpin, H> AsyncRead for MonitoredIo<S, H> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, buf));
        // hyper does not report how an idle connection ends.
        match &read {
            Ok(()) if buf.filled().len() > before => self.connection.on_read(),
            Ok(()) => self.connection.on_eof(),
            Err(_) => self.connection.on_broken(),
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + ClientSocket + Unpin, H> AsyncWrite for MonitoredIo<S, H> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.monitor(cx, buf, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.monitor(cx, first.map_or(&[], |buf| &**buf), wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.handover().flushed();
        self.connection.on_flushed();
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::*;
    use crate::connection::{Client, Phase};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Instant;

    const STALL: Duration = Duration::from_secs(30);
    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A pipe has no kernel that could be asked for anything.
    impl ClientSocket for DuplexStream {
        fn write_now(&self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }

        fn set_ack_timeout(&self, _: Option<Duration>) {}

        fn expect_liveness(&self) {}
    }

    type Monitored = (MonitoredIo<DuplexStream, ()>, Arc<Connection<()>>);

    fn monitored(socket: DuplexStream) -> Monitored {
        let connection = Arc::new(Connection::new(LOCALHOST));
        let io = MonitoredIo::new(socket, Arc::clone(&connection), Stall::new(STALL));
        (io, connection)
    }

    /// A client that takes nothing is given up after the timeout, and its deliveries are returned.
    #[tokio::test(start_paused = true)]
    async fn stalled_client_is_given_up() {
        let (socket, _client) = duplex(8);
        let (mut io, connection) = monitored(socket);
        let arrived = Box::new(|| panic!("it has not arrived"));
        connection.add_delivery(Client::Direct, arrived);
        let began = Instant::now();
        let error = io.write_all(b"more than eight bytes").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 30);
        assert_eq!(connection.phase().get(), Phase::Stalled);
        assert!(!connection.has_unconfirmed());
    }

    /// A client that reads a few bytes now and then is waited for.
    #[tokio::test(start_paused = true)]
    async fn slow_client_is_waited_for() {
        let (socket, mut client) = duplex(8);
        let (mut io, _) = monitored(socket);
        let slow = tokio::spawn(async move {
            let mut read = Vec::new();
            let mut byte = [0; 4];
            while let Ok(n @ 1..) = client.read(&mut byte).await {
                read.extend_from_slice(&byte[..n]);
                tokio::time::sleep(STALL / 2).await;
            }
            read
        });
        io.write_all(b"more than eight bytes, for a long time")
            .await
            .unwrap();
        drop(io);
        assert_eq!(
            slow.await.unwrap(),
            b"more than eight bytes, for a long time"
        );
    }

    /// Reads, the client's end and a broken write are reported to the connection.
    #[tokio::test]
    async fn socket_events_reach_the_connection() {
        let (socket, mut client) = duplex(8);
        let (mut io, connection) = monitored(socket);
        connection.add_delivery(Client::Direct, Box::new(|| ()));
        client.write_all(b"more").await.unwrap();
        io.read_exact(&mut [0; 4]).await.unwrap();
        assert!(connection.has_unconfirmed());
        assert_eq!(connection.phase().get(), Phase::Open);
        connection.on_request(None);
        assert!(!connection.has_unconfirmed());
        drop(client);
        assert_eq!(io.read(&mut [0; 4]).await.unwrap(), 0);
        assert_eq!(connection.phase().get(), Phase::HalfClosed);
        io.write_all(b"nobody is there").await.unwrap_err();
        assert_eq!(connection.phase().get(), Phase::Broken);
    }
}
