//! A connection that is a stream's own, while a task serves it: it has just begun, reads history, its
//! client does not take what it is sent, or may have left. Everything else is the crowd's.
//!
//! **With TLS the connection is a socket and a session** ([`ClientStream`]), which go together wherever the
//! stream goes: from hyper to the task, from there to the crowd, and back. What has come and is no whole
//! record yet, and the rest of a record that the socket has not taken, are in the session, so nothing is
//! lost on the way. A chunk that the socket does not take is kept, counted and made again as text; of what
//! has been encrypted, which cannot be made again, there is one short record at most
//! ([`limits::TLS_RECORD_BYTES`]).

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::catch_up_turn::CatchUpTurn;
use super::client_stream::ClientStream;
use super::crowd::CrowdHandle;
use super::departure::Departure;
use super::socket;
use super::stall::Stall;
use super::unsent::{Mismatch, Unsent};
use crate::follow::{ChunkStream, Polled, ServedFollower};
use crate::limits;
use crate::tap::TappedStream;
use crate::wire::Chunk;

/// A stream on its socket, after the head of its response has been written.
pub(super) struct StreamConn {
    socket: ClientStream,
    stream: ChunkStream,
    /// The bytes that the socket has not taken yet.
    unsent: Unsent,
    /// The size of the chunk that these are of.
    chunk_size: usize,
    is_over: bool,
    /// Whether there has been a moment without anything to write.
    has_waited: bool,
    /// Whether there is more than is written at once: then the streams of a lane take turns.
    lags: bool,
    turn: Option<CatchUpTurn>,
    stall: Stall,
    /// The client has closed its sending side.
    departure: Option<Box<Departure>>,
    /// The number of bytes that the client has sent although nothing is read from it any more.
    ignored: u32,
    /// Who is told what is written. The crowd tells nobody.
    tapped: Option<TappedStream>,
}

/// What has become of a stream that a task has served.
#[derive(Debug)]
enum StreamEnd {
    /// The stream has ended, and all of it has been written.
    Over,
    /// Nothing is to be done until a message comes.
    Idle,
}

/// A stream for which nothing is to be done until a message comes, or time has passed.
#[derive(Debug)]
pub(super) struct IdleStream {
    pub(super) socket: ClientStream,
    pub(super) follower: Box<ServedFollower>,
    /// Whether the client's disappearance is to be noticed soon.
    pub(super) expects_liveness: bool,
    /// The number of bytes that the client has sent although nothing is read from it any more.
    pub(super) ignored: u32,
}

impl StreamConn {
    /// A socket that `stream` has for itself.
    pub(super) fn new(mut socket: ClientStream, stall: Stall, stream: ChunkStream) -> StreamConn {
        socket.forget_text();
        StreamConn {
            socket,
            stream,
            unsent: Unsent::default(),
            chunk_size: 0,
            is_over: false,
            has_waited: false,
            lags: false,
            turn: None,
            stall,
            departure: None,
            ignored: 0,
            tapped: None,
        }
    }

    /// The stream goes on after having been idle.
    pub(super) fn resumed(idle: IdleStream, mut stall: Stall) -> StreamConn {
        stall.expects_liveness = idle.expects_liveness;
        StreamConn {
            ignored: idle.ignored,
            has_waited: true,
            ..StreamConn::new(idle.socket, stall, ChunkStream::of(idle.follower))
        }
    }

    /// The socket has not taken the last bytes of a chunk of this size.
    pub(super) fn with_unsent(mut self, rest: Bytes, chunk_size: usize) -> StreamConn {
        self.unsent.set(rest);
        self.chunk_size = chunk_size;
        self
    }

    /// What is written is told to a tap.
    pub(super) fn with_tap(self, tapped: Option<TappedStream>) -> StreamConn {
        StreamConn { tapped, ..self }
    }

    /// The client has closed its sending side.
    pub(super) fn with_half_closed_client(mut self) -> StreamConn {
        self.on_half_closed();
        self
    }

    /// Runs the stream until it is idle, and returns it; or to its end, and then closes the socket. Where
    /// no crowd is served a stream is never idle.
    ///
    /// # Errors
    /// When the client has left, or has stopped reading for too long.
    pub(super) async fn run(
        mut self,
        lane: Option<&CrowdHandle>,
    ) -> io::Result<Option<IdleStream>> {
        let drain = self.stream.follower().drain().clone();
        let (mut begun, mut has_begun) = (pin!(drain.begun()), false);
        let served = poll_fn(|cx| {
            // The stream looks by itself at when it has to end; it only has to be polled.
            has_begun = has_begun || begun.as_mut().poll(cx).is_ready();
            let polled = self.poll(cx, lane);
            self.turn = self.turn.take().filter(|turn| !turn.has_come());
            polled
        });
        match served.await {
            Ok(StreamEnd::Idle) => Ok(Some(IdleStream {
                socket: self.socket,
                follower: self.stream.into_follower(),
                expects_liveness: self.stall.expects_liveness,
                ignored: self.ignored,
            })),
            Ok(StreamEnd::Over) => {
                if let Some(tapped) = self.tapped.take() {
                    tapped.on_over(Instant::now().into_std());
                }
                self.socket.shutdown().await.map(|()| None)
            }
            Err(error) => {
                socket::abandon(self.socket.socket());
                Err(error)
            }
        }
    }

