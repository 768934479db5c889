//! Mailboxes: letters to a name, each for one of those who ask under it.
//!
//! All that lasts is in the log: the letters in a channel of the name, and in another one notes of
//! what has been received (`note.rs`). What is in memory is derived from them, and only while the
//! mailbox is in use: somebody asks, a letter is out, or a note is being written.
//!
//! A letter that is handed out ([`Delivery`]) stays the mailbox's until its receiver has it. Whoever
//! knows of the connection says so; otherwise the letter goes to the next who asks.

mod ack_state;
mod ack_writer;
mod answer;
mod deliveries;
mod lookup;
mod mailbox_name;
mod missed;
mod registry;
#[cfg(test)]
mod simulation;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OnceCell};

pub use answer::{Answer, Delivery, Letter};
pub use mailbox_name::MailboxName;
pub use missed::Missed;
pub use registry::Mailboxes;

use crate::log::{Item, Log, Reader, Since, StoreError};
use crate::message::{Channel, Cursor, Message};
use crate::metrics::{Metrics, Waiting};
use ack_writer::PendingAcks;
use deliveries::{Deliveries, InFlight};

/// A mailbox in use: while this lives, it is the only one of its name.
#[derive(Debug)]
pub struct Mailbox {
    all: Arc<registry::MailboxesShared>,
    letters: Channel,
    notes: Channel,
    loaded: OnceCell<()>,
    book: Mutex<Deliveries>,
    /// Goes through the letters in order; whoever has it gets the next one.
    walker: tokio::sync::Mutex<Option<Reader>>,
    /// A letter came back, or there is room for another one to be out.
    changed: Notify,
    unwritten: Mutex<PendingAcks>,
}

/// An acknowledgement is of no use.
#[derive(Debug, thiserror::Error)]
pub enum AckError {
    /// The mailbox has no such letter.
    #[error("is no message of this mailbox")]
    NotHere,
    /// Nobody knows.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a look at the next letter in order has come to.
enum Scan {
    Letter(Answer),
    /// Nothing for this one, but there may be more.
    On,
    /// There was nothing for as long as was to be waited.
    Quiet,
}

impl Mailbox {
    fn log(&self) -> &Log {
        &self.all.log
    }

    fn metrics(&self) -> &Arc<Metrics> {
        &self.all.metrics
    }

    /// Reads what has been noted, the first time that it is asked for.
    async fn load(&self) -> Result<(), StoreError> {
        let load = async || {
            let note = lookup::note(self.log(), &self.notes).await?;
            *self.book.lock() = Deliveries::new(note);
            Ok(())
        };
        self.loaded.get_or_try_init(load).await.copied()
    }

    /// A client says to have received a letter. One of another life of the log says nothing.
    ///
    /// # Errors
    /// When the mailbox never had that letter, or the store cannot be read.
    pub async fn acknowledge(self: &Arc<Mailbox>, id: &Cursor) -> Result<(), AckError> {
        if id.epoch != *self.log().epoch() {
            return Ok(());
        }
        self.load().await?;
        if self.receipt(|book| book.acknowledge(id.seq)) {
            return Ok(());
        }
        if lookup::message(self.log(), &self.letters, id.seq)
            .await?
            .is_none()
        {
            let lost = lookup::lost(self.log(), &self.letters).await?;
            // What is gone was perhaps one of them.
            let perhaps = lost.is_some_and(|lost| id.seq <= lost.through);
            return perhaps.then_some(()).ok_or(AckError::NotHere);
        }
        // It may have been handed out meanwhile.
        self.receipt(|book| book.acknowledge(id.seq) || book.acknowledge_unseen(id.seq));
        Ok(())
    }

