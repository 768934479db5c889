//! The memory store: as durable as the process.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use super::cursor::Place;
use super::keys::Keys;
use super::store::{Commit, Keep, Page, Stored};
use super::{Room, Selection};
use crate::limits;
use crate::message::{Channel, Draft, Epoch, Gap, GapReason, Message, Receipt, Seq, Timestamp};

/// See the module.
#[derive(Debug)]
pub struct Memory {
    epoch: Epoch,
    keep: Keep,
    budget: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Seq,
    /// The newest message that was let go.
    lost: Seq,
    time: Timestamp,
    bytes: usize,
    keys: Keys,
    messages: BTreeMap<Seq, Arc<Message>>,
    channels: HashMap<Channel, Kept>,
    /// The channels of which nothing is kept, by the last message they lost.
    empty: BTreeMap<Seq, Channel>,
    /// The last message lost of any channel that is not in `channels` any more.
    forgotten: Seq,
}

/// What is known of a channel.
#[derive(Debug, Default)]
struct Kept {
    seqs: VecDeque<Seq>,
    /// The first message it ever had.
    first: Seq,
    /// The last message it lost, and how many it lost in all.
    lost_through: Seq,
    lost: u64,
}

impl Memory {
    /// An empty log with a new epoch, that keeps at most `budget` bytes
    /// ([`limits::MEMORY_LOG_BYTES`]) whatever `keep` says.
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

    pub(super) fn lost(&self) -> Seq {
        self.state.lock().lost
    }

    pub(super) fn commit(&self, drafts: Vec<Draft>, now: Timestamp) -> Commit {
        let mut state = self.state.lock();
        let mut messages = Vec::with_capacity(drafts.len());
        let receipts = drafts
            .into_iter()
            .map(|draft| state.take(draft, now, &mut messages))
            .collect();
        for message in &messages {
            state.trim(&message.channel, self.keep.messages);
        }
        while state.bytes > self.budget {
            state.lose_oldest();
        }
        Commit { receipts, messages }
    }

    pub(super) fn retain(&self, now: Timestamp) {
        let too_old = now.earlier(self.keep.age);
        let mut state = self.state.lock();
        state.keys.forget(now);
        while state
            .messages
            .first_key_value()
            .is_some_and(|(_, message)| message.time < too_old)
        {
            state.lose_oldest();
        }
    }

    pub(super) fn read(&self, selection: &Selection, after: Seq, mut room: Room) -> Page {
        let state = self.state.lock();
        let mut items = Vec::new();
        let mut heads: Vec<Head<'_>> = selection
            .iter()
            .map(|(channel, from)| state.head(channel, after.max(*from)))
            .collect();
        // The channels' items, merged in seq order; a gap stands where its last message stood.
        while let Some((seq, head)) = heads
            .iter_mut()
            .filter_map(|head| Some((head.next()?, head)))
            .min_by_key(|(seq, _)| *seq)
        {
            if let Some(gap) = head.gap.take() {
                items.push(Stored::Gap(gap));
                continue;
            }
            let message = &state.messages[&seq];
            if !room.take(message.data.len()) {
                return Page {
                    items,
                    through: seq.before(),
                };
            }
            head.seqs.next();
            items.push(Stored::Message(Arc::clone(message)));
        }
        Page {
            items,
            through: state.last,
        }
    }

