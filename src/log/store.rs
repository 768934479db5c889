//! The contract of a store, and the stores that there are.
//!
//! A store is the ground state of the log: it numbers messages and gives them their times, keeps
//! them as durably as it promises, and knows which it has trimmed. The log relies on this:
//!
//! - [`Store::commit`] takes a whole batch or none of it. It numbers the messages after all earlier
//!   ones, gives them the moment's time, and returns only when the batch is as durable as the store
//!   promises. A draft whose key was used in its channel within
//!   [`limits::IDEMPOTENCY_WINDOW`](crate::limits::IDEMPOTENCY_WINDOW), in this batch or before, is
//!   not appended: its receipt is that of the first message with the key, or says why there is none.
//!   The lines of an upload share a key, which goes on with each of them: a line is appended if it is the
//!   next one of what was appended under the key, and those before it are the same
//!   ([`LineKey`](crate::message::LineKey)). The key's window begins anew with each line.
//!   Any other draft with a [`Precondition`](crate::message::Precondition) is appended only if that
//!   holds when its turn comes, after all drafts in front of it in the batch. The last entry of a channel
//!   is its newest message, also when that has been trimmed, or a close after it. A channel that the store has
//!   forgotten ([`limits::EMPTY_CHANNELS_MAX`](crate::limits::EMPTY_CHANNELS_MAX)) has no entry, just as
//!   one that never had any: the two cannot be told apart.
//! - A draft may close its channel ([`Closing`](crate::message::Closing)): by a mark on its message, or
//!   alone, as an entry that has a seq and no message. The next entry opens the channel again, or closes it
//!   anew. A channel stays closed, whatever is trimmed, until it is forgotten.
//! - [`Store::read`] returns the kept messages of some channels and patterns after a position, in seq order,
//!   a [`Gap`] where messages after that position have been trimmed, and a [`Close`] where the last entry of
//!   a channel closes it. A close that is not in force any more is passed over.
//! - [`Store::locate`] finds a position to start at.
//! - [`Store::closes`] tells which of some channels are closed.
//! - [`Store::list`] lists the channels that are known.
//! - [`Store::retain`] deletes expired messages and keys, in steps that do not hold up a commit. Apart
//!   from it only a commit trims messages, when there are too many, and a write that finds the disk
//!   full. Nothing else deletes a message.
//!   Age is told by the log's clock ([`Moment::earlier`]), never by the messages' times. A store that
//!   outlives the process keeps that clock (`SavedClock`).
//! - [`Store::probe`] finds out whether a commit would be taken, after one that was not.
//!
//! # A copy
//!
//! Where several servers share a log (`cluster`), each has a store as its copy of it. [`Store::apply`] takes
//! entries with the numbers and times that they have there, by the code that commits the store's own, and
//! nothing is against one of them (`copy.rs`).
//!
//! # Another store
//!
//! Another store is one file next to `memory.rs` (or a directory, as `sqlite`) with these
//! functions, a variant of the enum [`Store`] with an arm in each of its functions, and a choice of
//! it in `config.rs` and `server/mod.rs`, where a store is made. `tests/it/store.rs` is the
//! contract as a suite that every store has to pass: the new store is one more entry in its list.
//! [`Store::as_nonblocking`] returns a `&Memory`, so a second store that does not block changes that
//! type.
//! The tables of other modules ([`SideTables`](super::SideTables)) stay in `SQLite`.

use std::sync::Arc;

use super::clock_state::SavedClock;
use super::cursor::StartAt;
use super::memory::Memory;
use super::sqlite::Sqlite;
use super::{ChannelInfo, LogClock, Moment, PageLimit, Selection, Subscription};
use crate::limits;
use crate::machine_clock::MachineClock;
use crate::message::{Channel, Close, Cursor, Draft, Epoch, Gap, Message, Pattern, Receipt, Seq};

/// How much a store keeps. A message that is beyond either bound may be deleted.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// How many messages a channel keeps.
    pub messages: usize,
    /// How old a message may become.
    pub age: std::time::Duration,
}

/// The error of a store that cannot do what was asked, with the reason as a sentence. Nothing was
/// done by halves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is not available: {0}")]
pub struct StoreError(pub String);

/// Why it is not known where a follower starts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocateError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The last message of this many channels is asked for, or of more.
    #[error("the patterns have {0} channels or more; the limit is {max}", max = limits::KNOWN_CHANNELS_MAX)]
    TooManyChannels(usize),
}

/// For those who name a channel, and so meet no other error.
impl From<LocateError> for StoreError {
    fn from(error: LocateError) -> StoreError {
        match error {
            LocateError::Store(error) => error,
            LocateError::TooManyChannels(_) => StoreError(error.to_string()),
        }
    }
}

