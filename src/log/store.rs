//! The contract of a store, and which there are.
//!
//! A store is the ground state: it numbers messages and says when they came, keeps them as
//! durably as it promises, and knows what it has let go. It owes the log this:
//!
//! - [`Store::commit`] takes a whole batch or none of it, numbers it behind all that came before,
//!   with times that never fall, and returns only when the batch is as durable as it gets. A draft
//!   whose key its channel has seen within [`limits::IDEMPOTENCY_WINDOW`](crate::limits::IDEMPOTENCY_WINDOW), in
//!   this batch or before, is not appended: its receipt is the first one's.
//! - [`Store::read`] gives what is kept of some channels behind a place, in seq order, and puts a
//!   [`Gap`] where messages behind that place are gone.
//! - [`Store::locate`] finds a place to begin at.
//! - [`Store::retain`] lets go of what is too old, in steps that do not hold up a commit.
//! - [`Store::probe`] finds out whether a commit would be taken, after one that was not.
//!
//! `tests/it/store.rs` is the contract as a suite that every store passes.

use std::sync::Arc;

use super::cursor::StartAt;
use super::memory::Memory;
use super::sqlite::Sqlite;
use super::{PageLimit, Selection};
use crate::message::{Channel, Draft, Epoch, Gap, Message, Receipt, Seq, Timestamp};

/// How much is kept: what lies beyond either may go.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Messages a channel.
    pub messages: usize,
    /// Age.
    pub age: std::time::Duration,
}

/// The store cannot do what was asked. Nothing was done by halves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is not available: {0}")]
pub struct StoreError(pub String);

/// What a commit has come to.
#[derive(Debug)]
pub struct Commit {
    /// What became of each draft, in their order.
    pub receipts: Vec<Receipt>,
    /// The messages that are new, in seq order.
    pub messages: Vec<Arc<Message>>,
}

/// A part of the log, as a store has it.
#[derive(Debug)]
pub struct Page {
    /// Messages and gaps, in seq order.
    pub items: Vec<Stored>,
    /// All that is selected up to this place has been considered.
    pub through: Seq,
    /// The newest place whose message had been let go when this was read: up to there may stand
    /// gaps of messages before `through`.
    pub trimmed_through: Seq,
}

/// One thing on a [`Page`].
#[derive(Debug)]
pub enum Stored {
    /// A message that is kept.
    Message(Arc<Message>),
    /// Messages that are gone; it stands where the last of them stood.
    Gap(Gap),
}

impl Stored {
    /// Where it stands.
    #[must_use]
    pub fn seq(&self) -> Seq {
        match self {
            Stored::Message(message) => message.seq,
            Stored::Gap(gap) => gap.resumes,
        }
    }

    /// How much text it has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Stored::Message(message) => message.data.len(),
            Stored::Gap(_) => 0,
        }
    }
}

/// One of the stores.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a log has one of them")]
pub enum Store {
    /// In memory: gone with the process.
    Memory(Memory),
    /// In a file: there when the process is gone.
    Sqlite(Sqlite),
}

#[expect(
    clippy::unused_async,
    reason = "the contract waits, whether or not a store does"
)]
impl Store {
    /// The life of the log that the store holds.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        match self {
            Store::Memory(store) => store.epoch(),
            Store::Sqlite(store) => store.epoch(),
        }
    }

    /// The oldest place that still has its message (0 if none has), and the newest: no place that
    /// has been read from the store lies behind it.
    #[must_use]
    pub fn bounds(&self) -> (Seq, Seq) {
        match self {
            Store::Memory(store) => store.bounds(),
            Store::Sqlite(store) => store.bounds(),
        }
    }

    /// The newest place whose message has been let go (0 if none has).
    #[must_use]
    pub fn trimmed_through(&self) -> Seq {
        match self {
            Store::Memory(store) => store.trimmed_through(),
            Store::Sqlite(store) => store.trimmed_through(),
        }
    }

    /// The store, if it is one that takes a batch at once and always: the others hold up the thread
    /// that [`Store::commit`], [`Store::retain`] and [`Store::probe`] are called on.
    pub(super) fn at_once(&self) -> Option<&Memory> {
        match self {
            Store::Memory(store) => Some(store),
            Store::Sqlite(_) => None,
        }
    }

    /// Takes a batch, whole or not at all.
    ///
    /// # Errors
    /// When it is not in the log, and will not be.
    pub async fn commit(&self, drafts: Vec<Draft>, now: Timestamp) -> Result<Commit, StoreError> {
        match self {
            Store::Memory(store) => Ok(store.commit(drafts, now)),
            Store::Sqlite(store) => store.commit(drafts, now),
        }
    }

    /// What is selected behind `after`, as much of it as there is room for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read(
        &self,
        selection: &Selection,
        after: Seq,
        room: PageLimit,
    ) -> Result<Page, StoreError> {
        match self {
            Store::Memory(store) => Ok(store.read(selection, after, room)),
            Store::Sqlite(store) => store.read(selection, after, room).await,
        }
    }

    /// The place in each of the channels behind which a follower begins.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn locate(
        &self,
        channels: &[Channel],
        place: StartAt,
        now: Timestamp,
    ) -> Result<Selection, StoreError> {
        match self {
            Store::Memory(store) => Ok(store.locate(channels, place, now)),
            Store::Sqlite(store) => store.locate(channels, place, now).await,
        }
    }

    /// Lets go of some of what is too old at `now`; true if there may be more.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn retain(&self, now: Timestamp) -> Result<bool, StoreError> {
        match self {
            Store::Memory(store) => {
                store.retain(now);
                Ok(false)
            }
            Store::Sqlite(store) => store.retain(now),
        }
    }

    /// Would a commit be taken? Asked after one that failed, until it would.
    ///
    /// # Errors
    /// When it would not, and why.
    pub async fn probe(&self) -> Result<(), StoreError> {
        match self {
            Store::Memory(_) => Ok(()),
            Store::Sqlite(store) => store.probe(),
        }
    }
}