    pub(super) fn locate(&self, channels: &[Channel], place: Place, now: Timestamp) -> Selection {
        let state = self.state.lock();
        let behind_first = |channel: &Channel| match state.channels.get(channel) {
            Some(kept) => kept.lost_through,
            None => state.forgotten,
        };
        match place {
            Place::Earliest => channels
                .iter()
                .map(|channel| (channel.clone(), behind_first(channel)))
                .collect(),
            Place::Last(count) => {
                // The last `count` of each channel hold the last `count` of all.
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                let kept = channels
                    .iter()
                    .filter_map(|channel| state.channels.get(channel));
                let mut seqs: Vec<Seq> = kept
                    .flat_map(|kept| kept.seqs.iter().rev().take(count))
                    .copied()
                    .collect();
                seqs.sort_unstable_by(|a, b| b.cmp(a));
                let first = if count == 0 {
                    None
                } else {
                    seqs.get(count - 1).or(seqs.last())
                };
                let at = first.map_or(state.last, |seq| seq.before());
                channels
                    .iter()
                    .map(|channel| (channel.clone(), at.max(behind_first(channel))))
                    .collect()
            }
            Place::Ago(age) => {
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

/// A channel's part of a read: perhaps a gap, then messages.
struct Head<'a> {
    gap: Option<Gap>,
    seqs: std::iter::Peekable<std::collections::vec_deque::Iter<'a, Seq>>,
}

impl Head<'_> {
    /// The place of the next item.
    fn next(&mut self) -> Option<Seq> {
        match &self.gap {
            Some(gap) => Some(gap.resumes),
            None => self.seqs.peek().map(|seq| **seq),
        }
    }
}

impl State {
    /// Appends a draft, unless its key says that it has been.
    fn take(
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
        let kept = self.channels.entry(channel.clone()).or_default();
        if kept.seqs.is_empty() {
            self.empty.remove(&kept.lost_through);
        }
        if kept.first == Seq::START {
            kept.first = self.last;
        }
        kept.seqs.push_back(self.last);
        let message = Arc::new(Message {
            seq: self.last,
            time: self.time,
            channel,
            event,
            data,
        });
        self.bytes += cost(&message);
        self.messages.insert(message.seq, Arc::clone(&message));
        message
    }

    /// Lets go of what a channel has beyond `keep` messages.
    fn trim(&mut self, channel: &Channel, keep: usize) {
        while let Some(kept) = self.channels.get(channel)
            && kept.seqs.len() > keep
        {
            self.lose(kept.seqs[0]);
        }
    }

    fn lose_oldest(&mut self) {
        if let Some((&seq, _)) = self.messages.first_key_value() {
            self.lose(seq);
        }
    }

    /// Lets go of a message that is the oldest of its channel.
    fn lose(&mut self, seq: Seq) {
        let Some(message) = self.messages.remove(&seq) else {
            return;
        };
        self.bytes -= cost(&message);
        self.lost = self.lost.max(seq);
        let Some(kept) = self.channels.get_mut(&message.channel) else {
            return;
        };
        kept.seqs.pop_front();
        kept.lost_through = seq;
        kept.lost += 1;
        if kept.seqs.is_empty() {
            self.empty.insert(seq, message.channel.clone());
        }
        if self.empty.len() > limits::EMPTY_CHANNELS
            && let Some((seq, channel)) = self.empty.pop_first()
        {
            self.channels.remove(&channel);
            self.forgotten = self.forgotten.max(seq);
        }
    }

    fn head(&self, channel: &Channel, after: Seq) -> Head<'_> {
        static NONE: VecDeque<Seq> = VecDeque::new();
        let (seqs, lost_through, missed) = match self.channels.get(channel) {
            Some(kept) => (&kept.seqs, kept.lost_through, kept.missed(after)),
            None => (&NONE, self.forgotten, None),
        };
        let gap = Gap {
            reason: GapReason::Expired,
            missed,
            resumes: lost_through,
        };
        let start = seqs.partition_point(|seq| *seq <= after);
        Head {
            gap: (lost_through > after).then_some(gap),
            seqs: seqs.range(start..).peekable(),
        }
    }
}

impl Kept {
    /// How many messages behind `after` are gone, where that can be told from so little.
    fn missed(&self, after: Seq) -> Option<u64> {
        if after < self.first {
            return Some(self.lost);
        }
        let places = self.lost_through.0 + 1 - self.first.0.min(self.lost_through.0);
        // The channel had every place of those, so the places are the messages.
        (places == self.lost).then(|| self.lost_through.0.saturating_sub(after.0))
    }
}

fn cost(message: &Message) -> usize {
    message.data.len() + limits::MESSAGE_OVERHEAD
}