/// Why a draft with an idempotency key or a precondition was not appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftRefusal {
    /// The key was used in the channel with another event name or text, for the message at this
    /// position.
    #[error("its key was used for another message (seq {0})")]
    OtherMessage(Seq),
    /// The key was used in the channel for another upload.
    #[error("its key was used for another upload of {lines} lines (the last is seq {last})")]
    OtherUpload {
        /// The position of that upload's first line; 0 if it is not known.
        first: Seq,
        /// The position of the last line of it that was appended.
        last: Seq,
        /// How many of its lines were appended.
        lines: u64,
    },
    /// The log holds as many keys as it may. The oldest is forgotten after this time.
    #[error("the log holds as many keys as it may")]
    KeysFull(std::time::Duration),
    /// The last entry of the channel is not what the sender expects, but this one; `None` if the
    /// channel has none.
    #[error("the last entry of its channel is another one")]
    OtherLast(Option<Cursor>),
}

impl DraftRefusal {
    /// Checks a draft's precondition against the last entry of its channel, in a log of this epoch.
    pub(super) fn check(
        draft: &Draft,
        epoch: &Epoch,
        last: Option<Seq>,
    ) -> Result<(), DraftRefusal> {
        let precondition = draft.precondition.as_ref();
        if precondition.is_none_or(|precondition| precondition.holds(epoch, last)) {
            return Ok(());
        }
        Err(DraftRefusal::OtherLast(last.map(|seq| Cursor {
            epoch: epoch.clone(),
            seq,
        })))
    }
}

/// The answer to a draft: its receipt, or why it is not to be appended.
pub type DraftAnswer = Result<Receipt, DraftRefusal>;

/// The error of an append with an idempotency key or a precondition. Nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The store could not take the message.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key or the precondition does not let the message be appended.
    #[error(transparent)]
    Refused(#[from] DraftRefusal),
}

/// The result of a commit.
#[derive(Debug)]
pub struct Commit {
    /// The answers to the drafts, in the drafts' order.
    pub answers: Vec<DraftAnswer>,
    /// The messages that are new, in seq order.
    pub messages: Vec<Arc<Message>>,
    /// The closes that are new and in force after the commit, in seq order.
    pub closes: Vec<Close>,
}

/// A part of the log, as it is in the store.
#[derive(Debug)]
pub struct Page {
    /// Messages, gaps and closes, in seq order.
    pub items: Vec<Stored>,
    /// The position up to which the page is complete: it has all items of the selected channels.
    pub through: Seq,
    /// The newest message that had been trimmed when the page was read. Until the reader has come
    /// there, it may meet further gaps.
    pub trimmed_through: Seq,
}

/// One item of a [`Page`].
#[derive(Clone, Debug)]
pub enum Stored {
    /// A message that is kept.
    Message(Arc<Message>),
    /// Messages that have been trimmed. The gap has the position of the last of them.
    Gap(Gap),
    /// A channel is closed.
    Close(Close),
}

impl Stored {
    /// Returns the item's position.
    #[must_use]
    pub fn seq(&self) -> Seq {
        match self {
            Stored::Message(message) => message.seq,
            Stored::Gap(gap) => gap.resumes,
            Stored::Close(close) => close.seq,
        }
    }

    /// Returns how many bytes of text the item has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Stored::Message(message) => message.data.len(),
            Stored::Gap(_) | Stored::Close(_) => 0,
        }
    }
}

impl From<Close> for Stored {
    fn from(close: Close) -> Stored {
        Stored::Close(close)
    }
}

/// A store of one of the kinds that there are.
#[derive(Debug)]
pub enum Store {
    /// A store in memory: its messages are gone when the process ends.
    Memory(Memory),
    /// A store in a file: its messages outlive the process.
    Sqlite(Sqlite),
}

