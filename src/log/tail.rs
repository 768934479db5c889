//! The tail: the newest committed messages, in memory, for the followers that are up to date.
//!
//! Pure: committed messages go in, and a cursor gets its next step. Whichever store commits the
//! messages, they are pushed in seq order, and only after their commit.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::closes::{self, Closes};
use super::{Entry, Item, PageLimit, Selection};
use crate::limits;
use crate::message::{Channel, Close, Seq};

/// The next step of a cursor.
#[derive(Debug)]
pub(super) enum TailStep {
    /// The cursor gets these messages and closes, and moves to `through`.
    Ready { items: Vec<Item>, through: Seq },
    /// The cursor's next messages are older than the tail and have to be fetched from the store.
    Fetch,
    /// There is nothing new up to `through`; the cursor moves there and waits to be woken.
    Wait { through: Seq },
}

/// The newest committed messages, in memory.
#[derive(Debug)]
pub(super) struct Tail {
    /// Every entry that was committed after this position is in the tail.
    floor: Seq,
    /// The position of the newest entry: a message, or a close.
    last: Seq,
    /// How many bytes the messages may take ([`Message::cost`](crate::message::Message::cost)).
    budget: usize,
    /// How many bytes the messages take.
    bytes: usize,
    /// The messages of all channels, in seq order.
    all: VecDeque<Arc<Entry>>,
    /// The messages of each channel, in seq order.
    channels: HashMap<Channel, VecDeque<Arc<Entry>>>,
    /// The closes that are in force.
    closes: Closes,
}

impl Tail {
    /// Returns the empty tail of a log whose newest message is `last`. It holds up to `budget`
    /// bytes.
    #[must_use]
    pub(super) fn new(last: Seq, budget: usize) -> Tail {
        Tail {
            floor: last,
            last,
            budget,
            bytes: 0,
            all: VecDeque::new(),
            channels: HashMap::new(),
            closes: Closes::default(),
        }
    }

    /// Returns the position of the newest entry.
    #[must_use]
    pub(super) fn last(&self) -> Seq {
        self.last
    }

    /// Adds the messages of a commit, in seq order, and the closes that are in force after it, and drops
    /// the oldest entries beyond the bounds.
    pub(super) fn push(
        &mut self,
        messages: impl IntoIterator<Item = Arc<Entry>>,
        closes: Vec<Close>,
    ) {
        for entry in messages {
            let message = entry.message();
            debug_assert!(message.seq > self.last, "numbers only rise");
            self.last = message.seq;
            self.closes.remove(&message.channel);
            self.bytes += message.cost();
            self.channels
                .entry(message.channel.clone())
                .or_default()
                .push_back(Arc::clone(&entry));
            self.all.push_back(entry);
        }
        for close in closes {
            self.last = self.last.max(close.seq);
            self.closes.insert(close);
        }
        while self.bytes > self.budget {
            self.drop_oldest();
        }
        while self.closes.len() > limits::KNOWN_CLOSES_MAX
            && let Some(seq) = self.closes.pop_first()
        {
            self.raise_floor(seq);
        }
    }

    /// Goes on after a position, and has nothing of what was before it.
    pub(super) fn skip(&mut self, through: Seq) {
        let last = self.last;
        self.raise_floor(last);
        self.closes = Closes::default();
        self.floor = through;
        self.last = through;
    }

    /// Drops all entries up to a position.
    fn raise_floor(&mut self, floor: Seq) {
        while self
            .all
            .front()
            .is_some_and(|entry| entry.message().seq <= floor)
        {
            self.drop_oldest();
        }
        self.floor = self.floor.max(floor);
    }

    fn drop_oldest(&mut self) {
        let Some(entry) = self.all.pop_front() else {
            return;
        };
        self.bytes -= entry.message().cost();
        self.floor = entry.message().seq;
        while self.closes.first().is_some_and(|seq| seq <= self.floor) {
            self.closes.pop_first();
        }
        let channel = &entry.message().channel;
        if let Some(entries) = self.channels.get_mut(channel) {
            entries.pop_front();
            if entries.is_empty() {
                self.channels.remove(channel);
            }
        }
    }

    /// Whether every entry after this position is in the tail.
    #[must_use]
    pub(super) fn reaches_back_to(&self, after: Seq) -> bool {
        after >= self.floor
    }

    /// Returns the next step of a cursor at `after`, with as many messages as `limit` allows.
    #[must_use]
    pub(super) fn step(&self, selection: &Selection, after: Seq, limit: PageLimit) -> TailStep {
        if !self.reaches_back_to(after) {
            return TailStep::Fetch;
        }
        if after >= self.last {
            return TailStep::Wait { through: after };
        }
        if !selection.patterns().is_empty() {
            return self.step_over_all(selection, after, limit);
        }
        // One run of entries per channel, each in seq order, to be merged.
        let run = |(channel, from): &(Channel, Seq)| {
            let entries = self.channels.get(channel)?;
            let start = first_after(entries, after.max(*from));
            Some(entries.range(start..).peekable()).filter(|run| run.len() > 0)
        };
        let mut runs: Vec<_> = selection.channels().iter().filter_map(run).collect();
        let mut entries = Vec::new();
        let mut remaining = limit;
        // A run that has come to its end is removed, so every run in the list has a next entry.
        while let Some(first) =
            (0..runs.len()).min_by_key(|&i| runs[i].peek().map(|entry| entry.message().seq))
        {
            let Some(next) = runs[first].peek() else {
                break;
            };
            if !remaining.try_take(next.message().data.len()) {
                break;
            }
            entries.push(Arc::clone(next));
            runs[first].next();
            if runs[first].peek().is_none() {
                drop(runs.swap_remove(first));
            }
        }
        let through = match entries.last() {
            Some(last) if !runs.is_empty() => last.message().seq,
            _ => self.last,
        };
        self.ready(selection, after, entries, through)
    }

