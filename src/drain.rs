//! The drain: the end of the server, spread over time.
//!
//! When the server stops, every stream ends in-band at a moment of its own within the drain's
//! window, so that the clients do not all reconnect at once to the server that takes over.

use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use slab::Slab;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits;

/// A handle on the drain. Clones are handles on the same drain.
#[derive(Clone, Debug)]
pub struct Drain(Arc<DrainShared>);

#[derive(Debug)]
struct DrainShared {
    window: Duration,
    began: OnceLock<Instant>,
    notify: Notify,
    /// The wakers of streams. There are many, and a waker here takes less memory than a future that
    /// waits for `notify`.
    streams: Mutex<Slab<Waker>>,
}

/// A stream's registration with the drain: its task is woken when the drain begins, until this is
/// dropped.
#[derive(Debug)]
pub struct DrainRegistration {
    drain: Drain,
    key: usize,
}

impl Drain {
    /// A drain that has not begun, and will take `window`.
    #[must_use]
    pub fn new(window: Duration) -> Drain {
        Drain(Arc::new(DrainShared {
            window,
            began: OnceLock::new(),
            notify: Notify::new(),
            streams: Mutex::default(),
        }))
    }

    /// Begins the drain. Connections that answer requests wait for this ([`Drain::begun`]); the tasks
    /// of streams that have a connection for themselves are woken ([`Drain::register`]).
    pub fn begin(&self, now: Instant) {
        // A second beginning changes nothing.
        let _ = self.0.began.set(now);
        self.0.notify.notify_waiters();
        for (_, waker) in self.0.streams.lock().iter() {
            waker.wake_by_ref();
        }
    }

    /// Wakes a task when the drain begins. A task registers before it asks whether the drain has
    /// begun, or it could miss the beginning.
    #[must_use]
    pub fn register(&self, waker: &Waker) -> DrainRegistration {
        DrainRegistration {
            drain: self.clone(),
            key: self.0.streams.lock().insert(waker.clone()),
        }
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.began.get().is_some()
    }

    /// Waits until the drain has begun.
    pub async fn begun(&self) {
        let notified = self.0.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.has_begun() {
            notified.await;
        }
    }

    /// When a stream has to end, if the drain has begun. `share`, between 0 and 1, is the part of
    /// the window after which it ends.
    #[must_use]
    pub fn deadline(&self, share: f32) -> Option<Instant> {
        let began = self.0.began.get()?;
        Some(*began + self.0.window.mul_f32(share.clamp(0.0, 1.0)))
    }

    /// How long after `moment` a client is to come back: after the window, and a random few seconds
    /// later, in which another server may have taken over.
    #[must_use]
    pub fn retry_after(&self, moment: Instant) -> Duration {
        let left = self
            .deadline(1.0)
            .map_or(Duration::ZERO, |end| end.duration_since(moment));
        left + random_seconds(limits::RETRY_AFTER_STOP_SECONDS)
    }
}

/// A random time between two numbers of seconds.
#[must_use]
pub fn random_seconds(range: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rand::random_range(
        range.start() * 1000..=range.end() * 1000,
    ))
}

impl Drop for DrainRegistration {
    fn drop(&mut self) {
        self.drain.0.streams.lock().try_remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Streams end at their share of the window, counted from the first beginning.
    #[tokio::test(start_paused = true)]
    async fn drain_spreads_deadlines_over_the_window() {
        let drain = Drain::new(Duration::from_secs(4));
        assert_eq!(drain.deadline(0.5), None);
        let began = Instant::now();
        drain.begin(began);
        drain.begin(began + Duration::from_secs(9));
        drain.begun().await;
        assert_eq!(drain.deadline(0.0), Some(began));
        assert_eq!(drain.deadline(0.5), Some(began + Duration::from_secs(2)));
        let retry = drain.retry_after(began + Duration::from_secs(1));
        assert!((5..=11).contains(&retry.as_secs()), "{retry:?}");
    }
}
