//! Mailboxes: letters to a name, each delivered to one of the receivers that ask under that name.
//!
//! A *letter* is a message of a mailbox, a *receiver* is a client that asks for letters, and a
//! *delivery* is a letter on its way to one receiver. The states have the names that AMQP and NATS
//! `JetStream` give them.
//!
//! # The life of a letter
//!
//! ```text
//!   send
//!    │
//!    ▼           scan                         acknowledge
//!  queued ────────────────▶ in flight ───────────────────────▶ acked
//!   │  │                     │     ▲                            ▲ ▲
//!   │  │              return │     │ redeliver                  │ │
//!   │  │                     ▼     │                            │ │
//!   │  │                    returned ──── acknowledge by id ────┘ │
//!   │  │                       │                                  │
//!   │  └───────────────────────┼───────── acknowledge by id ──────┘
//!   │ retention                │ retention
//!   ▼                          │
//! expired ◀────────────────────┘
//! ```
//!
//! | arrow | what triggers it |
//! |---|---|
//! | send | A sender's letter is committed to the log. |
//! | scan | A receiver asks, no returned letter waits, and this one is the next in the log. |
//! | acknowledge | A receiver acknowledges its letter, or its connection proves receipt (below). |
//! | return | The [`Delivery`] is dropped before it is acknowledged (below). |
//! | redeliver | A receiver asks. Returned letters go before queued ones, the oldest first. |
//! | retention | The log deletes a letter that is not acknowledged (`--keep`, `--keep-for`). |
//!
//! The mailbox notices at a scan or a redelivery that letters have expired. They count as *missed*,
//! and the next answer tells how many there are ([`Missed`]); if that answer does not arrive, a
//! later one tells it. A letter that retention deletes while it is in flight stays in flight, since
//! its receiver may have it: it expires only if it returns. An acked letter that is deleted is not
//! missed.
//!
//! ## What acknowledges a letter
//!
//! The receiver chooses with the field `ack` of its request:
//!
//! - **With `ack`: by id.** A later request, on any connection, names the letter: `ack=<Id>`. That
//!   counts in every state, also for a letter that is returned, or that is queued because the
//!   server was restarted since. Nothing else acknowledges the letter.
//! - **Without `ack`: the connection proves receipt.** Either the client sends another request on
//!   the connection after the answer was made (a request that had come before proves nothing); or
//!   the connection ends in order: the answer was written whole, and the client closes without a
//!   reset, or is silent for so long that the kernel would have given the connection up. The
//!   connection keeps the delivery until then; the tables of [`connection`](crate::connection) say
//!   what proves it. A proxy that names its clients returns a letter when the next request on the
//!   connection is another client's. It does so once: any request after a redelivery confirms it,
//!   since otherwise a busy proxy could return the same letter for ever. The proxy itself may have
//!   taken an answer that its client never got, too. Behind a proxy a client that has to be certain
//!   uses `ack`.
//!
//! ## What returns a letter
//!
//! - The request ends before its answer is made: the client leaves, or the server stops.
//! - The connection breaks, or its client stops reading, before receipt is proven.
//! - With `ack`: the connection asks for another letter, or ends in any way, before the letter is
//!   acknowledged.
//!
//! A server that is killed forgets which letters were in flight or returned, and perhaps the last
//! acknowledgements: those letters are queued again. So a receiver with `ack` gets each letter at
//! least once. A receiver without it gets each exactly once, as long as no proxy is between,
//! connections end in order, and the server does, too.
//!
//! # The ack floor
//!
//! ```text
//!      finished       tracked one by one: acked,     queued
//!  (acked, expired)    in flight, or returned
//! ───────────────────┬───────────────────────┬───────────────────▶ position in the log
//!                ack_floor            scanned_through
//! ```
//!
//! The invariant is `ack_floor ≤ acked ∪ in flight ≤ scanned`. Up to `ack_floor` every letter is
//! finished. Each letter after it that has been scanned is tracked: as acked, or as in flight or
//! returned. When the first of the letters in flight or returned is finished, the floor advances
//! to just before the next of them, or to `scanned_through` if there is none, and the acked letters
//! that it passes are forgotten. A mailbox's memory is bounded ([`MAILBOX_IN_FLIGHT_MAX`]): when
//! that many letters are tracked, scanning pauses until the floor advances; returned letters
//! are still redelivered. The one exception to the invariant are letters that a client received
//! before a restart and acknowledges before they are scanned: they are acked after
//! `scanned_through`, and bounded by the same number.
//!
//! # Persistence
//!
//! A mailbox persists in the log alone, in two channels of its name: the letters, and the ack
//! records, of which the newest has the ack floor and the acked letters after it. The state in
//! memory is derived from these, and is kept only while the mailbox is in use: while a receiver
//! asks, a letter is in flight, or an ack record is being written. Only which letters have returned
//! lately is kept for longer.
//!
//! # Files
//!
//! | file | what it holds |
//! |---|---|
//! | `mod.rs` | [`Mailbox`]: brings the log, the deliveries and the receivers together |
//! | `registry.rs` | [`Mailboxes`]: which mailboxes are in use; sending |
//! | `mailbox_name.rs` | [`MailboxName`], and the channels of a name |
//! | `answer.rs` | [`Answer`], [`Letter`]; [`Delivery`], which acknowledges or returns a letter |
//! | `deliveries.rs` | the states and arrows drawn above, without IO |
//! | `returned.rs` | which letters have returned lately, for the rule about proxies above |
//! | `expired.rs` | letters that retention deleted, and [`Missed`] |
//! | `ack_state.rs` | the ack floor and the acked letters as text, for the log |
//! | `ack_writer.rs` | the task that appends ack records |
//! | `lookup.rs` | point reads of the log |
//!
//! [`MAILBOX_IN_FLIGHT_MAX`]: crate::limits::MAILBOX_IN_FLIGHT_MAX

