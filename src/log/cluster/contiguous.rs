//! What has come of the engine's log: without a hole, whatever order it came in. Pure.

use std::collections::{BTreeMap, VecDeque};

use crate::limits;
use crate::message::Seq;

/// Entries on their way into the copy. Only the one after the last is ever next, so nothing is passed over,
/// taken twice or turned round, whatever comes.
#[derive(Debug)]
pub(super) struct Contiguous<T> {
    /// The last of `next`; or, while there is none, the last that was taken.
    end: Seq,
    /// What follows what was taken, with the bytes of each.
    next: VecDeque<(T, usize)>,
    /// What comes after a hole.
    ahead: BTreeMap<Seq, (T, usize)>,
    /// The bytes of all that is here.
    bytes: usize,
}

impl<T> Contiguous<T> {
    /// Returns what goes on after a position.
    pub(super) fn after(end: Seq) -> Contiguous<T> {
        Contiguous {
            end,
            next: VecDeque::new(),
            ahead: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// The last position up to which there is no hole.
    pub(super) fn end(&self) -> Seq {
        self.end
    }

    /// Whether an entry is wanted that takes this many bytes: it is new, and there is room for it.
    pub(super) fn wants(&self, seq: Seq, bytes: usize) -> bool {
        let has_room = self.next.len() + self.ahead.len() < limits::CLUSTER_BUFFER_MESSAGES
            && self.bytes + bytes <= limits::CLUSTER_BUFFER_BYTES;
        // The next one alone always has room, or a large one would be asked for for ever.
        let is_next = seq == self.end.next() && self.next.is_empty();
        seq > self.end && (has_room || is_next) && !self.ahead.contains_key(&seq)
    }

    /// Adds an entry that is wanted.
    pub(super) fn insert(&mut self, seq: Seq, entry: T, bytes: usize) {
        if !self.wants(seq, bytes) {
            return;
        }
        self.bytes += bytes;
        if seq > self.end.next() {
            self.ahead.insert(seq, (entry, bytes));
            return;
        }
        self.push(entry, bytes);
        while let Some(first) = self.ahead.first_entry()
            && *first.key() == self.end.next()
        {
            let (entry, bytes) = first.remove();
            self.push(entry, bytes);
        }
    }

    fn push(&mut self, entry: T, bytes: usize) {
        self.end = self.end.next();
        self.next.push_back((entry, bytes));
    }

    /// Takes the next entries, at most `max`.
    pub(super) fn take(&mut self, max: usize) -> Vec<T> {
        let count = self.next.len().min(max);
        let taken = self.next.drain(..count);
        let mut freed = 0;
        let taken = taken
            .map(|(entry, bytes)| {
                freed += bytes;
                entry
            })
            .collect();
        self.bytes -= freed;
        taken
    }

    /// Whether nothing can be taken.
    pub(super) fn is_empty(&self) -> bool {
        self.next.is_empty()
    }

    /// Whether something came of which what is before it has not come.
    pub(super) fn has_hole(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Whether there is room for what a fill brings.
    pub(super) fn has_room_for_fill(&self) -> bool {
        self.next.len() + limits::CLUSTER_FILL_MESSAGES <= limits::CLUSTER_BUFFER_MESSAGES
            && self.bytes + limits::CLUSTER_FILL_BYTES <= limits::CLUSTER_BUFFER_BYTES
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever comes, in whatever order and however often, is taken once each, in order, without a
        /// hole.
        #[test]
        fn taken_entries_are_contiguous(
            seqs in prop::collection::vec(1_u64..60, 0..300),
            takes in prop::collection::vec(0_usize..5, 300),
        ) {
            let mut buffer = Contiguous::after(Seq(7));
            let (mut taken, mut come) = (Vec::new(), std::collections::BTreeSet::new());
            for (seq, max) in seqs.into_iter().zip(takes) {
                buffer.insert(Seq(seq), seq, 10);
                come.insert(seq);
                taken.extend(buffer.take(max));
                prop_assert_eq!(buffer.end().0, 7 + taken.len() as u64 + buffer.next.len() as u64);
            }
            taken.extend(buffer.take(usize::MAX));
            let expected: Vec<u64> = (8..60).take_while(|seq| come.contains(seq)).collect();
            prop_assert_eq!(&taken, &expected);
            let end = 7 + expected.len() as u64;
            prop_assert_eq!(buffer.has_hole(), come.iter().any(|seq| *seq > end));
            prop_assert_eq!(buffer.bytes, buffer.ahead.len() * 10);
        }
    }

    /// What is too much is not taken in, except for an entry that would never fit.
    #[test]
    fn buffer_is_bounded() {
        let mut buffer = Contiguous::after(Seq(0));
        for seq in 2..20_000 {
            buffer.insert(Seq(seq), (), 1);
        }
        assert_eq!(buffer.ahead.len(), limits::CLUSTER_BUFFER_MESSAGES);
        assert!(!buffer.wants(Seq(2), 1), "it is here");
        buffer.insert(Seq(1), (), 2 * limits::CLUSTER_BUFFER_BYTES);
        assert_eq!(
            buffer.take(usize::MAX).len(),
            limits::CLUSTER_BUFFER_MESSAGES + 1
        );
        assert!(buffer.wants(buffer.end().next(), 1) && buffer.is_empty());
        assert!(!buffer.wants(buffer.end(), 1));
    }
}
