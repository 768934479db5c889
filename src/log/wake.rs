//! Who is woken when a channel gets a message.
//!
//! A follower has one [`Waiter`] for its whole life, in the list of each of its channels. Its waker
//! is in them *before* it looks at the log; the log is written *before* the lists are walked:
//! whichever comes first, the follower sees the message or is woken.
//!
//! Each runtime with followers has lists of its own, and a task on it that walks them. To wake a
//! task from its own thread costs a place in that thread's queue; from another it costs a lock,
//! and often a system call.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Waker;

use parking_lot::{Mutex, RwLock};
use slab::Slab;
use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Selection;
use crate::limits;
use crate::message::Channel;

/// The lists of all runtimes.
#[derive(Debug, Default)]
pub(super) struct Wake {
    lanes: RwLock<Vec<Lane>>,
    /// Appends that another thread is to do, which needs a processor; walks may have them all.
    appends: Arc<AtomicUsize>,
}

/// A runtime's part.
#[derive(Debug)]
struct Lane {
    runtime: Id,
    walker: JoinHandle<()>,
    walk: Arc<Walk>,
}

#[derive(Debug, Default)]
struct Walk {
    lists: Mutex<Lists>,
    some: Notify,
    appends: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Lists {
    of: HashMap<Channel, List>,
    /// The channels whose lists have somebody left to wake. They take turns, a slice each.
    due: VecDeque<Channel>,
}

/// Who follows a channel, walked in a circle.
#[derive(Debug, Default)]
struct List {
    /// Those who have not looked yet have none.
    waiters: Slab<Option<Waker>>,
    /// How many places there are.
    around: usize,
    /// Where the walk goes on.
    place: usize,
    /// How far it is until everybody has been woken since the last message. One that comes meanwhile
    /// makes it once around from there, so that nobody is woken twice for what is read at once.
    left: usize,
    /// Do messages come much faster than a walk takes?
    is_late: bool,
}

/// A follower's places in the lists. Dropping it leaves them.
#[derive(Debug)]
pub(super) struct Waiter {
    walk: Arc<Walk>,
    /// What is in the lists, to be compared without looking there: it is the same for a task's whole
    /// life.
    waker: Option<Waker>,
    places: Box<[(Channel, usize)]>,
}

impl Wake {
    /// A place in the list of each of the channels, on the current runtime.
    #[must_use]
    pub(super) fn waiter<'a>(&self, channels: impl IntoIterator<Item = &'a Channel>) -> Waiter {
        let walk = self.walk();
        let mut lists = walk.lists.lock();
        let enlist = |channel: &Channel| {
            // Those who follow a channel share its name: it is in the processor's cache.
            let shared = lists.of.get_key_value(channel).map(|(key, _)| key.clone());
            let channel = shared.unwrap_or_else(|| channel.clone());
            let place = lists.of.entry(channel.clone()).or_default().insert();
            (channel, place)
        };
        let places = channels.into_iter().map(enlist).collect();
        drop(lists);
        Waiter {
            walk,
            waker: None,
            places,
        }
    }

    /// What is walked on the current runtime.
    fn walk(&self) -> Arc<Walk> {
        let runtime = Handle::current();
        let is_own = |lane: &&Lane| lane.runtime == runtime.id() && !lane.walker.is_finished();
        if let Some(lane) = self.lanes.read().iter().find(is_own) {
            return Arc::clone(&lane.walk);
        }
        let mut lanes = self.lanes.write();
        // Another thread of this runtime may have been here.
        if let Some(lane) = lanes.iter().find(is_own) {
            return Arc::clone(&lane.walk);
        }
        // Those of runtimes that have ended go.
        lanes.retain(|lane| !lane.walker.is_finished());
        let walk = Arc::new(Walk {
            appends: Arc::clone(&self.appends),
            ..Walk::default()
        });
        lanes.push(Lane {
            runtime: runtime.id(),
            walker: runtime.spawn(Arc::clone(&walk).run()),
            walk: Arc::clone(&walk),
        });
        walk
    }

    /// Another thread is to do an append for as long as this lives.
    #[must_use]
    pub(super) fn append(&self) -> Appending<'_> {
        self.appends.fetch_add(1, Relaxed);
        Appending(&self.appends)
    }

    /// Has the followers of these channels woken, each on its own runtime.
    pub(super) fn wake(&self, channels: &BTreeSet<&Channel>) {
        for Lane { walk, .. } in &*self.lanes.read() {
            let mut lists = walk.lists.lock();
            for channel in channels {
                lists.mark(channel);
            }
            let is_due = !lists.due.is_empty();
            drop(lists);
            if is_due {
                walk.some.notify_one();
            }
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        for lane in self.lanes.get_mut() {
            lane.walker.abort();
        }
    }
}

/// See [`Wake::append`].
#[derive(Debug)]
pub(super) struct Appending<'a>(&'a AtomicUsize);

