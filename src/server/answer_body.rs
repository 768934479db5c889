//! The body of an answer, which reports to its connection when hyper has all of it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::connection::Connection;
use crate::follow::ChunkStream;
use crate::http::Body;

/// The body of an answer. hyper drops it when it has all of it.
#[derive(Debug)]
pub(super) struct AnswerBody {
    body: Body,
    connection: Arc<Connection<ChunkStream>>,
}

impl AnswerBody {
    /// A body whose answer is on this connection.
    pub(super) fn new(body: Body, connection: Arc<Connection<ChunkStream>>) -> AnswerBody {
        AnswerBody { body, connection }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.connection.on_answer_complete();
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
