//! The drain: the end of the server, spread over time.
//!
//! When the server stops, every stream ends in-band at a moment of its own within the drain's
//! window, so that the clients do not all reconnect at once to the server that takes over.
//!
//! ```text
//!  Drain::begin ──── streams end ────▶ nothing is busy, or the window and a grace are over
//!                                       │
//!  requests are answered 503 ───────────┼─ a little longer ─▶ Drain::close ─▶ the end
//! ```
//!
//! Only what is *busy* is waited for: a stream, or a request whose answer has not been written. A
//! connection that is idle stays open until the end, and a request that still comes on it is answered:
//! to close it would break a request that is on its way.

use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

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
    /// The number of streams, and of requests that are not answered.
    busy: AtomicUsize,
    idle: Notify,
    closed: OnceLock<()>,
    closing: Notify,
}

/// A guard of something that the end of the server waits for, until this is dropped.
#[derive(Debug)]
pub struct Busy(Drain);

impl Drain {
    /// A drain that has not begun, and will take `window`.
    #[must_use]
    pub fn new(window: Duration) -> Drain {
        Drain(Arc::new(DrainShared {
            window,
            began: OnceLock::new(),
            notify: Notify::new(),
            busy: AtomicUsize::new(0),
            idle: Notify::new(),
            closed: OnceLock::new(),
            closing: Notify::new(),
        }))
    }

    /// Begins the drain. Connections wait for this ([`Drain::begun`]), and so does the crowd of each
    /// lane, which tells its followers.
    pub fn begin(&self, now: Instant) {
        // A second beginning changes nothing.
        let _ = self.0.began.set(now);
        self.0.notify.notify_waiters();
    }

    /// The time over which the streams end.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.0.window
    }

    /// Counts something that the end of the server waits for, until the guard is dropped.
    #[must_use]
    pub fn busy(&self) -> Busy {
        self.0.busy.fetch_add(1, SeqCst);
        Busy(self.clone())
    }

    /// The number of streams and requests that the end of the server waits for.
    #[must_use]
    pub fn busy_count(&self) -> usize {
        self.0.busy.load(SeqCst)
    }

    /// Waits until nothing is busy.
    pub async fn all_idle(&self) {
        wait(&self.0.idle, || self.busy_count() == 0).await;
    }

    /// Ends the drain: no new request is answered from here on.
    pub fn close(&self) {
        // A second end changes nothing.
        let _ = self.0.closed.set(());
        self.0.closing.notify_waiters();
    }

    /// Waits until the drain has ended.
    pub async fn closed(&self) {
        wait(&self.0.closing, || self.0.closed.get().is_some()).await;
    }

    /// Whether the drain has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.0.began.get().is_some()
    }

    /// Waits until the drain has begun.
    pub async fn begun(&self) {
        wait(&self.0.notify, || self.has_begun()).await;
    }

    /// Waits until the drain has begun and its window is over.
    pub async fn over(&self) {
        self.begun().await;
        if let Some(end) = self.deadline(1.0) {
            tokio::time::sleep_until(end).await;
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

/// Waits until a condition holds, which may begin to hold whenever `notify` is notified.
async fn wait(notify: &Notify, holds: impl Fn() -> bool) {
    let mut notified = pin!(notify.notified());
    loop {
        notified.as_mut().enable();
        if holds() {
            return;
        }
        notified.as_mut().await;
        notified.set(notify.notified());
    }
}

/// A random time between two numbers of seconds.
#[must_use]
pub fn random_seconds(range: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rand::random_range(
        range.start() * 1000..=range.end() * 1000,
    ))
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.0.busy.fetch_sub(1, SeqCst) == 1 {
            self.0.0.idle.notify_waiters();
        }
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

    /// All that is busy is waited for, and what is idle is not.
    #[tokio::test]
    async fn drain_waits_for_what_is_busy() {
        let drain = Drain::new(Duration::ZERO);
        drain.all_idle().await;
        let (one, other) = (drain.busy(), drain.busy());
        let waiting = tokio::spawn({
            let drain = drain.clone();
            async move { drain.all_idle().await }
        });
        tokio::task::yield_now().await;
        drop(one);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(other);
        waiting.await.unwrap();
        drain.close();
        drain.closed().await;
    }
}
