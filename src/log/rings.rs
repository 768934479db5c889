//! Rings: the followers of one lane, channel by channel, told of messages in circles, a slice at a
//! time. Pure: members come out, and whoever asked for them wakes or writes to them.

use std::collections::VecDeque;
use std::task::Waker;

use slab::Slab;

use super::Selection;
use super::ring_numbers::RingNumbers;
use super::selection::Followed;
use crate::limits;
use crate::message::Channel;

/// What is told of the messages of a channel.
#[derive(Clone, Debug)]
pub enum Member {
    /// A task, which looks at the log itself when it is woken.
    Task(Waker),
    /// A follower that the lane serves, by its key there.
    Follower(u32),
}

/// The rings of the channels and patterns that are followed on one lane.
#[derive(Debug, Default)]
pub(super) struct Rings {
    by_number: Slab<Ring>,
    numbers: RingNumbers,
    /// The rings that have members left to tell. They take turns, a slice each.
    due: VecDeque<u32>,
}

/// The members of one channel or pattern on one lane, told in a circle.
#[derive(Debug)]
struct Ring {
    /// The only channel, or the only pattern.
    selection: Selection,
    members: Slab<Member>,
    /// The number of slots in the circle.
    slots: usize,
    /// The slot at which the round goes on.
    next: usize,
    /// The number of slots to go until every member has been told since the last message. A
    /// message that comes during a round makes it once around from there, so that no member is
    /// told twice of messages that it reads together.
    remaining: usize,
    /// Whether messages come much faster than a round takes.
    is_overrun: bool,
}

/// A member's slot in the ring of a channel or a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    ring: u32,
    slot: u32,
}

/// A member's slots, one for each of its channels and patterns. Most members have one, and need no more
/// memory than this.
#[derive(Debug)]
pub enum Slots {
    /// The only slot.
    One(Slot),
    /// Several slots.
    Many(Box<[Slot]>),
}

impl Slots {
    /// The slots, in the order of the channels.
    fn as_slice(&self) -> &[Slot] {
        match self {
            Slots::One(slot) => std::slice::from_ref(slot),
            Slots::Many(slots) => slots,
        }
    }

    /// The number of the first channel's ring, which all members of a channel have in common.
    #[must_use]
    pub fn first_ring(&self) -> u32 {
        self.as_slice().first().map_or(u32::MAX, |slot| slot.ring)
    }

    /// The number of slots.
    #[must_use]
    pub fn count(&self) -> usize {
        self.as_slice().len()
    }
}

impl Rings {
    /// Gives a member a slot in the ring of each channel and each pattern of a selection.
    pub(super) fn join(&mut self, selection: &Selection, member: &Member) -> Slots {
        let mut slots = selection.followed().map(|followed| {
            let ring = self.ring(followed);
            let slot = self.by_number[ring as usize].insert(member.clone());
            Slot { ring, slot }
        });
        match (slots.next(), selection.count()) {
            (Some(only), 1) => Slots::One(only),
            (first, _) => Slots::Many(first.into_iter().chain(slots).collect()),
        }
    }

    /// The selection of a member with one channel or pattern, for all members of its ring: what they
    /// share is in the processor's cache.
    pub(super) fn selection(&self, slots: &Slots) -> Option<&Selection> {
        match slots {
            Slots::One(slot) => Some(&self.by_number.get(slot.ring as usize)?.selection),
            Slots::Many(_) => None,
        }
    }

    /// The number of the ring of a channel or a pattern, which is made if there is none.
    fn ring(&mut self, followed: Followed<'_>) -> u32 {
        if let Some(ring) = self.numbers.get(followed) {
            return ring;
        }
        let ring = Ring::new(Selection::of(followed));
        let ring = number(self.by_number.insert(ring));
        self.numbers.insert(followed, ring);
        ring
    }

    /// Puts another member into these slots.
    pub(super) fn replace(&mut self, slots: &Slots, member: &Member) {
        for Slot { ring, slot } in slots.as_slice() {
            let ring = self.by_number.get_mut(*ring as usize);
            if let Some(own) = ring.and_then(|ring| ring.members.get_mut(*slot as usize)) {
                own.clone_from(member);
            }
        }
    }

    /// Takes a member out of its slots, which are free again.
    pub(super) fn leave(&mut self, slots: &Slots) {
        for slot in slots.as_slice() {
            let number = slot.ring as usize;
            if let Some(ring) = self.by_number.get_mut(number) {
                ring.members.try_remove(slot.slot as usize);
                if ring.members.is_empty() {
                    let ring = self.by_number.remove(number);
                    for followed in ring.selection.followed() {
                        self.numbers.remove(followed);
                    }
                }
            }
        }
    }

    /// How many members are told of a channel's messages.
    pub(super) fn members(&self, channel: &Channel) -> usize {
        let rings = self.numbers.of(channel);
        let rings = rings.filter_map(|number| self.by_number.get(number as usize));
        rings.map(|ring| ring.members.len()).sum()
    }

    /// Notes that a channel has a new message.
    pub(super) fn mark(&mut self, channel: &Channel) {
        for number in self.numbers.of(channel) {
            if let Some(ring) = self.by_number.get_mut(number as usize) {
                if ring.remaining == 0 {
                    self.due.push_back(number);
                }
                ring.mark();
            }
        }
    }