mod ack_state;
mod ack_writer;
mod answer;
mod deliveries;
mod expired;
mod lookup;
mod mailbox_name;
mod registry;
mod returned;
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
pub use expired::Missed;
pub use mailbox_name::MailboxName;
pub use registry::Mailboxes;

use crate::log::{Item, Log, Reader, Since, StoreError};
use crate::message::{Channel, Cursor, Message, Seq};
use crate::metrics::{Metrics, Waiting};
use ack_writer::UnwrittenAcks;
use deliveries::{Deliveries, InFlight};

/// A mailbox in use. While this lives, it is the only one of its name.
#[derive(Debug)]
pub struct Mailbox {
    registry: Arc<registry::MailboxesShared>,
    /// The channel of the letters.
    letters: Channel,
    /// The channel of the ack records.
    ack_records: Channel,
    /// Set when `deliveries` has been loaded from the newest ack record.
    loaded: OnceCell<()>,
    deliveries: Mutex<Deliveries>,
    /// Reads the letters in the log's order. The receiver that holds the lock gets the next letter.
    scanner: tokio::sync::Mutex<Option<Reader>>,
    /// Notified when a letter is returned, or when scanning may go on.
    changed: Notify,
    unwritten: Mutex<UnwrittenAcks>,
}

/// Why an acknowledgement by id is refused.
#[derive(Debug, thiserror::Error)]
pub enum AckError {
    /// The mailbox never had a letter with this id.
    #[error("is not a message of this mailbox")]
    NoSuchLetter,
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The result of one attempt to scan the next letter.
enum Scan {
    /// The next letter, in flight.
    Letter(Answer),
    /// There is no letter for this receiver yet, but another attempt may find one.
    Retry,
    /// The receiver's time to wait is over.
    TimedOut,
}

impl Mailbox {
    fn log(&self) -> &Log {
        &self.registry.log
    }

    fn metrics(&self) -> &Arc<Metrics> {
        &self.registry.metrics
    }

