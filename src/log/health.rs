//! The health of the log: whether it accepts appends.

use parking_lot::Mutex;

use super::{ErrorReport, Log, StoreError};

/// The result of the last commit, or of the last probe since.
#[derive(Debug)]
pub(super) struct Health {
    state: Mutex<Result<(), StoreError>>,
    report: ErrorReport,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            state: Mutex::new(Ok(())),
            report: ErrorReport::default(),
        }
    }
}

impl Health {
    pub(super) fn get(&self) -> Result<(), StoreError> {
        self.state.lock().clone()
    }

    /// Records a result, and reports it in the server's own log if it has changed. Under load the
    /// same result comes a thousand times a second.
    pub(super) fn set(&self, now: Result<(), StoreError>) {
        let before = std::mem::replace(&mut *self.state.lock(), now.clone());
        match (before, now) {
            (Err(_), Ok(())) => log::info!("appends are accepted again"),
            (before, Err(now)) if before.as_ref() != Err(&now) => {
                self.report
                    .error(format_args!("appends are refused: {now}"));
            }
            _ => {}
        }
    }
}

impl Log {
    /// Checks whether the log accepts appends and can be read, as far as is known.
    ///
    /// # Errors
    /// When it does not or cannot, with the reason.
    pub fn health(&self) -> Result<(), StoreError> {
        self.check_appends()?;
        self.check_reads()?;
        self.cluster
            .as_ref()
            .map_or(Ok(()), |cluster| cluster.ready())
    }

    /// Checks whether the log accepts appends, as far as is known.
    ///
    /// # Errors
    /// When it does not, with the reason.
    pub fn check_appends(&self) -> Result<(), StoreError> {
        self.queue.sender()?;
        self.shared.health.get()
    }

    /// Checks whether the log as a whole can be read, as far as is known.
    ///
    /// # Errors
    /// When it cannot, with the reason.
    pub fn check_reads(&self) -> Result<(), StoreError> {
        self.shared.read_health.get()
    }

    /// Whether no part of the log is known to be unreadable.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.shared.read_health.is_sound()
    }
}
