//! The memory store: its messages are gone when the process ends.

mod starts;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;

use super::falls::Falls;
use super::merge::merge;
use super::scan::{Scanned, scan};
use super::store::{Commit, DraftAnswer, DraftRefusal, Keep, Page, Stored};
use super::trimmed::Trimmed;
use super::used_keys::UsedKeys;
use super::{LogTime, Moment, PageLimit, Selection};
use crate::limits;
use crate::message::{Channel, Draft, Epoch, Message, Pattern, Receipt, Seq, Timestamp};

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
    /// Boxed, since it is large.
    keys: Box<UsedKeys>,
    messages: BTreeMap<Seq, KeptMessage>,
    falls: Falls,
    channels: HashMap<Channel, KeptChannel>,
    /// The names of these channels, in order.
    names: BTreeSet<Channel>,
    /// The channels that keep no message, by their last trimmed message.
    empty: BTreeMap<Seq, Channel>,
    /// The last trimmed message of all channels that are no longer in `channels`.
    forgotten: Seq,
}

/// A message that is kept.
#[derive(Debug)]
struct KeptMessage {
    message: Arc<Message>,
    /// What the log's clock said at the commit.
    committed: LogTime,
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

    pub(super) fn set_keys_max(&self, max: usize) {
        self.state.lock().keys.set_max(max);
    }

    pub(super) fn keys_held(&self) -> usize {
        self.state.lock().keys.len()
    }

    pub(super) fn commit(&self, drafts: Vec<Draft>, now: &Moment) -> Commit {
        let mut state = self.state.lock();
        let mut messages = Vec::with_capacity(drafts.len());
        state.keys.begin_commit();
        let answers = drafts
            .into_iter()
            .map(|draft| state.append_once(draft, &self.epoch, now, &mut messages))
            .collect();
        for message in &messages {
            state.trim(&message.channel, self.keep.messages);
        }
        // The newest stays, however large it is: its sender is told that it can be read.
        while state.bytes > self.budget && state.messages.len() > 1 {
            state.evict_oldest();
        }
        Commit { answers, messages }
    }

    /// Does a step of retention: a part that is short enough not to hold up appends. Returns whether
    /// there may be more to do.
    pub(super) fn retain(&self, now: &Moment) -> bool {
        let too_old = now.earlier(self.keep.age);
        let mut state = self.state.lock();
        let has_more_keys = state.forget_keys(now, limits::RETAIN_STEP_ROWS);
        for _ in 0..limits::RETAIN_STEP_ROWS {
            match state.messages.first_key_value() {
                Some((_, oldest)) if oldest.committed < too_old => state.evict_oldest(),
                _ => return has_more_keys,
            }
        }
        true
    }

    pub(super) fn read(&self, selection: &Selection, after: Seq, limit: PageLimit) -> Page {
        let state = self.state.lock();
        let Some(channels) = state.channels_of(selection) else {
            return state.scan(selection, after, limit);
        };
        let runs: Vec<_> = channels
            .iter()
            .map(|(channel, from)| state.run(channel, after.max(*from)).peekable())
            .collect();
        let Ok(mut page) = merge(runs, limit, state.last, state.trimmed_through);
        page.add_gaps(selection.gap_of_forgotten(after, state.forgotten, page.through));
        page
    }
}

impl MemoryState {
    /// The channels of a pattern, in the order of their names.
    fn matching(&self, pattern: &Pattern) -> impl Iterator<Item = (&Channel, &KeptChannel)> {
        let end = pattern.end();
        let range = (Bound::Included(pattern.prefix()), Bound::Excluded(&*end));
        let names = self.names.range::<str, _>(range);
        names.filter_map(|name| self.channels.get_key_value(name))
    }