impl Drop for Appending<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Walk {
    /// Wakes whoever is due, in slices, outside the lock; others have their turn between them.
    ///
    /// Messages that come much faster than a walk takes are read together, so there is no hurry then:
    /// it goes on in small slices, and gives way to other threads, the log's writer above all. With
    /// 2,000 followers and a publisher that sends as fast as it is answered, on the disk, twice as
    /// much is delivered a second as with large slices, and in memory half as much again.
    async fn run(self: Arc<Self>) {
        let mut wakers = Vec::with_capacity(limits::WAKE_SLICE);
        let mut is_late = false;
        loop {
            let gives_way = is_late || self.appends.load(Relaxed) > 0;
            let most = if gives_way {
                limits::WAKE_SLICE_OVERRUN
            } else {
                limits::WAKE_SLICE
            };
            is_late = self.lists.lock().slice(&mut wakers, most);
            if wakers.is_empty() {
                self.some.notified().await;
                if self.lists.lock().has_crowd() {
                    tokio::time::sleep(limits::CROWD_PAUSE).await;
                }
            } else {
                if gives_way {
                    std::thread::yield_now();
                }
                wakers.drain(..).for_each(Waker::wake);
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Lists {
    /// A channel has a message.
    fn mark(&mut self, channel: &Channel) {
        if let Some(list) = self.of.get_mut(channel) {
            if list.left == 0 {
                self.due.push_back(channel.clone());
            }
            let walked = list.around - list.left;
            list.is_late = list.left > 0 && walked < list.around / limits::OVERRUN_DIVISOR;
            list.left = list.around;
        }
    }

    /// Are those who are due first a crowd?
    fn has_crowd(&self) -> bool {
        let first = self.due.front().and_then(|channel| self.of.get(channel));
        first.is_some_and(|list| list.waiters.len() >= limits::CROWD_FOLLOWERS)
    }

    /// The next to be woken; none if nobody is due. Says whether some of them are late.
    fn slice(&mut self, wakers: &mut Vec<Waker>, most: usize) -> bool {
        let mut is_late = false;
        while wakers.len() < most
            && let Some(channel) = self.due.pop_front()
        {
            // All of its followers may have left.
            if let Some(list) = self.of.get_mut(&channel) {
                is_late |= list.is_late;
                list.slice(wakers, most);
                if list.left > 0 {
                    self.due.push_back(channel);
                }
            }
        }
        is_late
    }
}

impl List {
    fn insert(&mut self) -> usize {
        let place = self.waiters.insert(None);
        // A new place is the last of the circle: a walk that is under way comes by.
        let more = (place + 1).saturating_sub(self.around);
        self.around += more;
        if self.left > 0 {
            self.left += more;
        }
        place
    }

    /// Walks on until the slice is full or all have been woken. Places never move, and who takes one
    /// that has been passed reads the log after that: nobody is missed.
    fn slice(&mut self, wakers: &mut Vec<Waker>, most: usize) {
        while self.left > 0 && wakers.len() < most {
            wakers.extend(self.waiters.get(self.place).cloned().flatten());
            self.place = (self.place + 1) % self.around;
            self.left -= 1;
        }
    }
}

impl Waiter {
    /// Lets a selection of its channels have the names that the lists have.
    pub(super) fn share(&self, selection: &mut Selection) {
        for ((channel, _), (shared, _)) in selection.iter_mut().zip(&self.places) {
            channel.clone_from(shared);
        }
    }

    /// The number of channels that are waited for.
    pub(super) fn channels(&self) -> usize {
        self.places.len()
    }

    /// Who is to be woken. To be called before looking at the log.
    pub(super) fn register(&mut self, waker: &Waker) {
        if self.waker.as_ref().is_some_and(|own| own.will_wake(waker)) {
            return;
        }
        self.waker = Some(waker.clone());
        let mut lists = self.walk.lists.lock();
        for (channel, place) in &self.places {
            let list = lists.of.get_mut(channel);
            if let Some(own) = list.and_then(|list| list.waiters.get_mut(*place)) {
                *own = Some(waker.clone());
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut lists = self.walk.lists.lock();
        for (channel, place) in &self.places {
            if let Some(list) = lists.of.get_mut(channel) {
                list.waiters.try_remove(*place);
                if list.waiters.is_empty() {
                    lists.of.remove(channel);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(waiters: usize) -> List {
        let mut list = List::default();
        for _ in 0..waiters {
            wait(&mut list);
        }
        list
    }

    /// A follower that waits.
    fn wait(list: &mut List) {
        let place = list.insert();
        list.waiters[place] = Some(Waker::noop().clone());
    }

    /// How many are woken by the next slice.
    fn woken(list: &mut List) -> usize {
        let mut wakers = Vec::new();
        list.slice(&mut wakers, limits::WAKE_SLICE);
        wakers.len()
    }

    #[test]
    fn a_walk_wakes_each_once_also_those_who_come_meanwhile() {
        let mut list = list(limits::WAKE_SLICE + 10);
        assert_eq!(woken(&mut list), 0, "there is no message");
        list.left = list.around;
        assert_eq!(woken(&mut list), limits::WAKE_SLICE);
        wait(&mut list);
        assert_eq!(woken(&mut list), 11);
        assert_eq!(list.left, 0);
    }

    #[test]
    fn a_walk_is_late_only_while_messages_outrun_it() {
        let channel = Channel::main();
        let mut lists = Lists::default();
        for _ in 0..100 {
            wait(lists.of.entry(channel.clone()).or_default());
        }
        let mut is_late = |walked: usize| {
            let mut wakers = Vec::new();
            lists.slice(&mut wakers, walked);
            lists.mark(&channel);
            lists.of[&channel].is_late
        };
        assert!(!is_late(0), "it has only begun");
        assert!(!is_late(50));
        assert!(is_late(5));
        assert!(is_late(5));
        assert!(!is_late(100), "all have been woken");
    }

    #[test]
    fn a_message_during_a_walk_makes_it_once_around_from_there() {
        let mut list = list(limits::WAKE_SLICE + 10);
        list.left = list.around;
        woken(&mut list);
        list.left = list.around;
        assert_eq!(woken(&mut list), limits::WAKE_SLICE);
        assert_eq!(woken(&mut list), 10);
        assert_eq!((list.left, list.place), (0, limits::WAKE_SLICE));
    }
}