    /// Ready when the stream is over, or idle.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        lane: Option<&CrowdHandle>,
    ) -> Poll<io::Result<StreamEnd>> {
        // A client that has left meanwhile is written nothing more: it would count as seen.
        if self.has_waited
            && let Poll::Ready(left) = self.poll_client(cx)
        {
            return Poll::Ready(Err(left));
        }
        if let Some(lane) = lane.filter(|_| self.lags) {
            let turn = self.turn.get_or_insert_with(|| CatchUpTurn::of(lane));
            ready!(turn.poll(cx));
        }
        let lane = lane.filter(|_| self.tapped.is_none());
        let mut bytes = 0;
        for _ in 0..limits::WRITES_AT_ONCE {
            ready!(self.poll_send(cx))?;
            if self.unsent.is_withheld() {
                ready!(self.poll_withheld(cx))?;
                continue;
            }
            if self.is_over {
                // Sent here, within the client's deadline.
                self.socket.say_end()?;
                ready!(self.poll_send(cx))?;
                return Poll::Ready(Ok(StreamEnd::Over));
            }
            // A stream that may lag waits for its turn before it goes on.
            let most = if self.lags || lane.is_none() {
                limits::BYTES_AT_ONCE
            } else {
                limits::FRAME_BYTES / 2
            };
            if bytes >= most {
                break;
            }
            // A client that may have left is looked after here.
            let polled = if lane.is_some() && self.departure.is_none() {
                self.stream.poll_now(cx)
            } else {
                let chunk = self.stream.poll_chunk(cx);
                chunk.map(|chunk| chunk.map_or(Polled::Over, Polled::Chunk))
            };
            let Poll::Ready(polled) = polled else {
                // The client is looked for the first time once everything that there was has been written.
                let had_waited = std::mem::replace(&mut self.has_waited, true);
                return if had_waited {
                    Poll::Pending
                } else {
                    self.poll_client(cx).map(Err)
                };
            };
            match polled {
                Polled::Chunk(chunk) => {
                    let chunk = chunk.into_framed();
                    bytes += chunk.len();
                    self.chunk_size = chunk.len();
                    self.unsent.set(chunk);
                }
                Polled::Over => {
                    if !self.stream.follower().is_broken_off() {
                        self.unsent.set(Bytes::from_static(Chunk::LAST));
                    }
                    self.is_over = true;
                }
                // A crowd would not hear of what has been read already.
                Polled::Idle if self.socket.has_ended() => self.on_half_closed(),
                Polled::Idle => return Poll::Ready(Ok(StreamEnd::Idle)),
            }
        }
        self.lags = true;
        // Other tasks of this thread have their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what is unsent.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.bytes().is_empty() || self.socket.has_unsent() {
            match self.socket.try_write(self.unsent.bytes()) {
                Ok(written) => {
                    self.on_written(written);
                    self.stall.on_progress(&self.socket);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.socket.socket().poll_write_ready(cx)?.is_pending() {
                        let follower = self.stream.follower_mut();
                        self.unsent.on_blocked(follower, self.chunk_size);
                        let bytes = self.unsent.bytes();
                        match ready!(self.stall.poll(cx, &mut self.socket, bytes)) {
                            Ok(written) => self.on_written(written),
                            Err(error) => {
                                self.stream.follower_mut().on_stalled();
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

    /// The socket has taken so many of the unsent bytes.
    fn on_written(&mut self, written: usize) {
        if let Some(tapped) = &mut self.tapped {
            let now = Instant::now().into_std();
            tapped.on_write([&self.unsent.bytes()[..written]], now);
            if !tapped.is_live(now) {
                self.tapped = None;
            }
        }
        self.unsent.advance(written);
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
    fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.departure.is_none() {
            if let Err(error) = ready!(self.poll_eof(cx)) {
                return Poll::Ready(error);
            }
            self.on_half_closed();
            cx.waker().wake_by_ref();
        }
        match &mut self.departure {
            Some(departure) => departure.poll(cx, &self.socket),
            None => Poll::Pending,
        }
    }

    /// The client has closed its sending side.
    fn on_half_closed(&mut self) {
        self.departure = Some(Box::new(Departure::new()));
        self.stream.follower_mut().on_half_closed();
    }

    /// Ready when the client has closed its sending side.
    fn poll_eof(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while (self.ignored as usize) < limits::HTTP_BUFFER_BYTES {
            if self.socket.has_ended() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.socket.socket().poll_read_ready(cx))?;
            match self.socket.try_ignore() {
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
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::budget::MemoryShare;
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
        let start = log
            .start(&Channel::main().into(), &Since::All)
            .await
            .unwrap();
        let options = Options::new(Encoder::Ndjson, None);
        let memory = MemoryShare::alone(limits::UNSENT_BYTES);
        let stream = ChunkStream::new(&log, start, drain.clone(), open, memory, options);
        let socket = ClientStream::Plain(socket);
        let stream = StreamConn::new(socket, Stall::new(STALL), stream);
        let stream = tokio::spawn(async move { stream.run(None).await.map(drop) });
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
        drain.begin(Instant::now());
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
