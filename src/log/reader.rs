//! A cursor at work: the tail when it is near, the store when it is far, a wake-up when there is
//! nothing new.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::tail::Step;
use super::wake::Waiter;
use super::{Entry, Page, PageLimit, Selection, Shared, Start, StoreError, Stored};
use crate::message::{Channel, Cursor, Epoch, Gap, Seq};

/// What a reader finds.
#[derive(Debug)]
pub enum Item {
    /// The next message.
    Message(Arc<Entry>),
    /// The next messages are gone.
    Gap(Gap),
}

type Fetch = Pin<Box<dyn Future<Output = Result<Page, StoreError>> + Send>>;

/// Reads its channels from its place on, each message once, in seq order.
pub struct Reader {
    shared: Arc<Shared>,
    selection: Selection,
    at: Seq,
    /// Up to here the store is read, see [`Start`].
    store_until: Seq,
    /// Was there nothing behind its place when it looked last?
    is_up_to_date: bool,
    /// What is to be said before anything else.
    gap: Option<Gap>,
    fetch: Option<Fetch>,
    waiter: Waiter,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, start: Start) -> Reader {
        let Start {
            mut selection,
            at,
            gap,
            store_until,
        } = start;
        let waiter = shared
            .wake
            .waiter(selection.iter().map(|(channel, _)| channel));
        waiter.share(&mut selection);
        Reader {
            shared,
            selection,
            at,
            store_until,
            is_up_to_date: false,
            gap,
            fetch: None,
            waiter,
        }
    }

    /// All of its channels up to here have been handed out.
    #[must_use]
    pub fn at(&self) -> Seq {
        self.at
    }

    /// The cursor of that place.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor {
            epoch: self.shared.epoch.clone(),
            seq: self.at,
        }
    }

    /// The life of the log.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.shared.epoch
    }

    /// Is it reading the store? Then what it reads is there already, if not yet here.
    #[must_use]
    pub fn is_fetching(&self) -> bool {
        self.fetch.is_some()
    }

    /// Was there nothing behind what it handed out last? Then it will be woken when there is.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.is_up_to_date
    }

    /// Stands at an earlier place again: what is behind it will be handed out once more.
    pub fn rewind(&mut self, to: Seq) {
        self.at = self.at.min(to);
        self.is_up_to_date = false;
    }

    /// Reads a channel besides, what of it is behind `from` as well as behind its own place. False
    /// if it reads `most` of them already, and not this one.
    #[must_use]
    pub fn add_channel(&mut self, channel: Channel, from: Seq, most: usize) -> bool {
        if self.selection.iter().any(|(known, _)| *known == channel) {
            return true;
        }
        if self.selection.len() >= most {
            return false;
        }
        let mut selection = std::mem::take(&mut self.selection).into_vec();
        selection.push((channel, from));
        self.selection = selection.into();
        // What is being read is of the channels before.
        self.fetch = None;
        let channels = self.selection.iter().map(|(channel, _)| channel);
        self.waiter = self.shared.wake.waiter(channels);
        self.waiter.share(&mut self.selection);
        true
    }

    /// The next items, as many as there is room for and at least one; pending while there is
    /// nothing new, and woken when there is.
    ///
    /// # Errors
    /// When the store cannot be read. The reader stays where it is.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: PageLimit,
    ) -> Poll<Result<Vec<Item>, StoreError>> {
        let Some(gap) = self.gap.take() else {
            return self.poll_behind_gap(cx, room);
        };
        let mut items = vec![Item::Gap(gap)];
        // What is there goes with it; if that cannot be read now, it will be said the next time.
        if let Poll::Ready(Ok(more)) = self.poll_behind_gap(cx, room) {
            items.extend(more);
        }
        Poll::Ready(Ok(items))
    }

    fn poll_behind_gap(
        &mut self,
        cx: &mut Context<'_>,
        room: PageLimit,
    ) -> Poll<Result<Vec<Item>, StoreError>> {
        // Before looking, or a message that comes after the look would wake nobody.
        self.waiter.register(cx.waker());
        self.is_up_to_date = false;
        loop {
            if let Some(fetch) = &mut self.fetch {
                let page = ready!(fetch.as_mut().poll(cx));
                self.fetch = None;
                let page = page?;
                self.at = page.through;
                // A gap that stands behind the page is still to be said, and only the store says it.
                self.store_until = self.store_until.max(page.trimmed_through);
                if !page.items.is_empty() {
                    return Poll::Ready(Ok(page.items.into_iter().map(Item::from).collect()));
                }
            }
            let step = if self.at < self.store_until {
                Step::Fetch
            } else {
                self.shared.tail.read().step(&self.selection, self.at, room)
            };
            match step {
                Step::Ready {
                    entries,
                    through,
                    is_all,
                } => {
                    self.at = through;
                    self.is_up_to_date = is_all;
                    return Poll::Ready(Ok(entries.into_iter().map(Item::Message).collect()));
                }
                Step::Wait { through } => {
                    self.at = through;
                    return Poll::Pending;
                }
                Step::Fetch => self.fetch = Some(self.read_store(room)),
            }
        }
    }

    fn read_store(&self, room: PageLimit) -> Fetch {
        let (shared, selection, at) = (Arc::clone(&self.shared), self.selection.clone(), self.at);
        Box::pin(async move { shared.store.read(&selection, at, room).await })
    }
}

impl From<Stored> for Item {
    fn from(stored: Stored) -> Item {
        match stored {
            Stored::Message(message) => Item::Message(Arc::new(Entry::new(message))),
            Stored::Gap(gap) => Item::Gap(gap),
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("selection", &self.selection)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
