//! Rings: the followers that wait on one runtime, woken in circles, a slice at a time. Pure: wakers come
//! out, and the wake loop calls them.

use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

use slab::Slab;

use crate::limits;
use crate::message::Channel;

/// The rings of the channels that are followed on one runtime.
#[derive(Debug, Default)]
pub(super) struct Rings {
    /// A tree, since a hash table with a million names stands still while it grows.
    pub(super) by_channel: BTreeMap<Channel, Ring>,
    /// The channels whose rings have followers left to wake. They take turns, a slice each.
    pub(super) due: VecDeque<Channel>,
}

/// The followers of one channel on one runtime, woken in a circle.
#[derive(Debug, Default)]
pub(super) struct Ring {
    /// The followers' wakers. A follower that has not looked at the log yet has none.
    pub(super) waiters: Slab<Option<Waker>>,
    /// The number of slots in the circle.
    slots: usize,
    /// The slot at which the round goes on.
    next: usize,
    /// The number of slots to go until every follower has been woken since the last message. A
    /// message that comes during a round makes it once around from there, so that no follower is
    /// woken twice for messages that it reads together.
    remaining: usize,
    /// Whether messages come much faster than a round takes.
    is_overrun: bool,
}

/// What is left after a slice of wakers.
#[derive(Debug)]
pub(super) struct RingSlice {
    /// Whether any of the rings that were looked at is overrun.
    pub(super) is_overrun: bool,
    /// Whether some rings have followers left to wake.
    pub(super) is_due: bool,
}

impl Rings {
    /// Notes that a channel has a new message.
    pub(super) fn mark(&mut self, channel: &Channel) {
        if let Some(ring) = self.by_channel.get_mut(channel) {
            if ring.remaining == 0 {
                self.due.push_back(channel.clone());
            }
            let passed = ring.slots - ring.remaining;
            ring.is_overrun = ring.remaining > 0 && passed < ring.slots / limits::OVERRUN_DIVISOR;
            ring.remaining = ring.slots;
        }
    }

    /// Whether the followers of the channel that is due first are a crowd.
    pub(super) fn has_crowd(&self) -> bool {
        let first = self.due.front();
        let first = first.and_then(|channel| self.by_channel.get(channel));
        first.is_some_and(|ring| ring.waiters.len() >= limits::CROWD_FOLLOWERS)
    }

    /// Adds the next wakers to `wakers`, until it has `len`, no follower is due, or enough slots have
    /// been looked at: followers that have left leave empty slots. The more channels are due, the
    /// smaller is the part that each has, so that one with few followers does not wait for all others.
    pub(super) fn slice(&mut self, wakers: &mut Vec<Waker>, len: usize) -> RingSlice {
        let part = (len / self.due.len().max(1)).max(1);
        let (mut is_overrun, mut looks) = (false, len * limits::WAKE_LOOKS);
        while wakers.len() < len
            && looks > 0
            && let Some(channel) = self.due.pop_front()
        {
            looks -= 1;
            // The ring is gone if all followers of the channel have left.
            if let Some(ring) = self.by_channel.get_mut(&channel) {
                is_overrun |= ring.is_overrun;
                let most = (wakers.len() + part).min(len);
                ring.slice(wakers, most, &mut looks);
                if ring.remaining > 0 {
                    self.due.push_back(channel);
                }
            }
        }
        RingSlice {
            is_overrun,
            is_due: !self.due.is_empty(),
        }
    }
}

impl Ring {
    /// Takes a slot for a follower, and returns its number.
    pub(super) fn insert(&mut self) -> usize {
        let slot = self.waiters.insert(None);
        // A new slot is the last of the circle: a round that is under way comes by.
        let added = (slot + 1).saturating_sub(self.slots);
        self.slots += added;
        if self.remaining > 0 {
            self.remaining += added;
        }
        slot
    }

