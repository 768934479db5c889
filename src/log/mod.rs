//! The log: one for all channels, appended to by one writer, read by any number of cursors.
//!
//! ```text
//! append ──▶ queue ──▶ writer ──▶ Store::commit ──▶ tail ──▶ answers, then wake-ups
//!                                    │                ▲
//!                                    └── fetch ◀── Reader (a cursor) ──▶ follow
//! ```
//!
//! To a store that does not block, whoever appends writes it, too.

mod batch;
mod cursor;
mod entry;
mod health;
mod history;
mod memory;
mod merge;
mod page_limit;
mod position;
mod reader;
mod recent_keys;
mod source;
mod sqlite;
mod store;
mod tail;
#[cfg(test)]
mod testing;
mod trimmed;
mod wake;
mod writer;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::RwLock;
use tokio::sync::oneshot;

pub use cursor::{ParseSinceError, Selection, Since, Start, StartAt};
pub use entry::Entry;
pub use history::History;
pub use memory::Memory;
pub use page_limit::PageLimit;
pub use position::{Position, ReadOutcome};
pub use reader::{Item, Reader};
pub use source::Source;
pub use sqlite::{OpenError, SideTables, Sqlite};
pub use store::{Commit, Keep, Page, Store, StoreError, Stored};

use crate::limits;
use crate::message::{Channel, Cursor, Draft, Epoch, Gap, Message, Receipt, Seq, Timestamp};
use crate::metrics::Metrics;
use cursor::Resolved;
use health::Health;
use tail::Tail;
use wake::Wake;
use writer::{Pending, Queue};

/// A handle on the log. Clones are the same log.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<LogShared>,
    /// Kept out of `shared`: the writer holds that, and ends when the last of these is gone.
    queue: Arc<Queue>,
}

/// What the handles, the readers and the writer share.
#[derive(Debug)]
struct LogShared {
    epoch: Epoch,
    store: Store,
    tail: RwLock<Tail>,
    wake: Wake,
    health: Health,
    metrics: Arc<Metrics>,
}

impl Log {
    /// The log of a store; starts its writer on the current tokio runtime, or on a thread of its
    /// own if the store blocks.
    ///
    /// # Errors
    /// When there can be no such thread.
    pub fn open(store: Store, metrics: Arc<Metrics>) -> io::Result<Log> {
        let (_, last) = store.bounds();
        let tail = RwLock::new(Tail::new(last, limits::TAIL_BYTES));
        let shared = Arc::new(LogShared {
            epoch: store.epoch().clone(),
            store,
            tail,
            wake: Wake::default(),
            health: Health::default(),
            metrics,
        });
        let queue = Arc::new(writer::start(&shared)?);
        Ok(Log { shared, queue })
    }

    /// The life of the log.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.shared.epoch
    }

    /// The cursor of a place.
    #[must_use]
    pub fn cursor(&self, seq: Seq) -> Cursor {
        Cursor {
            epoch: self.shared.epoch.clone(),
            seq,
        }
    }

    /// The oldest place that still has its message (0 if none has), and the newest.
    #[must_use]
    pub fn bounds(&self) -> (Seq, Seq) {
        self.shared.store.bounds()
    }

    /// Does it take messages, as far as is known?
    ///
    /// # Errors
    /// When it does not, and why.
    pub fn health(&self) -> Result<(), StoreError> {
        self.queue.appends()?;
        self.shared.health.get()
    }

    /// Appends a message. When this returns it is as durable as the store promises, and
    /// everybody can read it.
    ///
    /// # Errors
    /// When the store could not take it; then it is not in the log.
    pub async fn append(&self, draft: Draft) -> Result<Receipt, StoreError> {
        let receipts = self.append_all(vec![draft]).await?;
        receipts.first().copied().ok_or_else(writer::stopped)
    }

    /// Appends messages behind each other, all or none of them. What stands in one call should be
    /// no more than fits a commit ([`limits::BATCH_MESSAGES_MAX`]).
    ///
    /// # Errors
    /// When the store could not take them; then none is in the log.
    pub async fn append_all(&self, drafts: Vec<Draft>) -> Result<Vec<Receipt>, StoreError> {
        let began = Instant::now();
        let sizes: Vec<usize> = drafts.iter().map(|draft| draft.data.len()).collect();
        let receipts = if let Some(memory) = self.shared.store.at_once() {
            self.shared.append(memory, drafts)
        } else {
            let (answer, answered) = oneshot::channel();
            let _appending = self.shared.wake.append();
            self.queue.push(Pending { drafts, answer }).await?;
            answered.await.map_err(|_| writer::stopped())??
        };
        let latency = began.elapsed();
        for (receipt, bytes) in receipts.iter().zip(sizes) {
            if !receipt.duplicate {
                self.shared.metrics.appended(bytes, latency);
            }
        }
        Ok(receipts)
    }

    /// Where a follower of these channels begins.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn start(
        &self,
        channels: &[Channel],
        since: &Since,
        now: Timestamp,
    ) -> Result<Start, StoreError> {
        let (_, last) = self.bounds();
        let (selection, gap) = match since.resolve(self.epoch(), last) {
            Resolved::At(at, gap) => (
                channels
                    .iter()
                    .map(|channel| (channel.clone(), at))
                    .collect(),
                gap,
            ),
            Resolved::Ask(place, gap) => {
                (self.shared.store.locate(channels, place, now).await?, gap)
            }
        };
        let at = selection
            .iter()
            .map(|(_, from)| *from)
            .min()
            .unwrap_or(last);
        let gap = gap.map(|reason| Gap {
            reason,
            missed: None,
            resumes: at,
        });
        Ok(Start {
            selection,
            at,
            gap,
            store_until: self.shared.store.trimmed_through(),
        })
    }

    /// A reader that begins at `start`.
    #[must_use]
    pub fn reader(&self, start: Start) -> Reader {
        Reader::new(Arc::clone(&self.shared), start)
    }

    /// Where the messages of a position come from. The position's channel names are shared with
    /// those of all other readers.
    #[must_use]
    pub fn source(&self, position: &mut Position) -> Source {
        Source::new(Arc::clone(&self.shared), position)
    }
}

impl LogShared {
    /// Commits, and lets everybody read it.
    fn append(&self, memory: &Memory, drafts: Vec<Draft>) -> Vec<Receipt> {
        // Held meanwhile, so that what is committed next comes behind this.
        let mut tail = self.tail.write();
        let Commit { receipts, messages } = memory.commit(drafts, Timestamp::now());
        tail.push(messages.iter().map(Entry::shared));
        drop(tail);
        self.wake_followers(&messages);
        receipts
    }

    /// Lets those read these messages who look.
    fn publish_to_tail(&self, committed: &[Arc<Message>]) {
        self.tail.write().push(committed.iter().map(Entry::shared));
    }

    /// Has those look who wait for them.
    fn wake_followers(&self, committed: &[Arc<Message>]) {
        let channels = committed.iter().map(|message| &message.channel);
        self.wake.wake(&channels.collect());
    }
}
