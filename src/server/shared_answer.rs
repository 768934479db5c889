//! The body of an answer on a connection that other answers share, and what becomes of its pieces.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::connection::Connection;
use crate::follow::ChunkStream;
use crate::http::Body;
use crate::limits;

/// The body of an answer. hyper asks it for the next piece when the client has room for one, so the
/// piece before has been sent then. The last piece ends the answer at once: a client that knows its length
/// takes what comes later for a mistake.
pub(super) struct SharedAnswer {
    body: Body,
    connection: Arc<Connection<ChunkStream>>,
    pieces: Arc<SentPieces>,
    /// What the body has given and has not become a piece.
    rest: Bytes,
    /// Whether the body has said that it is over.
    is_over: bool,
    _held: Box<dyn Send>,
}

impl SharedAnswer {
    /// A body whose answer is on this stream of a connection. `held` is dropped with it.
    pub(super) fn new(
        body: Body,
        connection: Arc<Connection<ChunkStream>>,
        pieces: Arc<SentPieces>,
        held: impl Send + 'static,
    ) -> SharedAnswer {
        // There is one answer a task.
        let _ = pieces.connection.set(Arc::clone(&connection));
        SharedAnswer {
            is_over: false,
            body,
            connection,
            pieces,
            rest: Bytes::new(),
            _held: Box::new(held),
        }
    }
}

impl HttpBody for SharedAnswer {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        this.pieces.on_asked();
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => this.rest = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    this.is_over = true;
                    return Poll::Ready(None);
                }
            }
        }
        let piece = this.rest.len().min(limits::H2_PIECE_BYTES);
        let piece = this.rest.split_to(piece);
        this.pieces.on_given();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for SharedAnswer {
    fn drop(&mut self) {
        if self.is_end_stream() {
            self.connection.on_stream_complete();
        } else {
            self.connection.on_broken();
            self.connection.on_answer_end();
        }
    }
}

impl fmt::Debug for SharedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedAnswer")
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// How often within the timeout it is checked whether a piece has been sent.
const CHECKS: u32 = 6;

/// What becomes of the pieces that a body gives.
#[derive(Debug, Default)]
pub(super) struct SentPieces {
    /// The number of pieces that have been given, doubled; odd while the last has not been sent.
    given: AtomicU64,
    connection: OnceLock<Arc<Connection<ChunkStream>>>,
}

impl SentPieces {
    /// The body is asked for a piece.
    fn on_asked(&self) {
        let given = self.given.load(Relaxed);
        self.given.store(given & !1, Relaxed);
    }

    /// The body has given a piece.
    fn on_given(&self) {
        let given = self.given.load(Relaxed);
        self.given.store((given & !1) + 3, Relaxed);
    }

    /// Waits until a piece has not been sent for this long, and gives its client up.
    pub(super) async fn stalled(&self, timeout: Duration) {
        let (mut seen, mut checks) = (0, 0);
        while checks < CHECKS {
            tokio::time::sleep(timeout / CHECKS).await;
            let given = self.given.load(Relaxed);
            let is_stuck = given % 2 == 1 && given == seen;
            checks = if is_stuck { checks + 1 } else { 0 };
            seen = given;
        }
        if let Some(connection) = self.connection.get() {
            connection.on_stalled();
        }
    }
}
