//! Pages of a channel's past that several readers have in common: thousands of clients that come back
//! together read the same.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use lru::LruCache;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::{Page, PageLimit, Position, ReadOutcome, SharedFrame, StoreError, Stored};
use crate::limits;
use crate::message::{Channel, Epoch, Message, Seq};
use crate::wire::{Chunk, Encoding};

/// A page, with its messages as bytes in each encoding, made when the first reader asks for them.
#[derive(Debug)]
pub(super) struct SharedPage {
    /// The position after which the page was read.
    after: Seq,
    /// Whether the page says the same to whoever reads it later.
    is_lasting: bool,
    page: Page,
    frames: [OnceLock<Box<[SharedFrame]>>; Encoding::COUNT],
}

/// The pages that readers of a log have in common. They are kept while any reader lags. A page is kept
/// from the second time on that it is asked for: most readers that lag come back with a cursor that no
/// other has.
#[derive(Debug)]
pub(super) struct SharedPages(Mutex<KnownPages>);

#[derive(Debug)]
struct KnownPages {
    /// The pages that have been asked for once, or more often.
    asked: LruCache<PageKey, ()>,
    /// Each with the moment at which it was asked for last.
    pages: LruCache<PageKey, (Arc<PageCell>, Instant)>,
    /// What the pages take that have been read.
    bytes: usize,
}

/// What tells a page from others: its channel, and the position after which it was read.
pub(super) type PageKey = (Channel, Seq);

/// A page that is being read by one of its readers, or has been.
type PageCell = OnceCell<Result<Arc<SharedPage>, StoreError>>;

/// The key of the page that comes next for a reader of one channel who takes as much as fits one write.
pub(super) fn page_key(position: &Position, limit: PageLimit) -> Option<PageKey> {
    let channel = position.selection().only_channel()?;
    limit.is_whole().then(|| (channel.clone(), position.at()))
}

impl SharedPage {
    /// A page that was read after `after`.
    pub(super) fn new(after: Seq, page: Page) -> SharedPage {
        SharedPage {
            after,
            // A channel that was closed may have been opened since.
            is_lasting: !page
                .items
                .iter()
                .any(|item| matches!(item, Stored::Close(_))),
            page,
            frames: Default::default(),
        }
    }

    /// Whether the page has what comes next for a reader at this position.
    pub(super) fn covers(&self, at: Seq) -> bool {
        self.after <= at && at < self.page.through
    }

    /// What the page takes, with the bytes in one encoding.
    fn cost(&self) -> usize {
        let cost = |item: &Stored| match item {
            Stored::Message(message) => message.cost() + 2 * message.data.len(),
            Stored::Gap(_) | Stored::Close(_) => size_of::<Stored>(),
        };
        self.page.items.iter().map(cost).sum()
    }

    /// What the page has after a position that it covers.
    pub(super) fn read(&self, at: Seq, mut limit: PageLimit, epoch: &Epoch) -> ReadOutcome {
        let trimmed_through = self.page.trimmed_through;
        if let Some(share) = limit.share {
            let frames = &self.frames[share.encoding.index()];
            let frames = frames.get_or_init(|| self.join(share.encoding, epoch));
            let next = frames.partition_point(|frame| frame.through <= at);
            if let Some(frame) = frames.get(next)
                && frame.comes_after(at)
                && frame.through < share.before
            {
                return ReadOutcome::Shared {
                    frame: frame.clone(),
                    trimmed_through,
                };
            }
        }
        let (mut items, mut through) = (Vec::new(), self.page.through);
        let rest = self.page.items.partition_point(|item| item.seq() <= at);
        for item in &self.page.items[rest..] {
            if matches!(item, Stored::Message(_)) && !limit.try_take(item.bytes()) {
                through = item.seq().before();
                break;
            }
            items.push(item.clone().into());
        }
        ReadOutcome::Items {
            items,
            through,
            trimmed_through,
        }
    }

    /// Whether the page is as it would be read now. `trimmed_through` is the newest message that has been
    /// trimmed by now.
    fn is_good(&self, trimmed_through: Seq) -> bool {
        let is_whole =
            self.after >= trimmed_through || self.page.trimmed_through == trimmed_through;
        is_whole && self.is_lasting
    }

