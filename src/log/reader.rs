//! A reader: a position and its source, for readers that need nothing between the two.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Entry, LogView, PageLimit, Position, ReadOutcome, Source, Start, StoreError, Stored};
use crate::message::{Close, Gap, Seq};

/// One item that a reader returns.
#[derive(Debug)]
pub enum Item {
    /// The next message.
    Message(Arc<Entry>),
    /// A gap where the next messages were.
    Gap(Gap),
    /// A channel is closed.
    Close(Close),
}

impl Item {
    /// The message with its seq, if it is one.
    #[must_use]
    pub fn message(&self) -> Option<(Seq, &Arc<Entry>)> {
        match self {
            Item::Message(entry) => Some((entry.message().seq, entry)),
            Item::Gap(_) | Item::Close(_) => None,
        }
    }

    /// The position of the item. That of a gap is the last message that is missing.
    #[must_use]
    pub fn seq(&self) -> Seq {
        match self {
            Item::Message(entry) => entry.message().seq,
            Item::Gap(gap) => gap.resumes,
            Item::Close(close) => close.seq,
        }
    }
}

/// Reads its channels from a position on, each message once, in seq order.
#[derive(Debug)]
pub struct Reader {
    position: Position,
    source: Source,
}

impl Reader {
    pub(super) fn new(view: LogView, start: Start) -> Reader {
        Reader {
            position: Position::new(start),
            source: Source::new(view),
        }
    }

    /// The seq up to which all of the channels have been returned.
    #[must_use]
    pub fn at(&self) -> Seq {
        self.position.at()
    }

    /// Whether a page is being read from the store. Then there are messages, if not yet here.
    #[must_use]
    pub fn is_fetching(&self) -> bool {
        self.source.is_fetching()
    }

    /// The next items, as many as the limit allows and at least one; pending while nothing is new,
    /// and woken when something may be.
    ///
    /// # Errors
    /// When the store cannot be read. The reader keeps its position.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        limit: PageLimit,
    ) -> Poll<Result<Vec<Item>, StoreError>> {
        let mut found: Vec<Item> = Vec::new();
        found.extend(self.position.take_beginning());
        loop {
            match self.source.poll(cx, &self.position, limit) {
                ReadOutcome::Items {
                    items,
                    through,
                    trimmed_through,
                    ..
                } => {
                    self.position.advance(through, trimmed_through);
                    found.extend(items);
                    if !found.is_empty() {
                        return Poll::Ready(Ok(found));
                    }
                    continue;
                }
                ReadOutcome::Older => {
                    self.source.fetch(&self.position, limit);
                    continue;
                }
                ReadOutcome::Failed(error) if found.is_empty() => {
                    return Poll::Ready(Err(error));
                }
                ReadOutcome::UpToDate { through } => self.position.advance(through, Seq::START),
                // The error is found again by the next read.
                // Shared bytes are not asked for.
                ReadOutcome::Fetching | ReadOutcome::Failed(_) | ReadOutcome::Shared { .. } => {}
            }
            return if found.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(Ok(found))
            };
        }
    }
}

impl From<Close> for Item {
    fn from(close: Close) -> Item {
        Item::Close(close)
    }
}

impl From<Stored> for Item {
    fn from(stored: Stored) -> Item {
        match stored {
            Stored::Message(message) => Item::Message(Arc::new(Entry::new(message))),
            Stored::Gap(gap) => Item::Gap(gap),
            Stored::Close(close) => Item::Close(close),
        }
    }
}

impl From<Item> for Stored {
    fn from(item: Item) -> Stored {
        match item {
            Item::Message(entry) => Stored::Message(entry.shared_message()),
            Item::Gap(gap) => Stored::Gap(gap),
            Item::Close(close) => Stored::Close(close),
        }
    }
}
