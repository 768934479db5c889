//! What the sockets of a crowd tell: that a client has sent something, or has left.
//!
//! **Readiness is told once** (it is edge-triggered): after it has been told of a socket, the socket is
//! read from until nothing is left, or nothing is ever told of it again. Only reading is asked for. A
//! socket that takes no more is a task's, which waits for it by itself.
//!
//! **An epoll is itself a file that becomes readable.** So one task waits for thousands of sockets, as
//! for one: tokio tells it that the crowd's own epoll has something, and the epoll tells which sockets
//! have. tokio alone would keep a record of some hundred bytes for each socket.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Token};
use tokio::io::Interest as TokioInterest;
use tokio::io::unix::AsyncFd;

use crate::limits;

/// The epoll of a crowd, on the current runtime.
#[derive(Debug)]
pub(super) struct Poller {
    poll: AsyncFd<mio::Poll>,
    events: Events,
}

impl Poller {
    pub(super) fn new() -> io::Result<Poller> {
        #[expect(
            deprecated,
            reason = "its successor is unsafe code, which asks for a file that stays open: an epoll does"
        )]
        let poll = AsyncFd::with_interest(mio::Poll::new()?, TokioInterest::READABLE)?;
        Ok(Poller {
            poll,
            events: Events::with_capacity(limits::CROWD_SLICE),
        })
    }

    /// Has `key` told of what the socket's client does.
    pub(super) fn add(&self, socket: &mut TcpStream, key: u32) -> io::Result<()> {
        let registry = self.poll.get_ref().registry();
        registry.register(socket, Token(key as usize), Interest::READABLE)
    }

    /// Has nothing told of the socket any more.
    pub(super) fn remove(&self, socket: &mut TcpStream) -> io::Result<()> {
        self.poll.get_ref().registry().deregister(socket)
    }

    /// Puts the keys of sockets that have something into `keys`, a slice of them. Pending, and woken
    /// later, while none has.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        keys: &mut Vec<u32>,
    ) -> Poll<io::Result<()>> {
        let mut ready = ready!(self.poll.poll_read_ready_mut(cx))?;
        let polled = ready
            .get_inner_mut()
            .poll(&mut self.events, Some(Duration::ZERO));
        match polled {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Poll::Ready(Err(error));
            }
            _ => {}
        }
        let tokens = self.events.iter().map(|event| event.token().0);
        keys.extend(tokens.filter_map(|token| u32::try_from(token).ok()));
        // While a slice is full there may be more, of which nothing is told again.
        if keys.len() < self.events.capacity() {
            ready.clear_ready();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read, Write};

    use super::*;

    /// A socket of the server and its client's.
    fn connected(listener: &std::net::TcpListener) -> (TcpStream, std::net::TcpStream) {
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        (TcpStream::from_std(socket), client)
    }

    /// The keys that are told until nothing more is, sorted.
    async fn told(poller: &mut Poller) -> Vec<u32> {
        let (mut all, mut keys) = (Vec::new(), Vec::new());
        // What was written is there at once on the loopback; the runtime has to look.
        for _ in 0..20 {
            let polled = poll_fn(|cx| Poll::Ready(poller.poll(cx, &mut keys))).await;
            if let Poll::Ready(polled) = polled {
                polled.unwrap();
                assert!(keys.len() <= limits::CROWD_SLICE);
            }
            all.append(&mut keys);
            tokio::task::yield_now().await;
        }
        all.sort_unstable();
        all
    }

    /// Many sockets are told of, each once, in slices; again after they have been read from; and no
    /// more once they are removed.
    #[tokio::test]
    async fn poller_tells_of_each_socket_once() {
        const COUNT: u32 = 300;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut poller = Poller::new().unwrap();
        let mut sockets = Vec::new();
        for key in 0..COUNT {
            let (mut socket, mut client) = connected(&listener);
            if key % 3 == 0 {
                // What came before counts.
                client.write_all(b"x").unwrap();
            }
            poller.add(&mut socket, key).unwrap();
            sockets.push((socket, client));
        }
        let third = (0..COUNT).step_by(3).collect::<Vec<_>>();
        assert_eq!(told(&mut poller).await, third);
        assert!(told(&mut poller).await.is_empty(), "it is told once");
        for (socket, client) in &mut sockets {
            let _ = socket.read(&mut [0; 8]);
            client.write_all(b"y").unwrap();
        }
        assert_eq!(told(&mut poller).await, (0..COUNT).collect::<Vec<_>>());
        for (socket, _) in &mut sockets {
            socket.read_exact(&mut [0]).unwrap();
        }
        for (socket, _) in &mut sockets[..100] {
            poller.remove(socket).unwrap();
        }
        let sockets: Vec<_> = sockets.into_iter().map(|(socket, _)| socket).collect();
        assert_eq!(told(&mut poller).await, (100..COUNT).collect::<Vec<_>>());
        drop(sockets);
    }

    /// A task that waits is woken when a client does something, also for the second time.
    #[tokio::test]
    async fn poller_wakes_the_task_that_waits() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut poller = Poller::new().unwrap();
        let (mut socket, mut client) = connected(&listener);
        poller.add(&mut socket, 7).unwrap();
        for _ in 0..100 {
            let writes = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(1));
                client.write_all(b"x").unwrap();
                client
            });
            let mut keys = Vec::new();
            while keys.is_empty() {
                let polled = poll_fn(|cx| poller.poll(cx, &mut keys));
                let polled = tokio::time::timeout(Duration::from_secs(10), polled).await;
                polled.unwrap().unwrap();
            }
            assert_eq!(keys, [7]);
            socket.read_exact(&mut [0]).unwrap();
            client = writes.join().unwrap();
        }
    }
}
