//! All reads of the store by the log's readers: a read that fails is counted, reported and watched,
//! and its reader is told only after a pause.

use std::sync::{Arc, Weak};
use std::time::Instant;

use super::read_health::FailedRead;
use super::{
    ChannelInfo, LocateError, LogShared, Page, PageLimit, Selection, StartAt, StoreError,
    Subscription,
};
use crate::limits;
use crate::message::{Channel, Close, Pattern, Seq};

impl LogShared {
    /// Reads a page, as [`Store::read`](super::Store::read) does.
    ///
    /// # Errors
    /// When the store cannot be read, [`limits::READ_FAILURE_PAUSE`] after that was found out: a
    /// client that asks again at once would otherwise do so thousands of times a second.
    pub(super) async fn read(
        self: &Arc<LogShared>,
        selection: &Selection,
        after: Seq,
        limit: PageLimit,
    ) -> Result<Page, StoreError> {
        let read = self.store.read(selection, after, limit).await;
        let failed = || FailedRead::Page(selection.clone(), after);
        self.checked(read, failed).await
    }

    /// Finds where a follower starts, as [`Store::locate`](super::Store::locate) does.
    ///
    /// # Errors
    /// When the store cannot be read, after the same pause as a read; and as the store says.
    pub(super) async fn locate(
        self: &Arc<LogShared>,
        subscription: &Subscription,
        start_at: StartAt,
    ) -> Result<Selection, LocateError> {
        let located = match self.store.locate(subscription, start_at).await {
            Ok(selection) => Ok(selection),
            Err(LocateError::Store(error)) => Err(error),
            Err(error) => return Err(error),
        };
        let failed = || FailedRead::Start(subscription.clone(), start_at);
        Ok(self.checked(located, failed).await?)
    }

    /// Tells which channels are closed, as [`Store::closes`](super::Store::closes) does.
    ///
    /// # Errors
    /// When the store cannot be read, after the same pause as a read.
    pub(super) async fn closes(
        self: &Arc<LogShared>,
        channels: &[Channel],
        at: Seq,
    ) -> Result<Vec<Close>, StoreError> {
        let closes = self.store.closes(channels, at).await;
        let failed = || FailedRead::Closes(channels.to_vec());
        self.checked(closes, failed).await
    }

    /// Lists channels, as [`Store::list`](super::Store::list) does.
    ///
    /// # Errors
    /// When the store cannot be read, after the same pause as a read.
    pub(super) async fn list(
        self: &Arc<LogShared>,
        pattern: &Pattern,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ChannelInfo>, StoreError> {
        let listed = self.store.list(pattern, after, limit).await;
        let failed = || FailedRead::List(pattern.clone());
        self.checked(listed, failed).await
    }

    async fn checked<T>(
        self: &Arc<LogShared>,
        read: Result<T, StoreError>,
        failed: impl FnOnce() -> FailedRead,
    ) -> Result<T, StoreError> {
        if let Err(error) = &read {
            self.metrics.read_failed();
            if self.read_health.fail(Instant::now(), error, failed()) {
                tokio::spawn(watch(Arc::downgrade(self)));
            }
            tokio::time::sleep(limits::READ_FAILURE_PAUSE).await;
        }
        read
    }
}

/// Tries a failed read again until it succeeds: it may be that no client asks any more, so none would
/// find out.
async fn watch(shared: Weak<LogShared>) {
    loop {
        tokio::time::sleep(limits::READ_RETRY_INTERVAL).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let Some(failed) = shared.read_health.failed() else {
            return;
        };
        let failed = failed.retry(&shared.store).await;
        let newest = shared.store.read_newest().await;
        shared.read_health.retried(Instant::now(), failed, newest);
        if shared.read_health.is_sound() {
            return;
        }
    }
}