    /// Goes on with the round until `wakers` has `len`, all followers have been woken, or `looks` is
    /// used up, the number of slots that may be looked at. A slot
    /// never moves, and a follower that takes a slot which the round has passed reads the log after
    /// that: no follower is missed.
    fn slice(&mut self, wakers: &mut Vec<Waker>, len: usize, looks: &mut usize) {
        while self.remaining > 0 && wakers.len() < len && *looks > 0 {
            *looks -= 1;
            wakers.extend(self.waiters.get(self.next).cloned().flatten());
            self.next = (self.next + 1) % self.slots;
            self.remaining -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a ring with this many followers that wait.
    fn ring(waiters: usize) -> Ring {
        let mut ring = Ring::default();
        for _ in 0..waiters {
            add_waiter(&mut ring);
        }
        ring
    }

    /// Adds a follower that waits.
    fn add_waiter(ring: &mut Ring) {
        let slot = ring.insert();
        ring.waiters[slot] = Some(Waker::noop().clone());
    }

    /// Returns how many followers the next slice wakes.
    fn woken(ring: &mut Ring) -> usize {
        let mut wakers = Vec::new();
        ring.slice(&mut wakers, limits::WAKE_SLICE, &mut usize::MAX.clone());
        wakers.len()
    }

    /// A round wakes each follower once, also those that come meanwhile.
    #[test]
    fn ring_wakes_each_once() {
        let mut ring = ring(limits::WAKE_SLICE + 10);
        assert_eq!(woken(&mut ring), 0, "there is no message");
        ring.remaining = ring.slots;
        assert_eq!(woken(&mut ring), limits::WAKE_SLICE);
        add_waiter(&mut ring);
        assert_eq!(woken(&mut ring), 11);
        assert_eq!(ring.remaining, 0);
    }

    /// A ring is overrun only while messages come faster than a round takes.
    #[test]
    fn ring_is_overrun_while_messages_outrun_it() {
        let channel = Channel::main();
        let mut rings = Rings::default();
        for _ in 0..100 {
            add_waiter(rings.by_channel.entry(channel.clone()).or_default());
        }
        let mut is_overrun = |passed: usize| {
            let mut wakers = Vec::new();
            rings.slice(&mut wakers, passed);
            rings.mark(&channel);
            rings.by_channel[&channel].is_overrun
        };
        assert!(!is_overrun(0), "it has only begun");
        assert!(!is_overrun(50));
        assert!(is_overrun(5));
        assert!(is_overrun(5));
        assert!(!is_overrun(100), "all have been woken");
    }

    /// A message during a round makes it once around from there.
    #[test]
    fn ring_goes_once_around_from_a_new_message() {
        let mut ring = ring(limits::WAKE_SLICE + 10);
        ring.remaining = ring.slots;
        woken(&mut ring);
        ring.remaining = ring.slots;
        assert_eq!(woken(&mut ring), limits::WAKE_SLICE);
        assert_eq!(woken(&mut ring), 10);
        assert_eq!((ring.remaining, ring.next), (0, limits::WAKE_SLICE));
    }

    /// A slice ends soon where many followers have left, and the round goes on with the next one.
    #[test]
    fn slice_is_bounded_among_empty_slots() {
        let channel = Channel::main();
        let mut rings = Rings::default();
        let ring = rings.by_channel.entry(channel.clone()).or_default();
        (0..100_000).for_each(|_| add_waiter(ring));
        (0..99_999).for_each(|slot| drop(ring.waiters.remove(slot)));
        rings.mark(&channel);
        let (mut wakers, mut slices) = (Vec::new(), 0);
        while rings.slice(&mut wakers, limits::WAKE_SLICE).is_due {
            slices += 1;
        }
        assert_eq!(wakers.len(), 1);
        assert_eq!(slices, 100_000 / (limits::WAKE_SLICE * limits::WAKE_LOOKS));
    }

    /// A channel with one follower is not kept waiting by channels with many.
    #[test]
    fn small_channel_has_its_turn_among_large_ones() {
        let mut rings = Rings::default();
        let channels: Vec<Channel> = (0..200)
            .map(|n| Channel::new(&format!("c{n}")).unwrap())
            .collect();
        for (n, channel) in channels.iter().enumerate() {
            let ring = rings.by_channel.entry(channel.clone()).or_default();
            (0..if n == 199 { 1 } else { 1000 }).for_each(|_| add_waiter(ring));
            rings.mark(channel);
        }
        let mut woken = 0;
        while rings.by_channel[&channels[199]].remaining > 0 {
            let mut wakers = Vec::new();
            rings.slice(&mut wakers, limits::WAKE_SLICE);
            woken += wakers.len();
        }
        assert!(woken <= 200 + limits::WAKE_SLICE, "{woken}");
    }
}
