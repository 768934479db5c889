//! What the sockets of a crowd tell, where the system has no file for it that a task could wait for: a
//! thread waits instead.

use std::io;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Registry, Token};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::limits;

/// The sockets of a crowd, watched by a thread that ends with this.
#[derive(Debug)]
pub(super) struct PollerThread {
    registry: Registry,
    told: Receiver<u32>,
}

impl PollerThread {
    pub(super) fn new() -> io::Result<PollerThread> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let (tell, told) = channel(limits::CROWD_SLICE);
        thread::Builder::new()
            .name("poller".into())
            .spawn(move || watch(poll, &tell))?;
        Ok(PollerThread { registry, told })
    }

    /// Has `key` told of what the socket's client does.
    pub(super) fn add(&self, socket: &mut TcpStream, key: u32) -> io::Result<()> {
        self.registry
            .register(socket, Token(key as usize), Interest::READABLE)
    }

    /// Has nothing told of the socket any more.
    pub(super) fn remove(&self, socket: &mut TcpStream) -> io::Result<()> {
        self.registry.deregister(socket)
    }

    /// Puts the keys of sockets that have something into `keys`, a slice of them. Pending, and woken
    /// later, while none has.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        keys: &mut Vec<u32>,
    ) -> Poll<io::Result<()>> {
        match self.told.poll_recv_many(cx, keys, limits::CROWD_SLICE) {
            Poll::Ready(0) => Poll::Ready(Err(io::Error::other("the poller's thread has ended"))),
            told => told.map(|_| Ok(())),
        }
    }
}

/// Tells of sockets until nobody is told any more.
fn watch(mut poll: mio::Poll, tell: &Sender<u32>) {
    /// How late the thread may find out that its crowd has ended.
    const LATE: Duration = Duration::from_secs(1);
    let mut events = Events::with_capacity(limits::CROWD_SLICE);
    while !tell.is_closed() {
        match poll.poll(&mut events, Some(LATE)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return log::error!("clients that leave are noticed late: {error}");
            }
            _ => {}
        }
        for event in &events {
            let Ok(key) = u32::try_from(event.token().0) else {
                continue;
            };
            // A crowd that does not keep up is waited for.
            if tell.blocking_send(key).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;

    use super::super::poller::Poller;
    use super::*;

    /// A socket of which something is told, and its client.
    fn pair() -> (TcpStream, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        (TcpStream::from_std(socket), client)
    }

    /// Either tells of a client that sends something, of one that had left before, and of no other.
    macro_rules! tells_of_clients {
        ($name:ident, $poller:ty) => {
            #[tokio::test]
            async fn $name() {
                let mut poller = <$poller>::new().unwrap();
                let ((mut quiet, _quiet), (mut left, leaves)) = (pair(), pair());
                let ((mut talks, mut client), (mut removed, mut other)) = (pair(), pair());
                drop(leaves);
                for (key, socket) in [&mut quiet, &mut left, &mut talks, &mut removed]
                    .into_iter()
                    .enumerate()
                {
                    poller.add(socket, u32::try_from(key).unwrap()).unwrap();
                }
                poller.remove(&mut removed).unwrap();
                other.write_all(b"x").unwrap();
                client.write_all(b"x").unwrap();
                let mut keys = Vec::new();
                while !(keys.contains(&1) && keys.contains(&2)) {
                    poll_fn(|cx| poller.poll(cx, &mut keys)).await.unwrap();
                }
                assert!(!keys.contains(&0) && !keys.contains(&3), "{keys:?}");
            }
        };
    }

    tells_of_clients!(poller_tells_of_clients, Poller);
    tells_of_clients!(poller_thread_tells_of_clients, PollerThread);
}
