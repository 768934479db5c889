//! The channels that are closed. Pure.

use std::collections::{BTreeMap, HashMap};

use super::Selection;
use crate::message::{Channel, Close, Seq};

/// The channels that are closed, each with the position of the entry that closes it. A channel is closed
/// until something is appended to it.
#[derive(Debug, Default)]
pub(super) struct Closes {
    by_channel: HashMap<Channel, Seq>,
    by_seq: BTreeMap<Seq, Channel>,
}

impl Closes {
    /// How many channels are closed.
    pub(super) fn len(&self) -> usize {
        self.by_channel.len()
    }

    /// The position of the entry that closes a channel; `None` for a channel that is open.
    pub(super) fn seq(&self, channel: &Channel) -> Option<Seq> {
        self.by_channel.get(channel).copied()
    }

    /// The close of a channel; `None` for a channel that is open.
    pub(super) fn get(&self, channel: &Channel) -> Option<Close> {
        let seq = self.seq(channel)?;
        let channel = channel.clone();
        Some(Close { channel, seq })
    }

    /// Closes a channel.
    pub(super) fn insert(&mut self, close: Close) {
        self.remove(&close.channel);
        self.by_channel.insert(close.channel.clone(), close.seq);
        self.by_seq.insert(close.seq, close.channel);
    }

    /// Opens a channel, or forgets it.
    pub(super) fn remove(&mut self, channel: &Channel) {
        // Most logs have no closed channel.
        if !self.by_channel.is_empty()
            && let Some(seq) = self.by_channel.remove(channel)
        {
            self.by_seq.remove(&seq);
        }
    }

    /// Removes the oldest close, and returns its position.
    pub(super) fn pop_first(&mut self) -> Option<Seq> {
        let (seq, channel) = self.by_seq.pop_first()?;
        self.by_channel.remove(&channel);
        Some(seq)
    }

    /// The position of the oldest close.
    pub(super) fn first(&self) -> Option<Seq> {
        self.by_seq.keys().next().copied()
    }

    /// The closes after a position, in seq order.
    pub(super) fn after(&self, after: Seq) -> impl Iterator<Item = Close> {
        let later = self.by_seq.range(after.next()..);
        later.map(|(seq, channel)| Close {
            channel: channel.clone(),
            seq: *seq,
        })
    }

    /// The closes that a reader at `after` is told of, up to `through`: those of its channels and
    /// patterns.
    pub(super) fn of(&self, selection: &Selection, after: Seq, through: Seq) -> Vec<Close> {
        if self
            .by_seq
            .last_key_value()
            .is_none_or(|(last, _)| *last <= after)
        {
            return Vec::new();
        }
        let is_told = |close: &Close| {
            close.seq > after && close.seq <= through && selection.wants(&close.channel, close.seq)
        };
        if selection.patterns().is_empty() {
            let named = selection.channels().iter();
            let closes = named.filter_map(|(channel, _)| self.get(channel));
            return closes.filter(is_told).collect();
        }
        let closes = self.after(after);
        closes
            .take_while(|close| close.seq <= through)
            .filter(is_told)
            .collect()
    }
}

/// Puts closes among the items of a page, which are in seq order: each after the message that it is a
/// mark on.
pub(crate) fn insert<T: From<Close>>(
    items: &mut Vec<T>,
    closes: impl IntoIterator<Item = Close>,
    seq: impl Fn(&T) -> Seq,
) {
    for close in closes {
        let index = items.partition_point(|item| seq(item) <= close.seq);
        items.insert(index, close.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Pattern;

    fn close(name: &str, seq: u64) -> Close {
        Close {
            channel: Channel::new(name).unwrap(),
            seq: Seq(seq),
        }
    }

    /// A channel has one close, the newest, until it is opened.
    #[test]
    fn channels_are_closed_until_opened() {
        let mut closes = Closes::default();
        closes.insert(close("a", 3));
        closes.insert(close("b", 5));
        closes.insert(close("a", 8));
        assert_eq!(closes.get(&close("a", 0).channel), Some(close("a", 8)));
        assert_eq!((closes.len(), closes.first()), (2, Some(Seq(5))));
        let all: Vec<_> = closes.after(Seq(4)).collect();
        assert_eq!(all, [close("b", 5), close("a", 8)]);
        closes.remove(&close("b", 0).channel);
        closes.remove(&close("b", 0).channel);
        assert_eq!(closes.pop_first(), Some(Seq(8)));
        assert_eq!((closes.len(), closes.pop_first()), (0, None));
    }

    /// A reader is told of the closes of its channels and patterns after its position.
    #[test]
    fn readers_are_told_of_their_closes() {
        let mut closes = Closes::default();
        for (name, seq) in [("a", 3), ("b1", 5), ("b2", 8), ("c", 9)] {
            closes.insert(close(name, seq));
        }
        let channel = |name: &str| Channel::new(name).unwrap();
        let named = Selection::from_iter([(channel("a"), Seq(0)), (channel("c"), Seq(9))]);
        assert_eq!(closes.of(&named, Seq(0), Seq(9)), [close("a", 3)]);
        assert_eq!(closes.of(&named, Seq(3), Seq(9)), []);
        let pattern = (Pattern::new("b*").unwrap(), Seq(5));
        let mixed = Selection::new([(channel("a"), Seq(0))], [pattern], []);
        let told = closes.of(&mixed, Seq(2), Seq(8));
        assert_eq!(told, [close("a", 3), close("b2", 8)]);
        assert_eq!(closes.of(&mixed, Seq(2), Seq(7)), [close("a", 3)]);
    }
}
