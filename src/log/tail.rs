//! The tail: the newest committed messages, in memory, for the followers that are up to date.
//!
//! Pure: committed batches go in, and a step of a cursor is answered. It is fed in seq order by
//! whatever store committed the messages, and holds no message that is not committed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{Entry, PageLimit, Selection};
use crate::message::{Channel, Seq};

/// What a cursor is to do next.
#[derive(Debug)]
pub(super) enum TailStep {
    /// Here are messages; afterwards the cursor stands at `through`.
    Ready {
        entries: Vec<Arc<Entry>>,
        through: Seq,
        /// Is there nothing behind that?
        is_all: bool,
    },
    /// What comes next is older than the tail: the store has it.
    Fetch,
    /// There is nothing new up to `through`: wait to be woken.
    Wait { through: Seq },
}

/// See the module.
#[derive(Debug)]
pub(super) struct Tail {
    /// Every committed message behind this place is here.
    floor: Seq,
    last: Seq,
    budget: usize,
    bytes: usize,
    all: VecDeque<Arc<Entry>>,
    channels: HashMap<Channel, VecDeque<Arc<Entry>>>,
}

impl Tail {
    /// The tail of a log whose newest message is `last`, holding up to `budget` bytes.
    #[must_use]
    pub(super) fn new(last: Seq, budget: usize) -> Tail {
        Tail {
            floor: last,
            last,
            budget,
            bytes: 0,
            all: VecDeque::new(),
            channels: HashMap::new(),
        }
    }

