//! The memory store: its messages are gone when the process ends.

mod copied_memory;
mod starts;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::convert::Infallible;
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::Mutex;

use super::closes::Closes;
use super::falls::Falls;
use super::merge::merge;
use super::scan::{Scanned, scan};
use super::store::{Commit, DraftAnswer, DraftRefusal, Keep, Page, Stored};
use super::trimmed::Trimmed;
use super::used_keys::UsedKeys;
use super::{LogTime, Moment, PageLimit, Place, Selection};
use crate::limits;
use crate::message::{
    Channel, Close, Closing, Draft, Epoch, Message, Pattern, Receipt, Seq, Timestamp,
};

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
    /// The newest entry that was ever committed: a message, or a close.
    last: Seq,
    /// The newest message that was trimmed.
    trimmed_through: Seq,
    /// The time of the newest message.
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
    /// The channels that keep no message, by their last entry: a trimmed message, or a close.
    empty: BTreeMap<Seq, Channel>,
    closes: Closes,
    /// The last trimmed message of all channels that are no longer in `channels`.
    forgotten: Seq,
    /// No message before this one is kept.
    head: Seq,
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

impl KeptChannel {
    /// The channel's newest message, which may have been trimmed.
    fn newest(&self) -> Seq {
        self.seqs.back().copied().unwrap_or(self.trimmed.through)
    }
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
        self.insert(drafts.into_iter().map(|draft| (Some(draft), None)), now)
    }

    /// Commits drafts, each with the place that was given to it elsewhere, if one was.
    fn insert(
        &self,
        drafts: impl ExactSizeIterator<Item = (Option<Draft>, Option<Place>)>,
        now: &Moment,
    ) -> Commit {
        let mut state = self.state.lock();
        let mut messages = Vec::with_capacity(drafts.len());
        let before = state.last;
        state.keys.begin_commit();
        let mut answers = Vec::with_capacity(drafts.len());
        for (draft, place) in drafts {
            match draft {
                Some(draft) => {
                    answers.push(state.append_once(draft, place, &self.epoch, now, &mut messages));
                }
                None => state.last = place.map_or(state.last, |place| place.seq),
            }
        }
        let closes = state.closes.after(before).collect();
        for message in &messages {
            state.trim(&message.channel, self.keep.messages);
        }
        // The newest stays, however large it is: its sender is told that it can be read.
        while state.bytes > self.budget && state.messages.len() > 1 {
            state.evict_oldest();
        }
        Commit {
            answers,
            messages,
            closes,
        }
    }

    /// Does a step of retention: a part that is short enough not to hold up appends. Returns whether
    /// there may be more to do.
    pub(super) fn retain(&self, now: &Moment) -> bool {
        let too_old = now.earlier(self.keep.age);
        let mut state = self.state.lock();
        let has_more_keys = state.forget_keys(now, limits::RETAIN_STEP_ROWS);
        for _ in 0..limits::RETAIN_STEP_ROWS {
            match state.messages.first_key_value() {
                Some((seq, oldest)) if oldest.committed < too_old || *seq < state.head => {
                    state.evict_oldest();
                }
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
        page.add_closes(channels.into_iter().filter_map(|(channel, from)| {
            let close = state.closes.get(&channel)?;
            (close.seq > after.max(from)).then_some(close)
        }));
        page
    }

    pub(super) fn closes(&self, channels: &[Channel]) -> Vec<Close> {
        let state = self.state.lock();
        let closes = channels.iter();
        closes
            .filter_map(|channel| state.closes.get(channel))
            .collect()
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
        let closes: Vec<_> = self
            .closes
            .after(after)
            .take(limits::PAGE_CLOSES_MAX)
            .collect();
        page.cut(&closes);
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
        let is_wanted = |close: &Close| selection.wants(&close.channel, close.seq);
        page.add_closes(closes.into_iter().filter(is_wanted));
        page
    }

    /// Appends a draft. One that has no place yet is numbered, unless its key has an answer already, or its
    /// precondition does not hold. Adds a new message to `messages`.
    fn append_once(
        &mut self,
        draft: Draft,
        place: Option<Place>,
        epoch: &Epoch,
        now: &Moment,
        messages: &mut Vec<Arc<Message>>,
    ) -> DraftAnswer {
        let key = draft.key;
        if place.is_none() {
            if let Some(answer) = key.as_ref().and_then(|key| self.keys.answer(key, now)) {
                return answer;
            }
            if draft.precondition.is_some() {
                DraftRefusal::check(&draft, epoch, self.last_entry(&draft.channel))?;
            }
        }
        let place = place.unwrap_or(Place {
            seq: self.last.next(),
            time: now.time,
        });
        let (closing, channel) = (draft.closing, draft.channel.clone());
        self.last = place.seq;
        self.take_channel(&channel);
        let receipt = Receipt {
            seq: place.seq,
            time: place.time,
            duplicate: false,
            later: 0,
        };
        if closing == Closing::Alone {
            self.put_if_empty(&channel, self.last);
        } else {
            messages.push(self.append(draft, place.time, now));
        }
        if closing == Closing::No {
            self.closes.remove(&channel);
        } else {
            let seq = self.last;
            self.closes.insert(Close { channel, seq });
        }
        if let Some(key) = key {
            self.keys.remember(&key, &receipt, now.log_time, now);
            // More than are added, so that those that have left the window do not gather.
            self.forget_keys(now, 2);
        }
        Ok(receipt)
    }

    /// Returns the position of a channel's last entry; `None` if it has none, or has been forgotten.
    fn last_entry(&self, channel: &Channel) -> Option<Seq> {
        let kept = self.channels.get(channel)?;
        Some(
            kept.newest()
                .max(self.closes.seq(channel).unwrap_or_default()),
        )
    }

    /// Forgets keys that have left the window, about `max`. Returns whether there may be more.
    fn forget_keys(&mut self, now: &Moment, max: usize) -> bool {
        let expired = self.keys.expired(now, max);
        if let Some(through) = expired {
            self.keys.forget(through);
        }
        expired.is_some()
    }

    /// Makes a channel known, whose next entry is at `last`. It does not count as empty from here on.
    fn take_channel(&mut self, channel: &Channel) {
        let Some(kept) = self.channels.get(channel) else {
            self.names.insert(channel.clone());
            let kept = KeptChannel {
                seqs: VecDeque::new(),
                trimmed: Trimmed::begin(self.last, self.forgotten),
            };
            self.channels.insert(channel.clone(), kept);
            return;
        };
        if kept.seqs.is_empty()
            && let Some(last_entry) = self.last_entry(channel)
        {
            self.empty.remove(&last_entry);
        }
    }

    /// Appends a message, at `last`.
    fn append(&mut self, draft: Draft, time: Timestamp, now: &Moment) -> Arc<Message> {
        let Draft {
            channel,
            event,
            data,
            ..
        } = draft;
        if time < self.time {
            self.falls.note(self.last);
        }
        self.time = time;
        if let Some(kept) = self.channels.get_mut(&channel) {
            kept.seqs.push_back(self.last);
        }
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
        let close = self.closes.seq(&message.channel).unwrap_or_default();
        self.put_if_empty(&message.channel, seq.max(close));
    }

    /// Notes a channel that keeps no message, and forgets the oldest such channel if there are too many.
    fn put_if_empty(&mut self, channel: &Channel, last_entry: Seq) {
        let kept = self.channels.get(channel);
        if kept.is_none_or(|kept| !kept.seqs.is_empty()) {
            return;
        }
        self.empty.insert(last_entry, channel.clone());
        if self.empty.len() > limits::EMPTY_CHANNELS_MAX
            && let Some((_, channel)) = self.empty.pop_first()
        {
            let forgotten = self.channels.remove(&channel);
            self.names.remove(&channel);
            self.closes.remove(&channel);
            let through = forgotten.map_or(Seq::START, |kept| kept.trimmed.through);
            self.forgotten = self.forgotten.max(through);
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
