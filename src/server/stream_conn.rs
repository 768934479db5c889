//! A connection that is a stream's own: chunks are written as they come, until the stream ends or
//! its client has left.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::departure::Departure;
use super::socket;
use super::stall::Stall;
use super::unsent::{Mismatch, Unsent};
use crate::drain::DrainRegistration;
use crate::follow::ChunkStream;
use crate::limits;
use crate::wire::Chunk;

/// A stream on its socket, after the head of its response has been written.
#[derive(Debug)]
pub(super) struct StreamConn {
    socket: TcpStream,
    stream: Box<ChunkStream>,
    registration: Option<DrainRegistration>,
    /// The bytes that the socket has not taken yet.
    unsent: Unsent,
    /// The size of the chunk that these are of.
    chunk_size: usize,
    is_over: bool,
    /// Whether there has been a moment without anything to write.
    has_waited: bool,
    stall: Stall,
    /// The client has closed its sending side.
    departure: Option<Box<Departure>>,
    /// The number of bytes that the client has sent although nothing is read from it any more.
    ignored: u32,
}

impl StreamConn {
    /// A socket that `stream` has for itself.
    pub(super) fn new(socket: TcpStream, stall: Stall, mut stream: Box<ChunkStream>) -> StreamConn {
        stream.take_over();
        StreamConn {
            socket,
            stream,
            registration: None,
            unsent: Unsent::default(),
            chunk_size: 0,
            is_over: false,
            has_waited: false,
            stall,
            departure: None,
            ignored: 0,
        }
    }

    /// Runs the stream to its end, and then closes the socket.
    ///
    /// # Errors
    /// When the client has left, or has stopped reading for too long.
    pub(super) async fn run(&mut self) -> io::Result<()> {
        let ended = poll_fn(|cx| self.poll(cx)).await;
        if ended.is_err() {
            socket::abandon(&self.socket);
            return ended;
        }
        self.socket.shutdown().await
    }

