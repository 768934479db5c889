//! Rights: what a stream or a request was let in with, such as a login session, and what can be taken
//! back while it goes on.
//!
//! A [`Right`] is shared by all that goes on with it. Its end is a flag in memory and not a message:
//! a message can be trimmed before a stream that lags has read it, and cannot be appended to a disk
//! that is full. What is said after a right has ended is not told to its streams, whatever they have
//! read before:
//!
//! - A stream looks at the flag after each read of the log and before it writes what it has read
//!   ([`Follower::next`](crate::follow::Follower::next)). A message that was appended after the flag
//!   was set cannot be read without seeing the flag.
//! - A stream that waits is woken ([`RightHold::register`]), and ends at once.
//! - A request that changes something does so as an [`Act`]. Whoever ends the right waits for the acts
//!   that have begun ([`Right::alone`]), and no other begins.
//!
//! [`Rights`] are the rights that are in use, by what they stand for. A right is taken from there
//! first, and only then is it looked up whether it is to be had: if it ends in between, the flag is
//! set.

use std::collections::HashMap;
use std::future::poll_fn;
use std::hash::Hash;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Poll, Waker};

use parking_lot::Mutex;
use slab::Slab;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// How a right has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RightEnd {
    /// It was taken back.
    Revoked,
    /// Its time is over.
    Expired,
}

/// A right, held or ended. Clones are the same right. An ended right never comes back: what is granted
/// anew is another right.
#[derive(Clone, Debug, Default)]
pub struct Right(Arc<RightShared>);

#[derive(Debug, Default)]
struct RightShared {
    end: OnceLock<RightEnd>,
    /// Locked for reading by each act, and for writing by what must not overlap with any.
    acts: Arc<RwLock<()>>,
    /// The wakers of streams. A waker here takes less memory than a future that waits.
    streams: Mutex<Slab<Waker>>,
}

/// A change that is being made with a right. The right may end meanwhile, but that is not answered
/// before this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Act(#[expect(dead_code, reason = "held until it is dropped")] OwnedRwLockReadGuard<()>);

/// While this lives no [`Act`] of a right goes on.
#[derive(Debug)]
#[must_use]
pub struct Alone(
    #[expect(dead_code, reason = "held until it is dropped")] OwnedRwLockWriteGuard<()>,
);

impl Right {
    /// How the right has ended; `None` while it is held.
    #[must_use]
    pub fn end(&self) -> Option<RightEnd> {
        self.0.end.get().copied()
    }

    /// Whether the right has not ended.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.end().is_none()
    }

    /// Begins a change; `None` if the right has ended.
    pub async fn act(&self) -> Option<Act> {
        let act = Act(Arc::clone(&self.0.acts).read_owned().await);
        // Looked at after the lock is held: whoever ends the right sets the flag, and then waits for
        // the lock.
        self.is_held().then_some(act)
    }

    /// Waits for the acts that have begun; no other begins while the returned guard lives.
    pub async fn alone(&self) -> Alone {
        Alone(Arc::clone(&self.0.acts).write_owned().await)
    }

    /// Ends the right, and wakes its streams. The first end counts.
    fn set_end(&self, end: RightEnd) {
        let _ = self.0.end.set(end);
        for (_, waker) in self.0.streams.lock().iter() {
            waker.wake_by_ref();
        }
    }
}

/// A stream's hold on a right.
#[derive(Debug)]
pub struct RightHold {
    right: Right,
    /// The place of the stream's waker.
    slot: Option<usize>,
}

impl RightHold {
    /// The hold of a stream that has not been polled yet.
    #[must_use]
    pub fn new(right: Right) -> RightHold {
        RightHold { right, slot: None }
    }

    /// How the right has ended; `None` while it is held.
    #[must_use]
    pub fn end(&self) -> Option<RightEnd> {
        self.right.end()
    }

    /// Waits until the right ends.
    pub async fn ended(&mut self) -> RightEnd {
        poll_fn(|cx| {
            self.register(cx.waker());
            self.end().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Has the stream's task woken when the right ends. A task registers before it asks whether the
    /// right has ended, or it could miss the end.
    pub fn register(&mut self, waker: &Waker) {
        let mut streams = self.right.0.streams.lock();
        match self.slot.and_then(|slot| streams.get_mut(slot)) {
            Some(known) => known.clone_from(waker),
            None => self.slot = Some(streams.insert(waker.clone())),
        }
    }
}

impl Drop for RightHold {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.right.0.streams.lock().try_remove(slot);
        }
    }
}

/// The rights that are in use, by what they stand for. There are as many as requests and streams
/// that go on, and at most as many again that are not in use any more.
#[derive(Debug)]
pub struct Rights<K>(Mutex<InUse<K>>);

#[derive(Debug)]
struct InUse<K> {
    by_key: HashMap<K, Weak<RightShared>>,
    /// At how many entries those are removed that are not in use any more.
    purge_at: usize,
}

/// The fewest entries at which a purge is worth its while.
const PURGE_AT_LEAST: usize = 64;

impl<K: Eq + Hash + Clone> Rights<K> {
    /// No rights.
    #[must_use]
    pub fn new() -> Rights<K> {
        Rights(Mutex::new(InUse {
            by_key: HashMap::new(),
            purge_at: PURGE_AT_LEAST,
        }))
    }

