//! A bell: how the followers of one lane hear of messages. Whoever serves the lane answers it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::rings::{Member, Rings, Slots};
use super::{Position, Selection};
use crate::limits;
use crate::message::Channel;

/// The followers of a log on one lane, by their channels. The log rings the bell after it has messages;
/// the lane answers it, slice by slice. A follower joins *before* it looks at the log, and the log is
/// written *before* the bell is rung: whichever comes first, the follower sees the message or is told.
#[derive(Debug)]
pub struct Bell {
    state: Mutex<BellState>,
    /// The number of appends that wait for another thread. That thread needs a processor, and lanes
    /// may occupy all of them.
    pending_appends: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct BellState {
    rings: Rings,
    /// The task that answers the bell, while nothing is due.
    answerer: Option<Waker>,
    /// Whether nothing was due when the bell was answered last.
    is_silent: bool,
    /// Whether any ring that was looked at last is overrun.
    is_overrun: bool,
}

/// What a lane does in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BellAnswer {
    /// The next members are to be told.
    Slice {
        /// Whether other threads are to have the processor first.
        gives_way: bool,
    },
    /// To tell all of a crowd takes long: publishers are to have their answers first, so nothing is to
    /// be done for [`limits::CROWD_PAUSE`].
    Pause,
}

impl Bell {
    pub(super) fn new(pending_appends: Arc<AtomicUsize>) -> Bell {
        Bell {
            state: Mutex::default(),
            pending_appends,
        }
    }

    /// Has a member told of the messages of these channels, until it leaves.
    #[must_use]
    pub fn join(&self, selection: &Selection, member: &Member) -> Slots {
        self.state.lock().rings.join(selection, member)
    }

    /// Has a member told of the messages of the channels of this position, which shares what it can
    /// with other members.
    #[must_use]
    pub fn join_at(&self, position: &mut Position, member: &Member) -> Slots {
        let mut state = self.state.lock();
        let slots = state.rings.join(position.selection(), member);
        if let Some(shared) = state.rings.selection(&slots) {
            position.share_selection(shared);
        }
        slots
    }

    /// Tells another member in the place of the one that has these slots.
    pub(super) fn replace(&self, slots: &Slots, member: &Member) {
        self.state.lock().rings.replace(slots, member);
    }

    /// Has the member with these slots told no more.
    pub fn leave(&self, slots: &Slots) {
        self.state.lock().rings.leave(slots);
    }

    /// How many members are told of the messages of a channel.
    pub(super) fn followers(&self, channel: &Channel) -> usize {
        self.state.lock().rings.members(channel)
    }

    /// Notes that these channels have new messages.
    pub(super) fn ring(&self, channels: &BTreeSet<&Channel>) {
        let mut state = self.state.lock();
        for channel in channels {
            state.rings.mark(channel);
        }
        let answerer = if state.rings.is_due() {
            state.answerer.take()
        } else {
            None
        };
        drop(state);
        if let Some(answerer) = answerer {
            answerer.wake();
        }
    }

    /// Takes the next members that are to be told, as many as a lane tells before its other tasks
    /// have their turn. Pending, and woken later, while there are none.
    ///
    /// Messages that come much faster than a round takes are read together, so there is no hurry
    /// then: the round goes on in small slices, and gives way to other threads, the log's writer
    /// above all.
    pub fn poll_answer(&self, cx: &mut Context<'_>, members: &mut Vec<Member>) -> Poll<BellAnswer> {
        let mut state = self.state.lock();
        if !state.rings.is_due() {
            state.is_silent = true;
            state.is_overrun = false;
            state.answerer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if std::mem::take(&mut state.is_silent) && state.rings.has_crowd() {
            return Poll::Ready(BellAnswer::Pause);
        }
        let gives_way = state.is_overrun || self.pending_appends.load(Relaxed) > 0;
        let len = if gives_way {
            limits::WAKE_SLICE_OVERRUN
        } else {
            limits::WAKE_SLICE
        };
        state.is_overrun = state.rings.slice(members, len);
        Poll::Ready(BellAnswer::Slice { gives_way })
    }
}
