//! The end of the server, spread over time.
//!
//! When the server stops, every stream ends in-band at a moment of its own within the window,
//! so that the clients do not all come back at once to whoever takes over.

use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Duration;

use parking_lot::Mutex;
use slab::Slab;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A handle on the drain. Clones are the same drain.
#[derive(Clone, Debug)]
pub struct Drain(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    window: Duration,
    began: OnceLock<Instant>,
    notify: Notify,
    /// The tasks of streams, which are many: a place here is less than a future that waits.
    streams: Mutex<Slab<Waker>>,
}

/// A stream that is woken when the drain begins, until this is dropped.
#[derive(Debug)]
pub struct Enlisted {
    drain: Drain,
    place: usize,
}

impl Drain {
    /// A drain that has not begun, and will take `window`.
    #[must_use]
    pub fn new(window: Duration) -> Drain {
        Drain(Arc::new(Shared {
            window,
            began: OnceLock::new(),
            notify: Notify::new(),
            streams: Mutex::default(),
        }))
    }

    /// Begins it. Every connection waits for this ([`Drain::begun`]) and then looks at its stream.
    pub fn begin(&self, now: Instant) {
        // A second beginning changes nothing.
        let _ = self.0.began.set(now);
        self.0.notify.notify_waiters();
        for (_, waker) in self.0.streams.lock().iter() {
            waker.wake_by_ref();
        }
    }

    /// Wakes a task when it begins. To be called before it is asked whether it has begun.
    #[must_use]
    pub fn enlist(&self, waker: &Waker) -> Enlisted {
        Enlisted {
            drain: self.clone(),
            place: self.0.streams.lock().insert(waker.clone()),
        }
    }

    /// Has it begun?
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.began.get().is_some()
    }

    /// Waits until it has begun.
    pub async fn begun(&self) {
        let notified = self.0.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        if !self.has_begun() {
            notified.await;
        }
    }

    /// When a stream is to end, if it has begun. `share` is between 0 and 1, the stream's part
    /// of the window.
    #[must_use]
    pub fn end(&self, share: f32) -> Option<Instant> {
        let began = self.0.began.get()?;
        Some(*began + self.0.window.mul_f32(share.clamp(0.0, 1.0)))
    }
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        self.drain.0.streams.lock().try_remove(self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ends_are_spread_over_the_window() {
        let drain = Drain::new(Duration::from_secs(4));
        assert_eq!(drain.end(0.5), None);
        let began = Instant::now();
        drain.begin(began);
        drain.begin(began + Duration::from_secs(9));
        drain.begun().await;
        assert_eq!(drain.end(0.0), Some(began));
        assert_eq!(drain.end(0.5), Some(began + Duration::from_secs(2)));
    }
}
