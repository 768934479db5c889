//! The memory store: its messages are gone when the process ends.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;

use parking_lot::Mutex;

use super::cursor::StartAt;
use super::merge::merge;
use super::recent_keys::RecentKeys;
use super::store::{Commit, Keep, Page, Stored};
use super::trimmed::Trimmed;
use super::{PageLimit, Selection};
use crate::limits;
use crate::message::{Channel, Draft, Epoch, Message, Receipt, Seq, Timestamp};

/// A store in memory. It never blocks, and takes every commit.
#[derive(Debug)]
pub struct Memory {
    epoch: Epoch,
    keep: Keep,
    /// How many bytes the messages may take ([`Message::cost`]).
    budget: usize,
    state: Mutex<MemoryState>,
}

#[derive(Debug, Default)]
struct MemoryState {
    /// The newest message that was ever committed.
    last: Seq,
    /// The newest message that was trimmed.
    trimmed_through: Seq,
    /// The time of the message `last`.
    time: Timestamp,
    /// How many bytes the messages take.
    bytes: usize,
    keys: RecentKeys,
    messages: BTreeMap<Seq, Arc<Message>>,
    channels: HashMap<Channel, KeptChannel>,
    /// The channels that keep no message, by their last trimmed message.
    empty: BTreeMap<Seq, Channel>,
    /// The last trimmed message of all channels that are no longer in `channels`.
    forgotten: Seq,
}

/// What is known of a channel.
#[derive(Debug)]
struct KeptChannel {
    /// The messages that the channel keeps.
    seqs: VecDeque<Seq>,
    trimmed: Trimmed,
}

impl Memory {
    /// Returns an empty log with a new epoch. It keeps at most `budget` bytes
    /// ([`limits::MEMORY_LOG_BYTES_DEFAULT`]) whatever `keep` says.
    #[must_use]
    pub fn new(keep: Keep, budget: usize) -> Memory {
        Memory {
            epoch: Epoch::random(),
            keep,
            budget,
            state: Mutex::default(),
        }
    }

    pub(super) fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    pub(super) fn bounds(&self) -> (Seq, Seq) {
        let state = self.state.lock();
        let oldest = state.messages.keys().next().copied().unwrap_or_default();
        (oldest, state.last)
    }

    pub(super) fn trimmed_through(&self) -> Seq {
        self.state.lock().trimmed_through
    }

    pub(super) fn commit(&self, drafts: Vec<Draft>, now: Timestamp) -> Commit {
        let mut state = self.state.lock();
        let mut messages = Vec::with_capacity(drafts.len());
        let receipts = drafts
            .into_iter()
            .map(|draft| state.append_once(draft, now, &mut messages))
            .collect();
        for message in &messages {
            state.trim(&message.channel, self.keep.messages);
        }
        // The newest stays, however large it is: its sender is told that it can be read.
        while state.bytes > self.budget && state.messages.len() > 1 {
            state.evict_oldest();
        }
        Commit { receipts, messages }
    }

    pub(super) fn retain(&self, now: Timestamp) {
        let too_old = now.earlier(self.keep.age);
        let mut state = self.state.lock();
        state.keys.forget_expired(now);
        while state
            .messages
            .first_key_value()
            .is_some_and(|(_, message)| message.time < too_old)
        {
            state.evict_oldest();
        }
    }

    pub(super) fn read(&self, selection: &Selection, after: Seq, limit: PageLimit) -> Page {
        let state = self.state.lock();
        let runs = selection
            .iter()
            .map(|(channel, from)| state.run(channel, after.max(*from)).peekable());
        let Ok(page) = merge(runs.collect(), limit, state.last, state.trimmed_through);
        page
    }