    /// Ready when the stream is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The stream looks by itself at when it has to end; it only has to be polled.
        if self.registration.is_none() {
            self.registration = Some(self.stream.drain().register(cx.waker()));
        }
        // A client that has left meanwhile is written nothing more: it would count as seen.
        if self.has_waited
            && let Poll::Ready(left) = self.poll_client(cx)
        {
            return Poll::Ready(left);
        }
        let (mut is_quiet, mut bytes) = (false, 0);
        for _ in 0..limits::WRITES_AT_ONCE {
            ready!(self.poll_send(cx))?;
            if self.unsent.is_withheld() {
                ready!(self.poll_withheld(cx))?;
                continue;
            }
            if self.is_over {
                return Poll::Ready(Ok(()));
            }
            if is_quiet {
                return self.wait(cx);
            }
            if bytes >= limits::BYTES_AT_ONCE {
                break;
            }
            match self.stream.poll_chunk(cx) {
                Poll::Ready(Some(chunk)) => {
                    let chunk = chunk.into_framed();
                    bytes += chunk.len();
                    self.chunk_size = chunk.len();
                    self.unsent.set(chunk);
                    is_quiet = self.stream.is_quiet();
                }
                Poll::Ready(None) => {
                    if !self.stream.is_broken_off() {
                        self.unsent.set(Bytes::from_static(Chunk::LAST));
                    }
                    self.is_over = true;
                }
                Poll::Pending => return self.wait(cx),
            }
        }
        // Other tasks of this thread have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Everything that there was has been written, and the client is looked for the first time.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.has_waited, true) {
            return Poll::Pending;
        }
        self.poll_client(cx)
    }

    /// Writes what is unsent.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.bytes().is_empty() {
            match self.socket.try_write(self.unsent.bytes()) {
                Ok(written) => {
                    self.unsent.advance(written);
                    self.stall.on_progress(&self.socket);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.socket.poll_write_ready(cx)?.is_pending() {
                        self.unsent.on_blocked(&mut self.stream, self.chunk_size);
                        let bytes = self.unsent.bytes();
                        match ready!(self.stall.poll(cx, &self.socket, bytes)) {
                            Ok(written) => self.unsent.advance(written),
                            Err(error) => {
                                self.stream.on_stalled();
                                return Poll::Ready(Err(error));
                            }
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Makes a chunk again of which a part has been sent, to go on with it.
    fn poll_withheld(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let chunk = ready!(self.stream.poll_chunk(cx));
        let resumed = chunk
            .ok_or(Mismatch)
            .and_then(|chunk| self.unsent.resume(chunk));
        // The client comes back with its cursor, and is told what is gone.
        Poll::Ready(resumed.map_err(io::Error::other))
    }

    /// Notices that the client has left. What it sends is ignored: the response has said that it is
    /// the last on this connection.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.departure.is_none() {
            ready!(self.poll_eof(cx))?;
            self.departure = Some(Box::new(Departure::new()));
            self.stream.on_half_closed();
            cx.waker().wake_by_ref();
        }
        match &mut self.departure {
            Some(departure) => departure.poll(cx, &self.socket).map(Err),
            None => Poll::Pending,
        }
    }

    /// Ready when the client has closed its sending side.
    fn poll_eof(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut sink = [0; 256];
        while (self.ignored as usize) < limits::HTTP_BUFFER_BYTES {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.socket.try_read(&mut sink) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(read) => self.ignored += u32::try_from(read).unwrap_or(u32::MAX),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        // A client that sends this much is noticed to be gone when it is written to.
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::budget::MemoryShare;
    use crate::connection::PhaseCell;
    use crate::drain::Drain;
    use crate::follow::Options;
    use crate::log::{Keep, Log, Memory, Since, Store};
    use crate::message::{Channel, Draft};
    use crate::metrics::{Metrics, OpenStream};
    use crate::wire::{Encoder, Wire};

    const STALL: Duration = Duration::from_millis(300);

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
        let memory = Memory::new(keep, limits::MEMORY_LOG_BYTES_DEFAULT);
        let log = Log::open(Store::Memory(memory), Arc::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        socket::tune(&socket).unwrap();
        let metrics = Arc::new(Metrics::default());
        let open = OpenStream::new(Arc::clone(&metrics), Wire::Ndjson);
        let start = log.start(&[Channel::main()], &Since::All).await.unwrap();
        let phase = Arc::new(PhaseCell::default());
        let options = Options::new(Encoder::Ndjson, None);
        let memory = MemoryShare::alone(limits::UNSENT_BYTES);
        let stream = ChunkStream::new(&log, start, drain.clone(), open, &phase, memory, options);
        let mut stream = StreamConn::new(socket, Stall::new(STALL), Box::new(stream));
        let stream = tokio::spawn(async move { stream.run().await });
        Running {
            log,
            metrics,
            client,
            stream,
        }
    }

    /// A stream writes what comes, and ends in-band with the last chunk when the drain begins.
    #[tokio::test]
    async fn stream_ends_with_the_last_chunk() {
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
        drain.begin(tokio::time::Instant::now()).await;
        running.stream.await.unwrap().unwrap();
        running.client.read_to_string(&mut text).await.unwrap();
        assert!(text.contains(r#""type":"end""#), "{text}");
        assert!(text.ends_with("\r\n0\r\n\r\n"), "{text:?}");
        assert_eq!(running.metrics.open_streams(), 0);
    }

    /// A client that leaves is noticed, also after it has sent something.
    #[tokio::test]
    async fn leaving_client_is_noticed() {
        let drain = Drain::new(Duration::ZERO);
        let mut running = start(&drain).await;
        running.client.write_all(&[b'x'; 1000]).await.unwrap();
        drop(running.client);
        assert!(running.stream.await.unwrap().is_err());
        assert_eq!(running.metrics.open_streams(), 0);
    }

    /// A client that does not read is given up, and the kernel keeps nothing for it.
    #[tokio::test]
    async fn stalled_client_is_reset() {
        let drain = Drain::new(Duration::ZERO);
        let mut running = start(&drain).await;
        let text = "x".repeat(limits::MESSAGE_BYTES_DEFAULT);
        for _ in 0..200 {
            let draft = Draft::new(Channel::main(), text.as_str());
            running.log.append(draft).await.unwrap();
        }
        let error = running.stream.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let read = running.client.read_to_end(&mut Vec::new()).await;
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(running.metrics.open_streams(), 0);
    }
}
