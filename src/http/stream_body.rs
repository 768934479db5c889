//! A stream that hyper polls: over HTTP/1.0 and HTTP/2, and where the response ends soon.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::budget::Reservation;
use crate::connection::{Phase, PhaseCell};
use crate::follow::{ChunkStream, Follower};
use crate::limits;

/// A stream whose large chunks are made only when there is memory for them: hyper keeps a chunk until
/// the client has read it. While there is none the stream keeps its cursor, says that it is there, and
/// ends when its time is over.
pub struct StreamBody {
    stream: Box<ChunkStream>,
    memory: ChunkMemory,
    /// The phase of the connection, which tells whether the client may have left, and why the stream is
    /// dropped.
    phase: Arc<PhaseCell>,
}

/// The memory for the next chunk.
enum ChunkMemory {
    /// It has not been asked for.
    None,
    Waiting(Pin<Box<dyn Future<Output = Reservation> + Send>>),
    Reserved(Reservation),
}

impl StreamBody {
    /// The body of a stream on a connection with this phase.
    pub(super) fn new(stream: Box<ChunkStream>, phase: &Arc<PhaseCell>) -> StreamBody {
        StreamBody {
            stream,
            phase: Arc::clone(phase),
            memory: ChunkMemory::None,
        }
    }

    /// The bytes of the next chunk, or `None` after the last.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.phase.get() == Phase::HalfClosed {
            self.stream.follower_mut().on_half_closed();
        }
        loop {
            if let ChunkMemory::Waiting(reserved) = &mut self.memory {
                let Poll::Ready(reserved) = reserved.as_mut().poll(cx) else {
                    let chunk = ready!(self.stream.poll_quiet(cx));
                    return Poll::Ready(chunk.map(|chunk| chunk.data()));
                };
                self.memory = ChunkMemory::Reserved(reserved);
            }
            let Some(chunk) = ready!(self.stream.poll_chunk(cx)) else {
                return Poll::Ready(None);
            };
            let size = chunk.size();
            let reserved = match std::mem::replace(&mut self.memory, ChunkMemory::None) {
                _ if size <= limits::SMALL_ANSWER_BYTES => None,
                ChunkMemory::Reserved(reserved) if reserved.amount() >= size => Some(reserved),
                _ => self.stream.follower().memory().try_reserve(size),
            };
            if let Some(reserved) = reserved {
                return Poll::Ready(Some(reserved.cover(chunk.data())));
            }
            // A small chunk cannot be taken back, and need not.
            if !self.stream.follower_mut().undo(false) {
                return Poll::Ready(Some(chunk.data()));
            }
            drop(chunk);
            self.memory =
                ChunkMemory::Waiting(Box::pin(self.stream.follower().memory().reserve(size)));
        }
    }

    pub(super) fn follower(&self) -> &Follower {
        &self.stream.follower().follower
    }

    pub(super) fn has_ended(&self) -> bool {
        self.follower().has_ended()
    }

    pub(super) fn is_broken_off(&self) -> bool {
        self.stream.follower().is_broken_off()
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        self.stream.follower_mut().on_closed(self.phase.closed());
    }
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}