    /// The channels that a selection has, each with the position after which it is read; `None` if they
    /// are too many to be looked up one by one.
    fn channels_of(&self, selection: &Selection) -> Option<Vec<(Channel, Seq)>> {
        let mut channels = selection.channels().to_vec();
        for (pattern, from) in selection.patterns() {
            for (channel, _) in self.matching(pattern) {
                let from = selection.from(channel).unwrap_or(*from);
                channels.push((channel.clone(), from));
                if channels.len() > limits::PAGE_CHANNELS_MAX {
                    return None;
                }
            }
        }
        Some(channels)
    }

    /// Reads a page out of the messages of all channels.
    fn scan(&self, selection: &Selection, after: Seq, limit: PageLimit) -> Page {
        let messages = self.messages.range(after.next()..).map(|(seq, kept)| {
            let is_wanted = selection.wants(&kept.message.channel, *seq);
            Ok(Scanned {
                seq: *seq,
                message: is_wanted.then(|| Arc::clone(&kept.message)),
            })
        });
        let Ok(mut page) = scan::<Infallible>(messages, limit, self.last, self.trimmed_through);
        if after < self.trimmed_through {
            let through = page.through;
            let gaps = self.channels.iter().filter_map(|(channel, kept)| {
                let from = selection.from(channel)?;
                let gap = kept.trimmed.gap(after.max(from))?;
                (gap.resumes <= through).then_some(gap)
            });
            let forgotten = selection.gap_of_forgotten(after, self.forgotten, through);
            page.add_gaps(gaps.chain(forgotten));
        }
        page
    }

    /// Appends a draft, unless its key has an answer already, or its precondition does not hold. Adds a
    /// new message to `messages`.
    fn append_once(
        &mut self,
        draft: Draft,
        epoch: &Epoch,
        now: &Moment,
        messages: &mut Vec<Arc<Message>>,
    ) -> DraftAnswer {
        let key = draft.key;
        if let Some(answer) = key.as_ref().and_then(|key| self.keys.answer(key, now)) {
            return answer;
        }
        if draft.precondition.is_some() {
            DraftRefusal::check(&draft, epoch, self.last_entry(&draft.channel))?;
        }
        let message = self.append(draft, now);
        let receipt = Receipt {
            seq: message.seq,
            time: message.time,
            duplicate: false,
            later: 0,
        };
        if let Some(key) = key {
            self.keys.remember(&key, &receipt, now.log_time, now);
            // More than are added, so that those that have left the window do not gather.
            self.forget_keys(now, 2);
        }
        messages.push(message);
        Ok(receipt)
    }

    /// Returns the position of a channel's last entry; `None` if it has none, or has been forgotten.
    fn last_entry(&self, channel: &Channel) -> Option<Seq> {
        let kept = self.channels.get(channel)?;
        Some(kept.seqs.back().copied().unwrap_or(kept.trimmed.through))
    }

    /// Forgets keys that have left the window, about `max`. Returns whether there may be more.
    fn forget_keys(&mut self, now: &Moment, max: usize) -> bool {
        let expired = self.keys.expired(now, max);
        if let Some(through) = expired {
            self.keys.forget(through);
        }
        expired.is_some()
    }

    fn append(&mut self, draft: Draft, now: &Moment) -> Arc<Message> {
        let Draft {
            channel,
            event,
            data,
            ..
        } = draft;
        self.last = self.last.next();
        if now.time < self.time {
            self.falls.note(self.last);
        }
        self.time = now.time;
        let kept = self.channels.entry(channel.clone()).or_insert_with(|| {
            self.names.insert(channel.clone());
            KeptChannel {
                seqs: VecDeque::new(),
                trimmed: Trimmed::begin(self.last, self.forgotten),
            }
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
        let kept = KeptMessage {
            message: Arc::clone(&message),
            committed: now.log_time,
        };
        self.messages.insert(message.seq, kept);
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
        let Some(KeptMessage { message, .. }) = self.messages.remove(&seq) else {
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
            self.names.remove(&channel);
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
            .map(|seq| Stored::Message(Arc::clone(&self.messages[seq].message)));
        let gap = trimmed.gap(after).map(Stored::Gap);
        gap.into_iter().chain(messages).map(Ok)
    }
}
