//! The deadline of a client that does not read.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;

use super::socket::ClientSocket;
use crate::limits;

/// How often within the timeout a blocked socket is checked.
const CHECKS: u32 = 6;

/// Gives up a client whose socket has taken no byte for a while. A single byte counts as progress:
/// a client that reads slowly is a client that reads. Whether the socket takes a byte is checked
/// several times in that while: one check at its end would take for progress what happened at its
/// beginning, such as the last bytes that fitted into the client's receive buffer.
///
/// While the socket takes nothing, only this deadline counts, and not the kernel's
/// (`TCP_USER_TIMEOUT`): that one also runs against a client that is there and acknowledges, but
/// whose buffer is full. A client whose disappearance is to be noticed soon has both.
#[derive(Debug)]
pub(super) struct Stall {
    timeout: Duration,
    /// Whether the client's disappearance is to be noticed soon.
    pub(super) expects_liveness: bool,
    /// Runs while the socket takes nothing.
    blocked: Option<BlockedWrite>,
}

/// The time since the socket took something.
#[derive(Debug)]
struct BlockedWrite {
    /// Ends when the socket is checked again.
    pause: Pin<Box<Sleep>>,
    /// How many checks may still find that it takes nothing; at zero the client is given up.
    checks_left: u32,
}

impl Stall {
    /// The client is given up after `timeout` without progress.
    pub(super) fn new(timeout: Duration) -> Stall {
        Stall {
            timeout,
            expects_liveness: false,
            blocked: None,
        }
    }

    /// The client's disappearance is to be noticed soon.
    pub(super) fn expect_liveness(&mut self, socket: &impl ClientSocket) {
        self.expects_liveness = true;
        socket.expect_liveness();
    }

    /// The socket has taken something.
    pub(super) fn on_progress(&mut self, socket: &impl ClientSocket) {
        if self.blocked.take().is_some() && !self.expects_liveness {
            socket.set_ack_timeout(Some(limits::ACK_TIMEOUT));
        }
    }

    /// The socket took none of these bytes, or of those that were written before. Ready with the number
    /// of bytes that it has taken after all, or with the error of a client that is given up.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut impl ClientSocket,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if socket.take_progress() {
            self.on_progress(socket);
        }
        let (pause, expects_liveness) = (self.timeout / CHECKS, self.expects_liveness);
        let blocked = self.blocked.get_or_insert_with(|| {
            if !expects_liveness {
                socket.set_ack_timeout(None);
            }
            BlockedWrite {
                pause: Box::pin(tokio::time::sleep(pause)),
                checks_left: CHECKS,
            }
        });
        loop {
            ready!(blocked.pause.as_mut().poll(cx));
            if let Ok(written) = socket.write_now(bytes) {
                self.on_progress(socket);
                if written > 0 {
                    return Poll::Ready(Ok(written));
                }
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            blocked.checks_left -= 1;
            if blocked.checks_left == 0 {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client has stopped reading",
                )));
            }
            blocked.pause.set(tokio::time::sleep(pause));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::future::poll_fn;
    use tokio::time::Instant;

    const TIMEOUT: Duration = Duration::from_mins(1);

    /// A socket that takes one byte at each of some times.
    struct FakeSocket {
        began: Instant,
        /// The seconds at which there is room for a byte, in ascending order.
        room_at: &'static [u64],
        taken: Cell<usize>,
    }

    impl FakeSocket {
        fn new(room_at: &'static [u64]) -> FakeSocket {
            FakeSocket {
                began: Instant::now(),
                room_at,
                taken: Cell::new(0),
            }
        }

        fn seconds(&self) -> u64 {
            self.began.elapsed().as_secs()
        }

        /// Writes until the client is given up, and returns after how many seconds.
        async fn write_until_given_up(&mut self) -> u64 {
            let mut stall = Stall::new(TIMEOUT);
            while poll_fn(|cx| stall.poll(cx, &mut *self, b"x")).await.is_ok() {}
            self.seconds()
        }
    }

    impl ClientSocket for FakeSocket {
        fn write_now(&mut self, _: &[u8]) -> io::Result<usize> {
            let next = self.room_at.get(self.taken.get());
            if next.is_none_or(|at| *at > self.seconds()) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.taken.set(self.taken.get() + 1);
            Ok(1)
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

    /// A client that never reads is given up a timeout after its last byte, or little later.
    #[tokio::test(start_paused = true)]
    async fn last_byte_is_noticed_soon() {
        let given_up = FakeSocket::new(&[]).write_until_given_up().await;
        assert_eq!(given_up, 60);
        let given_up = FakeSocket::new(&[1]).write_until_given_up().await;
        assert!(
            (61..=61 + 60 / u64::from(CHECKS)).contains(&given_up),
            "{given_up}"
        );
    }

    /// A byte within each timeout is enough.
    #[tokio::test(start_paused = true)]
    async fn one_byte_each_timeout_is_progress() {
        let given_up = FakeSocket::new(&[59, 118, 177])
            .write_until_given_up()
            .await;
        assert!(given_up >= 237, "{given_up}");
    }
}