    /// The next letter for who asks; without `wait` it is waited for as long as this is polled.
    ///
    /// Nothing is lost when this is dropped: a letter that it has taken goes back.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn receive(
        self: &Arc<Mailbox>,
        wait: Option<Duration>,
    ) -> Result<Answer, StoreError> {
        let _waiting = Waiting::new(Arc::clone(self.metrics()));
        self.load().await?;
        let mut patience = pin!(patience(wait));
        loop {
            // Before looking, or a letter that comes back after the look may wake nobody.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(answer) = self.come_back().await? {
                return Ok(answer);
            }
            let walked = tokio::select! {
                biased;
                () = changed => Scan::On,
                walked = self.walk(patience.as_mut()) => walked?,
            };
            match walked {
                Scan::Letter(answer) => return Ok(answer),
                Scan::On => {}
                Scan::Quiet => return Ok(self.quiet()),
            }
        }
    }

    /// The first of the letters that came back.
    async fn come_back(self: &Arc<Mailbox>) -> Result<Option<Answer>, StoreError> {
        loop {
            let Some(out) = self.book.lock().take_back() else {
                return Ok(None);
            };
            // From here on it goes back by itself if this is dropped.
            let handed = Delivery::letter(self, out);
            let entry = lookup::message(self.log(), &self.letters, out.seq).await?;
            if let Some(entry) = entry {
                return Ok(Some(self.answer(entry.message(), out, handed)));
            }
            self.book(|book| book.find_gone(out));
        }
    }

    /// The next letter that nobody has had.
    async fn walk(
        self: &Arc<Mailbox>,
        mut patience: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Scan, StoreError> {
        let mut walker = tokio::select! {
            biased;
            walker = self.walker.lock() => walker,
            () = patience.as_mut() => return Ok(Scan::Quiet),
        };
        if self.book.lock().is_full() {
            // Others are to wait for what changes, too, not for this one.
            drop(walker);
            patience.await;
            return Ok(Scan::Quiet);
        }
        let reader = match &mut *walker {
            Some(reader) => reader,
            none => none.insert(self.begin().await?),
        };
        let read = poll_fn(|cx| match reader.poll_read(cx, lookup::ROOM) {
            Poll::Ready(items) => Poll::Ready(items.map(Some)),
            // It is there, if not yet here.
            Poll::Pending if reader.is_fetching() => Poll::Pending,
            Poll::Pending => patience.as_mut().poll(cx).map(|()| Ok(None)),
        });
        let Some(items) = read.await? else {
            return Ok(Scan::Quiet);
        };
        // Nothing waits from here on: what the reader has passed is in the book.
        match items.into_iter().next() {
            Some(Item::Message(entry)) => {
                let Some(out) = self.book.lock().walk(entry.message().seq) else {
                    return Ok(Scan::On);
                };
                let handed = Delivery::letter(self, out);
                Ok(Scan::Letter(self.answer(entry.message(), out, handed)))
            }
            // How many are missed is counted from the mailbox's beginning.
            Some(Item::Gap(_)) | None => {
                *walker = None;
                Ok(Scan::On)
            }
        }
    }

    /// A reader that stands behind what has been looked at, and behind what is gone.
    async fn begin(&self) -> Result<Reader, StoreError> {
        if let Some(lost) = lookup::lost(self.log(), &self.letters).await? {
            self.book.lock().lose(lost);
        }
        let seen = self.book.lock().seen();
        lookup::reader(self.log(), &self.letters, Since::Seq(seen)).await
    }

    fn answer(&self, message: &Message, out: InFlight, handed: Delivery) -> Answer {
        Answer {
            letter: Some(Letter::read(message, self.log().cursor(message.seq))),
            missed: out.missed,
            handed: Some(handed),
        }
    }

    fn quiet(self: &Arc<Mailbox>) -> Answer {
        let missed = self.book.lock().take_missed();
        Answer {
            letter: None,
            missed,
            handed: missed.map(|missed| Delivery::missed(self, missed)),
        }
    }

    fn give_back(&self, out: InFlight) {
        if self.book.lock().give_back(out) {
            self.metrics().letters.returned();
            self.changed.notify_one();
        }
    }

    /// Books that a letter was received, if that is news.
    fn receipt(self: &Arc<Mailbox>, book: impl FnOnce(&mut Deliveries) -> bool) -> bool {
        let news = self.book(book);
        if news {
            self.metrics().letters.received();
            ack_writer::note(self);
        }
        news
    }

    /// Does something to the book that may make room for more letters to be out. Who has found
    /// none waits in no line: all of them look again.
    fn book<T>(&self, act: impl FnOnce(&mut Deliveries) -> T) -> T {
        let mut book = self.book.lock();
        let was_full = book.is_full();
        let done = act(&mut book);
        let room = was_full && !book.is_full();
        drop(book);
        if room {
            self.changed.notify_waiters();
        }
        done
    }
}

async fn patience(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
