//! The wait for the head of a request: how long it may take, and how long the head may be.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::connection::{Connection, HeadFault};
use crate::limits;

/// The wait for the next head on a connection. hyper has one time limit for the silence before a head
/// and for the head itself, and no answer to a target that is too long.
#[derive(Debug)]
pub(super) struct HeadWait {
    /// How long the connection may be idle before a request.
    idle: Duration,
    /// How long a head may take, and how long the first one may be waited for.
    head: Duration,
    /// How many heads had been read when this wait began.
    heads: u32,
    /// How much of the head has come.
    bytes: usize,
    /// Whether the first line of the head has come.
    has_line: bool,
    /// Whether the timer is set for what is waited for.
    is_set: bool,
    /// Stays when a wait is over: to set it for a later time is only a store, and where a runtime has no
    /// timer left, the next one costs a system call.
    timer: Option<Pin<Box<Sleep>>>,
    fault: Option<HeadFault>,
}

impl HeadWait {
    /// The wait for the first head on a connection.
    pub(super) fn new(idle: Duration, head: Duration) -> HeadWait {
        HeadWait {
            idle,
            head,
            heads: 0,
            bytes: 0,
            has_line: false,
            is_set: false,
            timer: None,
            fault: None,
        }
    }

    /// Why no further request is waited for, if that is so.
    pub(super) fn fault(&self) -> Option<HeadFault> {
        self.fault
    }

    /// Looks, before more is read, whether the head is too long. What has been read has been parsed: a
    /// head among it would have been reported to the connection.
    ///
    /// # Errors
    /// The fault, after which nothing more is read.
    pub(super) fn check<H>(&mut self, connection: &Connection<H>) -> Result<(), HeadFault> {
        if connection.heads() != self.heads {
            *self = HeadWait {
                heads: connection.heads(),
                timer: self.timer.take(),
                ..HeadWait::new(self.idle, self.head)
            };
        }
        if !self.has_line && self.bytes > limits::URL_BYTES_MAX {
            self.fault = Some(HeadFault::UrlTooLong);
        } else if self.bytes > limits::HEAD_BYTES_MAX {
            self.fault = Some(HeadFault::TooLarge);
        }
        self.fault.map_or(Ok(()), Err)
    }

    /// These bytes have been read.
    pub(super) fn on_read<H>(&mut self, connection: &Connection<H>, bytes: &[u8]) {
        if !connection.awaits_head() {
            return;
        }
        if self.bytes == 0 && self.heads > 0 {
            // The connection is idle no longer: from here on the head has its own time.
            self.is_set = false;
        }
        self.has_line |= bytes.contains(&b'\n');
        self.bytes += bytes.len();
    }

    /// Nothing could be read. Ready when that has lasted too long.
    pub(super) fn poll<H>(
        &mut self,
        cx: &mut Context<'_>,
        connection: &Connection<H>,
    ) -> Poll<HeadFault> {
        if !connection.awaits_head() {
            return Poll::Pending;
        }
        let is_idle = self.bytes == 0;
        let time = if is_idle && self.heads > 0 {
            self.idle
        } else {
            self.head
        };
        ready!(self.poll_timer(cx, time));
        let fault = if is_idle {
            HeadFault::Idle
        } else {
            HeadFault::Slow
        };
        self.fault = Some(fault);
        Poll::Ready(fault)
    }

    /// Ready when this time has passed since the first poll of a wait.
    fn poll_timer(&mut self, cx: &mut Context<'_>, time: Duration) -> Poll<()> {
        let is_set = std::mem::replace(&mut self.is_set, true);
        let end = || Instant::now() + time;
        let timer = match &mut self.timer {
            Some(timer) => {
                if !is_set {
                    timer.as_mut().reset(end());
                }
                timer
            }
            none => none.insert(Box::pin(sleep_until(end()))),
        };
        timer.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const IDLE: Duration = Duration::from_secs(75);
    const HEAD: Duration = Duration::from_secs(20);

    fn waiting() -> (HeadWait, Connection<()>) {
        let connection = Connection::new(IpAddr::V4(Ipv4Addr::LOCALHOST));
        (HeadWait::new(IDLE, HEAD), connection)
    }

    /// A first request has the time of a head; between requests a connection may be idle for longer.
    #[tokio::test(start_paused = true)]
    async fn head_and_idleness_have_times_of_their_own() {
        let (mut wait, connection) = waiting();
        let began = Instant::now();
        assert_eq!(
            poll_fn(|cx| wait.poll(cx, &connection)).await,
            HeadFault::Idle
        );
        assert_eq!(began.elapsed(), HEAD);
        let (mut wait, connection) = waiting();
        wait.on_read(&connection, b"GET / HTTP/1.1\r\n\r\n");
        connection.on_head(false);
        wait.check(&connection).unwrap();
        let began = Instant::now();
        assert_eq!(
            poll_fn(|cx| wait.poll(cx, &connection)).await,
            HeadFault::Idle
        );
        assert_eq!(began.elapsed(), IDLE);
        let (mut wait, connection) = waiting();
        connection.on_head(false);
        wait.check(&connection).unwrap();
        let idle = poll_fn(|cx| wait.poll(cx, &connection));
        tokio::time::timeout(IDLE / 2, idle).await.unwrap_err();
        wait.on_read(&connection, b"GET");
        let began = Instant::now();
        assert_eq!(
            poll_fn(|cx| wait.poll(cx, &connection)).await,
            HeadFault::Slow
        );
        assert_eq!(began.elapsed(), HEAD);
    }

    /// A head that is too long is told from a target that is; a body is neither.
    #[test]
    fn head_that_is_too_long_is_noticed() {
        let (mut wait, connection) = waiting();
        wait.on_read(&connection, &[b'x'; limits::URL_BYTES_MAX]);
        assert_eq!(wait.check(&connection), Ok(()));
        wait.on_read(&connection, b"x");
        assert_eq!(wait.check(&connection), Err(HeadFault::UrlTooLong));
        let (mut wait, connection) = waiting();
        wait.on_read(&connection, b"GET / HTTP/1.1\r\n");
        wait.on_read(&connection, &vec![b'x'; limits::HEAD_BYTES_MAX]);
        assert_eq!(wait.check(&connection), Err(HeadFault::TooLarge));
        let (mut wait, connection) = waiting();
        connection.on_head(true);
        wait.check(&connection).unwrap();
        wait.on_read(&connection, &vec![b'x'; limits::HEAD_BYTES_MAX + 1]);
        assert_eq!(wait.check(&connection), Ok(()));
        connection.on_body_over();
        wait.on_read(&connection, b"GET / HTTP/1.1\r\n");
        assert_eq!(wait.check(&connection), Ok(()));
    }
}
