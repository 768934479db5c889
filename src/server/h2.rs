//! HTTP/2 on one connection: each of its streams is a request, and counts as one connection among the
//! limits.
//!
//! Streams stay with hyper: what they share is the connection, so none can have its socket. Two things
//! differ from a connection of HTTP/1.1 therefore.
//!
//! **A client that does not read.** One that reads nothing at all is noticed by what hyper writes to
//! ([`MonitoredIo`]), as ever. One that reads other streams, and not this one, gives it no more room
//! (RFC 9113, section 5.2); then hyper does not poll its body any more. So each stream has a deadline of its
//! own: a body that has given a piece and is not asked for the next one within
//! `limits::STALL_TIMEOUT` ends with its stream.
//!
//! **The end.** The streams end in-band over the drain, as all do. When the drain has ended the
//! client is told that no more is served here (GOAWAY), and comes back on another connection.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::client_stream::ClientStream;
use super::conn;
use super::monitored_io::MonitoredIo;
use super::shared_answer::{SentPieces, SharedAnswer};
use crate::config::Timeouts;
use crate::connection::Connection;
use crate::drain::Drain;
use crate::follow::ChunkStream;
use crate::http::{self, App, NoPlace};
use crate::limits;

/// What a client of HTTP/2 sends first (RFC 9113, section 3.4), as far as it takes to tell it from
/// requests.
const PREFACE: &[u8] = b"PRI ";

/// The pause between two looks at whether the rest of a preface has come. It comes in one packet, as good
/// as always.
const PREFACE_PAUSE: Duration = Duration::from_millis(5);

/// Whether a client speaks HTTP/2: over TLS both sides have agreed on that, in clear text it begins with
/// the preface. A client that says nothing for this time speaks nothing.
///
/// # Errors
/// When nothing came, or the connection is broken.
pub(super) async fn is_spoken(stream: &ClientStream, head: Duration) -> io::Result<bool> {
    #[cfg(feature = "secure")]
    if let ClientStream::Tls(stream) = stream {
        return Ok(stream.protocol() == Some(b"h2"));
    }
    let socket = stream.socket();
    let is_preface = async {
        let mut first = [0; PREFACE.len()];
        loop {
            let came = socket.peek(&mut first).await?;
            if came == 0 || !PREFACE.starts_with(&first[..came]) {
                return Ok(false);
            }
            if came == PREFACE.len() {
                return Ok(true);
            }
            // What has come is there still, so nothing tells when there is more.
            sleep(PREFACE_PAUSE).await;
        }
    };
    timeout(head, is_preface).await?
}

/// What the requests of a connection share.
pub(super) struct Shared {
    pub(super) app: Arc<App>,
    pub(super) connection: Arc<Connection<ChunkStream>>,
    pub(super) timeouts: Timeouts,
    /// Permits for the requests, each of which takes a place.
    pub(super) served: Arc<Semaphore>,
    /// Why the connection is beyond a limit, if it is.
    pub(super) refused: Option<NoPlace>,
}

/// Answers requests until the connection is over.
pub(super) async fn serve(
    io: &mut MonitoredIo<ClientStream, ChunkStream>,
    shared: Shared,
) -> hyper::Result<()> {
    let (drain, timeouts) = (shared.app.drain.clone(), shared.timeouts);
    // A head is one of many here: how long it is waited for is looked after below.
    shared.connection.on_head(true);
    let requests = Arc::new(Requests::default());
    let service = service_fn({
        let requests = Arc::clone(&requests);
        move |request| answer(&shared, OpenRequest::new(&requests), request)
    });
    let executor = StreamExecutor {
        stall: timeouts.stall,
        drain: drain.clone(),
    };
    let mut builder = http2::Builder::new(executor);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::H2_STREAMS_MAX)
        .initial_stream_window_size(limits::H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::H2_CONNECTION_WINDOW_BYTES)
        .max_header_list_size(limits::H2_HEAD_BYTES_MAX)
        .max_send_buf_size(limits::HTTP_BUFFER_BYTES);
    let mut http = pin!(builder.serve_connection(TokioIo::new(io), service));
    let (mut closed, mut idle) = (pin!(drain.closed()), Idle::new(timeouts));
    // Runs when no more is served: a client that does not read what is left is given up.
    let mut last = None;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = http.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        match &mut last {
            None if closed.as_mut().poll(cx).is_ready() || idle.poll(cx, &requests).is_ready() => {
                http.as_mut().graceful_shutdown();
                last = Some(Box::pin(sleep(timeouts.stall)));
                cx.waker().wake_by_ref();
            }
            None => {}
            Some(last) => return last.as_mut().poll(cx).map(Ok),
        }
        Poll::Pending
    })
    .await
}

