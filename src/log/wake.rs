//! Who is woken when a channel gets a message.
//!
//! A follower has one [`Waiter`] for its whole life, in the list of each of its channels. It
//! registers its waker *before* it looks at the log; the log is written *before* the lists are
//! walked: whichever comes first, the follower sees the message or is woken.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::task::Waker;

use atomic_waker::AtomicWaker;
use parking_lot::Mutex;
use slab::Slab;

use crate::limits;
use crate::message::Channel;

/// Lists are spread over this many locks, so that followers who come and go on different
/// channels seldom meet.
const SHARDS: usize = 64;
const _: () = assert!(SHARDS <= 256, "a byte of the hash says which");

type Lists = HashMap<Channel, Slab<Arc<AtomicWaker>>>;

/// The lists of waiters.
#[derive(Debug)]
pub(super) struct Wake {
    shards: Box<[Mutex<Lists>]>,
    hasher: RandomState,
}

/// A follower's places in the lists. Dropping it leaves them.
#[derive(Debug)]
pub(super) struct Waiter {
    wake: Arc<Wake>,
    waker: Arc<AtomicWaker>,
    places: Box<[(Channel, usize)]>,
}

impl Wake {
    /// No lists.
    #[must_use]
    pub(super) fn new() -> Arc<Wake> {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Arc::new(Wake {
            shards,
            hasher: RandomState::new(),
        })
    }

    fn shard(&self, channel: &Channel) -> &Mutex<Lists> {
        let hash = self.hasher.hash_one(channel).to_ne_bytes();
        &self.shards[usize::from(hash[0]) % SHARDS]
    }

    /// A place in the list of each of the channels.
    #[must_use]
    pub(super) fn waiter<'a>(
        self: &Arc<Wake>,
        channels: impl IntoIterator<Item = &'a Channel>,
    ) -> Waiter {
        let waker = Arc::new(AtomicWaker::new());
        let enlist = |channel: &Channel| {
            let mut lists = self.shard(channel).lock();
            let place = lists
                .entry(channel.clone())
                .or_default()
                .insert(Arc::clone(&waker));
            (channel.clone(), place)
        };
        let places = channels.into_iter().map(enlist).collect();
        Waiter {
            wake: Arc::clone(self),
            waker,
            places,
        }
    }

    /// Wakes the followers of a channel, in slices, outside the lock.
    pub(super) async fn wake(&self, channel: &Channel) {
        if self.waiters(channel) >= limits::CROWD {
            tokio::time::sleep(limits::CROWD_PAUSE).await;
        }
        let mut from = 0;
        while let Some((slice, next)) = self.slice(channel, from) {
            for waker in slice {
                waker.wake();
            }
            from = next;
            tokio::task::yield_now().await;
        }
    }

    fn waiters(&self, channel: &Channel) -> usize {
        let lists = self.shard(channel).lock();
        lists.get(channel).map_or(0, Slab::len)
    }

    /// The wakers at the places from `from` on, and the place behind them. Places never move, and
    /// who takes one that has been passed reads the log after that: nobody is missed.
    fn slice(&self, channel: &Channel, from: usize) -> Option<(Vec<Waker>, usize)> {
        let lists = self.shard(channel).lock();
        let list = lists.get(channel)?;
        let end = from.saturating_add(limits::WAKE_SLICE).min(list.capacity());
        let taken = (from..end)
            .filter_map(|place| list.get(place)?.take())
            .collect();
        (from < end).then_some((taken, end))
    }
}

impl Waiter {
    /// Who is to be woken. To be called before looking at the log.
    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        for (channel, place) in &self.places {
            let mut lists = self.wake.shard(channel).lock();
            if let Some(list) = lists.get_mut(channel) {
                list.try_remove(*place);
                if list.is_empty() {
                    lists.remove(channel);
                }
            }
        }
    }
}
