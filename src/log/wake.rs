//! Wakes the followers of a channel that gets a message: each lane has a bell of its own.
//!
//! A task that waits for messages has one [`Waiter`] for its whole life. To wake a task from its own
//! thread costs an entry in that thread's queue; from another thread it costs a lock, and often a
//! system call. So each runtime answers its own bell: where a crowd of followers is served, whoever
//! serves it ([`Wake::crowd_bell`]), and everywhere else a task that does nothing but that.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Waker;

use parking_lot::RwLock;
use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;

use super::Selection;
use super::bell::{Bell, BellAnswer};
use super::rings::{Member, Slots};
use crate::limits;
use crate::message::Channel;

/// The bells of all runtimes that have followers.
#[derive(Debug, Default)]
pub(super) struct Wake {
    bells: RwLock<Vec<RuntimeBell>>,
    /// The number of appends that wait for another thread.
    pending_appends: Arc<AtomicUsize>,
}

/// The bell of one runtime.
#[derive(Debug)]
struct RuntimeBell {
    runtime: Id,
    bell: Arc<Bell>,
    /// The task that answers it, where no crowd is served.
    task: Option<AbortHandle>,
}

/// A task that is woken when there may be messages. When it is dropped nothing is woken any more.
#[derive(Debug)]
pub(super) struct Waiter {
    bell: Arc<Bell>,
    /// The waker that has the slots, for a comparison without the lock: a task's waker is the
    /// same for its whole life.
    waker: Waker,
    slots: Slots,
}

impl Wake {
    /// The bell of the current runtime, which is answered by a task of its own if by nobody else.
    fn bell(&self) -> Arc<Bell> {
        let runtime = Handle::current();
        if let Some(own) = self.bells.read().iter().find(|own| own.is_of(&runtime)) {
            return Arc::clone(&own.bell);
        }
        let mut bells = self.bells.write();
        // Another thread of this runtime may have added it meanwhile.
        if let Some(own) = bells.iter().find(|own| own.is_of(&runtime)) {
            return Arc::clone(&own.bell);
        }
        // The bells of runtimes that have ended are removed.
        bells.retain(|bell| !bell.has_ended());
        let bell = Arc::new(Bell::new(Arc::clone(&self.pending_appends)));
        let task = runtime.spawn(wake_tasks(Arc::clone(&bell)));
        bells.push(RuntimeBell {
            runtime: runtime.id(),
            bell: Arc::clone(&bell),
            task: Some(task.abort_handle()),
        });
        bell
    }

    /// The bell of the current runtime, for whoever serves a crowd there, and answers the bell from
    /// here on.
    pub(super) fn crowd_bell(&self) -> Arc<Bell> {
        let bell = self.bell();
        for own in &mut *self.bells.write() {
            if Arc::ptr_eq(&own.bell, &bell)
                && let Some(task) = own.task.take()
            {
                task.abort();
            }
        }
        bell
    }

    /// Counts an append that waits for another thread, for as long as the returned guard lives.
    #[must_use]
    pub(super) fn pending_append(&self) -> PendingAppend<'_> {
        self.pending_appends.fetch_add(1, Relaxed);
        PendingAppend(&self.pending_appends)
    }

    /// How many follow each of these channels now, by its name or by a pattern.
    pub(super) fn followers<'c>(&self, channels: impl Iterator<Item = &'c Channel>) -> Vec<usize> {
        let bells: Vec<_> = (self.bells.read().iter())
            .map(|own| Arc::clone(&own.bell))
            .collect();
        let of_all = |channel| bells.iter().map(|bell| bell.followers(channel)).sum();
        channels.map(of_all).collect()
    }

    /// Rings for the followers of these channels, on every runtime.
    pub(super) fn wake(&self, channels: &BTreeSet<&Channel>) {
        for RuntimeBell { bell, .. } in &*self.bells.read() {
            bell.ring(channels);
        }
    }
}

impl RuntimeBell {
    fn is_of(&self, runtime: &Handle) -> bool {
        self.runtime == runtime.id() && !self.has_ended()
    }

    fn has_ended(&self) -> bool {
        self.task.as_ref().is_some_and(AbortHandle::is_finished)
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        for task in self
            .bells
            .get_mut()
            .iter()
            .filter_map(|bell| bell.task.as_ref())
        {
            task.abort();
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

/// Answers a bell whose members are tasks, and wakes them.
async fn wake_tasks(bell: Arc<Bell>) {
    let mut members = Vec::with_capacity(limits::WAKE_SLICE);
    loop {
        match poll_fn(|cx| bell.poll_answer(cx, &mut members)).await {
            BellAnswer::Pause => tokio::time::sleep(limits::CROWD_PAUSE).await,
            BellAnswer::Slice { gives_way } => {
                if gives_way {
                    std::thread::yield_now();
                }
                for member in members.drain(..) {
                    if let Member::Task(waker) = member {
                        waker.wake();
                    }
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Waiter {
    /// Has a task woken when there is a message in one of the channels. A task begins to wait before
    /// it looks at the log.
    pub(super) fn new(wake: &Wake, selection: &Selection, waker: &Waker) -> Waiter {
        let bell = wake.bell();
        let slots = bell.join(selection, &Member::Task(waker.clone()));
        Waiter {
            bell,
            waker: waker.clone(),
            slots,
        }
    }

    /// The number of channels that the task waits for.
    pub(super) fn channels(&self) -> usize {
        self.slots.count()
    }

    /// Has this task woken from here on. It is to be called before each look at the log.
    pub(super) fn register(&mut self, waker: &Waker) {
        if !self.waker.will_wake(waker) {
            self.waker.clone_from(waker);
            let member = Member::Task(waker.clone());
            self.bell.replace(&self.slots, &member);
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.bell.leave(&self.slots);
    }
}
