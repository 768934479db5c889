//! A stored log that is a copy of one that is numbered elsewhere.

use super::WriteConnection;
use crate::limits;
use crate::log::sqlite::known_closes::KnownCloses;
use crate::log::sqlite::{last_entry, restart};
use crate::log::used_keys::UsedKeys;
use crate::log::{Commit, Known, Moment, Numbered, StoreError};
use crate::message::{Draft, Epoch, Seq};

impl WriteConnection {
    /// Commits entries that were numbered elsewhere, as [`Store::apply`](crate::log::Store::apply)
    /// promises.
    pub(in crate::log::sqlite) fn apply(
        &mut self,
        entries: Vec<Numbered>,
        now: &Moment,
    ) -> Result<Commit, StoreError> {
        let entries = entries.into_iter();
        self.insert(entries.map(|entry| (entry.draft, Some(entry.place))), now)
    }

    /// Says what is known of drafts, as [`Store::known`](crate::log::Store::known) promises.
    pub(in crate::log::sqlite) fn known(
        &self,
        drafts: &[Draft],
        now: &Moment,
    ) -> Result<Vec<Known>, StoreError> {
        let answers = self.keys.answers(drafts, now);
        let known = drafts.iter().zip(answers).map(|(draft, answer)| {
            let last = match &draft.precondition {
                Some(_) => last_entry::find(&self.connection, &draft.channel)?,
                None => None,
            };
            Ok(Known { answer, last })
        });
        Ok(known.collect::<rusqlite::Result<_>>()?)
    }

    /// Lets the log begin after `through`, as [`Store::skip`](crate::log::Store::skip) promises; with this
    /// epoch, if there is one.
    pub(in crate::log::sqlite) fn skip(
        &mut self,
        through: Seq,
        epoch: Option<&Epoch>,
        now: &Moment,
    ) -> Result<(), StoreError> {
        self.prepare()?;
        self.write(
            limits::LOCK_TIMEOUT,
            Some(now),
            |connection, log_row, _| match epoch {
                Some(epoch) => restart::begin_anew(connection, log_row, through, epoch),
                None => restart::begin_after(connection, log_row, through),
            },
        )?;
        let max = self.keys.max();
        self.set_keys(UsedKeys::default());
        self.keys.set_max(max);
        let closes = KnownCloses::load(&self.connection, through)?;
        *self.shared.closes.lock() = closes;
        if let Some(epoch) = epoch {
            // Before the lock file names the new epoch the main file has it: a write-ahead log next to a
            // main file of another epoch would be taken for one of another log.
            self.checkpoint("PRAGMA wal_checkpoint(TRUNCATE)")?;
            self.record.epoch = epoch.clone();
            self.record.last = through;
            (self.record.wal, self.record.base) = (None, through);
            self.shared.lock.note(&self.record);
        }
        Ok(())
    }

    /// Sets the position before which nothing is kept.
    pub(in crate::log::sqlite) fn set_head(&mut self, head: Seq) {
        self.retention.set_head(head);
    }
}
