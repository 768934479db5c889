//! The deadline of a client that does not read.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;

use super::socket::ClientSocket;
use crate::limits;

/// Gives up a client whose socket has taken no byte for a while. A single byte counts as progress:
/// a client that reads slowly is a client that reads.
///
/// While the socket takes nothing, only this deadline counts, and not the kernel's
/// (`TCP_USER_TIMEOUT`): that one also runs against a client that is there and acknowledges, but
/// whose buffer is full. A client whose disappearance is to be noticed soon has both.
#[derive(Debug)]
pub(super) struct Stall {
    timeout: Duration,
    /// Whether the client's disappearance is to be noticed soon.
    expects_liveness: bool,
    /// Runs while the socket takes nothing.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    /// The client is given up after `timeout` without progress.
    pub(super) fn new(timeout: Duration) -> Stall {
        Stall {
            timeout,
            expects_liveness: false,
            deadline: None,
        }
    }

    /// The client's disappearance is to be noticed soon.
    pub(super) fn expect_liveness(&mut self, socket: &impl ClientSocket) {
        self.expects_liveness = true;
        socket.expect_liveness();
    }

    /// The socket has taken something.
    pub(super) fn on_progress(&mut self, socket: &impl ClientSocket) {
        if self.deadline.take().is_some() && !self.expects_liveness {
            socket.set_ack_timeout(Some(limits::ACK_TIMEOUT));
        }
    }

    /// The socket took none of these bytes. Ready with the number of bytes that it has taken after
    /// all, or with the error of a client that is given up.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        socket: &impl ClientSocket,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (timeout, expects_liveness) = (self.timeout, self.expects_liveness);
        let deadline = self.deadline.get_or_insert_with(|| {
            if !expects_liveness {
                socket.set_ack_timeout(None);
            }
            Box::pin(tokio::time::sleep(timeout))
        });
        ready!(deadline.as_mut().poll(cx));
        match socket.write_now(bytes) {
            Ok(written @ 1..) => {
                self.on_progress(socket);
                Poll::Ready(Ok(written))
            }
            _ => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client has stopped reading",
            ))),
        }
    }
}
