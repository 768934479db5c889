//! A log in memory that is a copy of one that is numbered elsewhere.

use super::{Memory, MemoryState};
use crate::log::{Commit, Known, Moment, Numbered};
use crate::message::{Draft, Epoch, Seq};

impl Memory {
    pub(in crate::log) fn apply(&self, entries: Vec<Numbered>, now: &Moment) -> Commit {
        let entries = entries.into_iter();
        self.insert(entries.map(|entry| (entry.draft, Some(entry.place))), now)
    }

    pub(in crate::log) fn known(&self, drafts: &[Draft], now: &Moment) -> Vec<Known> {
        let state = self.state.lock();
        let answers = state.keys.answers(drafts, now);
        let known = drafts.iter().zip(answers).map(|(draft, answer)| Known {
            answer,
            last: (draft.precondition.as_ref()).and_then(|_| state.last_entry(&draft.channel)),
        });
        known.collect()
    }

    pub(in crate::log) fn skip(&self, through: Seq) {
        let mut state = self.state.lock();
        let max = state.keys.max();
        *state = MemoryState {
            last: through,
            trimmed_through: through,
            forgotten: through,
            head: state.head,
            ..MemoryState::default()
        };
        state.keys.set_max(max);
    }

    pub(in crate::log) fn begin_anew(&mut self, epoch: &Epoch, through: Seq) {
        self.skip(through);
        self.epoch = epoch.clone();
    }

    pub(in crate::log) fn set_head(&self, head: Seq) {
        self.state.lock().head = head;
    }
}
