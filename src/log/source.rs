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
    /// The number of channels that the page is of: a reader only ever adds channels.
    channels: usize,
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
            channels: 0,
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
        let channels = position.selection().count();
        match &mut self.waiter {
            // Before looking, or a message that comes after the look would wake nobody.
            Some(waiter) if waiter.channels() == channels => waiter.register(cx.waker()),
            waiter => *waiter = Some(self.view.waiter(position.selection(), cx.waker())),
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
        if self.channels != position.selection().count() {
            // What has been read lacks the channels that were added since.
            (self.fetch, self.page) = (None, None);
            self.channels = position.selection().count();
        }
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
        self.channels = position.selection().count();
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;
    use crate::limits;
    use crate::log::{Item, Keep, Log, Memory, Moment, Since, Store};
    use crate::message::{Channel, Draft};

    /// A page that was read before a channel was added is not read on: it lacks the messages of that
    /// channel.
    #[tokio::test]
    async fn page_is_dropped_when_a_channel_is_added() {
        let keep = Keep {
            messages: 100,
            age: Duration::from_hours(1),
        };
        let memory = Memory::new(keep, limits::MEMORY_LOG_BYTES_DEFAULT);
        let [a, b] = ["a", "b"].map(|name| Channel::new(name).unwrap());
        let drafts = [&a, &b, &a].map(|channel| Draft::new(channel.clone(), "x"));
        memory.commit(drafts.into(), &Moment::at(1));
        // The log's tail begins after these.
        let log = Log::open(Store::Memory(memory), Arc::default()).unwrap();
        let start = log.start(&a.into(), &Since::Seq(Seq::START)).await.unwrap();
        let (mut position, mut source) = (Position::new(start), Source::new(log.view()));
        let limit = PageLimit::new(limits::FRAME_MESSAGES, limits::FRAME_BYTES);
        for expected in [&[1, 3][..], &[2, 3]] {
            source.fetch(&position, limit);
            let read = poll_fn(|cx| match source.look(cx, &position, limit) {
                ReadOutcome::Fetching => Poll::Pending,
                read => Poll::Ready(read),
            });
            let ReadOutcome::Items { items, .. } = read.await else {
                panic!("there are messages")
            };
            let seqs: Vec<u64> = items
                .iter()
                .filter_map(Item::message)
                .map(|(seq, _)| seq.0)
                .collect();
            assert_eq!(seqs, expected);
            position.advance(Seq(1), Seq::START);
            assert!(position.add_channel(b.clone(), Seq(1), 2));
            let read = poll_fn(|cx| Poll::Ready(source.look(cx, &position, limit))).await;
            let is_known = expected == [2, 3];
            assert_eq!(
                matches!(read, ReadOutcome::Items { .. }),
                is_known,
                "{read:?}"
            );
        }
    }
}