    /// Whether any ring has members left to tell.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// Whether the followers of the channel that is due first are a crowd.
    pub(super) fn has_crowd(&self) -> bool {
        let first = self.due.front();
        let first = first.and_then(|number| self.by_number.get(*number as usize));
        first.is_some_and(|ring| ring.members.len() >= limits::CROWD_FOLLOWERS)
    }

    /// Adds the next members to `members`, until it has `len`, no member is due, or enough slots have
    /// been looked at: followers that have left leave empty slots. The more channels are due, the
    /// smaller is the part that each has, so that one with few followers does not wait for all others.
    /// Returns whether messages come much faster than a round takes in any of these rings.
    pub(super) fn slice(&mut self, members: &mut Vec<Member>, len: usize) -> bool {
        let part = (len / self.due.len().max(1)).max(1);
        let (mut is_overrun, mut looks) = (false, len * limits::WAKE_LOOKS);
        while members.len() < len
            && looks > 0
            && let Some(number) = self.due.pop_front()
        {
            looks -= 1;
            // The ring is gone, or another has its number, if all followers of the channel have left.
            if let Some(ring) = self.by_number.get_mut(number as usize) {
                is_overrun |= ring.is_overrun;
                let most = (members.len() + part).min(len);
                ring.slice(members, most, &mut looks);
                if ring.remaining > 0 {
                    self.due.push_back(number);
                }
            }
        }
        is_overrun
    }
}

impl Ring {
    fn new(selection: Selection) -> Ring {
        Ring {
            selection,
            members: Slab::new(),
            slots: 0,
            next: 0,
            remaining: 0,
            is_overrun: false,
        }
    }

    /// Has every member told once from here on.
    fn mark(&mut self) {
        let passed = self.slots - self.remaining;
        self.is_overrun = self.remaining > 0 && passed < self.slots / limits::OVERRUN_DIVISOR;
        self.remaining = self.slots;
    }

    /// Takes a slot for a member, and returns its number.
    fn insert(&mut self, member: Member) -> u32 {
        let slot = self.members.insert(member);
        // A new slot is the last of the circle: a round that is under way comes by.
        let added = (slot + 1).saturating_sub(self.slots);
        self.slots += added;
        if self.remaining > 0 {
            self.remaining += added;
        }
        number(slot)
    }

    /// Goes on with the round until `members` has `len`, all members have been told, or `looks` is
    /// used up, the number of slots that may be looked at. A slot never moves, and a follower that
    /// takes a slot which the round has passed reads the log after that: no follower is missed.
    fn slice(&mut self, members: &mut Vec<Member>, len: usize, looks: &mut usize) {
        while self.remaining > 0 && members.len() < len && *looks > 0 {
            *looks -= 1;
            members.extend(self.members.get(self.next).cloned());
            self.next = (self.next + 1) % self.slots;
            self.remaining -= 1;
        }
    }
}

/// A number of a slot or a ring. There are fewer of them than open sockets, of which there are far
/// fewer than this.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a ring with this many followers that wait.
    fn ring(members: usize) -> Ring {
        let mut ring = Ring::new(Selection::of_channel(Channel::main()));
        for _ in 0..members {
            add_waiter(&mut ring);
        }
        ring
    }

    /// Adds a follower that waits.
    fn add_waiter(ring: &mut Ring) {
        ring.insert(Member::Follower(0));
    }

    /// Returns the ring of a channel.
    fn ring_of<'a>(rings: &'a mut Rings, channel: &Channel) -> &'a mut Ring {
        let number = rings.ring(Followed::Channel(channel));
        &mut rings.by_number[number as usize]
    }

    /// Returns how many followers the next slice wakes.
    fn woken(ring: &mut Ring) -> usize {
        let mut members = Vec::new();
        ring.slice(&mut members, limits::WAKE_SLICE, &mut usize::MAX.clone());
        members.len()
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
            add_waiter(ring_of(&mut rings, &channel));
        }
        let mut is_overrun = |passed: usize| {
            let mut members = Vec::new();
            rings.slice(&mut members, passed);
            rings.mark(&channel);
            ring_of(&mut rings, &channel).is_overrun
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
        let ring = ring_of(&mut rings, &channel);
        (0..100_000).for_each(|_| add_waiter(ring));
        (0..99_999).for_each(|slot| drop(ring.members.remove(slot)));
        rings.mark(&channel);
        let (mut members, mut slices) = (Vec::new(), 0);
        while rings.is_due() {
            rings.slice(&mut members, limits::WAKE_SLICE);
            slices += 1;
        }
        assert_eq!(members.len(), 1);
        let looks = limits::WAKE_SLICE * limits::WAKE_LOOKS;
        assert_eq!(slices, 100_000_usize.div_ceil(looks));
    }

    /// A channel with one follower is not kept waiting by channels with many.
    #[test]
    fn small_channel_has_its_turn_among_large_ones() {
        let mut rings = Rings::default();
        let channels: Vec<Channel> = (0..200)
            .map(|n| Channel::new(&format!("c{n}")).unwrap())
            .collect();
        for (n, channel) in channels.iter().enumerate() {
            let ring = ring_of(&mut rings, channel);
            (0..if n == 199 { 1 } else { 1000 }).for_each(|_| add_waiter(ring));
            rings.mark(channel);
        }
        let mut woken = 0;
        while ring_of(&mut rings, &channels[199]).remaining > 0 {
            let mut members = Vec::new();
            rings.slice(&mut members, limits::WAKE_SLICE);
            woken += members.len();
        }
        assert!(woken <= 200 + limits::WAKE_SLICE, "{woken}");
    }
}