    /// Loads the ack state from the log, unless that has been done.
    async fn load(&self) -> Result<(), StoreError> {
        let load = async || {
            let state = lookup::ack_state(self.log(), &self.ack_records).await?;
            *self.deliveries.lock() = Deliveries::new(state);
            Ok(())
        };
        self.loaded.get_or_try_init(load).await.copied()
    }

    /// Acknowledges a letter by its id, which a client says to have received. An id of another
    /// epoch is ignored.
    ///
    /// # Errors
    /// When the mailbox never had that letter, or the store cannot be read.
    pub async fn acknowledge(self: &Arc<Mailbox>, id: &Cursor) -> Result<(), AckError> {
        if id.epoch != *self.log().epoch() {
            return Ok(());
        }
        self.load().await?;
        if self.acknowledge_with(id.seq, |deliveries| deliveries.acknowledge(id.seq)) {
            return Ok(());
        }
        if lookup::message(self.log(), &self.letters, id.seq)
            .await?
            .is_none()
        {
            let expired = lookup::expired(self.log(), &self.letters).await?;
            // The letter may be one of those that expired; which positions they had is not known.
            let perhaps = expired.is_some_and(|expired| id.seq <= expired.through);
            return perhaps.then_some(()).ok_or(AckError::NoSuchLetter);
        }
        // The letter may have been delivered while the log was read.
        self.acknowledge_with(id.seq, |deliveries| {
            deliveries.acknowledge(id.seq) || deliveries.acknowledge_unscanned(id.seq)
        });
        Ok(())
    }

    /// Returns the next letter, after waiting for it for at most `wait`, or without a limit if that
    /// is `None`.
    ///
    /// No letter is lost if the returned future is dropped: a letter that it has taken returns to
    /// the mailbox.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn receive(
        self: &Arc<Mailbox>,
        wait: Option<Duration>,
    ) -> Result<Answer, StoreError> {
        let _waiting = Waiting::new(Arc::clone(self.metrics()));
        self.load().await?;
        let mut timeout = pin!(timeout(wait));
        loop {
            // Enabled before looking: otherwise a letter that returns after the look might wake no
            // receiver.
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(answer) = self.redeliver().await? {
                return Ok(answer);
            }
            let scan = tokio::select! {
                biased;
                () = changed => Scan::Retry,
                scan = self.scan(timeout.as_mut()) => scan?,
            };
            match scan {
                Scan::Letter(answer) => return Ok(answer),
                Scan::Retry => {}
                Scan::TimedOut => {
                    // A log that cannot be read may have letters.
                    self.log().check_reads()?;
                    return Ok(self.empty_answer());
                }
            }
        }
    }

    /// Redelivers the oldest returned letter; `None` if no letter is returned.
    async fn redeliver(self: &Arc<Mailbox>) -> Result<Option<Answer>, StoreError> {
        loop {
            let Some(in_flight) = self.deliveries.lock().redeliver() else {
                return Ok(None);
            };
            // From here on the letter returns by itself if this future is dropped.
            let delivery = Delivery::letter(self, in_flight);
            let entry = lookup::message(self.log(), &self.letters, in_flight.seq).await?;
            if let Some(entry) = entry {
                return Ok(Some(self.answer(entry.message(), in_flight, delivery)));
            }
            self.update(|deliveries| deliveries.mark_expired(in_flight));
        }
    }