/// Answers one request.
fn answer(
    shared: &Shared,
    open: OpenRequest,
    request: Request<Incoming>,
) -> impl Future<Output = Result<hyper::Response<SharedAnswer>, Infallible>> + Send + use<> {
    let app = Arc::clone(&shared.app);
    let connection = Arc::new(Connection::stream_of(&shared.connection));
    connection.on_answer_begin(app.drain.busy());
    let place = match shared.refused {
        Some(why) => Err(why),
        None => conn::place(&shared.served, &app, connection.peer()),
    };
    async move {
        let answering = Arc::clone(&connection);
        let (place, response) = match place {
            Ok(place) => {
                let response = http::respond(app, connection, request).await;
                (Some(place), response)
            }
            Err(why) => {
                app.metrics.refused();
                (None, http::refuse(app, connection, request, why).await)
            }
        };
        let pieces = SENT_PIECES.with(Arc::clone);
        Ok(response.map(|body| SharedAnswer::new(body, answering, pieces, (open, place))))
    }
}

/// The requests of a connection.
#[derive(Debug, Default)]
struct Requests {
    /// How many there have been.
    begun: AtomicUsize,
    /// How many are over.
    over: AtomicUsize,
}

/// A guard of a request that is not over.
#[derive(Debug)]
struct OpenRequest(Arc<Requests>);

impl OpenRequest {
    fn new(requests: &Arc<Requests>) -> OpenRequest {
        requests.begun.fetch_add(1, Relaxed);
        OpenRequest(Arc::clone(requests))
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.over.fetch_add(1, Relaxed);
    }
}

/// How long a connection may be without a request.
struct Idle {
    keep_alive: Duration,
    /// How many requests there had been when the timer was set.
    seen: usize,
    timer: Pin<Box<Sleep>>,
}

impl Idle {
    fn new(timeouts: Timeouts) -> Idle {
        Idle {
            keep_alive: timeouts.keep_alive,
            seen: 0,
            timer: Box::pin(sleep(timeouts.head)),
        }
    }

    /// Ready when the connection has been without a request for too long.
    fn poll(&mut self, cx: &mut Context<'_>, requests: &Requests) -> Poll<()> {
        let (over, begun) = (requests.over.load(Relaxed), requests.begun.load(Relaxed));
        if over < begun {
            return Poll::Pending;
        }
        if self.seen < begun {
            self.seen = begun;
            self.timer.as_mut().reset(Instant::now() + self.keep_alive);
        }
        self.timer.as_mut().poll(cx)
    }
}

tokio::task_local! {
    /// What is known of the pieces of the answer that the present task sends.
    static SENT_PIECES: Arc<SentPieces>;
}

/// Runs the answers of a connection, each in a task.
#[derive(Clone)]
struct StreamExecutor {
    stall: Duration,
    drain: Drain,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for StreamExecutor {
    fn execute(&self, answer: F) {
        let (stall, drain) = (self.stall, self.drain.clone());
        tokio::spawn(async move {
            let pieces = Arc::new(SentPieces::default());
            let mut answered = pin!(SENT_PIECES.scope(Arc::clone(&pieces), answer));
            let mut stalled = pin!(pieces.stalled(stall));
            let (mut begun, mut has_begun) = (pin!(drain.begun()), false);
            poll_fn(|cx| {
                // A stream looks by itself at when it has to end; it only has to be polled.
                has_begun = has_begun || begun.as_mut().poll(cx).is_ready();
                if answered.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                stalled.as_mut().poll(cx)
            })
            .await;
        });
    }
}