    /// Takes committed messages, in seq order.
    pub(super) fn push(&mut self, committed: impl IntoIterator<Item = Arc<Entry>>) {
        for entry in committed {
            let message = entry.message();
            debug_assert!(message.seq > self.last, "numbers only rise");
            self.last = message.seq;
            self.bytes += message.cost();
            self.channels
                .entry(message.channel.clone())
                .or_default()
                .push_back(Arc::clone(&entry));
            self.all.push_back(entry);
        }
        while self.bytes > self.budget {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(entry) = self.all.pop_front() else {
            return;
        };
        self.bytes -= entry.message().cost();
        self.floor = entry.message().seq;
        let channel = &entry.message().channel;
        if let Some(entries) = self.channels.get_mut(channel) {
            entries.pop_front();
            if entries.is_empty() {
                self.channels.remove(channel);
            }
        }
    }

    /// The next step of a cursor that stands at `after`, with at most `room` to carry.
    #[must_use]
    pub(super) fn step(&self, selection: &Selection, after: Seq, room: PageLimit) -> TailStep {
        if after < self.floor {
            return TailStep::Fetch;
        }
        if after >= self.last {
            return TailStep::Wait { through: after };
        }
        // A run of entries a channel, each in seq order, to be merged.
        let run = |(channel, from): &(Channel, Seq)| {
            let entries = self.channels.get(channel)?;
            let start = behind(entries, after.max(*from));
            Some(entries.range(start..).peekable()).filter(|run| run.len() > 0)
        };
        let mut runs: Vec<_> = selection.iter().filter_map(run).collect();
        let mut entries = Vec::new();
        let mut left = room;
        // A run that has come to its end is taken out, so each has a next entry.
        while let Some(first) =
            (0..runs.len()).min_by_key(|&i| runs[i].peek().map(|entry| entry.message().seq))
        {
            let Some(next) = runs[first].peek() else {
                break;
            };
            if !left.try_take(next.message().data.len()) {
                break;
            }
            entries.push(Arc::clone(next));
            runs[first].next();
            if runs[first].peek().is_none() {
                drop(runs.swap_remove(first));
            }
        }
        match entries.last() {
            None => TailStep::Wait { through: self.last },
            Some(last) => {
                let is_all = runs.is_empty();
                let through = if is_all {
                    self.last
                } else {
                    last.message().seq
                };
                TailStep::Ready {
                    entries,
                    through,
                    is_all,
                }
            }
        }
    }
}

/// Where those begin that stand behind a place. Most who ask are a few behind the newest, so it is
/// looked for from there, in steps that double: each look at an old one costs a walk to memory.
fn behind(entries: &VecDeque<Arc<Entry>>, place: Seq) -> usize {
    let is_behind = |index: usize| entries[index].message().seq > place;
    let (mut end, mut step) = (entries.len(), 1);
    while end >= step && is_behind(end - step) {
        end -= step;
        step *= 2;
    }
    let mut start = end.saturating_sub(step);
    while start < end {
        let middle = usize::midpoint(start, end);
        if is_behind(middle) {
            end = middle;
        } else {
            start = middle + 1;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::testing::{entry, selection};

    fn seqs(step: TailStep) -> (Vec<u64>, u64) {
        match step {
            TailStep::Ready {
                entries, through, ..
            } => (
                entries.iter().map(|e| e.message().seq.0).collect(),
                through.0,
            ),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_step_merges_the_channels_in_seq_order() {
        let mut tail = Tail::new(Seq(10), 1 << 20);
        tail.push([
            entry(11, "a"),
            entry(12, "b"),
            entry(14, "c"),
            entry(15, "a"),
        ]);
        let room = PageLimit::new(10, 1000);
        assert_eq!(
            seqs(tail.step(&selection(&["a", "b"]), Seq(10), room)),
            (vec![11, 12, 15], 15)
        );
        assert_eq!(
            seqs(tail.step(&selection(&["b"]), Seq(10), room)),
            (vec![12], 15)
        );
        assert_eq!(
            seqs(tail.step(&selection(&["a"]), Seq(11), room)),
            (vec![15], 15)
        );
        assert!(matches!(
            tail.step(&selection(&["d"]), Seq(10), room),
            TailStep::Wait { through: Seq(15) }
        ));
        assert!(matches!(
            tail.step(&selection(&["a"]), Seq(15), room),
            TailStep::Wait { through: Seq(15) }
        ));
        assert!(matches!(
            tail.step(&selection(&["a"]), Seq(9), room),
            TailStep::Fetch
        ));
    }

    #[test]
    fn the_first_behind_a_place_is_found_wherever_it_is() {
        for count in 0..40 {
            // Each second number.
            let entries: VecDeque<_> = (1..=count).map(|n| entry(2 * n, "a")).collect();
            for place in 0..=2 * count + 2 {
                let expected = entries.partition_point(|entry| entry.message().seq.0 <= place);
                assert_eq!(behind(&entries, Seq(place)), expected, "{place} of {count}");
            }
        }
    }

    #[test]
    fn a_step_carries_what_there_is_room_for() {
        let mut tail = Tail::new(Seq(0), 1 << 20);
        tail.push((1..=9).map(|seq| entry(seq, "a")));
        assert_eq!(
            seqs(tail.step(&selection(&["a"]), Seq(0), PageLimit::new(2, 1000))),
            (vec![1, 2], 2)
        );
        let one = entry(1, "a").message().data.len();
        assert_eq!(
            seqs(tail.step(&selection(&["a"]), Seq(0), PageLimit::new(9, one * 3))),
            (vec![1, 2, 3], 3)
        );
        // The first always fits: a message longer than the room goes alone.
        assert_eq!(
            seqs(tail.step(&selection(&["a"]), Seq(0), PageLimit::new(9, 0))),
            (vec![1], 1)
        );
    }

    #[test]
    fn what_does_not_fit_the_budget_goes_oldest_first() {
        let mut tail = Tail::new(Seq(0), 3 * entry(1, "a").message().cost());
        tail.push((1..=5).map(|seq| entry(seq, if seq % 2 == 0 { "even" } else { "odd" })));
        assert!(matches!(
            tail.step(&selection(&["odd"]), Seq(1), PageLimit::new(9, 999)),
            TailStep::Fetch
        ));
        assert_eq!(
            seqs(tail.step(&selection(&["odd", "even"]), Seq(2), PageLimit::new(9, 999))),
            (vec![3, 4, 5], 5)
        );
        assert_eq!(tail.channels.len(), 2);
    }
}
