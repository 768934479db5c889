//! The health of the log: whether it accepts appends.

use parking_lot::Mutex;

use super::{ErrorReport, StoreError};

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
