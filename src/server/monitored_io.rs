//! A socket with a deadline for its client to read, that notes what its client does.
//!
//! When the socket takes no more, hyper stops asking the stream for bytes, so nothing in the
//! stream can notice. Here it is noticed: this is what hyper tries to write to.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::follow::Link;

/// See the module.
#[derive(Debug)]
pub(super) struct MonitoredIo<S> {
    socket: S,
    link: Arc<Link>,
    patience: Duration,
    /// What is done to the socket when its client is to be watched.
    watch: fn(&S),
    /// Runs while the socket takes nothing.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> MonitoredIo<S> {
    /// A socket that fails once it has taken nothing for as long as `patience`.
    pub(super) fn new(
        socket: S,
        link: Arc<Link>,
        patience: Duration,
        watch: fn(&S),
    ) -> MonitoredIo<S> {
        MonitoredIo {
            socket,
            link,
            patience,
            watch,
            deadline: None,
        }
    }

    /// The socket.
    pub(super) fn into_inner(self) -> S {
        self.socket
    }

    /// What a write has come to, or the end of patience.
    fn note(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if self.link.takes_watch() {
            (self.watch)(&self.socket);
        }
        if let Poll::Ready(wrote) = &wrote {
            self.deadline = None;
            if wrote.is_err() {
                self.link.break_off();
            }
        }
        if wrote.is_ready() {
            return wrote;
        }
        let patience = self.patience;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        deadline.as_mut().poll(cx).map(|()| {
            self.link.stall();
            self.link.break_off();
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client has stopped reading",
            ))
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MonitoredIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, buf));
        // hyper tells nobody how an idle connection ends.
        match &read {
            Ok(()) if buf.filled().len() > before => self.link.hear(),
            Ok(()) => self.link.end(),
            Err(_) => self.link.break_off(),
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MonitoredIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.note(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.note(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper comes here when it has written all that it had.
        self.link.handover.flush();
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::metrics::Closed;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(30);
    const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_given_up() {
        let (socket, _client) = duplex(8);
        let link = Arc::new(Link::new(LOCALHOST));
        let mut guard = MonitoredIo::new(socket, Arc::clone(&link), PATIENCE, |_| ());
        link.hand_out(Box::new(|| panic!("it has not come")));
        let began = Instant::now();
        let error = guard.write_all(b"more than eight bytes").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 30);
        assert_eq!(link.closed(), Closed::Stalled);
        assert!(!link.awaits(), "it is known that it has not come");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_is_waited_for() {
        let (socket, mut client) = duplex(8);
        let mut guard = MonitoredIo::new(socket, Arc::new(Link::new(LOCALHOST)), PATIENCE, |_| ());
        let slow = tokio::spawn(async move {
            let mut read = Vec::new();
            let mut byte = [0; 4];
            while let Ok(n @ 1..) = client.read(&mut byte).await {
                read.extend_from_slice(&byte[..n]);
                tokio::time::sleep(PATIENCE / 2).await;
            }
            read
        });
        guard
            .write_all(b"more than eight bytes, for a long time")
            .await
            .unwrap();
        drop(guard);
        assert_eq!(
            slow.await.unwrap(),
            b"more than eight bytes, for a long time"
        );
    }

    #[tokio::test]
    async fn what_the_client_does_is_noted() {
        let (socket, mut client) = duplex(8);
        let link = Arc::new(Link::new(LOCALHOST));
        let mut guard = MonitoredIo::new(socket, Arc::clone(&link), PATIENCE, |_| ());
        link.hand_out(Box::new(|| ()));
        client.write_all(b"more").await.unwrap();
        guard.read_exact(&mut [0; 4]).await.unwrap();
        assert!(link.awaits() && !link.has_ended());
        link.go_on();
        assert!(!link.awaits());
        drop(client);
        assert_eq!(guard.read(&mut [0; 4]).await.unwrap(), 0);
        assert!(link.has_ended() && !link.is_broken());
        guard.write_all(b"nobody is there").await.unwrap_err();
        assert!(link.is_broken());
    }
}
