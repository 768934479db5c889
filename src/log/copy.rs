//! What a store does besides when it is a copy of a log that is numbered elsewhere: it takes entries with
//! their places, and says what it knows of drafts before they are sent there.

use super::{Commit, Known, Moment, Numbered, Store, StoreError};
use crate::message::{Draft, Epoch, Seq};

#[expect(
    clippy::unused_async,
    reason = "the contract is async, whether or not a store waits"
)]
impl Store {
    /// Commits entries that were numbered elsewhere, as a whole or not at all: their positions follow the
    /// last one of the store without a hole, and nothing is against any of them, neither a key nor a
    /// precondition. A position may have no entry.
    ///
    /// # Errors
    /// When the store could not take the entries; then it has none of them.
    pub async fn apply(&self, entries: Vec<Numbered>, now: &Moment) -> Result<Commit, StoreError> {
        match self {
            Store::Memory(store) => Ok(store.apply(entries, now)),
            Store::Sqlite(store) => store.apply(entries, now),
        }
    }

    /// Says what is known of each of these drafts, which are to be numbered elsewhere: the answer that its
    /// key has, and the last entry of its channel if it has a precondition.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn known(&self, drafts: &[Draft], now: &Moment) -> Result<Vec<Known>, StoreError> {
        match self {
            Store::Memory(store) => Ok(store.known(drafts, now)),
            Store::Sqlite(store) => store.known(drafts, now),
        }
    }

    /// Lets the log begin after `through`: all up to there is gone, and whoever asks for it is told of a
    /// gap.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn skip(&self, through: Seq, now: &Moment) -> Result<(), StoreError> {
        match self {
            Store::Memory(store) => {
                store.skip(through);
                Ok(())
            }
            Store::Sqlite(store) => store.skip(through, now),
        }
    }

    /// Makes an empty log of another epoch of this one, which begins after `through`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn begin_anew(
        &mut self,
        epoch: &Epoch,
        through: Seq,
        now: &Moment,
    ) -> Result<(), StoreError> {
        match self {
            Store::Memory(store) => {
                store.begin_anew(epoch, through);
                Ok(())
            }
            Store::Sqlite(store) => store.begin_anew(epoch, through, now),
        }
    }

    /// Sets the position before which retention keeps nothing.
    pub fn set_head(&self, head: Seq) {
        match self {
            Store::Memory(store) => store.set_head(head),
            Store::Sqlite(store) => store.set_head(head),
        }
    }
}