    pub(super) fn locate(
        &self,
        channels: &[Channel],
        start_at: StartAt,
        now: Timestamp,
    ) -> Selection {
        let state = self.state.lock();
        let trimmed_through = |channel: &Channel| match state.channels.get(channel) {
            Some(kept) => kept.trimmed.through,
            None => state.forgotten,
        };
        match start_at {
            StartAt::Earliest => channels
                .iter()
                .map(|channel| (channel.clone(), trimmed_through(channel)))
                .collect(),
            StartAt::Last { count, through } => {
                let kept = channels
                    .iter()
                    .filter_map(|channel| state.channels.get(channel));
                let at = before_last(&kept.collect::<Vec<_>>(), count, through);
                channels
                    .iter()
                    .map(|channel| (channel.clone(), at.max(trimmed_through(channel))))
                    .collect()
            }
            StartAt::Ago(age) => {
                // Times never fall, so the seqs are in the order of the times.
                let oldest = now.earlier(age);
                let begin = |channel: &Channel| {
                    let seqs = state.channels.get(channel).map(|kept| &kept.seqs);
                    let first = seqs.and_then(|seqs| {
                        seqs.get(seqs.partition_point(|seq| state.messages[seq].time < oldest))
                    });
                    first.map_or(state.last, |seq| seq.before())
                };
                channels
                    .iter()
                    .map(|channel| (channel.clone(), begin(channel)))
                    .collect()
            }
        }
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
    /// Appends a draft, unless a message with its key has been appended already. Adds a new message
    /// to `messages`.
    fn append_once(
        &mut self,
        mut draft: Draft,
        now: Timestamp,
        messages: &mut Vec<Arc<Message>>,
    ) -> Receipt {
        let key = draft.key.take().map(|key| (draft.channel.clone(), key));
        if let Some(first) = key.as_ref().and_then(|key| self.keys.find(key, now)) {
            return first;
        }
        let message = self.append(draft, now);
        let receipt = Receipt {
            seq: message.seq,
            time: message.time,
            duplicate: false,
        };
        if let Some(key) = key {
            self.keys.remember(key, receipt);
        }
        messages.push(message);
        receipt
    }

    fn append(&mut self, draft: Draft, now: Timestamp) -> Arc<Message> {
        let Draft {
            channel,
            event,
            data,
            ..
        } = draft;
        self.last = self.last.next();
        self.time = self.time.max(now);
        let kept = self
            .channels
            .entry(channel.clone())
            .or_insert_with(|| KeptChannel {
                seqs: VecDeque::new(),
                trimmed: Trimmed::begin(self.last, self.forgotten),
            });
        if kept.seqs.is_empty() {
            self.empty.remove(&kept.trimmed.through);
        }
        kept.seqs.push_back(self.last);
        let message = Arc::new(Message {
            seq: self.last,
            time: self.time,
            channel,
            event,
            data,
        });
        self.bytes += message.cost();
        self.messages.insert(message.seq, Arc::clone(&message));
        message
    }

    /// Evicts the oldest messages of a channel beyond the `keep` that it may have.
    fn trim(&mut self, channel: &Channel, keep: usize) {
        while let Some(kept) = self.channels.get(channel)
            && kept.seqs.len() > keep
        {
            self.evict(kept.seqs[0]);
        }
    }

    fn evict_oldest(&mut self) {
        if let Some((&seq, _)) = self.messages.first_key_value() {
            self.evict(seq);
        }
    }

    /// Evicts a message, which must be the oldest of its channel.
    fn evict(&mut self, seq: Seq) {
        let Some(message) = self.messages.remove(&seq) else {
            return;
        };
        self.bytes -= message.cost();
        self.trimmed_through = self.trimmed_through.max(seq);
        let Some(kept) = self.channels.get_mut(&message.channel) else {
            return;
        };
        kept.seqs.pop_front();
        kept.trimmed.through = seq;
        kept.trimmed.count += 1;
        if kept.seqs.is_empty() {
            self.empty.insert(seq, message.channel.clone());
        }
        if self.empty.len() > limits::EMPTY_CHANNELS_MAX
            && let Some((seq, channel)) = self.empty.pop_first()
        {
            self.channels.remove(&channel);
            self.forgotten = self.forgotten.max(seq);
        }
    }

    /// Returns a channel's part of a read: the gap if there is one, then the messages after
    /// `after`.
    fn run(
        &self,
        channel: &Channel,
        after: Seq,
    ) -> impl Iterator<Item = Result<Stored, Infallible>> {
        static NONE: VecDeque<Seq> = VecDeque::new();
        let (seqs, trimmed) = match self.channels.get(channel) {
            Some(kept) => (&kept.seqs, kept.trimmed),
            None => (&NONE, Trimmed::of_unknown(self.forgotten)),
        };
        let start = seqs.partition_point(|seq| *seq <= after);
        let messages = seqs
            .range(start..)
            .map(|seq| Stored::Message(Arc::clone(&self.messages[seq])));
        let gap = trimmed.gap(after).map(Stored::Gap);
        gap.into_iter().chain(messages).map(Ok)
    }
}
