//! Wakes the followers of a channel that gets a message.
//!
//! A follower has one [`Waiter`] for its whole life, with a slot in the ring of each of its
//! channels. Its waker is in the slots *before* it looks at the log; the log is written *before*
//! the rings are gone around: whichever comes first, the follower sees the message or is woken.
//!
//! Each runtime with followers has rings of its own, and a task on it, the wake loop, that goes
//! around them. To wake a task from its own thread costs an entry in that thread's queue; from
//! another thread it costs a lock, and often a system call.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Waker;

use parking_lot::{Mutex, RwLock};
use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::Selection;
use super::rings::Rings;
use crate::limits;
use crate::message::Channel;

/// The waiting followers on all runtimes.
#[derive(Debug, Default)]
pub(super) struct Wake {
    lanes: RwLock<Vec<LaneWaiters>>,
    /// The number of appends that wait for another thread. That thread needs a processor, and wake
    /// loops may occupy all of them.
    pending_appends: Arc<AtomicUsize>,
}

/// The waiting followers on one runtime.
#[derive(Debug)]
struct LaneWaiters {
    runtime: Id,
    task: JoinHandle<()>,
    wake_loop: Arc<WakeLoop>,
}

/// The rings of one runtime, and what its wake loop needs to know.
#[derive(Debug, Default)]
struct WakeLoop {
    rings: Mutex<Rings>,
    /// Notified when a ring is due.
    is_due: Notify,
    pending_appends: Arc<AtomicUsize>,
}

/// A follower's slots in the rings of its channels. When it is dropped the slots are free again.
#[derive(Debug)]
pub(super) struct Waiter {
    wake_loop: Arc<WakeLoop>,
    /// The waker that is in the slots, for a comparison without the lock: a task's waker is the
    /// same for its whole life.
    waker: Option<Waker>,
    slots: Box<[(Channel, usize)]>,
}

impl Wake {
    /// Returns a waiter with a slot in the ring of each of the channels, on the current runtime.
    #[must_use]
    pub(super) fn waiter<'a>(&self, channels: impl IntoIterator<Item = &'a Channel>) -> Waiter {
        let wake_loop = self.wake_loop();
        let mut rings = wake_loop.rings.lock();
        let insert_slot = |channel: &Channel| {
            // The followers of a channel share its name, so that it is in the processor's cache.
            let shared = rings.by_channel.get_key_value(channel);
            let shared = shared.map(|(key, _)| key.clone());
            let channel = shared.unwrap_or_else(|| channel.clone());
            let ring = rings.by_channel.entry(channel.clone()).or_default();
            (channel, ring.insert())
        };
        let slots = channels.into_iter().map(insert_slot).collect();
        drop(rings);
        Waiter {
            wake_loop,
            waker: None,
            slots,
        }
    }

    /// Returns the wake loop of the current runtime, which is started if there is none.
    fn wake_loop(&self) -> Arc<WakeLoop> {
        let runtime = Handle::current();
        let is_own = |lane: &&LaneWaiters| lane.runtime == runtime.id() && !lane.task.is_finished();
        if let Some(lane) = self.lanes.read().iter().find(is_own) {
            return Arc::clone(&lane.wake_loop);
        }
        let mut lanes = self.lanes.write();
        // Another thread of this runtime may have added it meanwhile.
        if let Some(lane) = lanes.iter().find(is_own) {
            return Arc::clone(&lane.wake_loop);
        }
        // The lanes of runtimes that have ended are removed.
        lanes.retain(|lane| !lane.task.is_finished());
        let wake_loop = Arc::new(WakeLoop {
            pending_appends: Arc::clone(&self.pending_appends),
            ..WakeLoop::default()
        });
        lanes.push(LaneWaiters {
            runtime: runtime.id(),
            task: runtime.spawn(Arc::clone(&wake_loop).run()),
            wake_loop: Arc::clone(&wake_loop),
        });
        wake_loop
    }

    /// Counts an append that waits for another thread, for as long as the returned guard lives.
    #[must_use]
    pub(super) fn pending_append(&self) -> PendingAppend<'_> {
        self.pending_appends.fetch_add(1, Relaxed);
        PendingAppend(&self.pending_appends)
    }

    /// Has the followers of these channels woken, each on its own runtime.
    pub(super) fn wake(&self, channels: &BTreeSet<&Channel>) {
        for LaneWaiters { wake_loop, .. } in &*self.lanes.read() {
            let mut rings = wake_loop.rings.lock();
            for channel in channels {
                rings.mark(channel);
            }
            let is_due = !rings.due.is_empty();
            drop(rings);
            if is_due {
                wake_loop.is_due.notify_one();
            }
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        for lane in self.lanes.get_mut() {
            lane.task.abort();
        }
    }
}

/// A guard that counts an append as waiting for another thread ([`Wake::pending_append`]).
#[derive(Debug)]
pub(super) struct PendingAppend<'a>(&'a AtomicUsize);

impl Drop for PendingAppend<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl WakeLoop {
    /// Wakes the followers that are due, in slices, outside the lock. Other tasks have their turn
    /// between two slices.
    ///
    /// Messages that come much faster than a round takes are read together, so there is no hurry
    /// then: the round goes on in small slices, and gives way to other threads, the log's writer
    /// above all. With 2,000 followers and a publisher that sends as fast as it is answered, on the
    /// disk, twice as much is delivered a second as with large slices, and in memory half as much
    /// again.
    async fn run(self: Arc<Self>) {
        let mut wakers = Vec::with_capacity(limits::WAKE_SLICE);
        let mut is_overrun = false;
        loop {
            let gives_way = is_overrun || self.pending_appends.load(Relaxed) > 0;
            let slice = if gives_way {
                limits::WAKE_SLICE_OVERRUN
            } else {
                limits::WAKE_SLICE
            };
            let next = self.rings.lock().slice(&mut wakers, slice);
            is_overrun = next.is_overrun;
            if wakers.is_empty() && !next.is_due {
                self.is_due.notified().await;
                if self.rings.lock().has_crowd() {
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

impl Waiter {
    /// Makes a selection of the waiter's channels share the channel names with the rings.
    pub(super) fn share_names(&self, selection: &mut Selection) {
        for ((channel, _), (shared, _)) in selection.iter_mut().zip(&self.slots) {
            channel.clone_from(shared);
        }
    }

    /// Returns the number of channels that the follower waits for.
    pub(super) fn channels(&self) -> usize {
        self.slots.len()
    }

    /// Registers the waker of the follower's task. It is to be called before each look at the log.
    pub(super) fn register(&mut self, waker: &Waker) {
        if self.waker.as_ref().is_some_and(|own| own.will_wake(waker)) {
            return;
        }
        self.waker = Some(waker.clone());
        let mut rings = self.wake_loop.rings.lock();
        for (channel, slot) in &self.slots {
            let ring = rings.by_channel.get_mut(channel);
            if let Some(own) = ring.and_then(|ring| ring.waiters.get_mut(*slot)) {
                *own = Some(waker.clone());
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut rings = self.wake_loop.rings.lock();
        for (channel, slot) in &self.slots {
            if let Some(ring) = rings.by_channel.get_mut(channel) {
                ring.waiters.try_remove(*slot);
                if ring.waiters.is_empty() {
                    rings.by_channel.remove(channel);
                }
            }
        }
    }
}
