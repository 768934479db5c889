//! Where the messages of a task come from: the tail when it is near, the store when it is far, and a
//! wake-up when there is nothing new.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::log_view::{Fetch, LogView};
use super::shared_pages::{SharedPage, SharedPages, page_key};
use super::wake::Waiter;
use super::{Page, PageLimit, Position, ReadOutcome, StoreError, Stored};
use crate::message::Seq;

/// The log, as a task at a [`Position`] reads it: returns what there is without waiting, and wakes
/// the task when there may be more.
pub struct Source {
    view: LogView,
    /// What wakes the task, once it has had to wait.
    waiter: Option<Waiter>,
    /// A page that is being read from the store.
    fetch: Option<Fetch>,
    /// A page that has been read.
    page: Option<Arc<SharedPage>>,
    /// Held while the task lags.
    pages: Option<Arc<SharedPages>>,
}

impl Source {
    /// A source in this log.
    #[must_use]
    pub fn new(view: LogView) -> Source {
        Source {
            view,
            waiter: None,
            fetch: None,
            page: None,
            pages: None,
        }
    }

    /// Whether a page is being read from the store. Then there are messages, if not yet here.
    #[must_use]
    pub fn is_fetching(&self) -> bool {
        self.fetch.is_some()
    }

    /// What the log has after a position, at most `limit` of it. The task is woken when there may be
    /// more.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        position: &Position,
        limit: PageLimit,
    ) -> ReadOutcome {
        let channels = position.selection().len();
        match &mut self.waiter {
            // Before looking, or a message that comes after the look would wake nobody.
            Some(waiter) if waiter.channels() == channels => waiter.register(cx.waker()),
            waiter => {
                if waiter.is_some() {
                    // What has been read is of the channels before.
                    (self.fetch, self.page) = (None, None);
                }
                *waiter = Some(self.view.waiter(position.selection(), cx.waker()));
            }
        }
        self.look(cx, position, limit)
    }

    /// What the log has after a position, as [`Source::poll`] says; but the task is woken only when a
    /// page has been read from the store.
    pub fn look(
        &mut self,
        cx: &mut Context<'_>,
        position: &Position,
        limit: PageLimit,
    ) -> ReadOutcome {
        if let Some(fetch) = &mut self.fetch {
            let Poll::Ready(page) = fetch.as_mut().poll(cx) else {
                return ReadOutcome::Fetching;
            };
            self.fetch = None;
            match page {
                Ok(page) => self.page = Some(page),
                Err(error) => return ReadOutcome::Failed(error),
            }
        }
        let at = position.at();
        if !self.page.as_ref().is_some_and(|page| page.covers(at)) {
            let pages = self.pages.as_ref().zip(page_key(position, limit));
            self.page = pages.and_then(|(pages, key)| self.view.known_page(pages, &key));
        }
        if let Some(page) = &self.page {
            return page.read(at, limit, self.view.epoch());
        }
        let read = self.view.read(position, limit);
        match (read, page_key(position, limit)) {
            // The tail has much more, so other readers will read this, too.
            (ReadOutcome::Items { items, through, .. }, Some(key))
                if through < self.view.newest() =>
            {
                let page = Page {
                    items: items.into_iter().map(Stored::from).collect(),
                    through,
                    trimmed_through: Seq::START,
                };
                let page = SharedPage::new(at, page);
                let page = self.page.insert(Arc::new(page));
                let pages = self.pages.get_or_insert_with(|| self.view.pages());
                pages.put(key, page);
                page.read(at, limit, self.view.epoch())
            }
            (read, _) => {
                if matches!(read, ReadOutcome::UpToDate { .. }) {
                    self.pages = None;
                }
                read
            }
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
        if self.view.is_older(position) {
            self.page = Some(self.begin(position, limit).await?);
        }
        Ok(())
    }

    /// Begins to read a page after a position from the store; [`Source::poll`] returns it.
    pub fn fetch(&mut self, position: &Position, limit: PageLimit) {
        self.fetch = Some(self.begin(position, limit));
    }

    fn begin(&mut self, position: &Position, limit: PageLimit) -> Fetch {
        let pages = self.pages.get_or_insert_with(|| self.view.pages());
        self.view.fetch(pages, position, limit)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("is_fetching", &self.is_fetching())
            .finish_non_exhaustive()
    }
}
