//! The log as those see it who only read it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

use super::bell::Bell;
use super::shared_pages::{PageKey, SharedPage, SharedPages, page_key};
use super::tail::TailStep;
use super::wake::Waiter;
use super::{LogShared, PageLimit, Position, ReadOutcome, Selection, StoreError};
use crate::message::{Epoch, Seq};

/// A page that is being read from the store.
pub(super) type Fetch = Pin<Box<dyn Future<Output = Result<Arc<SharedPage>, StoreError>> + Send>>;

/// A log that can be read. Unlike a [`Log`](super::Log) it does not keep the log's writer going.
/// Clones are of the same log.
#[derive(Clone)]
pub struct LogView(Arc<LogShared>);

impl LogView {
    pub(super) fn new(shared: &Arc<LogShared>) -> LogView {
        LogView(Arc::clone(shared))
    }

    /// Whether this is the same log as the other.
    #[must_use]
    pub fn is(&self, other: &LogView) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The log's epoch.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.0.epoch
    }

    /// The newest message of the log, whatever its channel.
    #[must_use]
    pub fn newest(&self) -> Seq {
        self.0.tail.read().last()
    }

    /// The bell of the current runtime, for whoever serves a crowd of followers there, and answers the
    /// bell from here on.
    #[must_use]
    pub fn crowd_bell(&self) -> Arc<Bell> {
        self.0.wake.crowd_bell()
    }

    /// Has a task woken when there is a message in one of these channels.
    pub(super) fn waiter(&self, selection: &Selection, waker: &Waker) -> Waiter {
        Waiter::new(&self.0.wake, selection, waker)
    }

    /// What the tail has after a position, at most `limit` of it, without waiting for anything.
    #[must_use]
    pub fn read(&self, position: &Position, limit: PageLimit) -> ReadOutcome {
        if position.is_before_store_until() {
            return ReadOutcome::Older;
        }
        let tail = self.0.tail.read();
        match tail.step(position.selection(), position.at(), limit) {
            TailStep::Ready { items, through } => ReadOutcome::Items {
                items,
                through,
                trimmed_through: Seq::START,
            },
            TailStep::Wait { through } => ReadOutcome::UpToDate { through },
            TailStep::Fetch => ReadOutcome::Older,
        }
    }

    /// Whether what comes after a position has to be fetched from the store.
    pub(super) fn is_older(&self, position: &Position) -> bool {
        position.is_before_store_until() || !self.0.tail.read().reaches_back_to(position.at())
    }

    /// Reads a page after a position from the store, or has it from another reader.
    pub(super) fn fetch(
        &self,
        pages: &Arc<SharedPages>,
        position: &Position,
        limit: PageLimit,
    ) -> Fetch {
        let (shared, pages) = (Arc::clone(&self.0), Arc::clone(pages));
        let (selection, at) = (position.selection().clone(), position.at());
        let key = page_key(position, limit);
        Box::pin(async move {
            let read = async {
                let page = shared.read(&selection, at, limit).await?;
                Ok(SharedPage::new(at, page))
            };
            match key {
                Some(key) => pages.read(key, shared.store.trimmed_through(), read).await,
                None => read.await.map(Arc::new),
            }
        })
    }

    /// A page of the past that another reader has read, if it is as it would be read now.
    pub(super) fn known_page(&self, pages: &SharedPages, key: &PageKey) -> Option<Arc<SharedPage>> {
        pages.get(key, self.0.store.trimmed_through())
    }

    /// The pages that readers of the log have in common, kept as long as one of them has this.
    pub(super) fn pages(&self) -> Arc<SharedPages> {
        let mut kept = self.0.pages.lock();
        kept.upgrade().unwrap_or_else(|| {
            let pages = Arc::new(SharedPages::new());
            *kept = Arc::downgrade(&pages);
            pages
        })
    }
}

impl fmt::Debug for LogView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogView").field(&self.0.epoch).finish()
    }
}
