//! Telling a client that has left from one that has only closed its sending side.
//!
//! Both look the same at first: the end of what the client sends. `nc -N` and `socat` send it right
//! after their request, and wait for the answer; a client that has left answers the next bytes that
//! are sent to it by a reset. Then the kernel forgets the peer, which is reported only when asked.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::socket::ClientSocket;
use crate::limits;

/// A look from time to time whether a client is still there that sends nothing more. (One that is
/// written nothing at all, because its answer is waited for, is noticed by the kernel's probes.)
#[derive(Debug)]
pub(super) struct Departure {
    pause: Pin<Box<Sleep>>,
    wait: Duration,
}

impl Departure {
    /// The client has just closed its sending side.
    pub(super) fn new() -> Departure {
        let wait = Duration::from_millis(1);
        Departure {
            pause: Box::pin(sleep(wait)),
            wait,
        }
    }

    /// Ready with an error when the client is gone.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        socket: &impl ClientSocket,
    ) -> Poll<io::Error> {
        loop {
            ready!(self.pause.as_mut().poll(cx));
            if !socket.is_connected() {
                return Poll::Ready(io::ErrorKind::ConnectionReset.into());
            }
            self.wait = (2 * self.wait).min(limits::HALF_CLOSE_POLL_INTERVAL_MAX);
            self.pause.set(sleep(self.wait));
        }
    }
}
