//! What is known of the engine and of this server's copy.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::limits;
use crate::log::StoreError;
use crate::message::Seq;
use crate::metrics::ClusterReadings;

/// What is known, for those who ask and those who wait.
#[derive(Debug)]
pub(super) struct ClusterStatus {
    pub(super) is_connected: AtomicBool,
    /// How far the engine's log goes at least.
    known: AtomicU64,
    /// What the engine said last of the whole of its log.
    extent: watch::Sender<Option<Extent>>,
    /// When the copy was last as far as the engine had been.
    caught_up: Mutex<CaughtUp>,
    /// Why nothing can be done, if something failed.
    trouble: Mutex<Option<String>>,
    /// Why the server has to end.
    failure: watch::Sender<Option<String>>,
    pub(super) tries: AtomicU64,
    pub(super) fills: AtomicU64,
    pub(super) failed_fills: AtomicU64,
    pub(super) reconnects: AtomicU64,
}

/// How far the engine's log goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// When it was asked for: whatever was committed before is in it.
    pub(super) asked: Instant,
    pub(super) last: Seq,
}

/// How the copy keeps up.
#[derive(Debug)]
struct CaughtUp {
    /// When the copy was last as far as the engine had been then.
    at: Option<Instant>,
    /// How far the engine had come at this time, which the copy has not reached.
    next: Option<(Seq, Instant)>,
}

impl Default for ClusterStatus {
    fn default() -> ClusterStatus {
        ClusterStatus {
            is_connected: AtomicBool::new(false),
            known: AtomicU64::new(0),
            extent: watch::Sender::new(None),
            caught_up: Mutex::new(CaughtUp {
                at: None,
                next: None,
            }),
            trouble: Mutex::new(None),
            failure: watch::Sender::new(None),
            tries: AtomicU64::new(0),
            fills: AtomicU64::new(0),
            failed_fills: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
        }
    }
}

impl ClusterStatus {
    /// The engine's log goes at least as far as this.
    pub(super) fn known(&self) -> Seq {
        Seq(self.known.load(Relaxed))
    }

    /// Notes that the engine's log goes at least as far as this.
    pub(super) fn note_known(&self, seq: Seq) {
        self.known.fetch_max(seq.0, Relaxed);
    }

    /// Notes how far the engine's log goes.
    pub(super) fn note_extent(&self, extent: Extent) {
        self.note_known(extent.last);
        {
            let mut caught_up = self.caught_up.lock();
            if caught_up.next.is_none() {
                caught_up.next = Some((extent.last, extent.asked));
            }
        }
        *self.trouble.lock() = None;
        self.extent.send_replace(Some(extent));
    }

    /// Notes how far the copy has come.
    pub(super) fn note_copy(&self, last: Seq) {
        let mut caught_up = self.caught_up.lock();
        if let Some((seq, asked)) = caught_up.next
            && last >= seq
        {
            caught_up.at = Some(asked);
            caught_up.next = None;
        }
    }

    /// How far the engine's log goes, asked for after `since`.
    pub(super) async fn extent_after(&self, since: Instant) -> Extent {
        let mut extents = self.extent.subscribe();
        let is_new = |extent: &Option<Extent>| extent.is_some_and(|extent| extent.asked >= since);
        match extents.wait_for(is_new).await.map(|extent| *extent) {
            Ok(Some(extent)) => extent,
            // The sender is here.
            _ => std::future::pending().await,
        }
    }

    /// Notes why the engine does not answer as it should.
    pub(super) fn note_trouble(&self, trouble: String) {
        let mut known = self.trouble.lock();
        if known.as_ref() != Some(&trouble) {
            log::warn!("the cluster: {trouble}");
            *known = Some(trouble);
        }
    }

    /// Why the engine does not answer as it should, if that is known.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    /// The server has to end.
    pub(super) fn fail(&self, why: String) {
        self.failure.send_if_modified(|failure| {
            let is_first = failure.is_none();
            failure.get_or_insert(why);
            is_first
        });
    }

    /// Waits until the server has to end, and returns why.
    pub(super) async fn failed(&self) -> String {
        let mut failures = self.failure.subscribe();
        let failed = failures.wait_for(Option::is_some).await;
        let why = failed.ok().and_then(|why| why.clone());
        // Otherwise the sender would be gone, which is here.
        why.unwrap_or_default()
    }

    /// Whether the server has what the others have, and can append.
    ///
    /// # Errors
    /// When it does not or cannot, with the reason.
    pub(super) fn check(&self, copy: Seq, now: Instant) -> Result<(), StoreError> {
        if let Some(why) = &*self.failure.borrow() {
            return Err(StoreError(why.clone()));
        }
        self.check_connection()?;
        let lag = self.lag(now);
        if lag.is_some_and(|lag| lag <= limits::CLUSTER_LAG_MAX) {
            return Ok(());
        }
        if let Some(trouble) = &*self.trouble.lock() {
            return Err(StoreError(trouble.clone()));
        }
        Err(StoreError(format!(
            "this server's copy of the log lags: it has come to seq {copy}, and the cluster to {}",
            self.known()
        )))
    }

    /// Whether there is a connection to the engine.
    ///
    /// # Errors
    /// When there is none, with the reason.
    pub(super) fn check_connection(&self) -> Result<(), StoreError> {
        if self.is_connected.load(Relaxed) {
            return Ok(());
        }
        let trouble = self.trouble.lock().clone();
        let why = trouble.map_or_else(String::new, |why| format!(": {why}"));
        Err(StoreError(format!(
            "there is no connection to the cluster's NATS servers{why}"
        )))
    }

    /// For how long the copy has lagged; `None` if it has not caught up yet.
    fn lag(&self, now: Instant) -> Option<Duration> {
        let at = self.caught_up.lock().at?;
        Some(now.saturating_duration_since(at))
    }

    /// The state for the metrics. `copy` is how far the copy has come.
    pub(super) fn readings(&self, copy: Seq, now: Instant) -> ClusterReadings {
        ClusterReadings {
            is_connected: self.is_connected.load(Relaxed),
            engine_last: self.known().max(copy),
            copy_last: copy,
            lag: self.lag(now),
            retries: self.tries.load(Relaxed),
            fills: self.fills.load(Relaxed),
            failed_fills: self.failed_fills.load(Relaxed),
            reconnects: self.reconnects.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy is up to date when it has what the engine had a moment ago, and lags when it stands still.
    #[test]
    fn lag_is_told_by_time() {
        let (status, start) = (ClusterStatus::default(), Instant::now());
        status.is_connected.store(true, Relaxed);
        let extent = |seconds, last| Extent {
            asked: start + Duration::from_secs(seconds),
            last: Seq(last),
        };
        let check = |seconds| status.check(Seq(0), start + Duration::from_secs(seconds));
        assert!(check(0).is_err(), "it has not caught up");
        status.note_extent(extent(0, 10));
        status.note_copy(Seq(9));
        assert!(check(0).is_err(), "it has not caught up yet");
        status.note_copy(Seq(10));
        assert!(check(4).is_ok());
        status.note_extent(extent(3, 20));
        status.note_extent(extent(4, 30));
        status.note_copy(Seq(25));
        assert!(check(8).is_ok(), "it has what was there after 3 s");
        assert!(check(9).is_err());
    }
}
