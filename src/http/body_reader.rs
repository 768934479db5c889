//! The body of a request as it comes, which tells the connection when it is over.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use crate::client_shares::RequestPlace;
use crate::connection::Connection;
use crate::follow::ChunkStream;

/// The body of a request, whose end is reported to its connection.
#[derive(Debug)]
pub(super) struct BodyReader {
    body: Incoming,
    connection: Arc<Connection<ChunkStream>>,
    _place: RequestPlace,
}

impl BodyReader {
    /// The body of a request that has this place of its client's.
    pub(super) fn new(
        body: Incoming,
        connection: &Arc<Connection<ChunkStream>>,
        place: RequestPlace,
    ) -> BodyReader {
        BodyReader {
            body,
            connection: Arc::clone(connection),
            _place: place,
        }
    }
}

impl Body for BodyReader {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() {
            self.connection.on_body_over();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        self.connection.on_body_over();
    }
}
