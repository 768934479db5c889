//! A stream on a socket of its own: what it says is written as it comes, until it ends or its
//! client has left.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::socket;
use crate::drain::Enlisted;
use crate::follow::Follower;
use crate::limits;
use crate::wire::Chunk;

/// A stream whose head has been written.
#[derive(Debug)]
pub(super) struct StreamConn {
    socket: TcpStream,
    follow: Box<Follower>,
    enlisted: Option<Enlisted>,
    /// What the socket has not taken yet.
    unsent: Bytes,
    is_over: bool,
    /// Has there been a moment without anything to write?
    has_waited: bool,
    /// Runs while the socket takes nothing.
    deadline: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    /// How much the client has sent that nobody asked for.
    heard: usize,
}

impl StreamConn {
    pub(super) fn new(
        socket: TcpStream,
        mut follow: Box<Follower>,
        patience: Duration,
    ) -> StreamConn {
        follow.take_over();
        StreamConn {
            socket,
            follow,
            enlisted: None,
            unsent: Bytes::new(),
            is_over: false,
            has_waited: false,
            deadline: None,
            patience,
            heard: 0,
        }
    }

    /// Runs it to its end, and closes the socket then; an error when its client has left, or has
    /// stopped reading for too long.
    pub(super) async fn run(&mut self) -> io::Result<()> {
        let ended = poll_fn(|cx| self.poll(cx)).await;
        if ended.is_err() {
            socket::abandon(&self.socket);
            return ended;
        }
        self.socket.shutdown().await
    }

    /// Ready at its end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The stream looks itself when it has to end; it must only be asked.
        if self.enlisted.is_none() {
            self.enlisted = Some(self.follow.drain().enlist(cx.waker()));
        }
        // Who has left meanwhile is given nothing more: it would count as seen.
        if self.has_waited
            && let Poll::Ready(left) = self.poll_client(cx)
        {
            return Poll::Ready(left);
        }
        let mut is_quiet = false;
        for _ in 0..limits::WRITES_AT_ONCE {
            ready!(self.poll_send(cx))?;
            if self.is_over {
                return Poll::Ready(Ok(()));
            }
            if is_quiet {
                return self.wait(cx);
            }
            match self.follow.poll_chunk(cx) {
                Poll::Ready(Some(chunk)) => {
                    self.unsent = chunk.into_framed();
                    is_quiet = self.follow.is_quiet();
                }
                Poll::Ready(None) => {
                    self.unsent = Bytes::from_static(Chunk::LAST);
                    self.is_over = true;
                }
                Poll::Pending => return self.wait(cx),
            }
        }
        // Others are to have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// All that there was has been written. A client that has said that it will send no more still
    /// got that.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.has_waited, true) {
            return Poll::Pending;
        }
        self.poll_client(cx)
    }

    /// Writes what is unsent.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            match self.socket.try_write(&self.unsent) {
                Ok(written) => {
                    self.unsent.advance(written);
                    self.deadline = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.socket.poll_write_ready(cx)?.is_pending() {
                        return self.poll_stalled(cx).map(Err);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        // Not kept: it may be one of many that hold a message in memory.
        self.unsent = Bytes::new();
        Poll::Ready(Ok(()))
    }

    /// The end of patience.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let patience = self.patience;
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(deadline.as_mut().poll(cx));
        self.follow.stalled();
        Poll::Ready(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client has stopped reading",
        ))
    }

    /// Notices that the client has left. What it sends is for nobody: the response has said that it
    /// is the connection's last.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sink = [0; 256];
        while self.heard < limits::HTTP_BUFFER {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.socket.try_read(&mut sink) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => self.heard += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        // Whoever sends so much is noticed to be gone when it is written to.
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::drain::Drain;
    use crate::follow::{Ends, Link, Options};
    use crate::log::{Keep, Log, Memory, Since, Store};
    use crate::message::{Channel, Draft, Timestamp};
    use crate::metrics::{Metrics, OpenStream};
    use crate::wire::{Encoder, Wire};

    const PATIENCE: Duration = Duration::from_millis(300);

    struct Running {
        log: Log,
        metrics: Arc<Metrics>,
        client: TcpStream,
        stream: tokio::task::JoinHandle<io::Result<()>>,
    }

    /// A stream of `main` from its beginning.
    async fn start(drain: &Drain) -> Running {
        let keep = Keep {
            messages: 1000,
            age: Duration::from_hours(1),
        };
        let memory = Memory::new(keep, limits::MEMORY_LOG_BYTES);
        let log = Log::open(Store::Memory(memory), Arc::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (socket, peer) = listener.accept().await.unwrap();
        socket::tune(&socket, PATIENCE).unwrap();
        let metrics = Arc::new(Metrics::default());
        let link = Arc::new(Link::new(peer.ip()));
        let options = Options {
            encoder: Encoder::Ndjson,
            heartbeat: None,
            ends: Ends::default(),
            timeout: None,
            prelude: Bytes::new(),
            epilogue: Bytes::new(),
            link,
            taken: None,
            lens: None,
            guard: None,
        };
        let open = OpenStream::new(Arc::clone(&metrics), Wire::Ndjson);
        let start = log
            .start(&[Channel::main()], &Since::All, Timestamp(0))
            .await
            .unwrap();
        let follow = Follower::new(&log, start, drain.clone(), open, options);
        let mut stream = StreamConn::new(socket, Box::new(follow), PATIENCE);
        let stream = tokio::spawn(async move { stream.run().await });
        Running {
            log,
            metrics,
            client,
            stream,
        }
    }

    #[tokio::test]
    async fn it_writes_what_comes_and_ends_with_the_last_chunk() {
        let drain = Drain::new(Duration::ZERO);
        let mut running = start(&drain).await;
        let draft = Draft::new(Channel::main(), "hello");
        running.log.append(draft).await.unwrap();
        let mut text = String::new();
        while !text.contains("hello") {
            let mut bytes = [0; 1024];
            let read = running.client.read(&mut bytes).await.unwrap();
            text += std::str::from_utf8(&bytes[..read]).unwrap();
        }
        drain.begin(tokio::time::Instant::now());
        running.stream.await.unwrap().unwrap();
        running.client.read_to_string(&mut text).await.unwrap();
        assert!(text.contains(r#""type":"end""#), "{text}");
        assert!(text.ends_with("\r\n0\r\n\r\n"), "{text:?}");
        assert_eq!(running.metrics.open_streams(), 0);
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_noticed_also_after_it_said_something() {
        let drain = Drain::new(Duration::ZERO);
        let mut running = start(&drain).await;
        running.client.write_all(&[b'x'; 1000]).await.unwrap();
        drop(running.client);
        assert!(running.stream.await.unwrap().is_err());
        assert_eq!(running.metrics.open_streams(), 0);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_given_up() {
        let drain = Drain::new(Duration::ZERO);
        let mut running = start(&drain).await;
        let text = "x".repeat(limits::MESSAGE_BYTES);
        for _ in 0..200 {
            let draft = Draft::new(Channel::main(), text.as_str());
            running.log.append(draft).await.unwrap();
        }
        let error = running.stream.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // The kernel keeps nothing for it.
        let read = running.client.read_to_end(&mut Vec::new()).await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(running.metrics.open_streams(), 0);
    }
}
