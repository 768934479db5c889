//! What is looked up in a log in memory besides its messages: where followers start, and which channels
//! there are.

use std::collections::VecDeque;
use std::ops::Bound;

use super::{KeptChannel, Memory, MemoryState};
use crate::limits;
use crate::log::cursor::StartAt;
use crate::log::{ChannelInfo, LocateError, Selection, Subscription, selection};
use crate::message::{Channel, Pattern, Seq, Timestamp};

impl Memory {
    pub(in crate::log) fn locate(
        &self,
        subscription: &Subscription,
        start_at: StartAt,
    ) -> Result<Selection, LocateError> {
        let state = self.state.lock();
        let matching = || {
            let patterns = subscription.patterns().iter();
            patterns.flat_map(|pattern| state.matching(pattern))
        };
        let named = || {
            let channels = subscription.channels().iter();
            channels.map(|channel| (channel, state.channels.get(channel)))
        };
        let kept = || {
            let named = named().filter_map(|(_, kept)| kept);
            named.chain(matching().map(|(_, kept)| kept))
        };
        let at = match start_at {
            StartAt::Earliest => Seq::START,
            StartAt::Last { count, through } => {
                before_last(&kept().collect::<Vec<_>>(), count, through)
            }
            StartAt::NotBefore(time) => {
                let first = kept().filter_map(|kept| state.first_not_before(&kept.seqs, time));
                first.min().map_or(state.last, Seq::before)
            }
            StartAt::Each => state.last,
        };
        // A follower does not ask for messages that have been trimmed.
        let begin = |kept: &KeptChannel| match (start_at, kept.seqs.back()) {
            (StartAt::Each, Some(newest)) => newest.before(),
            _ => at.max(kept.trimmed.through),
        };
        let channels = named().map(|(channel, kept)| {
            let from = kept.map_or(at.max(state.forgotten), begin);
            (channel.clone(), from)
        });
        let known: Vec<_> = matching()
            .take(limits::KNOWN_CHANNELS_MAX + 1)
            .map(|(channel, kept)| (channel.clone(), begin(kept)))
            .collect();
        let (known, later) = selection::known_or_all(start_at, known, at, state.last)?;
        let patterns = subscription.patterns().iter().cloned();
        let patterns = patterns.map(|pattern| (pattern, later));
        Ok(Selection::new(channels, patterns, known))
    }

    pub(in crate::log) fn list(
        &self,
        pattern: &Pattern,
        after: &str,
        limit: usize,
    ) -> Vec<ChannelInfo> {
        let state = self.state.lock();
        let from = pattern.prefix().max(after);
        let end = pattern.end();
        if *from >= *end {
            return Vec::new();
        }
        let range = (Bound::Included(from), Bound::Excluded(&*end));
        let names = state.names.range::<str, _>(range);
        let names = names.filter(|name| name.as_str() > after).take(limit);
        let info = |channel: &Channel| {
            let kept = state.channels.get(channel)?;
            let newest = kept.seqs.back();
            let message = newest.and_then(|seq| state.messages.get(seq));
            let close = state.closes.seq(channel);
            Some(ChannelInfo {
                channel: channel.clone(),
                last: kept.newest().max(close.unwrap_or_default()),
                time: message.map(|kept| kept.message.time),
                kept: kept.seqs.len() as u64,
                is_closed: close.is_some(),
            })
        };
        names.filter_map(info).collect()
    }
}

/// Returns the position before the last `count` messages of these channels up to `through`. The time
/// that it takes does not depend on how many messages that are.
fn before_last(channels: &[&KeptChannel], count: u64, through: Seq) -> Seq {
    let after = |seqs: &VecDeque<Seq>, at: Seq| {
        let index = |end: Seq| seqs.partition_point(|seq| *seq <= end);
        index(through).saturating_sub(index(at)) as u64
    };
    let number = |at: Seq| -> u64 { channels.iter().map(|kept| after(&kept.seqs, at)).sum() };
    let oldest = channels.iter().filter_map(|kept| kept.seqs.front()).min();
    let start = oldest.map_or(through, |seq| seq.before()).min(through);
    if number(start) <= count {
        return start;
    }
    // After `low` are more than `count` messages, and not after `high`.
    let (mut low, mut high) = (start, through);
    while low.next() < high {
        let middle = Seq(u64::midpoint(low.0, high.0));
        if number(middle) > count {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

impl MemoryState {
    /// Returns the first of a channel's messages whose time is not earlier than `time`.
    fn first_not_before(&self, seqs: &VecDeque<Seq>, time: Timestamp) -> Option<Seq> {
        let is_earlier = |seq: &Seq| {
            let kept = self.messages.get(seq);
            kept.is_some_and(|kept| kept.message.time < time)
        };
        self.falls.runs(self.last).find_map(|(after, through)| {
            let index = |end: Seq| seqs.partition_point(|seq| *seq <= end);
            // Within a run times rise.
            let (mut low, high) = (index(after), index(through));
            let mut end = high;
            while low < end {
                let middle = low + (end - low) / 2;
                if is_earlier(&seqs[middle]) {
                    low = middle + 1;
                } else {
                    end = middle;
                }
            }
            (low < high).then(|| seqs[low])
        })
    }
}
