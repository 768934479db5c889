//! The letters that have returned to their mailboxes most recently.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::limits;
use crate::message::Seq;

/// Remembers which letters have returned, also of mailboxes that are no longer in use. It is bounded:
/// a letter that it has forgotten counts as one that has never returned.
#[derive(Debug, Default)]
pub(super) struct ReturnedLetters(Mutex<VecDeque<Seq>>);

impl ReturnedLetters {
    /// Adds a letter, by its position in the log, which no other letter of any mailbox has.
    pub(super) fn add(&self, seq: Seq) {
        let mut letters = self.0.lock();
        if letters.contains(&seq) {
            return;
        }
        if letters.len() == limits::MAILBOX_RETURNED_MAX {
            letters.pop_front();
        }
        letters.push_back(seq);
    }

    /// Removes a letter, which is acknowledged.
    pub(super) fn remove(&self, seq: Seq) {
        self.0.lock().retain(|letter| *letter != seq);
    }

    /// Whether the letter has returned.
    pub(super) fn contains(&self, seq: Seq) -> bool {
        self.0.lock().contains(&seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At the bound the letter that returned first is forgotten; an acknowledged letter leaves.
    #[test]
    fn returned_letters_are_bounded() {
        let letters = ReturnedLetters::default();
        let max = limits::MAILBOX_RETURNED_MAX as u64;
        for seq in 0..max {
            letters.add(Seq(seq));
        }
        letters.add(Seq(0));
        assert!(letters.contains(Seq(0)), "it is there only once");
        letters.add(Seq(max));
        assert!(!letters.contains(Seq(0)) && letters.contains(Seq(max)));
        letters.remove(Seq(max));
        assert!(!letters.contains(Seq(max)) && letters.contains(Seq(1)));
    }
}
