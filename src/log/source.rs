//! Where a reader's messages come from: the tail when it is near, the store when it is far, and a
//! wake-up when there is nothing new.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::tail::TailStep;
use super::wake::Waiter;
use super::{Item, LogShared, Page, PageLimit, Position, ReadOutcome, StoreError};
use crate::message::Seq;

type Fetch = Pin<Box<dyn Future<Output = Result<Page, StoreError>> + Send>>;

/// The log, as a reader at a [`Position`] sees it: returns what there is without waiting, and wakes
/// the reader's task when there may be more.
pub struct Source {
    shared: Arc<LogShared>,
    waiter: Waiter,
    /// A page that is being read from the store.
    fetch: Option<Fetch>,
}

impl Source {
    pub(super) fn new(shared: Arc<LogShared>, position: &mut Position) -> Source {
        let channels = position.selection().iter().map(|(channel, _)| channel);
        let waiter = shared.wake.waiter(channels);
        waiter.share_names(position.selection_mut());
        Source {
            shared,
            waiter,
            fetch: None,
        }
    }

    /// Whether a page is being read from the store. Then there are messages, if not yet here.
    #[must_use]
    pub fn is_fetching(&self) -> bool {
        self.fetch.is_some()
    }

    /// The newest message of the log, whatever its channel.
    #[must_use]
    pub fn newest(&self) -> Seq {
        self.shared.tail.read().last()
    }

    /// What the log has after a position, at most `limit` of it. The task is woken when there may be
    /// more.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        position: &Position,
        limit: PageLimit,
    ) -> ReadOutcome {
        if self.waiter.channels() != position.selection().len() {
            self.resubscribe(position);
        }
        // Before looking, or a message that comes after the look would wake nobody.
        self.waiter.register(cx.waker());
        if let Some(fetch) = &mut self.fetch {
            let Poll::Ready(page) = fetch.as_mut().poll(cx) else {
                return ReadOutcome::Fetching;
            };
            self.fetch = None;
            return page.map_or_else(ReadOutcome::Failed, ReadOutcome::from);
        }
        if position.is_before_store_until() {
            return ReadOutcome::Older;
        }
        let tail = self.shared.tail.read();
        match tail.step(position.selection(), position.at(), limit) {
            TailStep::Ready {
                entries,
                through,
                is_all,
            } => ReadOutcome::Items {
                items: entries.into_iter().map(Item::Message).collect(),
                through,
                is_all,
                trimmed_through: Seq::START,
            },
            TailStep::Wait { through } => ReadOutcome::UpToDate { through },
            TailStep::Fetch => ReadOutcome::Older,
        }
    }

    /// Waits until what comes after a position has been read from the store, if it is there;
    /// [`Source::poll`] returns it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn prepare(
        &mut self,
        position: &Position,
        limit: PageLimit,
    ) -> Result<(), StoreError> {
        let is_older = position.is_before_store_until()
            || !self.shared.tail.read().reaches_back_to(position.at());
        if is_older {
            let (selection, at) = (position.selection(), position.at());
            let page = self.shared.read(selection, at, limit).await?;
            self.fetch = Some(Box::pin(std::future::ready(Ok(page))));
        }
        Ok(())
    }

    /// Begins to read a page after a position from the store; [`Source::poll`] returns it.
    pub fn fetch(&mut self, position: &Position, limit: PageLimit) {
        let (shared, selection) = (Arc::clone(&self.shared), position.selection().clone());
        let at = position.at();
        self.fetch = Some(Box::pin(
            async move { shared.read(&selection, at, limit).await },
        ));
    }

    /// Waits for the channels that the position has now.
    fn resubscribe(&mut self, position: &Position) {
        // What is being read is of the channels before.
        self.fetch = None;
        let channels = position.selection().iter().map(|(channel, _)| channel);
        self.waiter = self.shared.wake.waiter(channels);
    }
}

impl From<Page> for ReadOutcome {
    fn from(page: Page) -> ReadOutcome {
        ReadOutcome::Items {
            items: page.items.into_iter().map(Item::from).collect(),
            through: page.through,
            is_all: false,
            trimmed_through: page.trimmed_through,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("is_fetching", &self.is_fetching())
            .finish_non_exhaustive()
    }
}
