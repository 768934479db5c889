//! The places in the log where times fall, because the wall clock was set back. Pure.

use std::collections::VecDeque;

use crate::limits;
use crate::message::Seq;

/// The messages that show an earlier time than the message before them, the newest
/// [`limits::CLOCK_FALLS_MAX`] of them. In each run between two of them the times rise.
#[derive(Clone, Debug, Default)]
pub(super) struct Falls(VecDeque<Seq>);

impl Falls {
    /// Returns the falls at these positions, which must rise.
    pub(super) fn at(seqs: impl IntoIterator<Item = Seq>) -> Falls {
        let mut falls = Falls::default();
        for seq in seqs {
            falls.note(seq);
        }
        falls
    }

    /// Notes that the newest message's time is earlier than that of the message before.
    pub(super) fn note(&mut self, seq: Seq) {
        self.0.push_back(seq);
        if self.0.len() > limits::CLOCK_FALLS_MAX {
            self.0.pop_front();
        }
    }

    /// Returns the runs in which times rise, in their order: each as the position before its first
    /// message, and that of its last one.
    pub(super) fn runs(&self, last: Seq) -> impl Iterator<Item = (Seq, Seq)> {
        let begins = self.0.iter().map(|seq| seq.before());
        let ends = begins.clone().chain([last]);
        [Seq::START].into_iter().chain(begins).zip(ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The runs are the whole log, in parts.
    #[test]
    fn runs_are_the_whole_log() {
        let runs = |falls: &[u64], last| -> Vec<(u64, u64)> {
            let falls = Falls::at(falls.iter().map(|seq| Seq(*seq)));
            falls
                .runs(Seq(last))
                .map(|(from, to)| (from.0, to.0))
                .collect()
        };
        assert_eq!(runs(&[], 9), [(0, 9)]);
        assert_eq!(runs(&[5, 9], 9), [(0, 4), (4, 8), (8, 9)]);
    }
}