    /// Scans the next letter in the log's order, and waits for it until `timeout`.
    async fn scan(
        self: &Arc<Mailbox>,
        mut timeout: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Scan, StoreError> {
        let mut scanner = tokio::select! {
            biased;
            scanner = self.scanner.lock() => scanner,
            () = timeout.as_mut() => return Ok(Scan::TimedOut),
        };
        if self.deliveries.lock().is_full() {
            // The other receivers have to wait for `changed`, too, not for this receiver's lock.
            drop(scanner);
            timeout.await;
            return Ok(Scan::TimedOut);
        }
        let reader = match &mut *scanner {
            Some(reader) => reader,
            none => none.insert(self.start_scan().await?),
        };
        let read = poll_fn(|cx| match reader.poll_read(cx, lookup::ONE_LETTER) {
            Poll::Ready(items) => Poll::Ready(items.map(Some)),
            // The store is being read: the letter exists already, but has not been loaded yet.
            Poll::Pending if reader.is_fetching() => Poll::Pending,
            Poll::Pending => timeout.as_mut().poll(cx).map(|()| Ok(None)),
        });
        let Some(items) = read.await? else {
            return Ok(Scan::TimedOut);
        };
        // Nothing is awaited from here on, so that no letter is skipped if this future is dropped:
        // each letter that the reader has passed is known to `deliveries`.
        match items.into_iter().next() {
            Some(Item::Message(entry)) => {
                let Some(in_flight) = self.deliveries.lock().scan(entry.message().seq) else {
                    return Ok(Scan::Retry);
                };
                let delivery = Delivery::letter(self, in_flight);
                Ok(Scan::Letter(self.answer(
                    entry.message(),
                    in_flight,
                    delivery,
                )))
            }
            // Letters have expired. The scan starts anew, since how many are missed is counted from
            // the mailbox's beginning. Nobody can close a mailbox.
            Some(Item::Gap(_) | Item::Close(_)) | None => {
                *scanner = None;
                Ok(Scan::Retry)
            }
        }
    }

    /// Returns a reader that begins after the letters that have been scanned, and after those that
    /// have expired.
    async fn start_scan(&self) -> Result<Reader, StoreError> {
        if let Some(expired) = lookup::expired(self.log(), &self.letters).await? {
            self.deliveries.lock().skip_expired(expired);
        }
        let scanned_through = self.deliveries.lock().scanned_through();
        lookup::reader(self.log(), &self.letters, Since::Seq(scanned_through)).await
    }

    /// Returns the answer with a letter that is in flight.
    fn answer(&self, message: &Message, in_flight: InFlight, delivery: Delivery) -> Answer {
        Answer {
            letter: Some(Letter::decode(message, self.log().cursor(message.seq))),
            missed: in_flight.missed,
            delivery: Some(delivery),
        }
    }

    /// Returns the answer without a letter, which may still tell of missed letters.
    fn empty_answer(self: &Arc<Mailbox>) -> Answer {
        let missed = self.deliveries.lock().take_missed();
        Answer {
            letter: None,
            missed,
            delivery: missed.map(|missed| Delivery::missed(self, missed)),
        }
    }

    /// Puts the letter of a delivery that did not arrive back, and wakes the next receiver.
    fn return_to_queue(&self, in_flight: InFlight) {
        if self.deliveries.lock().return_to_queue(in_flight) {
            self.registry.returned.add(in_flight.seq);
            self.metrics().letters.returned();
            self.changed.notify_one();
        }
    }

    /// Runs an acknowledgement of the letter at `seq`. If it returns true, because the letter became
    /// acked, that is counted and will be written to the log.
    fn acknowledge_with(
        self: &Arc<Mailbox>,
        seq: Seq,
        acknowledge: impl FnOnce(&mut Deliveries) -> bool,
    ) -> bool {
        let acked = self.update(acknowledge);
        if acked {
            self.registry.returned.remove(seq);
            self.metrics().letters.acknowledged();
            ack_writer::record(self);
        }
        acked
    }

    /// Runs a change of the deliveries that may let the scan go on. Then all waiting receivers are
    /// woken: those that found the mailbox full are in no queue, so each has to look again.
    fn update<T>(&self, change: impl FnOnce(&mut Deliveries) -> T) -> T {
        let mut deliveries = self.deliveries.lock();
        let was_full = deliveries.is_full();
        let result = change(&mut deliveries);
        let has_room = was_full && !deliveries.is_full();
        drop(deliveries);
        if has_room {
            self.changed.notify_waiters();
        }
        result
    }
}

/// Ends after `wait`, or never.
async fn timeout(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
