//! A client's socket as hyper sees it, with everything that happens on it reported to the
//! connection.
//!
//! When the socket takes no more, hyper stops polling the body, so nothing in the body can notice a
//! client that does not read. Here it is noticed: this is what hyper tries to write to.
//!
//! While an answer is waited for, or goes on, hyper does not read either: a client may have closed its
//! sending side and still wait (hyper's `half_close`). Whether it has, and whether it has left, is
//! looked for at each flush, which hyper asks for whenever it is polled with nothing left to write.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::departure::Departure;
use super::head_wait::HeadWait;
use super::socket::ClientSocket;
use super::stall::Stall;
use crate::connection::{Connection, HeadFault};

/// A socket whose events are reported to its [`Connection`], and whose client is given up when it
/// does not read.
#[derive(Debug)]
pub(super) struct MonitoredIo<S, H> {
    socket: S,
    connection: Arc<Connection<H>>,
    stall: Stall,
    head: HeadWait,
    /// The client has closed its sending side.
    departure: Option<Departure>,
}

impl<S, H> MonitoredIo<S, H> {
    pub(super) fn new(
        socket: S,
        connection: Arc<Connection<H>>,
        stall: Stall,
        head: HeadWait,
    ) -> Self {
        MonitoredIo {
            socket,
            connection,
            stall,
            head,
            departure: None,
        }
    }

    /// The socket, the deadline of its client, and why no further request was waited for, if that
    /// is what ended the connection.
    pub(super) fn into_inner(self) -> (S, Stall, Option<HeadFault>) {
        (self.socket, self.stall, self.head.fault())
    }
}

impl<S: ClientSocket, H> MonitoredIo<S, H> {
    /// Looks whether the client is still there. Ready with an error when it is gone.
    fn poll_departure(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.departure.is_none() {
            match ready!(self.socket.poll_eof(cx)) {
                Ok(()) => {
                    self.connection.on_eof();
                    self.departure = Some(Departure::new());
                    // A stream is to hear of it.
                    cx.waker().wake_by_ref();
                }
                Err(error) => {
                    self.connection.on_broken();
                    return Poll::Ready(error);
                }
            }
        }
        let Some(departure) = &mut self.departure else {
            return Poll::Pending;
        };
        let error = ready!(departure.poll(cx, &self.socket));
        self.connection.on_broken();
        Poll::Ready(error)
    }

    /// Reports what a write of `bytes`, or of what was written before, has come to.
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
                let wrote = ready!(self.stall.poll(cx, &mut self.socket, bytes));
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
        let this = &mut *self;
        let no_request =
            |fault: HeadFault| io::Error::new(io::ErrorKind::TimedOut, format!("{fault:?}"));
        this.head.check(&this.connection).map_err(no_request)?;
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut this.socket).poll_read(cx, buf) else {
            let fault = ready!(this.head.poll(cx, &this.connection));
            return Poll::Ready(Err(no_request(fault)));
        };
        // hyper does not report how an idle connection ends.
        match &read {
            Ok(()) if buf.filled().len() > before => {
                this.head.on_read(&this.connection, &buf.filled()[before..]);
                this.connection.on_read();
            }
            Ok(()) => this.connection.on_eof(),
            Err(_) => this.connection.on_broken(),
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
        let wrote = self.monitor(cx, buf, wrote);
        if let Poll::Ready(Ok(written)) = wrote {
            self.connection.on_write([&buf[..written]]);
        }
        wrote
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        let first = bufs.iter().find(|buf| !buf.is_empty());
        let wrote = self.monitor(cx, first.map_or(&[], |buf| &**buf), wrote);
        if let Poll::Ready(Ok(written)) = wrote {
            self.connection.on_write(first_bytes(bufs, written));
        }
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx).map_ok(|()| 0);
        ready!(self.monitor(cx, &[], flushed))?;
        self.connection.handover().flushed();
        self.connection.on_flushed();
        match self.poll_departure(cx) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// The first `written` bytes of some buffers.
fn first_bytes<'a>(bufs: &'a [io::IoSlice<'_>], written: usize) -> impl Iterator<Item = &'a [u8]> {
    bufs.iter().scan(written, |left, buf| {
        let taken = buf.len().min(*left);
        *left -= taken;
        Some(&buf[..taken])
    })
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
        fn write_now(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }

        fn set_ack_timeout(&self, _: Option<Duration>) {}

        fn expect_liveness(&self) {}

        fn poll_eof(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn is_connected(&self) -> bool {
            true
        }
    }

    type Monitored = (MonitoredIo<DuplexStream, ()>, Arc<Connection<()>>);

    fn monitored(socket: DuplexStream) -> Monitored {
        let connection = Arc::new(Connection::new(LOCALHOST));
        let head = HeadWait::new(STALL, STALL);
        let io = MonitoredIo::new(socket, Arc::clone(&connection), Stall::new(STALL), head);
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