#[expect(
    clippy::unused_async,
    reason = "the contract is async, whether or not a store waits"
)]
impl Store {
    /// Returns the epoch of the log in the store.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        match self {
            Store::Memory(store) => store.epoch(),
            Store::Sqlite(store) => store.epoch(),
        }
    }

    /// Returns the position of the oldest message that is kept (0 if none is), and that of the
    /// newest message that was ever committed. No position read from the store is past the newest.
    #[must_use]
    pub fn bounds(&self) -> (Seq, Seq) {
        match self {
            Store::Memory(store) => store.bounds(),
            Store::Sqlite(store) => store.bounds(),
        }
    }

    /// Returns the position of the newest message that has been trimmed (0 if none has).
    #[must_use]
    pub fn trimmed_through(&self) -> Seq {
        match self {
            Store::Memory(store) => store.trimmed_through(),
            Store::Sqlite(store) => store.trimmed_through(),
        }
    }

    /// Sets how many idempotency keys may be held (otherwise
    /// [`IDEMPOTENCY_KEYS_MAX`](crate::limits::IDEMPOTENCY_KEYS_MAX)).
    pub fn set_keys_max(&self, max: usize) {
        match self {
            Store::Memory(store) => store.set_keys_max(max),
            Store::Sqlite(store) => store.set_keys_max(max),
        }
    }

    /// Returns how many idempotency keys are held.
    #[must_use]
    pub fn keys_held(&self) -> usize {
        match self {
            Store::Memory(store) => store.keys_held(),
            Store::Sqlite(store) => store.keys_held(),
        }
    }

    /// Returns the clock of the store's log, which goes on where it stood.
    #[must_use]
    pub fn resume_clock(&self, machine: MachineClock) -> LogClock {
        LogClock::resume(machine, self.saved_clock())
    }

    /// Returns what the store has kept of the log's clock; `None` if the log begins with the
    /// process.
    fn saved_clock(&self) -> Option<SavedClock> {
        match self {
            Store::Memory(_) => None,
            Store::Sqlite(store) => Some(store.saved_clock()),
        }
    }

    /// Returns the store if it is a non-blocking one, which takes every batch at once. The other
    /// stores block the thread that calls [`Store::commit`], [`Store::retain`] or [`Store::probe`].
    pub(super) fn as_nonblocking(&self) -> Option<&Memory> {
        match self {
            Store::Memory(store) => Some(store),
            Store::Sqlite(_) => None,
        }
    }

    /// Commits a batch, as a whole or not at all.
    ///
    /// # Errors
    /// When the store could not take the batch; then none of it is in the log, now or later.
    pub async fn commit(&self, drafts: Vec<Draft>, now: &Moment) -> Result<Commit, StoreError> {
        match self {
            Store::Memory(store) => Ok(store.commit(drafts, now)),
            Store::Sqlite(store) => store.commit(drafts, now),
        }
    }

    /// Returns the selected messages and gaps after `after`, as many as `limit` allows.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read(
        &self,
        selection: &Selection,
        after: Seq,
        limit: PageLimit,
    ) -> Result<Page, StoreError> {
        match self {
            Store::Memory(store) => Ok(store.read(selection, after, limit)),
            Store::Sqlite(store) => store.read(selection, after, limit).await,
        }
    }

    /// Finds the position in each of the channels after which a follower starts.
    ///
    /// # Errors
    /// When the store cannot be read, or the last message of too many channels is asked for.
    pub async fn locate(
        &self,
        subscription: &Subscription,
        start_at: StartAt,
    ) -> Result<Selection, LocateError> {
        match self {
            Store::Memory(store) => store.locate(subscription, start_at),
            Store::Sqlite(store) => store.locate(subscription, start_at).await,
        }
    }

    /// Returns the closes of these channels that are in force, as of the position `at` or later.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn closes(&self, channels: &[Channel], at: Seq) -> Result<Vec<Close>, StoreError> {
        match self {
            Store::Memory(store) => Ok(store.closes(channels)),
            Store::Sqlite(store) => store.closes(channels, at).await,
        }
    }

    /// Lists the channels of a pattern that the store knows and whose names come after `after`, in the
    /// order of their names, at most `limit` of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(
        &self,
        pattern: &Pattern,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ChannelInfo>, StoreError> {
        match self {
            Store::Memory(store) => Ok(store.list(pattern, after, limit)),
            Store::Sqlite(store) => store.list(pattern, after, limit).await,
        }
    }

    /// Reads the newest message, as a trial: what every follower needs can be read then.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read_newest(&self) -> Result<(), StoreError> {
        match self {
            Store::Memory(_) => Ok(()),
            Store::Sqlite(store) => store.read_newest().await,
        }
    }

    /// Deletes some of the messages and keys that are too old at `now`. Returns whether there may be
    /// more to delete.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn retain(&self, now: &Moment) -> Result<bool, StoreError> {
        match self {
            Store::Memory(store) => Ok(store.retain(now)),
            Store::Sqlite(store) => store.retain(now),
        }
    }

    /// Checks whether a commit would be taken. The log asks this after a commit that failed, until
    /// one would.
    ///
    /// # Errors
    /// When a commit would not be taken, with the reason.
    pub async fn probe(&self) -> Result<(), StoreError> {
        match self {
            Store::Memory(_) => Ok(()),
            Store::Sqlite(store) => store.probe(),
        }
    }
}
