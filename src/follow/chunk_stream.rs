//! A stream of chunks: a follower that a task runs, with its source and its timer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep};

use super::{Options, ServedFollower, StreamStep};
use crate::budget::MemoryShare;
use crate::drain::Drain;
use crate::log::{Log, PageLimit, Position, ReadOutcome, Source, Start, StoreError};
use crate::metrics::OpenStream;
use crate::wire::Chunk;

/// A stream, to be polled for its chunks by the connection that writes them, or by hyper.
#[derive(Debug)]
pub struct ChunkStream {
    follower: Box<ServedFollower>,
    source: Source,
    /// Set once the stream has had to wait.
    timer: Option<Pin<Box<Sleep>>>,
}

/// What a stream has for a connection that waits elsewhere.
#[derive(Debug)]
pub enum Polled {
    /// The next chunk.
    Chunk(Chunk),
    /// Nothing follows.
    Over,
    /// Nothing for now.
    Idle,
}

impl ChunkStream {
    /// A stream of the log from `start` on.
    #[must_use]
    pub fn new(
        log: &Log,
        start: Start,
        drain: Drain,
        open: OpenStream,
        memory: MemoryShare,
        options: Options,
    ) -> ChunkStream {
        let follower = ServedFollower::new(log, start, drain, open, memory, options);
        ChunkStream::of(Box::new(follower))
    }

    /// The stream of a follower that was run elsewhere.
    #[must_use]
    pub fn of(follower: Box<ServedFollower>) -> ChunkStream {
        ChunkStream {
            source: Source::new(follower.view().clone()),
            follower,
            timer: None,
        }
    }

    /// The follower, to be run elsewhere.
    #[must_use]
    pub fn into_follower(self) -> Box<ServedFollower> {
        self.follower
    }

    /// The follower.
    #[must_use]
    pub fn follower(&self) -> &ServedFollower {
        &self.follower
    }

    /// The follower, to be told what happens on its connection.
    pub fn follower_mut(&mut self) -> &mut ServedFollower {
        &mut self.follower
    }

    /// Waits until the first messages have been read from the store, if they are there: from here on
    /// the response can begin.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn prepare(&mut self) -> Result<(), StoreError> {
        let (position, limit) = (
            self.follower.follower.position(),
            self.follower.follower.page_limit(),
        );
        let prepared = self.source.prepare(position, limit).await;
        if prepared.is_err() {
            self.follower.on_unreadable();
        }
        prepared
    }

    /// The next chunk, or `None` after the last. To poll again says that the connection has taken
    /// the chunk before.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        self.poll(cx, |source, cx, position, limit| {
            source.poll(cx, position, limit)
        })
    }

    /// The next chunk without messages: a heartbeat, or the end of the stream's time. It is for a
    /// stream that waits for memory.
    pub fn poll_quiet(&mut self, cx: &mut Context<'_>) -> Poll<Option<Chunk>> {
        self.poll(cx, |_, _, position, _| {
            let through = position.at();
            ReadOutcome::UpToDate { through }
        })
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&mut Source, &mut Context<'_>, &Position, PageLimit) -> ReadOutcome,
    ) -> Poll<Option<Chunk>> {
        self.follower.register(cx.waker());
        loop {
            let read = |position: &Position, limit| read(&mut self.source, cx, position, limit);
            match self.follower.next(Instant::now(), read) {
                StreamStep::Chunk(chunk) => return Poll::Ready(Some(chunk)),
                StreamStep::Over => return Poll::Ready(None),
                StreamStep::Fetch => self.fetch(),
                StreamStep::Wait(moment) => ready!(self.poll_timer(cx, moment)),
            }
        }
    }

    /// What the stream has without waiting for messages or for time: only a page that is being read
    /// from the store is waited for.
    pub fn poll_now(&mut self, cx: &mut Context<'_>) -> Poll<Polled> {
        self.follower.register(cx.waker());
        loop {
            let read = |position: &Position, limit| self.source.look(cx, position, limit);
            match self.follower.next(Instant::now(), read) {
                StreamStep::Chunk(chunk) => return Poll::Ready(Polled::Chunk(chunk)),
                StreamStep::Over => return Poll::Ready(Polled::Over),
                StreamStep::Fetch => self.fetch(),
                StreamStep::Wait(moment) if self.source.is_fetching() => {
                    ready!(self.poll_timer(cx, moment));
                }
                StreamStep::Wait(_) => return Poll::Ready(Polled::Idle),
            }
        }
    }

    fn fetch(&mut self) {
        let (position, limit) = (
            self.follower.follower.position(),
            self.follower.follower.page_limit(),
        );
        self.source.fetch(position, limit);
    }

    /// Ready at a moment. The timer is set anew only when it has fired too early, or must fire earlier.
    fn poll_timer(&mut self, cx: &mut Context<'_>, moment: Instant) -> Poll<()> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(moment)));
        if timer.is_elapsed() || moment < timer.deadline() {
            timer.as_mut().reset(moment);
        }
        timer.as_mut().poll(cx)
    }
}