    /// Returns the right that stands for `key`. It does not say that anybody has it: that is to be
    /// looked up afterwards.
    #[must_use]
    pub fn right(&self, key: K) -> Right {
        let mut in_use = self.0.lock();
        if let Some(right) = in_use.by_key.get(&key).and_then(Weak::upgrade) {
            return Right(right);
        }
        if in_use.by_key.len() >= in_use.purge_at {
            in_use.by_key.retain(|_, right| right.strong_count() > 0);
            in_use.purge_at = PURGE_AT_LEAST.max(2 * in_use.by_key.len());
        }
        let right = Right::default();
        in_use.by_key.insert(key, Arc::downgrade(&right.0));
        right
    }

    /// Ends the right that stands for `key`, if it is in use. To be called after what is looked up
    /// says so, too. Before this is answered, [`Right::alone`] waits for the acts of the returned right.
    pub fn end(&self, key: &K, end: RightEnd) -> Option<Right> {
        let right = self.0.lock().by_key.remove(key)?.upgrade().map(Right)?;
        right.set_end(end);
        Some(right)
    }

    /// Ends each right in use for which `end` says how. Returns how many those were.
    pub fn end_where(&self, mut end: impl FnMut(&K) -> Option<RightEnd>) -> usize {
        let mut ended = Vec::new();
        self.0.lock().by_key.retain(|key, right| {
            let Some(right) = right.upgrade() else {
                return false;
            };
            let how = end(key);
            ended.extend(how.map(|how| (Right(right), how)));
            how.is_none()
        });
        for (right, how) in &ended {
            right.set_end(*how);
        }
        ended.len()
    }

    /// Returns what the rights in use stand for.
    #[must_use]
    pub fn keys(&self) -> Vec<K> {
        let in_use = self.0.lock();
        let used = in_use.by_key.iter();
        used.filter(|(_, right)| right.strong_count() > 0)
            .map(|(key, _)| key.clone())
            .collect()
    }
}

impl<K: Eq + Hash + Clone> Default for Rights<K> {
    fn default() -> Rights<K> {
        Rights::new()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// An end is seen by all that hold the right, and what is granted afterwards is another right.
    #[test]
    fn right_ends_for_all_that_hold_it() {
        let rights = Rights::new();
        let (one, same, other) = (rights.right(1), rights.right(1), rights.right(2));
        let woken = Arc::new(Woken::default());
        let mut hold = RightHold::new(one.clone());
        for _ in 0..3 {
            hold.register(&Arc::clone(&woken).into());
        }
        assert!(rights.end(&1, RightEnd::Revoked).is_some());
        assert!(rights.end(&1, RightEnd::Expired).is_none());
        for end in [one.end(), same.end(), hold.end()] {
            assert_eq!(end, Some(RightEnd::Revoked));
        }
        assert_eq!(woken.0.load(Relaxed), 1);
        assert!(other.is_held());
        assert!(rights.right(1).is_held());
        drop(hold);
        assert!(one.0.streams.lock().is_empty());
    }

    /// Whoever ends a right waits for the acts that have begun, and no other begins.
    #[tokio::test]
    async fn right_end_waits_for_acts() {
        let rights = Rights::new();
        let right = rights.right(1);
        let act = right.act().await.unwrap();
        let ended = rights.end(&1, RightEnd::Revoked).unwrap();
        let waiting = tokio::spawn(async move { drop(ended.alone().await) });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(act);
        waiting.await.unwrap();
        assert!(right.act().await.is_none());
    }

    /// What is not in use any more is forgotten.
    #[test]
    fn rights_do_not_pile_up() {
        let rights = Rights::new();
        let kept = rights.right(0);
        for key in 1..10_000 {
            drop(rights.right(key));
        }
        assert!(rights.0.lock().by_key.len() <= PURGE_AT_LEAST);
        assert_eq!(rights.keys(), [0]);
        assert!(rights.end(&0, RightEnd::Expired).is_some());
        assert_eq!(kept.end(), Some(RightEnd::Expired));
    }
}