    /// The step of a cursor at `after` that gets these entries, and the closes up to `through`.
    fn ready(
        &self,
        selection: &Selection,
        after: Seq,
        entries: Vec<Arc<Entry>>,
        through: Seq,
    ) -> TailStep {
        let mut items: Vec<_> = entries.into_iter().map(Item::Message).collect();
        let closes = self.closes.of(selection, after, through);
        closes::insert(&mut items, closes, Item::seq);
        if items.is_empty() {
            return TailStep::Wait { through };
        }
        TailStep::Ready { items, through }
    }

    /// The next step of a cursor with patterns, which looks at the messages of all channels.
    fn step_over_all(&self, selection: &Selection, after: Seq, mut limit: PageLimit) -> TailStep {
        let (mut entries, mut through) = (Vec::new(), self.last);
        for entry in self.all.range(first_after(&self.all, after)..) {
            let message = entry.message();
            if !selection.wants(&message.channel, message.seq) {
                continue;
            }
            if !limit.try_take(message.data.len()) {
                through = message.seq.before();
                break;
            }
            entries.push(Arc::clone(entry));
        }
        self.ready(selection, after, entries, through)
    }
}

/// Returns the index of the first entry after `seq`. Most followers lag by only a few entries, so
/// the search begins at the end, in steps that double: each look at an old entry is a cache miss.
fn first_after(entries: &VecDeque<Arc<Entry>>, seq: Seq) -> usize {
    let is_after = |index: usize| entries[index].message().seq > seq;
    let (mut end, mut step) = (entries.len(), 1);
    while end >= step && is_after(end - step) {
        end -= step;
        step *= 2;
    }
    let mut start = end.saturating_sub(step);
    while start < end {
        let middle = usize::midpoint(start, end);
        if is_after(middle) {
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
            TailStep::Ready { items, through } => {
                (items.iter().map(|item| item.seq().0).collect(), through.0)
            }
            other => panic!("{other:?}"),
        }
    }

    /// A step merges the channels in seq order.
    #[test]
    fn step_merges_channels() {
        let mut tail = Tail::new(Seq(10), 1 << 20);
        tail.push(
            [
                entry(11, "a"),
                entry(12, "b"),
                entry(14, "c"),
                entry(15, "a"),
            ],
            Vec::new(),
        );
        let limit = PageLimit::new(10, 1000);
        assert_eq!(
            seqs(tail.step(&selection(&["a", "b"]), Seq(10), limit)),
            (vec![11, 12, 15], 15)
        );
        assert_eq!(
            seqs(tail.step(&selection(&["b"]), Seq(10), limit)),
            (vec![12], 15)
        );
        assert_eq!(
            seqs(tail.step(&selection(&["a"]), Seq(11), limit)),
            (vec![15], 15)
        );
        assert!(matches!(
            tail.step(&selection(&["d"]), Seq(10), limit),
            TailStep::Wait { through: Seq(15) }
        ));
        assert!(matches!(
            tail.step(&selection(&["a"]), Seq(15), limit),
            TailStep::Wait { through: Seq(15) }
        ));
        assert!(matches!(
            tail.step(&selection(&["a"]), Seq(9), limit),
            TailStep::Fetch
        ));
    }

    /// The first entry after a position is found wherever it is.
    #[test]
    fn first_after_finds_every_position() {
        for count in 0..40 {
            // Every second seq.
            let entries: VecDeque<_> = (1..=count).map(|n| entry(2 * n, "a")).collect();
            for seq in 0..=2 * count + 2 {
                let expected = entries.partition_point(|entry| entry.message().seq.0 <= seq);
                assert_eq!(
                    first_after(&entries, Seq(seq)),
                    expected,
                    "{seq} of {count}"
                );
            }
        }
    }

    /// A step has no more messages than its limit allows, and at least one.
    #[test]
    fn step_keeps_to_its_limit() {
        let mut tail = Tail::new(Seq(0), 1 << 20);
        tail.push((1..=9).map(|seq| entry(seq, "a")), Vec::new());
        assert_eq!(
            seqs(tail.step(&selection(&["a"]), Seq(0), PageLimit::new(2, 1000))),
            (vec![1, 2], 2)
        );
        let one = entry(1, "a").message().data.len();
        assert_eq!(
            seqs(tail.step(&selection(&["a"]), Seq(0), PageLimit::new(9, one * 3))),
            (vec![1, 2, 3], 3)
        );
        // The first message always fits: one that is longer than the limit goes alone.
        assert_eq!(
            seqs(tail.step(&selection(&["a"]), Seq(0), PageLimit::new(9, 0))),
            (vec![1], 1)
        );
    }

    /// The oldest messages are dropped when the tail exceeds its budget.
    #[test]
    fn tail_drops_oldest_beyond_budget() {
        let mut tail = Tail::new(Seq(0), 3 * entry(1, "a").message().cost());
        let entries = (1..=5).map(|seq| entry(seq, if seq % 2 == 0 { "even" } else { "odd" }));
        tail.push(entries, Vec::new());
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
