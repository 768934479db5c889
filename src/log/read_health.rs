//! The health of reads: whether the log can be read, as far as its readers know.
//!
//! ```text
//!            a read fails                     30 s later the newest messages can be read
//!   Sound ───────────────▶ Failing ──────────────────────────────────▶ Damaged
//!     ▲                     │   ▲                                      │    │
//!     └── it succeeds ──────┘   └── the newest cannot be read, either ─┘    │
//!     └──────────────────── the read that failed succeeds ──────────────────┘
//! ```
//!
//! While it is `Failing`, the server is not ready. A part of old history that is damaged for good
//! does not keep it so: followers who ask for that part are refused, all others are served, and a
//! metric says that it is so. The state machine is pure; `checked_read.rs` feeds it.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::error_report::ErrorReport;
use super::{LocateError, Selection, StartAt, Store, StoreError, Subscription};
use crate::limits;
use crate::log::PageLimit;
use crate::message::{Channel, Pattern, Seq};

/// Whether the log can be read.
#[derive(Debug, Default)]
pub(super) struct ReadHealth {
    state: Mutex<ReadState>,
    report: ErrorReport,
}

#[derive(Clone, Debug, Default)]
enum ReadState {
    /// No read has failed that has not succeeded since.
    #[default]
    Sound,
    /// This read has failed since then.
    Failing {
        since: Instant,
        error: StoreError,
        failed: Arc<FailedRead>,
    },
    /// This read fails, but the newest messages can be read.
    Damaged { failed: Arc<FailedRead> },
}

/// A read that failed, to be tried again.
#[derive(Debug)]
pub(super) enum FailedRead {
    /// A page of these channels.
    Page(Selection, Seq),
    /// A position to start at.
    Start(Subscription, StartAt),
    /// A list of the channels of this pattern.
    List(Pattern),
    /// Which of these channels are closed.
    Closes(Vec<Channel>),
}

impl FailedRead {
    /// Tries the read again.
    ///
    /// # Errors
    /// When it fails again.
    pub(super) async fn retry(&self, store: &Store) -> Result<(), StoreError> {
        match self {
            FailedRead::Page(selection, after) => {
                let limit = PageLimit::new(limits::FRAME_MESSAGES, limits::FRAME_BYTES);
                store.read(selection, *after, limit).await.map(drop)
            }
            // An answer that needs no look at the file has not failed.
            FailedRead::Closes(channels) => {
                let (_, last) = store.bounds();
                store.closes(channels, last.next()).await.map(drop)
            }
            FailedRead::List(pattern) => {
                let limit = limits::LIST_CHANNELS_MAX;
                store.list(pattern, "", limit).await.map(drop)
            }
            FailedRead::Start(subscription, start_at) => {
                match store.locate(subscription, *start_at).await {
                    Err(LocateError::Store(error)) => Err(error),
                    Ok(_) | Err(LocateError::TooManyChannels(_)) => Ok(()),
                }
            }
        }
    }
}

impl ReadHealth {
    /// Checks whether the log as a whole can be read.
    ///
    /// # Errors
    /// When reads fail, with the reason of the first.
    pub(super) fn get(&self) -> Result<(), StoreError> {
        match &*self.state.lock() {
            ReadState::Failing { error, .. } => Err(error.clone()),
            ReadState::Sound | ReadState::Damaged { .. } => Ok(()),
        }
    }

    /// Whether every read has succeeded, or has since.
    pub(super) fn is_sound(&self) -> bool {
        matches!(*self.state.lock(), ReadState::Sound)
    }

    /// Notes that a read failed. Returns whether it has to be watched from here on.
    pub(super) fn fail(&self, now: Instant, error: &StoreError, failed: FailedRead) -> bool {
        self.report
            .error(format_args!("the log cannot be read: {error}"));
        let mut state = self.state.lock();
        let is_first = matches!(*state, ReadState::Sound);
        if is_first {
            *state = ReadState::Failing {
                since: now,
                error: error.clone(),
                failed: Arc::new(failed),
            };
        }
        is_first
    }

    /// Returns the read that is to be tried again; `None` if all is sound.
    pub(super) fn failed(&self) -> Option<Arc<FailedRead>> {
        match &*self.state.lock() {
            ReadState::Sound => None,
            ReadState::Failing { failed, .. } | ReadState::Damaged { failed } => {
                Some(Arc::clone(failed))
            }
        }
    }

    /// Notes how the failed read, and a read of the newest messages, went now.
    pub(super) fn retried(
        &self,
        now: Instant,
        failed: Result<(), StoreError>,
        newest: Result<(), StoreError>,
    ) {
        let mut state = self.state.lock();
        let next = match (&*state, failed, newest) {
            (ReadState::Sound, ..) => return,
            (_, Ok(()), Ok(())) => {
                log::info!("the log can be read again");
                ReadState::Sound
            }
            (ReadState::Failing { since, failed, .. }, Err(error), Ok(()))
                if now >= *since + limits::READ_DAMAGE_TIME =>
            {
                log::error!(
                    "a part of the log is damaged: followers who ask for it are refused, and all \
                     others are served ({error})"
                );
                let failed = Arc::clone(failed);
                ReadState::Damaged { failed }
            }
            (ReadState::Damaged { failed }, _, Err(error)) => {
                log::error!("the log cannot be read: {error}");
                ReadState::Failing {
                    since: now,
                    failed: Arc::clone(failed),
                    error,
                }
            }
            _ => return,
        };
        *state = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> FailedRead {
        FailedRead::Page(Selection::from_iter([]), Seq(7))
    }

    /// Each arrow that is drawn above.
    #[test]
    fn reads_fail_recover_and_are_damaged() {
        let error = || StoreError("broken".to_owned());
        let (health, began) = (ReadHealth::default(), Instant::now());
        assert!(health.get().is_ok() && health.failed().is_none());
        assert!(health.fail(began, &error(), failed()));
        assert!(!health.fail(began, &error(), failed()), "it is watched");
        assert_eq!(health.get(), Err(error()));
        health.retried(began, Ok(()), Ok(()));
        assert!(health.is_sound());

        assert!(health.fail(began, &error(), failed()));
        health.retried(began, Err(error()), Ok(()));
        assert!(health.get().is_err(), "not for long enough");
        let later = began + limits::READ_DAMAGE_TIME;
        health.retried(later, Err(error()), Err(error()));
        assert!(health.get().is_err(), "nothing can be read");
        health.retried(later, Err(error()), Ok(()));
        assert!(health.get().is_ok() && !health.is_sound());
        assert!(!health.fail(later, &error(), failed()));
        assert!(health.get().is_ok(), "it is only a part");
        health.retried(later, Err(error()), Err(error()));
        assert!(health.get().is_err(), "now nothing can be read");
        health.retried(later, Ok(()), Ok(()));
        assert!(health.is_sound());
    }
}