    /// The messages as frames; none if there is a gap or a close among them, which each reader is told by
    /// itself.
    fn join(&self, encoding: Encoding, epoch: &Epoch) -> Box<[SharedFrame]> {
        let mut messages = Vec::with_capacity(self.page.items.len());
        for item in &self.page.items {
            match item {
                Stored::Message(message) => messages.push((message.seq, message)),
                Stored::Gap(_) | Stored::Close(_) => return Box::default(),
            }
        }
        let encode = |message: &Arc<Message>| Chunk::new(&encoding.message(message, epoch));
        let (mut frames, mut at, mut rest) = (Vec::new(), self.after, &messages[..]);
        while let Some(frame) =
            SharedFrame::join(rest.iter().copied(), at, self.page.through, encode)
        {
            at = frame.through;
            rest = &rest[rest.partition_point(|(seq, _)| *seq <= at)..];
            frames.push(frame);
        }
        frames.into()
    }
}

impl SharedPages {
    pub(super) fn new() -> SharedPages {
        SharedPages(Mutex::new(KnownPages {
            asked: LruCache::new(limits::SHARED_PAGES_ASKED),
            pages: LruCache::unbounded(),
            bytes: 0,
        }))
    }

    /// A page that is known. `trimmed_through` is the newest message that has been trimmed by now: a page
    /// of which something may have been is read again, for the sake of the gap.
    pub(super) fn get(&self, key: &PageKey, trimmed_through: Seq) -> Option<Arc<SharedPage>> {
        let page = self.0.lock().cell(key, trimmed_through)?.get()?.clone();
        page.ok()
    }

    /// Makes a page known, if it has been asked for before.
    pub(super) fn put(&self, key: PageKey, page: &Arc<SharedPage>) {
        let mut known = self.0.lock();
        if known.was_asked(&key) {
            let cell = PageCell::new_with(Some(Ok(Arc::clone(page))));
            known.put(key, Arc::new(cell), page.cost());
        }
    }

    /// A page that is known, or is read by whoever asks for it first once it is to be kept.
    pub(super) async fn read(
        &self,
        key: PageKey,
        trimmed_through: Seq,
        read: impl Future<Output = Result<SharedPage, StoreError>>,
    ) -> Result<Arc<SharedPage>, StoreError> {
        let cell = {
            let mut known = self.0.lock();
            match known.cell(&key, trimmed_through) {
                Some(cell) => Some(cell),
                None => known.was_asked(&key).then(|| {
                    let cell = Arc::default();
                    known.put(key, Arc::clone(&cell), 0);
                    cell
                }),
            }
        };
        let Some(cell) = cell else {
            return read.await.map(Arc::new);
        };
        let read = async || {
            let page = read.await.map(Arc::new);
            self.0
                .lock()
                .grow(page.as_ref().map_or(0, |page| page.cost()));
            page
        };
        cell.get_or_init(read).await.clone()
    }
}

impl KnownPages {
    /// A page that is being read or good; one that is not is forgotten.
    fn cell(&mut self, key: &PageKey, trimmed_through: Seq) -> Option<Arc<PageCell>> {
        let (cell, asked) = self.pages.get_mut(key)?;
        *asked = Instant::now();
        let is_good = match cell.get() {
            Some(Ok(page)) => page.is_good(trimmed_through),
            Some(Err(_)) => false,
            None => true,
        };
        if is_good {
            return Some(Arc::clone(cell));
        }
        let forgotten = self.pages.pop(key);
        self.shrink(forgotten);
        None
    }

    /// Whether a page has been asked for before; from now on it has.
    fn was_asked(&mut self, key: &PageKey) -> bool {
        self.asked.put(key.clone(), ()).is_some()
    }

    fn put(&mut self, key: PageKey, cell: Arc<PageCell>, bytes: usize) {
        let replaced = self.pages.put(key, (cell, Instant::now()));
        self.shrink(replaced);
        self.grow(bytes);
    }

    /// Counts a page, and forgets those that have not been asked for, for longest or for long.
    fn grow(&mut self, bytes: usize) {
        self.bytes += bytes;
        let old =
            |(_, asked): &(Arc<PageCell>, Instant)| asked.elapsed() > limits::SHARED_PAGE_UNASKED;
        while let Some((_, oldest)) = self.pages.peek_lru()
            && (self.bytes > limits::SHARED_PAGES_BYTES || old(oldest))
        {
            let forgotten = self.pages.pop_lru();
            self.shrink(forgotten.map(|(_, page)| page));
        }
    }

    fn shrink(&mut self, forgotten: Option<(Arc<PageCell>, Instant)>) {
        let page = forgotten.and_then(|(cell, _)| cell.get()?.clone().ok());
        let bytes = page.map_or(0, |page| page.cost());
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}
